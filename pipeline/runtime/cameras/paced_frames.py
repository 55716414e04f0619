"""The frames of one camera as the pipeline takes them: of one size, paced, letter-boxed, and counted."""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from statistics import median

from pipeline.camera.detection import letterbox
from pipeline.camera.motion_gate import MotionGate
from pipeline.camera.privacy_mask import Mask, MaskedSource, check_masks, covers, masked
from pipeline.camera.steady_size import SteadySize
from pipeline.camera.view_watch import ViewWatch
from pipeline.core import Frame, FrameStamp, LetterboxedFrame, Source
from pipeline.core.plugin_contract import blaming
from pipeline.core.records.view_event import ViewReport
from pipeline.runtime.cameras.camera_clock import CameraClock
from pipeline.runtime.plan import ALL_FRAMES, CameraIntake
from pipeline.telemetry.camera_status import CameraStatus

LOW_FPS = 4.0
"""Frames a second below which people are lost between two frames, which a run and a trial of a camera say.

IDF1 of one camera of the demo: .790 at 10 frames/s, .753 at 5, .545 at 2, .180 at 1. A larger value warns earlier.
"""

NUM_INTERVALS = 20
"""Intervals between frames from whose median the rate is taken. More notice a low rate later."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a frame came.

    Attributes:
        due_at: When it should be processed, Unix seconds of the wall clock.
        num_dropped: Frames that the source had dropped before it.
        num_bad: Frames that the source had left out before it.
    """

    due_at: float
    num_dropped: int
    num_bad: int


@dataclass(frozen=True, slots=True, eq=False)
class PacedFrame:
    """A frame that is due.

    Attributes:
        frame: As the source gave it.
        prepared: The detector's input.
        arrival: How it came.
        is_still: The camera has sent this same picture for seconds, or nothing moves: nobody is looked for in it.
    """

    frame: Frame
    prepared: LetterboxedFrame
    arrival: Arrival
    is_still: bool = False


