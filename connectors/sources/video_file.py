"""A recording: any video file that FFmpeg reads, or several that follow one another.

Needs: av, and what its files need (``local_files.py``, ``web_file.py``, ``object_files.py``).
Guarantee: every frame that can be decoded, with the times of the recording; the same frames, bit for bit, each time.
Bad frames are left out and counted, and keep their index.
When slow: waits, and never drops a frame.
Secrets: those of its files. They reach no log and no error.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import inf

import av
import av.error

from connectors.pictures.rectangle import check_inside, checked_rectangle, size_hw
from connectors.pictures.rgb import ToRgb
from connectors.sources.damage import MAX_IN_A_ROW, DamageLog
from connectors.sources.ffmpeg_words import error_words
from connectors.sources.hardware_decoding import CPU, NONE, HardwareDecodingError, NoDeviceError, check_kind
from connectors.sources.recordings.local_files import LocalFiles
from connectors.sources.recordings.recording import BadPicture, Recording
from connectors.sources.recordings.streams_watch import BrokenError, StreamsChangedError
from connectors.sources.recordings.video_files import NoVideoError, VideoFile, VideoFiles
from connectors.sources.stream_clock import StreamClock
from pipeline.core import Frame, FrameStamp
from pipeline.core.errors import ConfigError, SourceLostError
from pipeline.core.interfaces import PacketTap
from pipeline.core.records.source_report import SourceReport

# PyAV and not OpenCV, which is often faster: OpenCV's read() cannot tell a broken file from the end of the file.
# Frames/s to RGB of this source against OpenCV, each picture kept until the next one, one thread / two threads, medians
# in two runs on two shared cores: 768x576 MPEG-4 860-1,270 / 1,150-1,320 against 1,680-2,160 / 1,910-2,000; 1080x1920
# H.264 130-210 / 230-370 against 240-260 / 300-330. The loss is mostly fresh memory for each picture: with a malloc
# that keeps it (MALLOC_MMAP_THRESHOLD_ and MALLOC_TRIM_THRESHOLD_ above 1 GB; one run), one thread gives 1,820 and 255.

MAX_OFF_S = 2.0
"""Seconds that the time in a file's name may differ from the end of the file before it, and still continues it.

