"""The path of a frame, in code: two loops for each camera, joined by one bounded queue. asyncio only.

Every awaited call may be a local function or an actor on another machine. Waiting is the back-pressure: a slow step
makes the step before it wait, back to the source, which then waits too or drops frames.
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
    """The tracking of one camera; see ``TrackingStage``."""

    def process(self, batch: list[tuple[Frame, Detections]]) -> list[Tracklet]:
        """Return the tracklets that these frames complete."""
        ...

    def flush(self) -> list[Tracklet]:
        """Return the last part of every open track."""
        ...

    def oldest_needed(self) -> FrameStamp | None:
        """Return the first frame that a later tracklet will show; None if there is no open track."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a camera: a tracked frame and the tracklets that it completed.

    Attributes:
        stamp: The newest frame that was tracked; None at the end of the stream.
        tracklets: Completed by that frame.
        watermark: Unix seconds: later tracklets will be complete no earlier. Infinite at the end.
        ack: The newest frame that no later tracklet needs; None at the end.
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
    """Track frames until the source ends; put every step into ``progress``, and None at the end.

    Args:
        frames: Frames with their detections, in order.
        track: Of this camera.
        progress: Bounded; waits while it is full.
        seen: Called with every frame that was tracked, and the seconds that tracking took.
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
    """Return the embeddings of tracklets, without those of too low quality. The calls run concurrently."""

    async def one(tracklet: Tracklet) -> Embedding | None:
        return await embed(await pose(tracklet))

    found = await asyncio.gather(*(one(tracklet) for tracklet in tracklets))
    return [embedding for embedding in found if embedding is not None]


async def ordered_map(
    call: Callable[[Item], Awaitable[Result]], items: AsyncIterator[Item], max_inflight: int
) -> AsyncIterator[tuple[Item, Result]]:
    """Yield ``(item, await call(item))`` in order, at most ``max_inflight`` calls open at once.

    The back-pressure: ``items`` is not read while ``max_inflight`` calls are open.

    Raises:
        Exception: Whatever ``items`` or ``call`` raises; open calls are cancelled first.
    """
    slots = asyncio.Semaphore(max_inflight)
    opened: asyncio.Queue[tuple[Item, asyncio.Future[Result]] | None] = asyncio.Queue()

    async def open_calls() -> None:
        try:
            await slots.acquire()
            async for item in items:
                opened.put_nowait((item, asyncio.ensure_future(call(item))))
                await slots.acquire()
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
            slots.release()
            yield item, result
        await opener
    finally:
        opener.cancel()
        while not opened.empty():
            if (entry := opened.get_nowait()) is not None:
                entry[1].cancel()
