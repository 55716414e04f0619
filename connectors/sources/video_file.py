"""A recording: any video file that FFmpeg reads.

Needs: av.
Guarantee: every frame that can be decoded, with the times of the recording; the same frames, bit for bit, each time.
Bad frames are left out and counted, and keep their index.
When slow: waits, and never drops a frame.
Secrets: none.
"""

import threading
from collections.abc import Iterator, Sequence
from math import inf

import av
import av.error

from connectors.pictures.rectangle import check_inside, checked_rectangle, size_hw
from connectors.pictures.rgb import ToRgb
from connectors.sources.damage import MAX_IN_A_ROW, DamageLog
from connectors.sources.hardware_decoding import CPU, NONE, HardwareDecodingError, check_kind
from connectors.sources.recording import BadPicture, BrokenError, Recording, error_words
from connectors.sources.stream_clock import StreamClock
from pipeline.core import Frame, FrameStamp
from pipeline.core.camera_uri import file_path
from pipeline.core.errors import ConfigError, SourceLostError
from pipeline.core.source_report import SourceReport

# PyAV and not OpenCV, which is often faster: OpenCV's read() cannot tell a broken file from the end of the file.
# Frames/s to RGB of this source against OpenCV, each picture kept until the next one, one thread / two threads, medians
# in two runs on two shared cores: 768x576 MPEG-4 860-1,270 / 1,150-1,320 against 1,680-2,160 / 1,910-2,000; 1080x1920
# H.264 130-210 / 230-370 against 240-260 / 300-330. The loss is mostly fresh memory for each picture: with a malloc
# that keeps it (MALLOC_MMAP_THRESHOLD_ and MALLOC_TRIM_THRESHOLD_ above 1 GB; one run), one thread gives 1,820 and 255.


class VideoFileSource:
    """Frames of a video file.

    A file that was cut off is recognised by an incomplete picture at its end, or by a header that promises more.
    Transport streams and raw video have neither, so they just end.

    Args:
        camera_id: The camera that recorded it.
        uri: Path, or ``file://`` URL.
        starts_at: Unix seconds of the first frame.
        crop_xyxy: Left, top, right, bottom of the part of the picture that this camera sees, pixels; None: all.
        stride: Every n-th frame is yielded; at least 1. ``index`` is still the frame's number in the recording.
        seconds: Seconds to read from the beginning; above 0. None: all.
        threads: Threads of the decoder; at least 1.
        max_bad_in_a_row: Bad frames in a row after which the recording counts as broken off; at least 1.
        on_gap: A lasting leap of the times is kept (``keep``), closed (``cut``) or an error (``refuse``).
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
        starts_at: float = 0.0,
        crop_xyxy: Sequence[int] | None = None,
        stride: int = 1,
        seconds: float | None = None,
        threads: int = 1,
        max_bad_in_a_row: int = MAX_IN_A_ROW,
        on_gap: str = "keep",
        hwaccel: str = NONE,
    ) -> None:
        self.camera_id = camera_id
        self._path = file_path(uri)
        self._starts_at = starts_at
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
        self._resume_at = 0
        self._on_gap = on_gap
        self._hwaccel = check_kind(f"site.cameras.{camera_id}", hwaccel)
        self._decoder, self._num_on_device = "", 0
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
            decoder=self._decoder,
            num_on_device=self._num_on_device,
        )

    def check(self) -> None:
        """Decode the first whole picture.

        Raises:
            ConfigError: If there is no such file, it is not a video, or ``crop_xyxy`` is not inside the picture.
        """
        key = f"site.cameras.{self.camera_id}"
        if not self._path.is_file():
            raise ConfigError(f"{key}: expected a video file, got nothing at {self._path}; correct the path")
        if self._path.stat().st_size == 0:
            raise ConfigError(f"{key}: expected a video, got the empty file {self._path}; copy it again")
        try:
            with Recording(self._path, 1, self._hwaccel) as recording:
                pictures = (found for _, found in recording.pictures() if not isinstance(found, BadPicture))
                image = ToRgb().image(next(pictures))
        except HardwareDecodingError as error:
            raise ConfigError(
                f"{key}.hwaccel: expected {self._hwaccel} to decode {self._path}, got {error}; set auto or none"
            ) from error
        except (av.error.FFmpegError, OSError, BrokenError, StopIteration) as error:
            raise ConfigError(
                f"{key}: expected a video, got {error_words(error)} from {self._path}; "
                "try it in a video player, or copy it again"
            ) from error
        check_inside(self.camera_id, self._crop, image)

    def frames(self) -> Iterator[Frame]:
        """Yield the frames from the first one; after an error, continue after the last one yielded.

        ``StreamClock`` says what is made of times that do not ascend.

        Raises:
            SourceLostError: If the file cannot be read, was cut off, has too many bad frames in a row, or has a gap
                that ``on_gap`` refuses.
        """
        number = -1
        to_rgb = ToRgb()
        try:
            with Recording(self._path, self._threads, self._hwaccel) as recording:
                self._decoder = recording.decoder
                self._clock = self._make_clock(recording.frame_s)
                for (number, picture), at in self._timed(recording):
                    if self._closed.is_set() or at - self._starts_at >= self._ends_after_s:
                        break
                    if number < self._resume_at or number % self._stride:
                        continue
                    self._num_on_device += recording.decoder != CPU
                    image = to_rgb.image(picture, self._crop)
                    if self._crop is not None and image.shape[:2] != size_hw(self._crop):
                        self._damage.bad(at, f"crop_xyxy is not inside its {picture.width}x{picture.height} pixels")
                    else:
                        yield Frame(FrameStamp(self.camera_id, number, at), image)
        except (av.error.FFmpegError, OSError, BrokenError, HardwareDecodingError) as error:
            self._resume_at = max(self._resume_at, number + 1)
            raise SourceLostError(
                f"{self._path}: expected a whole recording, got {error_words(error)} after {number + 1} frames; "
                "copy it again, or repair it"
            ) from error
        except SourceLostError:
            self._resume_at = max(self._resume_at, number + 1)
            raise
        if not self._closed.is_set():
            self._resume_at = 0

    def _timed(self, recording: Recording) -> Iterator[tuple[tuple[int, av.VideoFrame], float]]:
        """Yield numbers and pictures with their times, and count the bad ones."""
        try:
            for number, found in recording.pictures():
                if isinstance(found, BadPicture):
                    if number >= self._resume_at:
                        self._damage.bad(
                            None if found.seconds is None else self._starts_at + found.seconds, found.reason
                        )
                    continue
                self._damage.good()
                seconds, length_s = recording.seconds(found, number), recording.length_s(found)
                yield from self._clock.push((number, found), seconds, length_s)
        except BrokenError:
            yield from self._clock.flush()
            raise
        yield from self._clock.flush()

    def _make_clock(self, frame_s: float) -> StreamClock[tuple[int, av.VideoFrame]]:
        return StreamClock(self.camera_id, starts_at=self._starts_at, usual_step_s=frame_s, on_gap=self._on_gap)

    def resume(self, stamp: FrameStamp) -> None:
        """Let ``frames`` continue after ``stamp``."""
        self._resume_at = stamp.index + 1

    def ack(self, stamp: FrameStamp) -> None:
        """Do nothing: the file stays."""

    def close(self) -> None:
        """End ``frames`` for good; idempotent, from any thread."""
        self._closed.set()
