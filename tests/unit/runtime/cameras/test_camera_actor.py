import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from math import inf

import numpy as np
import pytest
from camera_parts import LIMITS, EndlessSource, FakePipeline, HopelessSource, make_actor, make_frames
from factories import make_frame, make_stamp

from connectors.sources.memory import MemorySource
from pipeline.core import Embedding, Frame, Source, Tracklet
from pipeline.core.errors import ProcessLostError, ShapeError
from pipeline.core.records.view_event import ViewEvent, ViewEventKind, ViewReport
from pipeline.runtime.cameras import loss_watch
from pipeline.runtime.cameras.camera_actor import WATERMARK_EVERY_S, CameraActor
from pipeline.runtime.deliveries import Acknowledgement
from pipeline.runtime.plan import CameraIntake, CameraLimits
from pipeline.telemetry.camera_status import CameraStatus


def run(source: Source, pipeline: FakePipeline, limits: CameraLimits = LIMITS) -> CameraStatus:
    return asyncio.run(asyncio.wait_for(make_actor(source, pipeline, limits).run(), 60))


def seen_frames(pipeline: FakePipeline) -> list[int]:
    return [index for embedding in pipeline.embeddings for index in embedding.path.indices.tolist()]


def test_every_frame_of_a_recording_is_tracked_and_delivered() -> None:
    pipeline = FakePipeline()
    status = run(MemorySource("east", make_frames(60)), pipeline)
    assert seen_frames(pipeline) == list(range(60))
    assert [e.part for e in pipeline.embeddings] == [0, 1, 2]
    assert (status.frames_read, status.frames_processed, status.frames_dropped) == (60, 60, 0)
    assert (status.tracklets, status.people_now, status.error, status.reopens) == (3, 0, None, 0)


def test_watermarks_rise_with_the_frames_and_the_last_one_is_infinite() -> None:
    pipeline = FakePipeline()
    run(MemorySource("east", make_frames(20)), pipeline)
    *on_the_way, session, last = pipeline.watermarks
    assert on_the_way[0] == 0.0
    assert all(0 < after - before <= 2 * WATERMARK_EVERY_S for before, after in pairwise(on_the_way))
    assert (session, last) == (pytest.approx(1.9), inf)


def test_nothing_completed_is_older_than_the_watermark_before_it() -> None:
    pipeline = FakePipeline()
    run(MemorySource("east", make_frames(60)), pipeline)
    reached = -inf
    for embeddings, watermark in pipeline.delivered:
        assert all(embedding.completed_at >= reached for embedding in embeddings)
        reached = max(reached, watermark)


def test_an_empty_recording_ends_at_once() -> None:
    pipeline = FakePipeline()
    status = run(MemorySource("east", []), pipeline)
    assert (status.frames_read, status.error) == (0, None)
    assert pipeline.watermarks[-1] == inf


def test_a_recording_that_breaks_keeps_what_came_before_and_says_so() -> None:
    pipeline = FakePipeline()
    status = run(MemorySource("east", make_frames(40), fail_after=25), pipeline)
    assert seen_frames(pipeline) == list(range(25))
    assert status.error is not None
    assert "told to break after 25 frames" in status.error
    assert (status.frames_processed, status.reopens) == (25, 0)
    assert pipeline.watermarks[-1] == inf


def test_a_live_camera_that_breaks_is_opened_again() -> None:
    pipeline = FakePipeline()
    status = run(MemorySource("east", make_frames(40), live=True, fail_after=25), pipeline)
    assert (status.reopens, status.error) == (1, None)
    assert status.frames_read == 40
    assert status.frames_processed + status.frames_dropped == 40
    assert pipeline.watermarks[-1] == inf


def test_a_live_camera_that_keeps_breaking_is_never_given_up_and_says_why_it_is_away() -> None:
    source = HopelessSource()
    actor = make_actor(source, FakePipeline(), replace(LIMITS, max_reopens=0))

    async def main() -> tuple[CameraStatus, CameraStatus]:
        task = asyncio.create_task(actor.run())
        while (status := await actor.status()).reopens < 20:
            await asyncio.sleep(0.001)
        await actor.stop()
        return status, await asyncio.wait_for(task, 10)

    away, ended = asyncio.run(main())
    assert away.away == "east: no route to host"
    assert away.error is ended.error is None


