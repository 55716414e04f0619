"""A recording that is a folder of images, for instance a MOT sequence.

Needs: opencv-python.
Guarantee: every image, in the order of the numbers in the names; the same frames, bit for bit, each time.
When slow: waits, and never drops an image.
Secrets: none.
"""

import re
import threading
from collections.abc import Iterator, Sequence
from configparser import ConfigParser
from configparser import Error as IniError
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from connectors.pictures.rectangle import check_inside, checked_rectangle, cut
from pipeline.core import Frame, FrameStamp
from pipeline.core.camera_uri import file_path
from pipeline.core.errors import ConfigError, SourceLostError

ENDINGS = {
    ".jpg": b"\xff\xd9",
    ".jpeg": b"\xff\xd9",
    ".png": b"IEND",
    ".bmp": b"",
    ".webp": b"",
    ".tif": b"",
    ".tiff": b"",
}
"""Suffixes of images, and the bytes near the end of a complete one: OpenCV would fill the missing part with grey."""

NUM_LAST_BYTES = 4096
"""Bytes at the end that are searched: other programs append data. More accept images with longer appendices."""


class ImagesSource:
    """Frames of a folder of images.

    A folder with ``seqinfo.ini`` is a MOT sequence: that file names image folder, frame rate and number of images.

    Args:
        camera_id: The camera that took the images.
        uri: Path of the folder, or its ``file://`` URL.
        starts_at: Unix seconds of the first image.
        fps: Images a second of a folder without ``seqinfo.ini``; above 0.
        crop_xyxy: Left, top, right, bottom of the part of the image that this camera sees, pixels; None: all.
        stride: Every n-th image is yielded; at least 1. ``index`` is still the position in the folder, from 0.

    Raises:
        ConfigError: If an option is out of range.
    """

    live = False
    num_dropped = num_bad = 0

    def __init__(
        self,
        camera_id: str,
        uri: str,
        *,
        starts_at: float = 0.0,
        fps: float = 10.0,
        crop_xyxy: Sequence[int] | None = None,
        stride: int = 1,
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
        self._stride = stride
        self._resume_at = 0
        self._closed = threading.Event()

    def check(self) -> None:
        """List the folder and decode the first image.

        Raises:
            ConfigError: If there is no image, there are fewer than ``seqinfo.ini`` says, the first cannot be decoded,
                or ``crop_xyxy`` is not inside it.
        """
        try:
            sequence = _read_sequence(self._folder, self._fps)
            image = _read_image(sequence.paths[0])
        except _UnreadableError as error:
            raise ConfigError(f"site.cameras.{self.camera_id}: {error}") from error
        check_inside(self.camera_id, self._crop, image)

    def frames(self) -> Iterator[Frame]:
        """Yield the frames from the first one; after an error, continue after the last one yielded.

        Raises:
            SourceLostError: If an image cannot be read, or some are missing.
        """
        number = self._resume_at
        try:
            sequence = _read_sequence(self._folder, self._fps)
            first = -(-self._resume_at // self._stride) * self._stride
            for number in range(first, len(sequence.paths), self._stride):
                if self._closed.is_set():
                    return
                image = _read_image(sequence.paths[number])
                stamp = FrameStamp(self.camera_id, number, self._starts_at + number / sequence.fps)
                yield Frame(stamp, cut(image, self._crop))
        except _UnreadableError as error:
            self._resume_at = number
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


class _UnreadableError(Exception):
    """A folder or an image cannot be read."""


@dataclass(frozen=True, slots=True)
class _Sequence:
    paths: tuple[Path, ...]
    fps: float


def _read_sequence(folder: Path, fps: float) -> _Sequence:
    """Return the images of a folder, in order."""
    promised = 0
    where = folder
    if (folder / "seqinfo.ini").is_file():
        where, fps, promised = _read_seqinfo(folder)
    try:
        paths = [path for path in where.iterdir() if path.suffix.lower() in ENDINGS and not path.name.startswith(".")]
    except OSError as error:
        raise _UnreadableError(
            f"expected a folder of images, got {error.strerror} for {where}; correct the path"
        ) from error
    if not paths or len(paths) < promised:
        raise _UnreadableError(
            f"expected {promised or 'some'} images ({', '.join(ENDINGS)}), got {len(paths)} in {where}; "
            "correct the path, or copy it again"
        )
    return _Sequence(tuple(sorted(paths, key=_order)), fps)


def _read_seqinfo(folder: Path) -> tuple[Path, float, int]:
    """Return the image folder, images a second and number of images of a MOT sequence."""
    parser = ConfigParser(interpolation=None)
    try:
        parser.read(folder / "seqinfo.ini", encoding="utf-8")
        section = parser["Sequence"]
        fps, length = float(section["frameRate"]), int(section["seqLength"])
    except (IniError, KeyError, ValueError, OSError) as error:
        raise _UnreadableError(
            f"{folder / 'seqinfo.ini'}: expected [Sequence] with frameRate and seqLength, got {error}; correct it"
        ) from error
    if fps <= 0:
        raise _UnreadableError(f"{folder / 'seqinfo.ini'}: expected a frameRate above 0, got {fps}; correct it")
    return folder / section.get("imDir", "img1"), fps, length


def _order(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Return the sort key that puts frame_10 after frame_9."""
    parts = re.split(r"([0-9]+)", path.stem)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], path.name


def _read_image(path: Path) -> NDArray[np.uint8]:
    """Return an image, shape ``(H, W, 3)``, uint8, RGB."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _UnreadableError(f"{path}: expected an image, got {error.strerror}; copy it again") from error
    is_whole = len(data) > 0 and ENDINGS[path.suffix.lower()] in data[-NUM_LAST_BYTES:]
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB) if is_whole else None
    if picture is None:
        raise _UnreadableError(f"{path}: expected a whole image, got {len(data)} bytes that are not one; copy it again")
    return np.asarray(picture, np.uint8)
