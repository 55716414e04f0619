"""The two loops of a camera, without a camera."""

import asyncio
from collections.abc import AsyncIterator
from math import inf

import pytest
from factories import make_detections, make_embedding, make_frame, make_stamp, make_tracklet

from pipeline.core import Detections, Embedding, Frame, FrameStamp, TrackId, Tracklet
from pipeline.core.errors import SourceLostError
from pipeline.runtime.flow import Progress, frames_to_tracklets, tracklets_to_embeddings


class EveryThird:
    """A tracklet every third frame, and one at the end."""

    def __init__(self) -> None:
        self._last: FrameStamp | None = None

    def process(self, batch: list[tuple[Frame, Detections]]) -> list[Tracklet]:
        (self._last,) = (frame.stamp for frame, _ in batch)
        return [make_tracklet(part=self._last.index // 3)] if self._last.index % 3 == 2 else []

    def flush(self) -> list[Tracklet]:
        return [make_tracklet(part=99, is_last=True)]

    def oldest_needed(self) -> FrameStamp | None:
        if self._last is None or self._last.index % 3 == 2:
            return None
        return make_stamp(index=self._last.index // 3 * 3)


async def frames(num: int, *, breaks: bool = False) -> AsyncIterator[tuple[Frame, Detections]]:
    for index in range(num):
        stamp = make_stamp(index=index)
        yield make_frame(stamp, hw=(8, 8)), make_detections(stamp=stamp)
    if breaks:
        raise SourceLostError("east: broken")


async def steps_of(num: int) -> list[Progress]:
    progress: asyncio.Queue[Progress | None] = asyncio.Queue()
    await frames_to_tracklets(frames(num), EveryThird(), progress, lambda *_: None)
    steps = []
    while (step := progress.get_nowait()) is not None:
        steps.append(step)
    assert progress.empty()
    return steps


def test_every_frame_makes_a_step_with_its_watermark() -> None:
    *steps, end = asyncio.run(steps_of(4))
    assert [(step.stamp.index, step.watermark) for step in steps if step.stamp] == [
        (0, 0),
        (1, 0.1),
        (2, 0.2),
        (3, 0.3),
    ]
    assert [[t.part for t in step.tracklets] for step in steps] == [[], [], [0], []]
    assert (end.stamp, end.watermark, end.ack, [t.part for t in end.tracklets]) == (None, inf, None, [99])


def test_frames_that_an_open_track_shows_are_needed_and_those_before_are_not() -> None:
    *steps, _ = asyncio.run(steps_of(6))
    acks = [(step.ack.index, step.ack.captured_at) for step in steps if step.ack]
    assert acks == [(-1, 0.0), (-1, 0.0), (2, 0.2), (2, 0.3), (2, 0.3), (5, 0.5)]


def test_a_full_queue_holds_the_frames_back() -> None:
    seen = []

    async def main() -> None:
        progress: asyncio.Queue[Progress | None] = asyncio.Queue(2)
        loop = asyncio.create_task(
            frames_to_tracklets(frames(50), EveryThird(), progress, lambda frame, _: seen.append(frame.stamp.index))
        )
        await asyncio.sleep(0.02)
        assert seen == [0, 1, 2]
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)

    asyncio.run(main())


def test_an_error_of_the_frames_is_raised() -> None:
    async def main() -> None:
        await frames_to_tracklets(frames(2, breaks=True), EveryThird(), asyncio.Queue(), lambda *_: None)

    with pytest.raises(SourceLostError):
        asyncio.run(main())


def test_tracklets_are_embedded_concurrently_in_order_and_rejected_ones_left_out() -> None:
    all_there = asyncio.Event()
    num_waiting = 0

    async def pose(tracklet: Tracklet) -> Tracklet:
        nonlocal num_waiting
        num_waiting += 1
        if num_waiting == 3:
            all_there.set()
        await asyncio.wait_for(all_there.wait(), 5)
        return tracklet

    async def embed(tracklet: Tracklet) -> Embedding | None:
        return None if tracklet.track_id.number == 2 else make_embedding(tracklet.track_id)

    tracklets = [make_tracklet(TrackId("east", 0, number)) for number in (1, 2, 3)]
    embeddings = asyncio.run(tracklets_to_embeddings(tracklets, pose, embed))
    assert [e.track_id.number for e in embeddings] == [1, 3]


def test_no_tracklets_are_no_embeddings() -> None:
    async def never(tracklet: Tracklet) -> Tracklet:
        raise AssertionError

    assert asyncio.run(tracklets_to_embeddings([], never, never)) == []
