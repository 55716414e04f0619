"""Several cameras in one process, and the networks that work beside them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from pipeline.core.errors import ProcessLostError
from pipeline.runtime.actor_ref import ActorHost, ActorRef
from pipeline.runtime.batch_actor import BatchActor
from pipeline.runtime.cameras.camera_actor import CameraActor
from pipeline.runtime.cameras.picture_memory import keep_picture_memory
from pipeline.runtime.stage_calls import StageCalls
from pipeline.telemetry.batch_status import BatchStatus

Calls = Mapping[str, Callable[[Any], Awaitable[Any]]]
"""By stage: what processes one item."""
MakeCamera = Callable[[Calls], CameraActor]
MakeStages = Mapping[str, tuple[Callable[[], BatchActor], int]]
"""By stage: builds one actor of it, and how many there are."""


def start_here(make_stages: MakeStages) -> dict[str, ActorRef]:
    """Return actors in this process, built at their first call; each works in a thread of its own."""
    keep_picture_memory()
    return {
        name: ActorRef(name, [ActorHost(make) for _ in range(count)]) for name, (make, count) in make_stages.items()
    }


class CameraHost:
    """The cameras of one process. They share its event loop, as all do where everything is in one process.

    Args:
        make_cameras: By camera; given what processes the items of each stage.
        make_stages: The stages that work here.
        elsewhere: The actors of the other stages.
        max_items: Items in a call to those at most.
    """

    def __init__(
        self,
        *,
        make_cameras: Mapping[str, MakeCamera],
        make_stages: MakeStages,
        elsewhere: Mapping[str, Sequence[ActorRef]],
        max_items: int,
    ) -> None:
        self._here = start_here(make_stages)
        calls: Calls = {
            **{name: ref.method("process") for name, ref in self._here.items()},
            **{name: StageCalls(actors, max_items=max_items) for name, actors in elsewhere.items()},
        }
        self._calls = calls
        self._cameras = {camera_id: make(calls) for camera_id, make in make_cameras.items()}

    async def ready(self) -> None:
        """Return once every network here is loaded."""
        for ref in self._here.values():
            for actor in ref.each():
                await actor.call("ready")

    async def camera(self, camera_id: str, method: str, *arguments: Any) -> Any:
        """Return what a method of a camera returns.

        Raises:
            ProcessLostError: If the camera was let go of meanwhile: on Ray, calls may overtake each other.
        """
        if camera_id not in self._cameras:
            raise ProcessLostError(f"camera {camera_id}")
        return await getattr(self._cameras[camera_id], method)(*arguments)

    async def add(self, camera_id: str, make: MakeCamera) -> None:
        """Build one more camera."""
        self._cameras[camera_id] = make(self._calls)

    async def drop(self, camera_id: str) -> None:
        """Let go of a camera whose ``run`` has returned."""
        self._cameras.pop(camera_id, None)

    async def process(self, stage: str, item: Any) -> Any:
        """Return the result of a stage that works here."""
        return await self._here[stage].call("process", item)

    async def busy(self, stage: str) -> BatchStatus:
        """Return the status of a stage that works here."""
        return sum([await actor.call("busy") for actor in self._here[stage].each()], BatchStatus())