Names are in whole seconds, of when the file was opened. Less makes false gaps; more closes gaps that were there.
"""

MAX_CHECKED = 5
"""Files of a recording of many that are tried until one has a picture. More delay the message that none has."""

INTERRUPTED = "places where packets of the recording are missing"
"""A reason of ``SourceReport.left_out``: how many pictures are missing there, nobody can say."""

logger = logging.getLogger(__name__)


class VideoFileSource:
    """Frames of a video file, or of several as one recording.

    A file that was cut off is recognised by an incomplete picture at its end, or by a header that promises more.
    Transport streams and raw video have neither, so they just end. If it is one of several, it is said and counted as
    one bad frame, and the next one follows.

    A file whose name holds a date and time begins then, if it is one of several. Others follow the one before.

    Args:
        camera_id: The camera that recorded it.
        uri: Path, pattern, folder of videos, ``file://`` URL, or what ``files`` takes.
        files: Finds the files; None: on this machine.
        starts_at: Unix seconds of the first frame. 0 means what the names of several files say, if they say it.
        crop_xyxy: Left, top, right, bottom of the part of the picture that this camera sees, pixels; None: all.
        stride: Every n-th frame is yielded; at least 1. ``index`` is still the frame's number in the recording.
        seconds: Seconds to read from the beginning; above 0. None: all.
        threads: Threads of the decoder; at least 1.
        max_bad_in_a_row: Bad frames in a row after which the recording counts as broken off; at least 1.
        on_gap: A lasting leap of the times is kept (``keep``), closed (``cut``) or an error (``refuse``).
        follow: The recording is still being written: wait for more at its end.
        idle_s: With ``follow``, seconds without more after which it has ended; above 0.
        hwaccel: What decodes: ``none`` for the processor, ``cuda``, ``vaapi``, ``qsv``; ``auto`` for what is there.

    Raises:
        ConfigError: If an option is out of range.
    """

    live = False
    num_dropped = 0

    def __init__(
        self,
        camera_id: str,
        uri: str,
        *,
        files: Callable[[str], VideoFiles] | None = None,
        starts_at: float = 0.0,
        crop_xyxy: Sequence[int] | None = None,
        stride: int = 1,
        seconds: float | None = None,
        threads: int = 1,
        max_bad_in_a_row: int = MAX_IN_A_ROW,
        on_gap: str = "keep",
        follow: bool = False,
        idle_s: float = 60.0,
        hwaccel: str = NONE,
    ) -> None:
        self.camera_id = camera_id
        if idle_s <= 0 or (follow and files is not None):
            raise ConfigError(
                f"site.cameras.{camera_id}: expected idle_s above 0, and follow only of files of this machine, got "
                f"{idle_s} and {follow}; correct them"
            )
        self._files = LocalFiles(uri, follow=follow, idle_s=idle_s) if files is None else files(uri)
        self._starts_at = self._first_at = starts_at
        self._zero_at: float | None = None
        self._follows = follow
        self._crop = None if crop_xyxy is None else checked_rectangle(camera_id, crop_xyxy)
        if stride < 1 or threads < 1:
            raise ConfigError(
                f"site.cameras.{camera_id}: expected stride and threads of at least 1, got {stride} and {threads}; "
                "correct them"
            )
        if seconds is not None and seconds <= 0:
            raise ConfigError(
                f"site.cameras.{camera_id}.seconds: expected more than 0, or null for all, got {seconds}; correct it"
            )
        self._stride = stride
        self._ends_after_s = inf if seconds is None else seconds
        self._threads = threads
        self.tap: PacketTap | None = None
        self._resume_at = 0
        self._on_gap = on_gap
        self._hwaccel = check_kind(f"site.cameras.{camera_id}", hwaccel)
        self._decoder, self._num_on_device = "", 0
        self._num_interruptions = 0
        self._more: list[VideoFile] = []
        self._damage = DamageLog(camera_id, max_in_a_row=max_bad_in_a_row)
        self._clock = self._make_clock(1.0)  # checks the option
        self._closed = threading.Event()

    @property
    def num_bad(self) -> int:
        """Frames that could not be decoded."""
        return self._damage.num_bad

    def report(self) -> SourceReport:
        """Return what was left out and repaired so far."""
        return SourceReport(
            self._damage.times,
            self._clock.num_repaired,
            self._clock.gaps,
            num_concealed=self._damage.num_concealed,
            left_out={INTERRUPTED: self._num_interruptions} if self._num_interruptions else {},
            decoder=self._decoder,
            num_on_device=self._num_on_device,
        )

    def check(self) -> None:
        """Decode the first whole picture. A recording that is still being written may have none yet.

        Raises:
            ConfigError: If there is no such file, it is not a video, or ``crop_xyxy`` is not inside the picture.
        """
        key = f"site.cameras.{self.camera_id}"
        reason = None
        try:
            files = self._files.there_now()
            if self._files.note:
                logger.warning("camera %s: %s: %s", self.camera_id, self._files.name, self._files.note)
            for file in files[:MAX_CHECKED]:
                try:
                    with file.open(self._hwaccel) as container:
                        recording = Recording(container, 1, self._hwaccel)
                        pictures = (found for _, found in recording.pictures() if not isinstance(found, BadPicture))
                        image = ToRgb().image(next(pictures))
                except NoDeviceError as error:
                    raise ConfigError(
                        f"{key}.hwaccel: expected a device that decodes, got {error}; set auto or none; passerby "
                        "doctor says what is here"
                    ) from error
                except HardwareDecodingError as error:
                    raise ConfigError(
                        f"{key}.hwaccel: expected {self._hwaccel} to decode {file.name}, got {error}; set auto or none"
                    ) from error
                except (av.error.FFmpegError, OSError, BrokenError, StopIteration) as error:
                    reason = reason or f"{error_words(error)} from {file.name}"
                else:
                    check_inside(self.camera_id, self._crop, image)
                    return
        except (NoVideoError, ConfigError) as error:
            reason = str(error)
            raise ConfigError(reason if reason.startswith(key) else f"{key}: {reason}") from None
        if self._follows:
            logger.warning("camera %s: no whole picture yet in %s; it is waited for", self.camera_id, self._files.name)
        else:  # outside the handler: errors of FFmpeg hold the whole address
            raise ConfigError(f"{key}: expected a video, got {reason}; try it in a video player, or copy it again")

    def frames(self) -> Iterator[Frame]:
        """Yield the frames from the first one; after an error, continue after the last one yielded.

        ``StreamClock`` says what is made of times that do not ascend.

        Raises:
            SourceLostError: If a file cannot be read, was cut off, has too many bad frames in a row, or has a gap that
                ``on_gap`` refuses.
        """
        number = -1
        to_rgb = ToRgb()
        reason = None
        try:
            for (number, picture), at in self._timed():
                if self._closed.is_set() or at - self._first_at >= self._ends_after_s:
                    break
                if number < self._resume_at or number % self._stride:
                    continue
                self._num_on_device += self._decoder != CPU
                image = to_rgb.image(picture, self._crop)
                if self._crop is not None and image.shape[:2] != size_hw(self._crop):
                    self._damage.bad(at, f"crop_xyxy is not inside its {picture.width}x{picture.height} pixels")
                else:
                    if self.tap is not None and picture.time is not None:
                        self.tap.shown(picture.time, at)
                    yield Frame(FrameStamp(self.camera_id, number, at), image)
        except NoVideoError as error:
            reason = str(error)
        except (av.error.FFmpegError, OSError, BrokenError, HardwareDecodingError) as error:
            reason = (
                f"{self._files.name}: expected a whole recording, got {error_words(error)} after {number + 1} frames; "
                "copy it again, or repair it"
            )
        except (SourceLostError, ConfigError) as error:
            reason = str(error)
        if reason is not None:  # outside the handler: errors of FFmpeg hold the whole address
            self._resume_at = max(self._resume_at, number + 1)
            raise SourceLostError(reason)
        if not self._closed.is_set():
            self._resume_at = 0

    def _timed(self) -> Iterator[tuple[tuple[int, av.VideoFrame], float]]:
        """Yield numbers and pictures of all files with their times, and count the bad ones."""
        base, begins_s, ends_s, is_first = 0, 0.0, 0.0, True
        for file in self._parts():
            number, num_interruptions = -1, 0
            try:
                with file.open(self._hwaccel) as container:
                    tap = None if self._crop else self.tap
                    recording = Recording(container, self._threads, self._hwaccel, tap, file)
                    self._decoder = recording.decoder
                    if is_first:
                        self._begin(file, recording)
                        is_first = False
                    begins_s = begins_s if file.skip else self._begins_s(file, ends_s)
                    for number, found in recording.pictures():
                        seconds = None if isinstance(found, BadPicture) else recording.seconds(found, number)
                        if number < file.skip:
                            continue
                        num_interruptions = self._note_interruptions(file.name, recording, num_interruptions)
                        if isinstance(found, BadPicture):
                            if base + number >= self._resume_at:
                                at = None if found.seconds is None else self._first_at + begins_s + found.seconds
                                self._damage.bad(at, found.reason)
                            if found.seconds is not None:
                                self._clock.note_bad(begins_s + found.seconds)
                            continue
                        self._damage.good()
                        if found.is_corrupt and base + number >= self._resume_at:
                            self._damage.concealed(self._first_at + begins_s + (seconds or 0.0))
                        length_s = recording.length_s(found)
                        stamp = None if seconds is None else begins_s + seconds
                        yield from self._clock.push((base + number, found), stamp, length_s)
                        ends_s = max(ends_s, (stamp or 0.0) + (length_s or recording.frame_s))
                    self._note_interruptions(file.name, recording, num_interruptions)
            except (av.error.FFmpegError, OSError, BrokenError) as error:
                yield from self._clock.flush()
                if isinstance(error, StreamsChangedError):
                    logger.info("camera %s: %s goes on with other streams", self.camera_id, file.name)
                    before, rest = error.parts
                    self._more = [replace(before, skip=number + 1), rest]
                    continue
                if not self._files.is_many:
                    raise
                logger.warning(
                    "camera %s: %s is damaged (%s); the next file follows",
                    self.camera_id,
                    file.name,
                    error_words(error),
                )
                number += 1
                if base + number >= self._resume_at:
                    self._damage.bad(self._first_at + ends_s, f"{file.name}: {error_words(error)}")
            else:
                yield from self._clock.flush()
            base += number + 1

    def _parts(self) -> Iterator[VideoFile]:
        """Yield the files; one that goes on with other streams is read again to there, and then its rest."""
        for file in self._files.files(self._closed):
            yield file
            while self._more:
                yield self._more.pop(0)

    def _note_interruptions(self, name: str, recording: Recording, noted: int) -> int:
        """Count the places where packets are missing, of which so many were noted; return how many there are now."""
        number = recording.num_interruptions
        if number > noted and not self._num_interruptions:
            logger.warning(
                "camera %s: packets are missing in %s, so pictures may be; such places are counted in left_out",
                self.camera_id,
                name,
            )
        self._num_interruptions += number - noted
        return number

    def _begin(self, file: VideoFile, recording: Recording) -> None:
        """Begin the times of the recording with its first file."""
        if recording.why_blind:
            logger.warning(
                "camera %s: %s %s, so pictures that are missing in it cannot be noticed; record in Matroska, mp4 or "
                "MPEG-TS",
                self.camera_id,
                file.name,
                recording.why_blind,
            )
        self._zero_at = file.begins_at
        self._first_at = file.begins_at if file.begins_at is not None and self._starts_at == 0 else self._starts_at
        self._clock = self._make_clock(recording.frame_s)

    def _begins_s(self, file: VideoFile, ends_s: float) -> float:
        """Return when a file begins, seconds after the first one; ``ends_s`` is when the one before ends."""
        if file.begins_at is None or self._zero_at is None:
            return ends_s
        named_s = file.begins_at - self._zero_at
        if ends_s - named_s >= MAX_OFF_S:
            self._clock.note_overlap(file.name, ends_s - named_s)
        return ends_s if named_s - ends_s < MAX_OFF_S and ends_s > 0 else named_s

    def _make_clock(self, frame_s: float) -> StreamClock[tuple[int, av.VideoFrame]]:
        return StreamClock(self.camera_id, starts_at=self._first_at, usual_step_s=frame_s, on_gap=self._on_gap)

    def resume(self, stamp: FrameStamp) -> None:
        """Let ``frames`` continue after ``stamp``."""
        self._resume_at = stamp.index + 1

    def ack(self, stamp: FrameStamp) -> None:
        """Do nothing: the files stay."""

    def close(self) -> None:
        """End ``frames`` for good; idempotent, from any thread."""
        self._closed.set()
