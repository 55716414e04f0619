"""One camera: its source, its tracks, and the two loops from frames to embeddings."""

import asyncio
import copy
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from math import inf

from pipeline.camera.privacy_mask import Mask
from pipeline.camera.tracking import TrackingStage
from pipeline.core import Detections, Embedding, Frame, FrameStamp, Monitor, ReportingSource, Source
from pipeline.core.errors import DataError, SourceLostError
from pipeline.core.records.source_report import SourceReport
from pipeline.runtime.cameras.camera_clock import CameraClock
from pipeline.runtime.cameras.checkpoint import Checkpoint
from pipeline.runtime.cameras.frame_queue import FrameQueue
from pipeline.runtime.cameras.loss_watch import LossWatch
from pipeline.runtime.cameras.monitors import show_packets
from pipeline.runtime.cameras.paced_frames import Arrival, PacedFrame, PacedFrames
from pipeline.runtime.cameras.reopens import Reopens
from pipeline.runtime.deliveries import Deliver, Deliveries
from pipeline.runtime.event_time import Item
from pipeline.runtime.flow import (
    Detect,
    Embed,
    Pose,
    Progress,
    frames_to_tracklets,
    ordered_map,
    tracklets_to_embeddings,
)
from pipeline.runtime.plan import ALL_FRAMES, CameraIntake, CameraLimits
from pipeline.telemetry.camera_status import CameraStatus, stopped_early, with_source
from pipeline.telemetry.tasks import end

logger = logging.getLogger(__name__)

WATERMARK_EVERY_S = 0.2
"""Seconds of event time between two watermarks that a camera delivers while it has no embeddings.

Below ``matcher.window_s``, so that every window can end on time. A larger value makes all cameras wait longer for one
that sees no people; a smaller one makes more calls.
"""