@pytest.mark.parametrize("ahead_s", [3600.0, 4.5, -3600.0])
def test_a_live_camera_whose_clock_is_wrong_loses_no_frame_and_has_the_times_of_this_machine(ahead_s: float) -> None:
    class LiveSource(MemorySource):
        def frames(self) -> Iterator[Frame]:
            for frame in super().frames():
                time.sleep(0.01)
                yield replace(frame, stamp=replace(frame.stamp, captured_at=time.time() + ahead_s))

    pipeline = FakePipeline()
    began = time.time()
    limits = replace(LIMITS, max_lateness_s=5.0)
    status = asyncio.run(make_actor(LiveSource("east", make_frames(30), live=True), pipeline, limits).run())
    assert status.frames_processed >= 25  # of 30: the machine may be busy
    assert status.clock_ahead_s == pytest.approx(ahead_s, abs=2.0)
    assert all(began - 1 <= at <= time.time() + 1 for at in pipeline.watermarks if -inf < at < inf)


def test_a_live_camera_that_may_break_a_few_times_only_is_given_up() -> None:
    source, pipeline = HopelessSource(), FakePipeline()
    status = run(source, pipeline)
    assert status.error == "east: no route to host"
    assert (source.num_opened, status.reopens) == (3, 2)
    assert source.num_closed >= 1
    assert pipeline.watermarks[-1] == inf


def test_breaks_of_long_ago_do_not_count() -> None:
    source, pipeline = HopelessSource(), FakePipeline()
    actor = make_actor(source, pipeline, replace(LIMITS, reopens_within_s=0.0))

    async def main() -> CameraStatus:
        task = asyncio.create_task(actor.run())
        while source.num_opened < 10:
            await asyncio.sleep(0.001)
        await actor.stop()
        return await asyncio.wait_for(task, 10)

    assert asyncio.run(main()).error is None