class PacedFrames:
    """Reads a source; the frames of a recording at the speed of the replay. All waiting ends with ``close``.

    Args:
        source: The camera.
        input_hw: Height and width that frames are letter-boxed to for the detector, pixels.
        speed: Of recordings: times real time; infinite for as fast as possible. A live camera is never held back.
        clock: Corrects the times of a live camera.
        intake: What is done to the frames first.

    Attributes:
        size: Brings frames to the size of the first one.
        view: Watches the view, if the intake says so.
        gate: Tells where nothing moves, if the intake says so.
        decode_s: Seconds spent on reading and letter-boxing.
        read_at: When the newest frame was read, seconds of the monotonic clock.
    """

    def __init__(
        self,
        source: Source,
        *,
        input_hw: tuple[int, int],
        speed: float,
        clock: CameraClock,
        intake: CameraIntake = ALL_FRAMES,
    ) -> None:
        self._source = source
        self._input_hw = input_hw
        self._speed = speed
        self._clock = clock
        self._max_fps = intake.max_fps
        self._offset_s, self._first_index = intake.offset_s, intake.first_index
        self._next_at = -inf
        self._last_at: float | None = None
        self._intervals: list[float] | None = []
        self._began_at = intake.zero_due_at
        self._from_at, self._until_at = intake.from_at, intake.until_at
        self._newest_at = -inf
        self._bounds = threading.Lock()
        self._waits_until = 0.0
        self._closed = threading.Event()
        self.view = ViewWatch(source.camera_id)
        self._watches_view = intake.watch_view
        self.gate = MotionGate()
        self._has_gate = intake.motion_gate
        self.size = SteadySize(source.camera_id)
        self._masks: tuple[Mask, ...] = ()
        self._covering: tuple[Mask, ...] = ()
        self._reports: deque[ViewReport] = deque()
        self._has_begun = False
        self.decode_s = 0.0
        self.read_at = time.monotonic()

    @property
    def waits_s(self) -> float:
        """Seconds until the frame that is waited for is due; 0 if none is."""
        return max(0.0, self._waits_until - time.time())

    @property
    def until_at(self) -> float | None:
        """Unix seconds of event time at which a recording ends, whatever follows; None: where it ends itself."""
        return None if self._until_at == inf else self._until_at

    def read(self) -> Iterator[PacedFrame]:
        """Yield frames when they are due; runs in a thread of its own.

        Raises:
            SourceLostError: As ``Source.frames``.
        """
        with blaming(f"site.cameras.{self._source.camera_id}", self._source):
            frames = iter(self._source.frames())
        told = self.view.events
        while not self._closed.is_set():
            began = time.perf_counter()
            with blaming(f"site.cameras.{self._source.camera_id}", self._source):
                frame = next(frames, None)
                if not isinstance(frame, Frame | None):
                    raise TypeError(f"expected frames to yield Frame, got {type(frame).__name__}")
            if frame is None:
                return
            self.read_at = time.monotonic()
            if not self._source.live:
                at = frame.stamp.captured_at + self._offset_s
                if self._is_over(at):
                    return
                if at < self._from_at:
                    continue
            if not self._is_taken(frame.stamp.captured_at):
                continue
            counts = self._source.num_dropped, self._source.num_bad
            frame = self._covered(self.size.fitted(frame))
            if self._offset_s or self._first_index:
                stamp = frame.stamp
                at, index = stamp.captured_at + self._offset_s, stamp.index + self._first_index
                frame = replace(frame, stamp=replace(stamp, captured_at=at, index=index))
            if self._source.live:
                corrected_at = self._clock.corrected(frame.stamp.captured_at, time.time())
                frame = replace(frame, stamp=replace(frame.stamp, captured_at=corrected_at))
            is_still = self._watches_view and self.view.is_still(frame)
            camera_id, at = self._source.camera_id, frame.stamp.captured_at
            if self._source.live and not self._has_begun:
                self._reports.append(ViewReport(camera_id, at, None))
            self._has_begun = True
            if (events := self.view.events) != told:
                self._reports += [ViewReport(camera_id, at, event) for event in events if event not in told]
                told = events
            prepared = letterbox(frame, self._input_hw)
            if self._has_gate and not is_still:
                is_still = self.gate.is_closed(prepared)
            self.decode_s += time.perf_counter() - began
            due_at = self._due(frame.stamp)
            if not self._source.live and not self._is_waited_for(due_at):
                return
            yield PacedFrame(frame, prepared, Arrival(due_at, *counts), is_still)

    def reports_until(self, at: float) -> list[ViewReport]:
        """Return what was seen of the view up to a frame of this time, Unix seconds, and not returned before."""
        found = []
        while self._reports and self._reports[0].completed_at <= at:
            found.append(self._reports.popleft())
        return found

    def go_on(self, stamp: FrameStamp, status: CameraStatus, frame_hw: tuple[int, int] | None) -> None:
        """Take over from another process: its last frame, what it has counted, and the size of its frames."""
        self._source.resume(replace(stamp, index=stamp.index - self._first_index))
        self.decode_s = status.decode_s
        if frame_hw is not None:
            self.size.keep(frame_hw)
            if isinstance(self._source, MaskedSource):
                self._source.keep(frame_hw)
        self.view.go_on(status.view_events, status.frames_still)
        self.gate.num_closed = status.frames_without_motion

    def cover(self, masks: Sequence[Mask]) -> None:
        """Cover more parts of the picture from the next frame on, in place of those of the last call; from any thread.

        Raises:
            ConfigError: If a mask lies outside of the picture; then nothing changes.
        """
        if self.size.size_hw is not None:
            check_masks(masks, self.size.size_hw)
        self._masks = tuple(masks)

    def end_at(self, at: float) -> bool:
        """Let a recording end before its first frame of this time or later, Unix seconds of event time.

        Returns:
            False if such a frame was read already; then nothing changes.
        """
        with self._bounds:
            if self._newest_at >= at:
                return False
            self._until_at = min(self._until_at, at)
            return True

    def close(self) -> None:
        """End all waiting and reading; from any thread, idempotent."""
        self._closed.set()

    def _covered(self, frame: Frame) -> Frame:
        """Return a frame with what is to be covered; of a mask that was drawn before the first frame, see if it is."""
        masks = self._masks
        for mask in [mask for mask in masks if not covers(mask, frame.size_hw)]:
            logger.error(
                "camera %s: mask %s lies outside of the picture: draw it again", frame.stamp.camera_id, mask.name
            )
            masks = self._masks = tuple(each for each in masks if each is not mask)
        if masks is not self._covering:
            self._covering = masks
            self.view.begin_anew()
        return replace(frame, image=masked(frame.image, masks)) if masks else frame

    def _is_over(self, at: float) -> bool:
        """Return whether a recording ends before a frame of this time; otherwise the frame counts as read."""
        with self._bounds:
            if at >= self._until_at:
                return True
            self._newest_at = max(self._newest_at, at)
            return False

    def _is_taken(self, at: float) -> bool:
        """Return whether a frame of this time is one of ``max_fps`` a second."""
        if self._max_fps is not None:
            step_s = 1 / self._max_fps
            if at < self._next_at - 0.01 * step_s:
                return False
            # From the time that was due, not from this frame's, or a camera of 25 frames/s would give 8 instead of 10.
            self._next_at = step_s + (self._next_at if at < self._next_at + step_s else at)
        self._watch_rate(at)
        return True

    def _watch_rate(self, at: float) -> None:
        """Warn once if there are too few frames a second."""
        if self._intervals is None:
            return
        if self._last_at is not None:
            self._intervals.append(at - self._last_at)
        self._last_at = at
        if len(self._intervals) == NUM_INTERVALS:
            fps, self._intervals = 1 / max(median(self._intervals), 1e-6), None
            if fps < LOW_FPS:
                logger.warning(
                    "camera %s gives %.1f frames/s; below %.0f a person is often lost between two frames. IDF1 of one "
                    "camera was .790 at 10 frames/s, .753 at 5, .545 at 2, .180 at 1",
                    self._source.camera_id,
                    fps,
                    LOW_FPS,
                )

    def _is_waited_for(self, due_at: float) -> bool:
        """Wait until a time; return whether it came, and not the end."""
        self._waits_until = due_at
        while (wait_s := due_at - time.time()) > 0:
            if self._closed.wait(min(wait_s, threading.TIMEOUT_MAX)):
                break
        self._waits_until = 0.0
        return not self._closed.is_set()

    def _due(self, stamp: FrameStamp) -> float:
        """Return the wall-clock time at which a frame should be processed, Unix seconds."""
        if self._source.live:
            return stamp.captured_at
        if self._speed == inf:
            return time.time()
        if self._began_at is None:
            self._began_at = time.time() - stamp.captured_at / self._speed
        return self._began_at + stamp.captured_at / self._speed