class CameraActor:
    """Reads one camera until it ends, is stopped or is given up.

    Args:
        make_source: Builds the source.
        make_track: Builds the tracking stage; a new one for every session of a live camera.
        input_hw: Height and width that frames are letter-boxed to for the detector, pixels.
        detect: Finds people.
        pose: Adds keypoints; returns tracklets unchanged where none are needed.
        embed: Makes vectors; None for a tracklet of too low quality.
        deliver: Takes embeddings to the match actor.
        limits: What bounds the camera.
        make_monitor: Builds what shows the camera on a page; None where no page does.
        intake: What is done to its frames first.
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
        intake: CameraIntake = ALL_FRAMES,
    ) -> None:
        self._source = make_source()
        self._monitor = None if make_monitor is None else make_monitor()
        self._packets = show_packets(self._source, self._monitor)
        self._clock = CameraClock(self._source.camera_id, behind_s=limits.max_lateness_s)
        self._paced = PacedFrames(
            self._source, input_hw=input_hw, speed=limits.replay_speed, clock=self._clock, intake=intake
        )
        self._detect, self._pose, self._embed = detect, pose, embed
        self._make_track, self._deliver, self._limits = make_track, Deliveries(deliver), limits
        self._status, self._stopped = CameraStatus(added_at=intake.added_at), asyncio.Event()
        self._is_removed = self._has_ended = False
        self._queue: FrameQueue[PacedFrame] | None = None
        self._arrivals: dict[int, Arrival] = {}
        self._track: TrackingStage | None = None
        self._track_s, self._last_due_at, self._delivered_until, self._ack_limit = 0.0, time.time(), -inf, inf
        self._last: FrameStamp | None = None
        self._acks: deque[tuple[float, FrameStamp]] = deque()
        self._awaiting: list[asyncio.Future[Checkpoint | None]] = []
        self._taken: Checkpoint | None = None
        self._checkpointed: FrameStamp | None = None
        self._work: tuple[asyncio.Task[None], ...] = ()
        self._loss = LossWatch(
            self._source.camera_id,
            self._deliver,
            read_at=lambda: self._paced.read_at,
            newest_at=lambda: None if self._last is None else self._last.captured_at,
            max_lateness_s=limits.max_lateness_s,
        )

    async def ready(self) -> None:
        """Return; the source is built."""

    async def status(self) -> CameraStatus:
        """Return the status now."""
        return self._with_source(self._source.num_dropped, self._source.num_bad)

    async def checkpoint(self) -> Checkpoint | None:
        """Return the next checkpoint, from which another process can continue this camera; None once it has ended.

        A caller that asks again has the checkpoint before. From the first call on, the source is acknowledged no
        further than that one, so that it forgets no frame that is needed to continue.
        """
        self._ack_limit = -1 if self._checkpointed is None else self._checkpointed.index
        if self._has_ended:
            return None
        future: asyncio.Future[Checkpoint | None] = asyncio.get_running_loop().create_future()
        self._awaiting.append(future)
        return await future

    def _with_source(self, num_dropped: int, num_bad: int) -> CameraStatus:
        """Return the status with so many frames that the source itself dropped and left out."""
        report = self._source.report() if isinstance(self._source, ReportingSource) else SourceReport()
        return with_source(self._pipeline_status(), report, num_dropped=num_dropped, num_bad=num_bad)

    def _pipeline_status(self) -> CameraStatus:
        """Return the status without the frames that the source itself dropped."""
        queue, track = self._queue, self._track
        return replace(
            self._status,
            frames_read=self._status.frames_read + (queue.num_read if queue else 0),
            frames_dropped=self._status.frames_dropped + (queue.num_dropped if queue else 0),
            static_false_positives=self._status.static_false_positives + (track.num_static if track else 0),
            low_score_parts=self._status.low_score_parts + (track.num_low_score if track else 0),
            frame_hw=self._paced.size.size_hw,
            people_now=track.num_open if track else 0,
            track_s=self._track_s,
            decode_s=self._paced.decode_s,
            waits_s=self._paced.waits_s,
            frames_still=self._paced.view.num_still,
            frames_without_motion=self._paced.gate.num_closed,
            view_events=self._paced.view.events,
            view_now=self._paced.view.now,
        )

    async def stop(self) -> None:
        """Read no further. A live camera still tracks and delivers what was read, and ends its tracks.

        A recording is left as it is: a run that continues it reads it again, so no track may end before its last frame.
        """
        self._stopped.set()
        self._source.close()
        self._paced.close()
        if self._queue is not None:
            self._queue.close()
        if not (self._source.live or self._is_removed):
            for task in self._work:
                task.cancel()

    async def remove(self) -> None:
        """Read no further, and end all tracks, also those of a recording: the camera leaves the run."""
        self._is_removed = True
        await self.stop()

    async def cover(self, masks: Sequence[Mask]) -> None:
        """Cover more parts of the picture; see ``PacedFrames.cover``. Its packets, which are not, are kept no more."""
        self._paced.cover(masks)
        if masks and self._packets is not None:
            self._packets.end()

    async def end_at(self, at: float) -> bool:
        """Let a recording end at a time of event time; see ``PacedFrames.end_at``."""
        return self._paced.end_at(at)

    async def settle(self) -> None:
        """Let the source forget every frame that was tracked; call it once all is published and safe.

        A recording that was stopped early keeps those that it has not acknowledged yet: its open tracks need them.
        """
        if self._last is not None and not self._status.stopped_early:
            self._source.ack(self._last)
        await asyncio.get_running_loop().run_in_executor(None, self._source.close)

    async def run(self, checkpoint: Checkpoint | None = None) -> CameraStatus:
        """Work until the source ends, and return the last status; a source that is lost does not raise.

        Args:
            checkpoint: Of the process before. A recording continues from it with the same result. A live camera has
                missed frames since: the tracks of then are completed and delivered, and new ones begin.

        Raises:
            ProcessLostError: If the process of another actor is lost for good.
        """
        track = None if checkpoint is None else await self._resumed(checkpoint)
        watching = [asyncio.create_task(self._loss.watch(self._stopped))] if self._source.live else []
        try:
            is_whole = await self._run_sessions(track)
        finally:
            await end(*watching)
        self._source.close()
        if self._status.error is not None:
            await self._loss.report(time.time() if self._source.live else -inf)
        if self._is_removed:
            await self._loss.forget(time.time() if self._source.live else -inf)
        if self._source.live or self._is_removed or is_whole or self._status.error is not None:
            await self._end()
            if is_whole:  # one that broke off before was not removed
                self._status = replace(self._status, removed_at=self._paced.until_at)
        else:
            self._status = stopped_early(self._status)
        if self._monitor is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._monitor.close)
        self._has_ended = True
        self._answer(None)  # who asks from another process cannot take the question back
        return await self.status()

    async def _run_sessions(self, track: TrackingStage | None) -> bool:
        """Open the source again and again until it ends, and return whether it was read to its end."""
        reopens = Reopens(self._limits)
        while not self._stopped.is_set():
            began = time.monotonic()
            opened, track = track or self._make_track(), None
            try:
                await self._session(opened)
            except SourceLostError as error:
                if self._stopped.is_set():
                    break
                pause_s = reopens.pause_s(max(0.0, self._paced.read_at - began)) if self._source.live else None
                if pause_s is None:
                    self._status = replace(self._status, error=str(error))
                    logger.error("camera %s is given up: %s", self._source.camera_id, error)
                    break
                logger.warning("camera %s: %s; opening it again in %.1f s", self._source.camera_id, error, pause_s)
                self._status = replace(self._status, reopens=self._status.reopens + 1, away=str(error))
                await self._pause(pause_s)
            else:
                return not any(task.cancelled() for task in self._work)
        return False

    async def _end(self) -> None:
        """Say that the camera has ended, and wait until all is processed; a stopped recording does not wait."""
        at_end = asyncio.ensure_future(self._deliver.end(self._source.camera_id))
        stopped = asyncio.ensure_future(self._stopped.wait())
        try:
            waits = self._source.live or self._is_removed
            await asyncio.wait({at_end} if waits else {at_end, stopped}, return_when="FIRST_COMPLETED")
            if at_end.done():
                at_end.result()
        finally:
            at_end.cancel()
            stopped.cancel()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    async def _resumed(self, checkpoint: Checkpoint) -> TrackingStage | None:
        """Take over from another process; return the tracking stage to continue with, None for a new one."""
        track, status = checkpoint.track, checkpoint.status
        self._status = replace(
            status,
            static_false_positives=status.static_false_positives - track.num_static,
            low_score_parts=status.low_score_parts - track.num_low_score,
            reopens=status.reopens + 1,
        )
        self._track_s = status.track_s
        self._last = self._checkpointed = checkpoint.stamp
        self._paced.go_on(checkpoint.stamp, status, track.frame_hw)
        # The match actor may be lost as well, so it gets all that is pending; it skips what it has already processed.
        await self._deliver(self._source.camera_id, checkpoint.pending, -inf, time.time())
        if not self._source.live:
            return track
        await self._deliver_step(Progress(None, track.flush(), -inf, None))
        return None

    async def _session(self, track: TrackingStage) -> None:
        """Track people from one opening of the source to its end, and deliver everything, even if the source breaks."""
        self._track = track
        progress: asyncio.Queue[Progress | None] = asyncio.Queue(self._limits.max_waiting_tracklets)
        lost: list[str] = []
        delivering = asyncio.create_task(self._deliver_all(progress))
        tracking = frames_to_tracklets(self._detected_frames(lost), track, progress, self._seen)
        frames = asyncio.create_task(tracking)
        self._work = (frames, delivering)
        try:
            done, _ = await asyncio.wait({frames, delivering}, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                if not task.cancelled():
                    task.result()
        finally:
            await end(frames, delivering)
            self._status = replace(self._pipeline_status(), people_now=0)
            self._queue = self._track = self._taken = None
        if lost:
            raise SourceLostError(lost[0])

    async def _detected_frames(self, lost: list[str]) -> AsyncIterator[tuple[Frame, Detections]]:
        """Yield frames with their detections; a source that breaks ends them, and its reason is put into ``lost``."""
        queue = self._queue = FrameQueue(
            self._paced.read(), newest_only=self._source.live, capacity=self._limits.read_ahead_frames
        )
        if self._stopped.is_set():
            queue.close()

        async def items() -> AsyncIterator[PacedFrame]:
            try:
                async for item in queue:
                    yield item
            except SourceLostError as error:
                lost.append(str(error))  # not the error: its traceback holds pictures

        async def detect(item: PacedFrame) -> Detections | None:
            if item.is_still:
                return Detections.none(item.frame.stamp)
            try:
                return await self._detect(item.prepared)
            except DataError as error:
                self._bad("frame", error)
                return None

        async for item, detections in ordered_map(detect, items(), self._limits.max_inflight_frames):
            if detections is not None:
                self._arrivals[item.frame.stamp.index] = item.arrival
                yield item.frame, detections

    def _seen(self, frame: Frame, track_s: float) -> None:
        if self._monitor is not None and self._track is not None:
            self._monitor.show(frame, self._track.people_now())
        self._last = frame.stamp
        arrival = self._arrivals[frame.stamp.index]
        self._track_s += track_s
        self._status = replace(
            self._status,
            frames_processed=self._status.frames_processed + 1,
            next_index=frame.stamp.index + 1,
            lag_s=time.time() - arrival.due_at,
            away=None,
            clock_ahead_s=self._clock.ahead_s,
        )
        if self._awaiting and self._taken is None and self._track is not None:
            self._taken = Checkpoint(
                frame.stamp, copy.deepcopy(self._track), self._with_source(arrival.num_dropped, arrival.num_bad)
            )

    async def _deliver_all(self, progress: "asyncio.Queue[Progress | None]") -> None:
        while (step := await progress.get()) is not None:
            await self._deliver_step(step)
            if self._taken is not None and step.stamp is not None and step.stamp.index >= self._taken.stamp.index:
                # Everything up to its frame is delivered by now.
                self._answer(self._taken.delivered(self._status.tracklets, self._deliver.pending))
                self._checkpointed, self._taken = self._taken.stamp, None

    async def _deliver_step(self, step: Progress) -> None:
        if step.stamp is not None:
            for index in [index for index in self._arrivals if index <= step.stamp.index]:
                self._last_due_at = self._arrivals.pop(index).due_at
        reports = self._paced.reports_until(inf if step.stamp is None else step.stamp.captured_at)
        items: list[Item] = [*await self._embedded(step), *reports]
        if not items and step.stamp is not None and step.watermark < self._delivered_until + WATERMARK_EVERY_S:
            return
        # The end of a session is not the end of the camera: run() says when nothing more will come.
        newest = -inf if self._last is None else self._last.captured_at
        self._delivered_until = watermark = step.watermark if step.stamp is not None else newest
        safe_until = await self._deliver(self._source.camera_id, items, watermark, self._last_due_at)
        if step.ack is not None and step.stamp is not None:
            self._acks.append((watermark, step.ack))
        while self._acks and self._acks[0][0] <= safe_until and self._acks[0][1].index <= self._ack_limit:
            self._source.ack(self._acks.popleft()[1])

    def _answer(self, checkpoint: Checkpoint | None) -> None:
        """Return a checkpoint to all who await one."""
        while self._awaiting:
            if not (future := self._awaiting.pop()).cancelled():
                future.set_result(checkpoint)

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
        old = self._status
        self._status = replace(old, bad_frames=old.bad_frames + (what == "frame"), bad_records=old.bad_records + 1)
        logger.warning("camera %s: dropped a %s: %s", self._source.camera_id, what, error)