def test_the_pause_before_opening_again_grows_up_to_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def pause(self: CameraActor, seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(CameraActor, "_pause", pause)
    limits = replace(LIMITS, max_reopens=7, min_backoff_s=1.0, max_backoff_s=8.0)
    run(HopelessSource(), FakePipeline(), limits)
    for seconds, expected in zip(pauses, [1, 2, 4, 8, 8, 8], strict=True):
        assert 0.75 * expected <= seconds <= 1.25 * expected


def test_stop_ends_a_pause() -> None:
    source = HopelessSource()
    actor = make_actor(source, FakePipeline(), replace(LIMITS, min_backoff_s=1000.0, max_backoff_s=1000.0))

    async def main() -> CameraStatus:
        task = asyncio.create_task(actor.run())
        while (await actor.status()).reopens == 0:
            await asyncio.sleep(0.001)
        await actor.stop()
        return await asyncio.wait_for(task, 10)

    assert asyncio.run(main()).error is None


def stop_after_30_frames(
    actor: CameraActor, pipeline: FakePipeline, stop: Callable[[], Awaitable[None]] | None = None
) -> CameraStatus:
    async def main() -> CameraStatus:
        task = asyncio.create_task(actor.run())
        while len(pipeline.searched) < 30:
            await asyncio.sleep(0.001)
        await (stop or actor.stop)()
        return await asyncio.wait_for(task, 10)

    return asyncio.run(main())


def test_after_a_stop_what_a_live_camera_read_is_still_delivered() -> None:
    pipeline = FakePipeline()
    status = stop_after_30_frames(make_actor(EndlessSource(live=True), pipeline), pipeline)
    assert seen_frames(pipeline) == pipeline.searched
    assert status.frames_processed == len(pipeline.searched)
    assert (status.people_now, status.stopped_early) == (0, False)
    assert pipeline.watermarks[-1] == inf


def test_a_stop_ends_no_track_of_a_recording_which_a_run_that_continues_reads_again() -> None:
    source, pipeline = EndlessSource(), FakePipeline(safe_until=inf)
    actor = make_actor(source, pipeline)
    status = stop_after_30_frames(actor, pipeline)
    assert status.stopped_early
    assert status.frames_read == status.frames_processed == status.next_index > 0
    assert not any(embedding.is_last for embedding in pipeline.embeddings)
    assert inf not in pipeline.watermarks
    source.ack = lambda stamp: pytest.fail(f"{stamp} is needed again")  # type: ignore[method-assign]
    asyncio.run(actor.settle())


def test_a_recording_that_is_removed_processes_all_that_it_has_read() -> None:
    pipeline = FakePipeline()
    actor = make_actor(EndlessSource(), pipeline)
    status = stop_after_30_frames(actor, pipeline, actor.remove)
    assert status.frames_read == status.frames_processed == len(pipeline.searched)
    assert not status.stopped_early


def test_a_recording_that_was_read_waits_for_others_no_longer_once_it_is_stopped() -> None:
    class Unprocessed(FakePipeline):
        async def deliver(self, *arguments: object) -> Acknowledgement:  # type: ignore[override]
            await super().deliver(*arguments)  # type: ignore[arg-type]
            return Acknowledgement("one", True, -inf, -inf)

    pipeline = Unprocessed()
    actor = make_actor(MemorySource("east", make_frames(40)), pipeline)

    async def main() -> CameraStatus:
        task = asyncio.create_task(actor.run())
        while inf not in pipeline.watermarks:
            await asyncio.sleep(0.001)
        assert not task.done()
        await actor.stop()
        return await asyncio.wait_for(task, 10)

    assert not asyncio.run(main()).stopped_early


def test_a_camera_that_is_stopped_before_it_begins_reads_nothing() -> None:
    pipeline = FakePipeline()
    actor = make_actor(MemorySource("east", make_frames(10)), pipeline)

    async def main() -> CameraStatus:
        await actor.stop()
        return await actor.run()

    status = asyncio.run(main())
    assert (status.frames_read, status.stopped_early) == (0, True)
    assert pipeline.delivered == []


def test_a_broken_frame_is_dropped_and_counted() -> None:
    pipeline = FakePipeline(bad_frames=[3, 7])
    status = run(MemorySource("east", make_frames(20)), pipeline)
    assert seen_frames(pipeline) == [index for index in range(20) if index not in (3, 7)]
    assert (status.bad_records, status.frames_processed, status.error) == (2, 18, None)


def test_a_broken_tracklet_is_dropped_and_counted() -> None:
    class Choosy(FakePipeline):
        async def embed(self, tracklet: Tracklet) -> Embedding | None:
            if tracklet.part == 1:
                raise ShapeError("crops: broken")
            return await super().embed(tracklet)

    pipeline = Choosy()
    status = run(MemorySource("east", make_frames(60)), pipeline)
    assert [e.part for e in pipeline.embeddings] == [0, 2]
    assert (status.bad_records, status.error) == (1, None)


def test_the_loss_of_another_process_is_raised_at_once() -> None:
    with pytest.raises(ProcessLostError):
        run(MemorySource("east", make_frames(20)), FakePipeline(lost=True))


def test_only_what_is_safe_and_not_needed_again_is_acknowledged() -> None:
    source = MemorySource("east", make_frames(60))
    run(source, FakePipeline(safe_until=2.0))
    assert source.acked == sorted(source.acked, key=lambda stamp: stamp.index)
    # Part 0 holds the frames up to 10; part 1, which begins with 11, is complete only at 4.1 s.
    assert source.acked[-1].index == 10


def test_nothing_is_acknowledged_before_it_is_safe() -> None:
    source = MemorySource("east", make_frames(60))
    run(source, FakePipeline(safe_until=-inf))
    assert source.acked == []


def test_a_slow_match_actor_makes_the_source_wait() -> None:
    class NeverAccepting(FakePipeline):
        async def deliver(self, *_: object) -> Acknowledgement:
            await asyncio.Event().wait()
            raise AssertionError

    source = EndlessSource()
    actor = make_actor(source, NeverAccepting())

    async def main() -> int:
        task = asyncio.create_task(actor.run())
        await asyncio.sleep(0.3)
        read = (await actor.status()).frames_read
        await actor.stop()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return read

    limit = LIMITS.read_ahead_frames + LIMITS.max_inflight_frames + LIMITS.max_waiting_tracklets
    assert asyncio.run(main()) <= limit + 4


def test_a_recording_is_replayed_at_the_speed_that_was_asked_for() -> None:
    async def main() -> float:
        began = asyncio.get_running_loop().time()
        await make_actor(MemorySource("east", make_frames(6)), FakePipeline(), replace(LIMITS, replay_speed=5.0)).run()
        return asyncio.get_running_loop().time() - began

    assert asyncio.run(main()) >= 0.09  # half a second at five times the speed


def test_once_all_is_safe_the_source_may_forget_every_tracked_frame() -> None:
    source = MemorySource("east", make_frames(20))
    actor = make_actor(source, FakePipeline())

    async def main() -> None:
        await actor.run()
        assert source.acked == []  # nothing is safe yet
        await actor.settle()

    asyncio.run(main())
    assert [stamp.index for stamp in source.acked] == [19]


def test_a_camera_that_saw_nothing_has_nothing_to_forget() -> None:
    source = MemorySource("east", [])
    actor = make_actor(source, FakePipeline())

    async def main() -> None:
        await actor.run()
        await actor.settle()

    asyncio.run(main())
    assert source.acked == []


def test_with_a_motion_gate_nobody_is_looked_for_while_nothing_moves() -> None:
    pipeline = FakePipeline()
    noise = np.random.default_rng(0).integers(100, 104, (200, 60, 80, 3), np.uint8)
    noise[150:] += 60
    frames = [Frame(make_stamp(index=index), image) for index, image in enumerate(noise)]
    actor = make_actor(MemorySource("east", frames), pipeline, intake=CameraIntake(motion_gate=True))
    status = asyncio.run(actor.run())
    assert pipeline.searched == [*range(50), *range(150, 200)]
    assert (status.frames_processed, status.frames_without_motion, status.frames_still) == (200, 100, 0)


def test_nobody_is_looked_for_in_a_picture_that_stays_the_same_for_seconds() -> None:
    pipeline = FakePipeline()
    status = run(MemorySource("east", [make_frame(make_stamp(index=index)) for index in range(200)]), pipeline)
    assert seen_frames(pipeline) == list(range(30))
    assert (status.frames_processed, status.frames_still) == (200, 170)
    assert [event.kind for event in status.view_events] == ["frozen"]
    # The rules for alerts hear of it ten seconds after the first of these pictures.
    assert pipeline.reports == [ViewReport("east", pytest.approx(10.0), ViewEvent(ViewEventKind.FROZEN, 0.0))]


def test_a_recording_that_breaks_off_is_reported_as_lost_after_its_last_frame() -> None:
    pipeline = FakePipeline()
    run(MemorySource("east", make_frames(40), fail_after=25), pipeline)
    assert pipeline.reports == [
        ViewReport("east", pytest.approx(2.4), ViewEvent(ViewEventKind.LOST, pytest.approx(2.4)))
    ]
    assert pipeline.watermarks[-1] == inf


class SilentSource(HopelessSource):
    """Gives frames, nothing for a while, and frames again."""

    def __init__(self, silent_s: float) -> None:
        super().__init__()
        self._silent_s = silent_s

    def frames(self) -> Iterator[Frame]:
        for index in range(20):
            time.sleep(self._silent_s if index == 10 else 0.02)
            yield make_frame(replace(make_stamp("east", index), captured_at=time.time()), seed=index)


def test_a_live_camera_that_falls_silent_is_reported_as_lost_and_time_goes_on_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loss_watch, "LOST_AFTER_S", 0.3)
    monkeypatch.setattr(loss_watch, "LOOK_EVERY_S", 0.05)
    pipeline = FakePipeline()
    limits = replace(LIMITS, max_lateness_s=0.1)
    actor = make_actor(SilentSource(silent_s=0.8), pipeline, limits)
    asyncio.run(asyncio.wait_for(actor.run(), 10))
    assert pipeline.reports[0].event is None
    begun, over = (report.event for report in pipeline.reports[1:])
    assert begun is not None
    assert over is not None
    assert (begun.kind, begun.ended_at, over.kind, over.began_at) == ("lost", None, "lost", begun.began_at)
    assert over.ended_at is not None
    assert 0.5 < over.ended_at - begun.began_at < 3
    silent = [mark for mark in pipeline.watermarks if begun.began_at < mark < over.ended_at]
    assert len(silent) >= 3
