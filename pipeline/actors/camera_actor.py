"""One camera: its source, its tracks, and the two loops that lead from frames to embeddings."""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from math import inf

from pipeline.actors._deliveries import Deliveries, HandOver
from pipeline.actors._mailbox import Mailbox
from pipeline.core import Detections, Embedding, Frame, FrameStamp, LetterboxedFrame, Source
from pipeline.core.errors import DataError, SourceLostError
from pipeline.flow import (
    Detect,
    Embed,
    Pose,
    Progress,
    frames_to_tracklets,
    ordered_map,
    tracklets_to_embeddings,
)
from pipeline.stages.detect import letterbox
from pipeline.stages.track import TrackStage

logger = logging.getLogger(__name__)

TELL_EVERY_S = 0.2
"""Event time after which a camera says how far it has come, if there is nothing else to say."""


@dataclass(frozen=True, slots=True)
class CameraLimits:
    """What bounds one camera.

    Attributes:
        max_inflight_frames: Frames being searched at once.
        max_waiting_tracklets: Frames' worth of tracklets that wait to be embedded.
        read_ahead_frames: Decoded frames that wait, where every frame counts.
        replay_speed: Of recordings: times real time; infinite for as fast as possible.
        max_reopens: A live camera that broke this often within ``reopens_within_s`` is given up.
        reopens_within_s: Seconds.
        min_backoff_s: Seconds before the first re-opening; doubles up to ``max_backoff_s``.
        max_backoff_s: Seconds.
    """

    max_inflight_frames: int
    max_waiting_tracklets: int
    read_ahead_frames: int
    replay_speed: float
    max_reopens: int
    reopens_within_s: float
    min_backoff_s: float
    max_backoff_s: float


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """How a camera is doing.

    Attributes:
        frames_read: That came: those processed, those dropped, and those that were broken.
        frames_processed: Tracked.
        frames_dropped: Not tracked, because newer ones were there.
        tracklets: Completed.
        still_lifes: Parts of tracks that were dropped because nothing in them moved.
        bad_records: Frames or tracklets that were dropped because they were broken.
        people_now: Open tracks.
        lag_s: Seconds from when the newest tracked frame was due until it was tracked.
        reopens: Times the source was opened again.
        error: Why the camera was given up, or its recording broke off; None if it did not.
        track_s: Seconds of work in tracking.
        decode_s: Seconds of work in reading and letter-boxing.
    """

    frames_read: int = 0
    frames_processed: int = 0
    frames_dropped: int = 0
    tracklets: int = 0
    still_lifes: int = 0
    bad_records: int = 0
    people_now: int = 0
    lag_s: float = 0.0
    reopens: int = 0
    error: str | None = None
    track_s: float = 0.0
    decode_s: float = 0.0


