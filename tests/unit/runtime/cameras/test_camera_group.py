"""Several cameras in one process: one death is one new process, and an end of another process is no end of theirs."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from pipeline.core.errors import ProcessLostError
from pipeline.runtime.actor_ref import ActorHost, ActorRef
from pipeline.runtime.cameras.camera_group import CameraGroup
from pipeline.runtime.cameras.camera_host import CameraHost, CameraMaker


class Host:
    """A process with cameras."""

    def __init__(self, lost: str | None = None) -> None:
        self.lost = lost

    async def camera(self, camera_id: str, method: str) -> str:
        if self.lost is not None:
            raise ProcessLostError(self.lost)
        return f"{camera_id}.{method}"


def make_group(hosts: list[Host]) -> CameraGroup:
    started = iter(hosts)

    def start(cameras: Mapping[str, Any]) -> ActorRef:
        host = next(started)
        return ActorRef("cameras east, west", [ActorHost(lambda: host)])

    return CameraGroup(start, dict.fromkeys(("east", "west")))  # type: ignore[arg-type]


async def statuses(group: CameraGroup) -> list[Any]:
    members = [group.member(camera_id) for camera_id in ("east", "west")]
    return await asyncio.gather(*(member.call("status") for member in members), return_exceptions=True)


def test_a_process_that_dies_is_replaced_once_for_all_its_cameras() -> None:
    async def main() -> tuple[list[Any], list[Any]]:
        group = make_group([Host("cameras east, west"), Host()])
        return await statuses(group), await statuses(group)

    lost, after = asyncio.run(main())
    assert [error.process for error in lost] == ["camera east", "camera west"]
    assert after == ["east.status", "west.status"]


def test_a_process_that_dies_again_is_replaced_again() -> None:
    async def main() -> list[Any]:
        group = make_group([Host("cameras east, west"), Host("cameras east, west"), Host()])
        await statuses(group)
        await statuses(group)
        return await statuses(group)

    assert asyncio.run(main()) == ["east.status", "west.status"]


def test_another_process_that_a_camera_needs_keeps_its_name() -> None:
    async def main() -> None:
        await make_group([Host("match")]).member("east").call("run")

    with pytest.raises(ProcessLostError) as raised:
        asyncio.run(main())
    assert raised.value.process == "match"


def test_a_call_that_comes_after_a_camera_was_let_go_of_finds_it_lost() -> None:
    async def main() -> None:
        host = CameraHost(make_cameras={}, stages={}, max_items=1)
        await host.add("east", CameraMaker(lambda calls: Host()))  # type: ignore[arg-type,return-value]
        await host.drop("east")
        with pytest.raises(ProcessLostError, match="camera east"):
            await host.camera("east", "status")

    asyncio.run(main())
