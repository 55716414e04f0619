"""The way of a frame, in code: two loops a camera, joined by one bounded queue. asyncio only.

Every awaited call may be a local function or an actor on another machine. Waiting is the back-pressure: whoever is
slow makes the one before wait, back to the source, which then waits too or drops frames.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pipeline.core import Detections, Embedding, Frame, FrameStamp, LetterboxedFrame, Tracklet

Item = TypeVar("Item")
Result = TypeVar("Result")

Detect = Callable[[LetterboxedFrame], Awaitable[Detections]]
Pose = Callable[[Tracklet], Awaitable[Tracklet]]
Embed = Callable[[Tracklet], Awaitable[Embedding | None]]


class Track(Protocol):
    """The tracking of one camera, as ``TrackingStage`` does it."""

    def process(self, batch: list[tuple[Frame, Detections]]) -> list[Tracklet]:
        """Return the tracklets that these frames complete."""
        ...

    def flush(self) -> list[Tracklet]:
        """Return the last part of every open track."""
        ...

    def oldest_needed(self) -> FrameStamp | None:
        """Return the first frame that a tracklet still to come shows."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one camera has come, passed along with the tracklets.

    Attributes:
        stamp: The newest frame that was tracked; None at the end of the stream.
        tracklets: What it completed.
        watermark: Unix seconds: later tracklets will be complete no earlier. Infinite at the end.
        ack: The newest frame that no tracklet still to come needs; None at the end.
    """

    stamp: FrameStamp | None
    tracklets: list[Tracklet]
    watermark: float
    ack: FrameStamp | None


async def frames_to_tracklets(
    frames: AsyncIterator[tuple[Frame, Detections]],
    track: Track,
    progress: "asyncio.Queue[Progress | None]",
    seen: Callable[[Frame, float], None],
) -> None:
    """Track frames until the source ends; hand on how far that led, and None at the end.

    Args:
        frames: Frames with what was found in them, in order.
        track: Of this camera.
        progress: Bounded; waits while it is full.
        seen: DedupSet of every frame that was tracked, and the seconds it took.
    """
    async for frame, detections in frames:
        began = time.perf_counter()
        tracklets = track.process([(frame, detections)])
        seen(frame, time.perf_counter() - began)
        stamp = frame.stamp
        needed = track.oldest_needed()
        ack = stamp if needed is None else FrameStamp(stamp.camera_id, needed.index - 1, needed.captured_at)
        await progress.put(Progress(stamp, tracklets, stamp.captured_at, ack))
    await progress.put(Progress(None, track.flush(), float("inf"), None))
    await progress.put(None)


async def tracklets_to_embeddings(tracklets: list[Tracklet], pose: Pose, embed: Embed) -> list[Embedding]:
    """Return what these tracklets look like; those that are hopeless are left out. The calls run together."""

    async def one(tracklet: Tracklet) -> Embedding | None:
        return await embed(await pose(tracklet))

    found = await asyncio.gather(*(one(tracklet) for tracklet in tracklets))
    return [embedding for embedding in found if embedding is not None]


async def ordered_map(
    call: Callable[[Item], Awaitable[Result]], items: AsyncIterator[Item], max_inflight: int
) -> AsyncIterator[tuple[Item, Result]]:
    """Yield ``(item, await call(item))`` in order, at most ``max_inflight`` calls open at once.

    Waiting for a free place is the back-pressure: ``items`` is not read while all places are taken.

    Raises:
        Exception: Whatever ``items`` or ``call`` raises; open calls are cancelled first.
    """
    places = asyncio.Semaphore(max_inflight)
    opened: asyncio.Queue[tuple[Item, asyncio.Future[Result]] | None] = asyncio.Queue()

    async def open_calls() -> None:
        try:
            await places.acquire()
            async for item in items:
                opened.put_nowait((item, asyncio.ensure_future(call(item))))
                await places.acquire()
        finally:
            opened.put_nowait(None)

    opener = asyncio.create_task(open_calls())
    try:
        while (entry := await opened.get()) is not None:
            item, future = entry
            try:
                result = await future
            finally:
                future.cancel()
            places.release()
            yield item, result
        await opener
    finally:
        opener.cancel()
        while not opened.empty():
            if (entry := opened.get_nowait()) is not None:
                entry[1].cancel()
