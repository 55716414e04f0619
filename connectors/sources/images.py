"""A recording that is a folder of images, for instance a MOT sequence.

Needs: opencv-python.
Guarantee: every whole image, in the order of the numbers in the names; the same frames, bit for bit, each time. Others
are left out and counted, and keep their index.
When slow: waits, and never drops an image.
Secrets: none.
"""

import logging
import threading
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from connectors.pictures.rectangle import check_inside, checked_rectangle, cut, size_hw
from connectors.pictures.whole_image import UnreadableImageError, decode_whole
from connectors.sources.damage import MAX_IN_A_ROW, DamageLog
from connectors.sources.recordings.image_sequence import ImageFile, ImageSequence, UnreadableFolderError, read_sequence
from connectors.sources.stream_clock import StreamClock
from pipeline.core import Frame, FrameStamp
from pipeline.core.camera_uri import file_path
from pipeline.core.errors import ConfigError, SourceLostError
from pipeline.core.records.source_report import SourceReport

logger = logging.getLogger(__name__)


class ImagesSource:
    """Frames of a folder of images.

    ``read_sequence`` says which numbers and times the names give.

    Args:
        camera_id: The camera that took the images.
        uri: Path of the folder, or its ``file://`` URL.
        starts_at: Unix seconds of second 0 of the sequence. 0 means what the names say, if they say it.
        fps: Images a second of a folder without ``seqinfo.ini``; above 0.
        crop_xyxy: Left, top, right, bottom of the part of the image that this camera sees, pixels; None: all.
        stride: Every n-th image is yielded; at least 1. ``index`` is still the image's number.
        bits: Bits a channel that are used in images of 16; None: as many as the first image needs.
        max_bad_in_a_row: Bad images in a row after which the recording counts as broken off; at least 1.
        on_gap: A lasting leap of the times is kept (``keep``), closed (``cut``) or an error (``refuse``).

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
        fps: float = 10.0,
        crop_xyxy: Sequence[int] | None = None,
        stride: int = 1,
        bits: int | None = None,
        max_bad_in_a_row: int = MAX_IN_A_ROW,
        on_gap: str = "keep",
    ) -> None:
        self.camera_id = camera_id
        self._folder = file_path(uri)
        self._starts_at = starts_at
        self._fps = fps
        self._crop = None if crop_xyxy is None else checked_rectangle(camera_id, crop_xyxy)
        if stride < 1 or fps <= 0:
            raise ConfigError(
                f"site.cameras.{camera_id}: expected a stride of at least 1 and fps above 0, got {stride} and {fps}; "
                "correct them"
            )
        if bits is not None and not 8 <= bits <= 16:
            raise ConfigError(f"site.cameras.{camera_id}.bits: expected 8 to 16, or null, got {bits}; correct it")
        self._stride = stride
        self._bits = bits
        self._max_bad_in_a_row = max_bad_in_a_row
        self._on_gap = on_gap
        self._damage = DamageLog(camera_id, max_in_a_row=max_bad_in_a_row)
        self._clock = self._make_clock(starts_at, fps)  # checks the option
        self._resume_at = 0
        self._closed = threading.Event()

    @property
    def num_bad(self) -> int:
        """Images that could not be read."""
        return self._damage.num_bad

    def report(self) -> SourceReport:
        """Return what was left out and repaired so far."""
        return SourceReport(self._damage.times, self._clock.num_repaired, self._clock.gaps)

    def check(self) -> None:
        """List the folder and decode the first whole image.

        Raises:
            ConfigError: If there is no image, none of the first ones can be decoded, or ``crop_xyxy`` is not inside it.
        """
        try:
            sequence = read_sequence(self._folder, self._fps)
            if sequence.num_missing:
                logger.warning(
                    "camera %s: %d images of %s are not there, which seqinfo.ini promises",
                    self.camera_id,
                    sequence.num_missing,
                    self._folder,
                )
            if sequence.note:
                logger.warning("camera %s: %s: %s", self.camera_id, self._folder, sequence.note)
            image = self._first_image(sequence)
        except UnreadableFolderError as error:
            raise ConfigError(f"site.cameras.{self.camera_id}: {error}") from error
        check_inside(self.camera_id, self._crop, image)

    def frames(self) -> Iterator[Frame]:
        """Yield the frames from the first one; after an error, continue after the last one yielded.

        Raises:
            SourceLostError: If the folder cannot be read, no image can, too many in a row cannot, or there is a gap
                that ``on_gap`` refuses.
        """
        last = self._resume_at - 1
        try:
            sequence = read_sequence(self._folder, self._fps)
            for frame in self._timed_frames(sequence):
                last = frame.stamp.index
                yield frame
                if self._closed.is_set():
                    return
        except (UnreadableFolderError, SourceLostError) as error:
            self._resume_at = last + 1
            if isinstance(error, SourceLostError):
                raise
            raise SourceLostError(str(error)) from error
        self._resume_at = 0

    def resume(self, stamp: FrameStamp) -> None:
        """Let ``frames`` continue after ``stamp``."""
        self._resume_at = stamp.index + 1

    def ack(self, stamp: FrameStamp) -> None:
        """Do nothing: the files stay."""

    def close(self) -> None:
        """End ``frames`` for good; idempotent, from any thread."""
        self._closed.set()

    def _timed_frames(self, sequence: ImageSequence) -> Iterator[Frame]:
        """Yield the whole images of a sequence with their times, and count the others."""
        starts_at = sequence.began_at if sequence.began_at is not None and self._starts_at == 0 else self._starts_at
        self._clock = self._make_clock(starts_at, sequence.fps)
        bits = self._bits
        has_any = self._resume_at > 0
        for image, at in self._timed(sequence):
            if self._closed.is_set():
                return
            if image.index < self._resume_at:
                continue
            try:
                pixels, bits = _read_image(image, bits)
            except UnreadableImageError as error:
                self._damage.bad(at, str(error))
                continue
            part = cut(pixels, self._crop)
            if self._crop is not None and part.shape[:2] != size_hw(self._crop):
                self._damage.bad(at, f"{image.path}: crop_xyxy is not inside it")
                continue
            self._damage.good()
            has_any = True
            yield Frame(FrameStamp(self.camera_id, image.index, at), part)
        if not has_any:
            self._first_image(sequence)  # says why

    def _timed(self, sequence: ImageSequence) -> Iterator[tuple[ImageFile, float]]:
        for image in sequence.images[:: self._stride]:
            yield from self._clock.push(image, image.seconds)
        yield from self._clock.flush()

    def _first_image(self, sequence: ImageSequence) -> NDArray[np.uint8]:
        """Return the first image that can be read; raise ``UnreadableFolderError`` if there are too many before it."""
        reason = ""
        for image in sequence.images[: self._max_bad_in_a_row]:
            try:
                return _read_image(image, self._bits)[0]
            except UnreadableImageError as error:
                reason = reason or str(error)
        raise UnreadableFolderError(reason)

    def _make_clock(self, starts_at: float, fps: float) -> StreamClock[ImageFile]:
        return StreamClock(self.camera_id, starts_at=starts_at, usual_step_s=self._stride / fps, on_gap=self._on_gap)


def _read_image(image: ImageFile, bits: int | None) -> tuple[NDArray[np.uint8], int | None]:
    """Return an image, shape ``(H, W, 3)``, uint8, RGB, and the bits used of 16: those given, if it is one of 8."""
    path = image.path
    try:
        pixels, found = decode_whole(path.read_bytes(), path.suffix.lower(), bits)
    except OSError as error:
        raise UnreadableImageError(f"{path}: expected an image, got {error.strerror}; copy it again") from error
    except UnreadableImageError as error:
        raise UnreadableImageError(
            f"{path}: expected a whole image, got {error}; copy it again, or save it as one image of 8 or 16 bits"
        ) from error
    return pixels, bits if found == 8 else found
