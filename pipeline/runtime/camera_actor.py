"""One camera: its source, its tracks, and the two loops that lead from frames to embeddings."""

import asyncio
import copy
import logging
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from math import inf

from pipeline.camera.detection import letterbox
from pipeline.camera.tracking import TrackingStage
from pipeline.core import Detections, Embedding, Frame, FrameStamp, LetterboxedFrame, Monitor, Source
from pipeline.core.errors import DataError, SourceLostError
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.runtime.deliveries import Deliver, Deliveries
from pipeline.runtime.flow import (
    Detect,
    Embed,
    Pose,
    Progress,
    frames_to_tracklets,
    ordered_map,
    tracklets_to_embeddings,
)
from pipeline.runtime.frame_queue import FrameQueue
from pipeline.telemetry.camera_status import CameraStatus

logger = logging.getLogger(__name__)

TELL_EVERY_S = 0.2
"""Event time after which a camera says how far it has come, if there is nothing else to say."""

Prepared = tuple[Frame, LetterboxedFrame, float]
"""A frame, what the detector wants of it, and when it was due, Unix seconds."""


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


class CameraActor:
    """Reads one camera until it ends, is stopped or is given up.

    Args:
        make_source: Builds the source.
        make_track: Builds the track stage; a new one for every session of a live camera.
        input_hw: What the detector wants frames letter-boxed to, pixels.
        detect: Finds people.
        pose: Adds keypoints; gives tracklets back as they are where none are needed.
        embed: Makes vectors; None for hopeless tracklets.
        deliver: Takes embeddings away.
        limits: What bounds it.
        make_monitor: Builds what shows people how the camera is doing; None: nobody is shown anything.
    """

    def __init__(
        self,
        *,
        make_source: Callable[[], Source],
        make_track: Callable[[], TrackingStage],
        input_hw: tuple[int, int],
        detect: Detect,
        pose: Pose,
        embed: Embed,
        deliver: Deliver,
        limits: CameraLimits,
        make_monitor: Callable[[], Monitor] | None = None,
    ) -> None:
        self._source = make_source()
        self._monitor = None if make_monitor is None else make_monitor()
        self._make_track = make_track
        self._input_hw = input_hw
        self._detect, self._pose, self._embed = detect, pose, embed
        self._hand_over = Deliveries(deliver)
        self._limits = limits
        self._status = CameraStatus()
        self._stopped = asyncio.Event()
        self._mailbox: FrameQueue[Prepared] | None = None
        self._due_at: dict[int, float] = {}
        self._began_at: float | None = None
        self._track: TrackingStage | None = None
        self._decode_s = 0.0
        self._track_s = 0.0
        self._last: FrameStamp | None = None
        self._acks: deque[tuple[float, FrameStamp]] = deque()
        self._last_due_at = time.time()
        self._told_at = -inf
        self._asked: list[asyncio.Future[Checkpoint]] = []
        self._made: Checkpoint | None = None
        self._given: FrameStamp | None = None
        self._ack_limit = inf

    async def ready(self) -> None:
        """Return; the source is built."""

    async def status(self) -> CameraStatus:
        """Return how it is doing now."""
        return self._whole_status()

    async def checkpoint(self) -> Checkpoint:
        """Return what this camera can go on from in another process; waits for the next one.

        Whoever asks again has what was returned before. The source forgets nothing that is needed to go on from it.
        """
        self._ack_limit = -1 if self._given is None else self._given.index
        asked: asyncio.Future[Checkpoint] = asyncio.get_running_loop().create_future()
        self._asked.append(asked)
        return await asked

    def _whole_status(self) -> CameraStatus:
        source, status = self._source, self._pipeline_status()
        return replace(
            status,
            frames_read=status.frames_read + source.num_dropped + source.num_bad,
            frames_dropped=status.frames_dropped + source.num_dropped,
            bad_records=status.bad_records + source.num_bad,
        )

    def _pipeline_status(self) -> CameraStatus:
        """Return the status without what the source itself left out."""
        mailbox, track = self._mailbox, self._track
        return replace(
            self._status,
            frames_read=self._status.frames_read + (mailbox.num_read if mailbox else 0),
            frames_dropped=self._status.frames_dropped + (mailbox.num_dropped if mailbox else 0),
            static_false_positives=self._status.static_false_positives + (track.num_static if track else 0),
            low_score_parts=self._status.low_score_parts + (track.num_low_score if track else 0),
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

    async def run(self, checkpoint: Checkpoint | None = None) -> CameraStatus:
        """Work until the source ends, and return the last status; a camera that is lost does not raise.

        Args:
            checkpoint: What another process had come to. A recording goes on from there, as if nothing had happened.
                Of a live camera nobody knows what happened since: who was followed then is handed over, and people
                are followed anew.
        """
        track = None if checkpoint is None else await self._resumed(checkpoint)
        breaks: deque[float] = deque(maxlen=self._limits.max_reopens)
        backoff_s = self._limits.min_backoff_s
        while track is not None or not self._stopped.is_set():
            began = time.monotonic()
            opened, track = track or self._make_track(), None
            try:
                await self._session(opened)
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
        if self._monitor is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._monitor.close)
        return await self.status()

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopped.wait(), seconds)
        except TimeoutError:
            return

    async def _resumed(self, checkpoint: Checkpoint) -> TrackingStage | None:
        """Take over from another process; return the track stage to go on with, None for a new one."""
        track, status = checkpoint.track, checkpoint.status
        self._status = replace(
            status,
            static_false_positives=status.static_false_positives - track.num_static,
            low_score_parts=status.low_score_parts - track.num_low_score,
            reopens=status.reopens + 1,
        )
        self._track_s, self._decode_s = status.track_s, status.decode_s
        self._last = self._given = checkpoint.stamp
        self._source.resume(checkpoint.stamp)
        # Whoever judges may have been lost as well; what was judged is passed over.
        await self._hand_over(self._source.camera_id, checkpoint.pending, -inf, time.time())
        if not self._source.live:
            return track
        await self._deliver_step(Progress(None, track.flush(), -inf, None))
        return None

    async def _session(self, track: TrackingStage) -> None:
        """Follow people from one opening of the source to its end, and hand everything over, also if it breaks."""
        self._track = track
        progress: asyncio.Queue[Progress | None] = asyncio.Queue(self._limits.max_waiting_tracklets)
        lost: list[SourceLostError] = []
        handing_over = asyncio.create_task(self._deliver_all(progress))
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
            self._status = replace(self._pipeline_status(), people_now=0)
            self._mailbox = self._track = self._made = None
        if lost:
            raise lost[0]

    async def _searched_frames(self, lost: list[SourceLostError]) -> AsyncIterator[tuple[Frame, Detections]]:
        """Yield frames with what was found in them; a source that breaks ends them and is noted in ``lost``."""
        self._mailbox = FrameQueue(
            self._prepared_frames(),
            newest_only=self._source.live,
            capacity=self._limits.read_ahead_frames,
        )
        if self._stopped.is_set():
            self._mailbox.close()

        async def items() -> AsyncIterator[Prepared]:
            try:
                async for item in self._queued_frames():
                    yield item
            except SourceLostError as error:
                lost.append(error)

        async def detect(item: Prepared) -> Detections | None:
            try:
                return await self._detect(item[1])
            except DataError as error:
                self._bad("frame", error)
                return None

        async for (frame, _, due_at), detections in ordered_map(detect, items(), self._limits.max_inflight_frames):
            if detections is not None:
                self._due_at[frame.stamp.index] = due_at
                yield frame, detections

    async def _queued_frames(self) -> AsyncIterator[Prepared]:
        assert self._mailbox is not None
        async for item in self._mailbox:
            yield item

    def _prepared_frames(self) -> Iterator[Prepared]:
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
            wait_s = due_at - time.time()
            if wait_s > 0:
                time.sleep(wait_s)
            yield frame, prepared, due_at

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
        if self._monitor is not None and self._track is not None:
            self._monitor.show(frame, self._track.people_now())
        self._last = frame.stamp
        self._track_s += track_s
        self._status = replace(
            self._status,
            frames_processed=self._status.frames_processed + 1,
            lag_s=time.time() - self._due_at[frame.stamp.index],
        )
        if self._asked and self._made is None and self._track is not None:
            self._made = Checkpoint(frame.stamp, copy.deepcopy(self._track), self._whole_status())

    async def _deliver_all(self, progress: "asyncio.Queue[Progress | None]") -> None:
        while (step := await progress.get()) is not None:
            await self._deliver_step(step)
            if self._made is not None and step.stamp is not None and step.stamp.index >= self._made.stamp.index:
                self._give(self._made)
                self._made = None

    async def _deliver_step(self, step: Progress) -> None:
        if step.stamp is not None:
            for index in [index for index in self._due_at if index <= step.stamp.index]:
                self._last_due_at = self._due_at.pop(index)
        embeddings = await self._embedded(step)
        if not embeddings and step.stamp is not None and step.watermark < self._told_at + TELL_EVERY_S:
            return
        # The end of a session is not the end of the camera: run() says when nothing more will come.
        self._told_at = watermark = step.watermark if step.stamp is not None else -inf
        safe_until = await self._hand_over(self._source.camera_id, embeddings, watermark, self._last_due_at)
        if step.ack is not None and step.stamp is not None:
            self._acks.append((watermark, step.ack))
        while self._acks and self._acks[0][0] <= safe_until and self._acks[0][1].index <= self._ack_limit:
            self._source.ack(self._acks.popleft()[1])

    def _give(self, checkpoint: Checkpoint) -> None:
        """Give a checkpoint to who asked for it."""
        done = checkpoint.status
        status = replace(
            done,
            tracklets=self._status.tracklets,  # counted when they are handed over, later than their last frame
            frames_read=done.frames_processed + done.frames_dropped + done.bad_records,  # not those read ahead
        )
        for asked in self._asked:
            if not asked.cancelled():
                asked.set_result(replace(checkpoint, status=status, pending=self._hand_over.pending))
        self._asked.clear()
        self._given = checkpoint.stamp

    async def _embedded(self, step: Progress) -> list[Embedding]:
        self._status = replace(self._status, tracklets=self._status.tracklets + len(step.tracklets))
        if not step.tracklets:
            return []
        if self._monitor is not None:
            for tracklet in step.tracklets:
                self._monitor.keep(tracklet)
        try:
            return await tracklets_to_embeddings(step.tracklets, self._pose, self._embed)
        except DataError as error:
            self._bad("tracklet", error)
            return []

    def _bad(self, what: str, error: DataError) -> None:
        self._status = replace(self._status, bad_records=self._status.bad_records + 1)
        logger.warning("camera %s: a %s is dropped: %s", self._source.camera_id, what, error)
