"""``status.json``: the status of a run, for other processes."""

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.status import troubles_of
from pipeline.core.errors import ProcessLostError
from pipeline.runtime.cameras.membership import Membership
from pipeline.runtime.running_pipeline import RunningPipeline
from pipeline.telemetry.batch_status import BatchStatus
from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.match_status import MatchStatus
from pipeline.telemetry.status import frame_sizes, in_background, write_last_status, write_status


class Lost:
    """A process that is gone."""

    async def status(self) -> CameraStatus:
        raise ProcessLostError("camera east")


class Well:
    async def status(self) -> CameraStatus:
        return CameraStatus(frames_processed=7, people_now=2)


def make_pipeline(cameras: dict[str, Any], match_status: Any) -> RunningPipeline:
    async def nothing(*_: object) -> Any:
        return None

    async def busy() -> BatchStatus:
        return BatchStatus(1.5, 3, 2, {1: 1, 4: 2})

    return RunningPipeline(
        membership=Membership(cameras, nothing),
        detect=nothing,  # type: ignore[arg-type]
        pose=nothing,
        embed=nothing,  # type: ignore[arg-type]
        enrol=nothing,
        deliver=nothing,  # type: ignore[arg-type]
        finish=nothing,
        match_status=match_status,
        watch_processes=nothing,
        release=nothing,
        has_live=False,
        busy={"detect": [busy, busy]},
        build_camera=nothing,  # type: ignore[arg-type]
        join=nothing,
    )


class Removed:
    """A recording that has ended at the time at which it was removed."""

    async def status(self) -> CameraStatus:
        return CameraStatus(removed_at=10.0, frame_hw=(480, 640))


class Hung:
    """A process that was stopped by SIGSTOP."""

    async def status(self) -> CameraStatus:
        await asyncio.Event().wait()
        raise AssertionError


async def fine() -> MatchStatus:
    return MatchStatus(num_identities=4)


def written_after(pipeline: RunningPipeline, folder: Path) -> dict[str, Any]:
    path = folder / "status.json"

    async def run() -> None:
        async with in_background(lambda: write_status(folder, pipeline)):
            while not path.exists():
                await asyncio.sleep(0.01)

    asyncio.run(run())
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_a_camera_that_hangs_hides_no_other(tmp_path: Path) -> None:
    found = written_after(make_pipeline({"east": Hung(), "west": Well()}, fine), tmp_path)
    assert found["cameras"]["east"]["is_silent"]
    assert found["cameras"]["west"]["people_now"] == 2


def test_a_process_of_several_stages_that_hangs_delays_the_file_by_one_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.telemetry.status.SILENT_S", 0.5)
    monkeypatch.setattr("pipeline.telemetry.status.EVERY_S", 0.5)
    pipeline = make_pipeline({"east": Hung(), "west": Well()}, fine)
    hung: Any = Hung().status
    pipeline = replace(pipeline, busy={stage: [hung] for stage in ("detect", "pose", "embed")})
    began = time.monotonic()
    found = written_after(pipeline, tmp_path)
    assert time.monotonic() - began < 1.5  # one after the other: 2 s
    assert [found["busy"][stage]["num_silent"] for stage in ("detect", "pose", "embed")] == [1, 1, 1]
    assert found["cameras"]["west"]["people_now"] == 2


def test_it_has_every_camera_the_matcher_and_the_batch_actors(tmp_path: Path) -> None:
    found = written_after(make_pipeline({"west": Well()}, fine), tmp_path)
    assert found["cameras"]["west"]["people_now"] == 2
    assert found["match"]["num_identities"] == 4
    assert found["busy"]["detect"] == {
        "busy_s": 3.0,
        "items": 6,
        "waiting": 4,
        "calls": {"1": 2, "4": 4},
        "mean_call": 3.0,
        "num_silent": 0,
    }


def test_a_lost_camera_is_shown_as_lost(tmp_path: Path) -> None:
    found = written_after(make_pipeline({"east": Lost(), "west": Well()}, fine), tmp_path)
    assert "east" in found["cameras"]["east"]["error"]
    assert found["cameras"]["west"]["error"] is None


def test_what_is_known_of_parts_that_hang_or_are_lost_stays_and_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.telemetry.status.SILENT_S", 0.05)
    monkeypatch.setattr("pipeline.telemetry.status.EVERY_S", 0.05)
    hangs = asyncio.Event()
    is_lost = False

    def then_hangs(answer: Any) -> Any:
        async def status() -> Any:
            if is_lost:
                raise ProcessLostError("match")
            if hangs.is_set():
                await asyncio.Event().wait()
            return answer

        return status

    def written() -> dict[str, Any]:
        found: dict[str, Any] = json.loads((tmp_path / "status.json").read_text())
        return found

    async def run() -> None:
        nonlocal is_lost
        camera = Well()
        camera.status = then_hangs(CameraStatus(frames_processed=7))  # type: ignore[method-assign]
        pipeline = make_pipeline({"east": camera}, then_hangs(MatchStatus(num_identities=4)))
        pipeline = replace(pipeline, busy={"detect": [then_hangs(BatchStatus(1.0, 3))]})
        async with in_background(lambda: write_status(tmp_path, pipeline)):
            await asyncio.sleep(0.1)
            assert not written()["match"]["is_silent"]
            hangs.set()
            await asyncio.sleep(0.4)
            hung = written()
            is_lost = True
            await asyncio.sleep(0.4)
            lost = written()
        for found in (hung, lost):
            assert (found["match"]["is_silent"], found["match"]["num_identities"]) == (True, 4)
            assert (found["busy"]["detect"]["num_silent"], found["busy"]["detect"]["items"]) == (1, 3)
            assert found["cameras"]["east"]["frames_processed"] == 7
            troubles = troubles_of(found, found["at"])
            assert troubles[1:] == ["match: its process does not answer", "detect: 1 of its processes do not answer"]
        assert hung["cameras"]["east"]["is_silent"]
        assert lost["at"] > hung["at"]

    asyncio.run(run())


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        async with in_background(lambda: write_status(tmp_path / "none", make_pipeline({}, fine))):
            await asyncio.sleep(0.05)

    asyncio.run(run())


def test_a_recording_that_was_removed_stands_with_the_removed_and_its_size_stays_known(tmp_path: Path) -> None:
    written = written_after(make_pipeline({"east": Well(), "west": Removed()}, fine), tmp_path)
    assert written["cameras"].keys() == {"east"}
    assert written["removed_cameras"]["west"]["removed_at"] == 10.0
    assert frame_sizes(tmp_path) == {"west": (480, 640)}


def test_the_file_of_a_run_that_has_ended_has_the_last_status_of_each_camera(tmp_path: Path) -> None:
    written_after(make_pipeline({"east": Well(), "west": Well()}, fine), tmp_path)
    east, west = CameraStatus(frames_processed=9), CameraStatus(frames_processed=8, removed_at=10.0)
    write_last_status(tmp_path, {"east": east, "west": west})
    written = json.loads((tmp_path / "status.json").read_text())
    assert {name: each["frames_processed"] for name, each in written["cameras"].items()} == {"east": 9}
    assert {name: each["frames_processed"] for name, each in written["removed_cameras"].items()} == {"west": 8}
    assert written["match"]["num_identities"] == 4


def test_a_run_that_ended_before_its_first_status_has_no_file(tmp_path: Path) -> None:
    write_last_status(tmp_path, {"east": CameraStatus()})
    assert not list(tmp_path.iterdir())