class CameraActor:
    """Reads one camera until it ends, is stopped or is given up.

    Args:
        make_source: Builds the source.
        make_track: Builds the track stage; a new one for every session of a live camera.
        input_hw: What the detector wants frames letter-boxed to, pixels.
        detect: Finds people.
        pose: Adds keypoints; gives tracklets back as they are where none are needed.
        embed: Makes vectors; None for hopeless tracklets.
        hand_over: Takes embeddings away.
        limits: What bounds it.
    """

    def __init__(
        self,
        *,
        make_source: Callable[[], Source],
        make_track: Callable[[], TrackStage],
        input_hw: tuple[int, int],
        detect: Detect,
        pose: Pose,
        embed: Embed,
        hand_over: HandOver,
        limits: CameraLimits,
    ) -> None:
        self._source = make_source()
        self._make_track = make_track
        self._input_hw = input_hw
        self._detect, self._pose, self._embed = detect, pose, embed
        self._hand_over = Deliveries(hand_over)
        self._limits = limits
        self._status = CameraStatus()
        self._stopped = asyncio.Event()
        self._mailbox: Mailbox[tuple[Frame, LetterboxedFrame]] | None = None
        self._due_at: dict[int, float] = {}
        self._began_at: float | None = None
        self._track: TrackStage | None = None
        self._decode_s = 0.0
        self._track_s = 0.0
        self._last: FrameStamp | None = None
        self._acks: deque[tuple[float, FrameStamp]] = deque()

    async def ready(self) -> None:
        """Return; the source is built."""

    async def status(self) -> CameraStatus:
        """Return how it is doing now."""
        source, status = self._source, self._status_of_line()
        return replace(
            status,
            frames_read=status.frames_read + source.num_dropped + source.num_bad,
            frames_dropped=status.frames_dropped + source.num_dropped,
            bad_records=status.bad_records + source.num_bad,
        )

    def _status_of_line(self) -> CameraStatus:
        """Return the status without what the source itself left out."""
        mailbox, track = self._mailbox, self._track
        return replace(
            self._status,
            frames_read=self._status.frames_read + (mailbox.num_read if mailbox else 0),
            frames_dropped=self._status.frames_dropped + (mailbox.num_dropped if mailbox else 0),
            still_lifes=self._status.still_lifes + (track.num_still if track else 0),
            people_now=track.num_open if track else 0,
            track_s=self._track_s,
            decode_s=self._decode_s,
        )

    async def stop(self) -> None:
        """Read no further; what was read is worked off."""
        self._stopped.set()
        self._source.close()
        if self._mailbox is not None:
            self._mailbox.close()

    async def settle(self) -> None:
        """Let the source forget everything that was tracked; after the last of it is published and safe."""
        if self._last is not None:
            self._source.ack(self._last)
        await asyncio.get_running_loop().run_in_executor(None, self._source.close)

    async def run(self) -> CameraStatus:
        """Work until the source ends, and return the last status; a camera that is lost does not raise."""
        breaks: deque[float] = deque(maxlen=self._limits.max_reopens)
        backoff_s = self._limits.min_backoff_s
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                await self._session()
            except SourceLostError as error:
                if self._stopped.is_set():
                    break
                breaks.append(time.monotonic())
                is_lost = (
                    len(breaks) == self._limits.max_reopens and breaks[-1] - breaks[0] < self._limits.reopens_within_s
                )
                if not self._source.live or is_lost:
                    self._status = replace(self._status, error=str(error))
                    logger.error("camera %s is given up: %s", self._source.camera_id, error)
                    break
                if time.monotonic() - began > self._limits.max_backoff_s:
                    backoff_s = self._limits.min_backoff_s
                logger.warning("camera %s: %s; opened again in %.1f s", self._source.camera_id, error, backoff_s)
                self._status = replace(self._status, reopens=self._status.reopens + 1)
                await self._pause(backoff_s * random.uniform(0.75, 1.25))
                backoff_s = min(2 * backoff_s, self._limits.max_backoff_s)
            else:
                break
        self._source.close()
        await self._hand_over.end(self._source.camera_id)
        return await self.status()

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopped.wait(), seconds)
        except TimeoutError:
            return

    async def _session(self) -> None:
        """Follow people from one opening of the source to its end, and hand everything over, also if it breaks."""
        self._track = self._make_track()
        progress: asyncio.Queue[Progress | None] = asyncio.Queue(self._limits.max_waiting_tracklets)
        lost: list[SourceLostError] = []
        handing_over = asyncio.create_task(self._hand_over_all(progress))
        frames = asyncio.create_task(
            frames_to_tracklets(self._searched_frames(lost), self._track, progress, self._seen)
        )
        try:
            done, _ = await asyncio.wait({frames, handing_over}, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            frames.cancel()
            handing_over.cancel()
            await asyncio.gather(frames, handing_over, return_exceptions=True)
            self._status = replace(self._status_of_line(), people_now=0)
            self._mailbox = self._track = None
        if lost:
            raise lost[0]

    async def _searched_frames(self, lost: list[SourceLostError]) -> AsyncIterator[tuple[Frame, Detections]]:
        """Yield frames with what was found in them; a source that breaks ends them and is noted in ``lost``."""
        self._mailbox = Mailbox(
            self._prepared_frames(),
            newest_only=self._source.live,
            capacity=self._limits.read_ahead_frames,
        )
        if self._stopped.is_set():
            self._mailbox.close()

        async def items() -> AsyncIterator[tuple[Frame, LetterboxedFrame]]:
            try:
                async for item in self._mailbox_items():
                    yield item
            except SourceLostError as error:
                lost.append(error)

        async def detect(item: tuple[Frame, LetterboxedFrame]) -> Detections | None:
            try:
                return await self._detect(item[1])
            except DataError as error:
                self._bad("frame", error)
                return None

        async for (frame, _), detections in ordered_map(detect, items(), self._limits.max_inflight_frames):
            if detections is not None:
                yield frame, detections

    async def _mailbox_items(self) -> AsyncIterator[tuple[Frame, LetterboxedFrame]]:
        assert self._mailbox is not None
        async for item in self._mailbox:
            yield item

    def _prepared_frames(self) -> Iterator[tuple[Frame, LetterboxedFrame]]:
        """Read, pace and letter-box; runs in the source's thread."""
        frames = self._source.frames()
        while True:
            began = time.perf_counter()
            frame = next(frames, None)
            if frame is None:
                return
            prepared = letterbox(frame, self._input_hw)
            self._decode_s += time.perf_counter() - began  # not in the status, which another thread replaces
            due_at = self._due(frame.stamp)
            self._due_at[frame.stamp.index] = due_at
            wait_s = due_at - time.time()
            if wait_s > 0:
                time.sleep(wait_s)
            yield frame, prepared

    def _due(self, stamp: FrameStamp) -> float:
        """Return the wall-clock time at which a frame should be worked on, Unix seconds."""
        if self._source.live:
            return stamp.captured_at
        if self._limits.replay_speed == inf:
            return time.time()
        if self._began_at is None:
            self._began_at = time.time() - stamp.captured_at / self._limits.replay_speed
        return self._began_at + stamp.captured_at / self._limits.replay_speed

    def _seen(self, frame: Frame, track_s: float) -> None:
        self._last = frame.stamp
        self._track_s += track_s
        self._status = replace(
            self._status,
            frames_processed=self._status.frames_processed + 1,
            lag_s=time.time() - self._due_at.get(frame.stamp.index, time.time()),
        )

    async def _hand_over_all(self, progress: "asyncio.Queue[Progress | None]") -> None:
        due_at, told_at = time.time(), -inf
        while (step := await progress.get()) is not None:
            if step.stamp is not None:
                for index in [index for index in self._due_at if index <= step.stamp.index]:
                    due_at = self._due_at.pop(index)
            embeddings = await self._embedded(step)
            if not embeddings and step.stamp is not None and step.watermark < told_at + TELL_EVERY_S:
                continue
            told_at = step.watermark
            # The end of a session is not the end of the camera: run() says when nothing more will come.
            watermark = step.watermark if step.stamp is not None else -inf
            safe_until = await self._hand_over(self._source.camera_id, embeddings, watermark, due_at)
            if step.ack is not None and step.stamp is not None:
                self._acks.append((watermark, step.ack))
            while self._acks and self._acks[0][0] <= safe_until:
                self._source.ack(self._acks.popleft()[1])

    async def _embedded(self, step: Progress) -> list[Embedding]:
        self._status = replace(self._status, tracklets=self._status.tracklets + len(step.tracklets))
        if not step.tracklets:
            return []
        try:
            return await tracklets_to_embeddings(step.tracklets, self._pose, self._embed)
        except DataError as error:
            self._bad("tracklet", error)
            return []

    def _bad(self, what: str, error: DataError) -> None:
        self._status = replace(self._status, bad_records=self._status.bad_records + 1)
        logger.warning("camera %s: a %s is dropped: %s", self._source.camera_id, what, error)
