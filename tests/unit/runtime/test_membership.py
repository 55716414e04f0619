"""Cameras come and go while a run goes on, and the events of the others do not wait for them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest
from camera_parts import EndlessSource, HopelessSource, make_frames
from test_whole_pipeline import Result, make_plan, watch

from connectors.sinks.memory import MemorySink
from connectors.sources.memory import MemorySource
from pipeline.core import Frame, Sighting, Source
from pipeline.core.errors import ConfigError
from pipeline.runtime.assembly import start_pipeline
from pipeline.runtime.cameras.membership import RunEndingError
from pipeline.runtime.plan import CameraIntake, Plan
from pipeline.runtime.running_pipeline import RunningPipeline


class NowSource(EndlessSource):
    """A live camera with the time of this machine."""

    def __init__(self, camera_id: str) -> None:
        super().__init__(camera_id, live=True)

    def frames(self) -> Iterator[Frame]:
        for frame in super().frames():
            time.sleep(0.02)
            yield replace(frame, stamp=replace(frame.stamp, captured_at=time.time()))


class AwaySource(HopelessSource):
    camera_id = "west"


def plan_of(source: Source, intake: CameraIntake = CameraIntake()) -> Plan:  # noqa: B008
    return replace(make_plan(Path(), [source]), intakes={source.camera_id: intake})


async def add(pipeline: RunningPipeline, source: Source, intake: CameraIntake = CameraIntake()) -> None:  # noqa: B008
    await pipeline.join(source.camera_id, intake.from_at if intake.from_at > -inf else None)
    camera = await pipeline.build_camera(source.camera_id, plan_of(source, intake))
    pipeline.membership.add(source.camera_id, camera)


def live_run(
    folder: Path, *steps: Callable[[RunningPipeline, MemorySink], Awaitable[Any]]
) -> tuple[Result, MemorySink]:
    """Run one live camera, east, and take these steps while it goes on; then stop it."""
    sink = MemorySink()

    async def main() -> Result:
        pipeline = await start_pipeline(make_plan(folder, [NowSource("east")], [sink], max_lateness_s=5.0))
        stop = asyncio.Event()
        watching = asyncio.create_task(watch(pipeline, stop, drain_s=2.0))
        for step in steps:
            await asyncio.wait_for(step(pipeline, sink), 20)
        stop.set()
        return await watching

    return asyncio.run(main()), sink


def seen(sink: MemorySink, camera_id: str) -> list[Sighting]:
    return [r for r in sink.records if isinstance(r, Sighting) and r.track_id.camera_id == camera_id]


async def until(happened: Callable[[], Any]) -> None:
    while not happened():
        await asyncio.sleep(0.01)


def test_a_camera_that_is_added_is_followed_and_one_that_is_removed_ends_its_tracks(tmp_path: Path) -> None:
    async def added(pipeline: RunningPipeline, sink: MemorySink) -> None:
        await add(pipeline, NowSource("west"), CameraIntake(added_at=7.0))
        await until(lambda: seen(sink, "west"))

    async def removed(pipeline: RunningPipeline, sink: MemorySink) -> None:
        status = await pipeline.membership.remove("west")
        assert status.removed_at is not None
        assert "west" not in pipeline.cameras
        assert seen(sink, "west")[-1].is_last
        count = len(seen(sink, "east"))
        await until(lambda: len(seen(sink, "east")) > count)

    (cameras, report), _ = live_run(tmp_path, added, removed)
    assert report is not None
    assert cameras["west"].frames_processed > 0
    assert cameras["west"].error is None
    assert cameras["west"].added_at == 7.0
    assert cameras["east"].removed_at is None


def test_a_camera_that_is_removed_before_it_has_begun_leaves_like_any_other(tmp_path: Path) -> None:
    async def at_once(pipeline: RunningPipeline, sink: MemorySink) -> None:
        await until(lambda: seen(sink, "east"))
        await add(pipeline, NowSource("west"))
        assert (await pipeline.membership.remove("west")).removed_at is not None
        count = len(seen(sink, "east"))
        await until(lambda: len(seen(sink, "east")) > count)

    (cameras, report), _ = live_run(tmp_path, at_once)
    assert report is not None
    assert set(cameras) == {"east", "west"}


def test_a_camera_that_comes_back_has_new_tracks_and_counts_on(tmp_path: Path) -> None:
    counted: list[int] = []

    async def twice(pipeline: RunningPipeline, sink: MemorySink) -> None:
        await add(pipeline, NowSource("west"))
        await until(lambda: seen(sink, "west"))
        counted.append((await pipeline.membership.remove("west")).frames_processed)
        before = {sighting.track_id for sighting in seen(sink, "west")}
        await asyncio.sleep(1.0)  # tracks are named by the second of their start
        await add(pipeline, NowSource("west"))
        await until(lambda: {sighting.track_id for sighting in seen(sink, "west")} - before)

    (cameras, report), _ = live_run(tmp_path, twice)
    assert report is not None
    assert report.num_passed_over == 0
    assert cameras["west"].frames_processed > counted[0]
    assert cameras["west"].removed_at is None


def test_a_camera_can_leave_while_it_is_away(tmp_path: Path) -> None:
    async def gone(pipeline: RunningPipeline, sink: MemorySink) -> None:
        await add(pipeline, AwaySource())
        await until(lambda: seen(sink, "east"))
        began = time.monotonic()
        status = await pipeline.membership.remove("west")
        assert status.away is not None
        assert time.monotonic() - began < 1.5

    (cameras, _), _ = live_run(tmp_path, gone)
    assert cameras["west"].removed_at is not None


def test_a_camera_that_hangs_is_let_go_of_and_holds_nobody(tmp_path: Path) -> None:
    async def never(*_: object) -> Any:
        await asyncio.Event().wait()

    async def hung(pipeline: RunningPipeline, sink: MemorySink) -> None:
        source = NowSource("west")
        camera: Any = await pipeline.build_camera("west", plan_of(source))
        camera._detect = never
        await pipeline.join("west", None)
        pipeline.membership.add("west", camera)
        await asyncio.sleep(0.1)
        status = await pipeline.membership.remove("west")
        assert "flow.drain_s = 2 s" in str(status.error)
        count = len(seen(sink, "east"))
        await until(lambda: len(seen(sink, "east")) > count)

    (cameras, report), _ = live_run(tmp_path, hung)
    assert report is not None
    assert cameras["east"].error is None


def test_a_run_that_ends_takes_no_camera_and_lets_none_go(tmp_path: Path) -> None:
    async def main() -> None:
        pipeline = await start_pipeline(make_plan(tmp_path, [MemorySource("east", make_frames(20))]))
        await watch(pipeline)
        with pytest.raises(RunEndingError):
            await add(pipeline, NowSource("west"))
        with pytest.raises(RunEndingError):
            await pipeline.membership.remove("east")

    asyncio.run(main())


def west(num: int) -> MemorySource:
    frames = [replace(frame, stamp=replace(frame.stamp, camera_id="west")) for frame in make_frames(num)]
    return MemorySource("west", frames)


class SlowSource(MemorySource):
    """A recording that is read slowly, so that a command finds it in the middle."""

    def frames(self) -> Iterator[Frame]:
        for frame in super().frames():
            time.sleep(0.005)
            yield frame


def recorded_run(folder: Path, from_at: float, *, is_late: bool) -> tuple[list[tuple[str, int, float]], str]:
    """Return what is published, and its digest, with a second recording that counts from a time of event time."""
    folder.mkdir()
    sink = MemorySink()
    intake = CameraIntake(from_at=from_at)

    async def main() -> Result:
        sources: list[Source] = [SlowSource("east", make_frames(80))]
        plan = make_plan(folder, sources if is_late else [*sources, west(80)], [sink])
        if not is_late:
            plan = replace(plan, intakes={"east": CameraIntake(), "west": intake})
        pipeline = await start_pipeline(plan)
        watching = asyncio.create_task(watch(pipeline))
        if is_late:
            await until(lambda: seen(sink, "east"))
            await add(pipeline, west(80), intake)
        return await watching

    _, report = asyncio.run(main())
    assert report is not None
    records = [(r.track_id.camera_id, r.person_id, r.last.captured_at) for r in sink.records if isinstance(r, Sighting)]
    return records, report.digest


def test_a_recording_that_is_added_at_a_time_gives_the_same_result_whenever_the_command_comes(tmp_path: Path) -> None:
    early, early_digest = recorded_run(tmp_path / "early", 5.0, is_late=False)
    late, late_digest = recorded_run(tmp_path / "late", 5.0, is_late=True)
    assert late == early
    assert late_digest == early_digest
    assert {camera_id for camera_id, *_ in late} == {"east", "west"}
    assert min(at for camera_id, _, at in late if camera_id == "west") >= 5.0


def test_a_recording_ends_before_the_time_at_which_it_is_removed_and_refuses_one_that_was_read(tmp_path: Path) -> None:
    sink = MemorySink()

    async def main() -> Result:
        pipeline = await start_pipeline(make_plan(tmp_path, [SlowSource("east", make_frames(80)), west(80)], [sink]))
        watching = asyncio.create_task(watch(pipeline))
        await until(lambda: seen(sink, "east"))
        assert not await pipeline.cameras["east"].end_at(0.5)
        assert await pipeline.cameras["east"].end_at(6.0)
        return await watching

    cameras, report = asyncio.run(main())
    assert report is not None
    assert cameras["east"].frames_processed == 60
    assert cameras["east"].removed_at == 6.0
    assert cameras["west"].removed_at is None
    assert not cameras["east"].stopped_early
    assert seen(sink, "east")[-1].is_last


def test_what_is_decided_already_cannot_get_another_camera(tmp_path: Path) -> None:
    async def main() -> None:
        pipeline = await start_pipeline(make_plan(tmp_path, [MemorySource("east", make_frames(20))]))
        await watch(pipeline)
        with pytest.raises(ConfigError, match="expected recordings that go on, got --at 1"):
            await pipeline.join("west", 1.0)

    asyncio.run(main())
