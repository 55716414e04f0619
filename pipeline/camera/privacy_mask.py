"""Privacy masks: parts of a camera's picture that are covered before anything else sees it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.core import Frame, FrameStamp, ReportingSource, Source
from pipeline.core.errors import ConfigError
from pipeline.core.records.source_report import SourceReport

GREY = 64
"""Colour of what is covered. Darker than the grey that frames are padded with, so that a mask is seen as one."""

KEYS = {"camera", "polygon", "relative"}


@dataclass(frozen=True, slots=True)
class Mask:
    """A part of a camera's picture.

    Attributes:
        name: Of the mask, for messages.
        polygon: Corners in order, not closed; at least three. Pixels, or shares of the picture.
        is_relative: Whether they are shares, each side in [0, 1].
    """

    name: str
    polygon: tuple[tuple[float, float], ...]
    is_relative: bool


def parse_masks(blocks: object) -> dict[str, tuple[Mask, ...]]:
    """Return the masks of each camera.

    Args:
        blocks: ``{name: {camera: …, polygon: [[x, y], …], relative: false}}``.

    Raises:
        ConfigError: If one is none; names the key.
    """
    if not isinstance(blocks, Mapping):
        raise ConfigError(f"site.masks: expected {{name: {{camera: …, polygon: …}}}}, got {blocks!r:.80}; correct it")
    found: dict[str, tuple[Mask, ...]] = {}
    for name, block in blocks.items():
        key = f"site.masks.{name}"
        if not isinstance(block, Mapping) or not {"camera", "polygon"} <= set(block) <= KEYS:
            raise ConfigError(f"{key}: expected camera, polygon and perhaps relative, got {block!r:.80}; correct it")
        is_relative, polygon = block.get("relative", False), block["polygon"]
        if not isinstance(is_relative, bool):
            raise ConfigError(f"{key}.relative: expected true or false, got {is_relative!r:.80}; correct it")
        if not _is_polygon(polygon, 1.0 if is_relative else np.inf):
            unit = "shares from 0 to 1" if is_relative else "pixels from 0 on"
            raise ConfigError(f"{key}.polygon: expected [[x, y], …] of three corners or more, {unit}; correct it")
        mask = Mask(str(name), tuple((float(x), float(y)) for x, y in polygon), is_relative)
        found[str(block["camera"])] = (*found.get(str(block["camera"]), ()), mask)
    return found


def covers(mask: Mask, drawn_hw: tuple[int, int]) -> bool:
    """Return whether a mask covers a part of the picture that it is drawn for; height and width, pixels."""
    height, width = drawn_hw
    return bool((np.array(mask.polygon).min(0) < ((1, 1) if mask.is_relative else (width, height))).all())


def check_masks(masks: Sequence[Mask], drawn_hw: tuple[int, int]) -> None:
    """Raise ``ConfigError`` if a mask lies outside of the picture that it is drawn for: it would cover nothing.

    Args:
        masks: Of one camera.
        drawn_hw: Height and width of the picture, pixels.
    """
    height, width = drawn_hw
    for mask in masks:
        if not covers(mask, drawn_hw):
            raise ConfigError(
                f"site.masks.{mask.name}: expected corners in a picture of {width}x{height}, got others, which cover "
                "nothing; draw it again, or write shares of the picture with relative: true"
            )


def masked(
    image: NDArray[np.uint8], masks: Sequence[Mask], drawn_hw: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Return a picture with some parts covered.

    Args:
        image: Shape ``(H, W, 3)``, uint8, RGB; stays as it is.
        masks: What is covered, edges included.
        drawn_hw: Height and width of the picture that corners in pixels are of; None: of this one.

    Raises:
        ConfigError: If a mask lies outside of the picture: it would cover nothing.
    """
    if not masks:
        return image
    height, width = image.shape[:2]
    drawn_h, drawn_w = drawn_hw or (height, width)
    check_masks(masks, (drawn_h, drawn_w))
    covered = image.copy()
    for mask in masks:
        shares = np.array(mask.polygon) / ((1, 1) if mask.is_relative else (drawn_w, drawn_h))
        corners = shares * (width, height)
        cv2.fillPoly(covered, [np.rint(corners).astype(np.int32)], (GREY, GREY, GREY))
    return covered


class MaskedSource:
    """A source whose frames are covered in part. Its packets, which are not, are shown to nobody.

    Where the size of the picture changes, masks in pixels are those of the first frame, and cover the same part of it.

    Args:
        make_source: Makes the source.
        masks: What is covered.
    """

    def __init__(self, make_source: Callable[[], Source], masks: Sequence[Mask]) -> None:
        self._source = make_source()
        self._masks = tuple(masks)
        self._drawn_hw: tuple[int, int] | None = None
        self.camera_id = self._source.camera_id
        self.live = self._source.live

    @property
    def num_dropped(self) -> int:
        """As of the source."""
        return self._source.num_dropped

    @property
    def num_bad(self) -> int:
        """As of the source."""
        return self._source.num_bad

    def report(self) -> SourceReport:
        """Return the report of the source."""
        return self._source.report() if isinstance(self._source, ReportingSource) else SourceReport()

    def check(self) -> None:
        """Raise ``ConfigError`` if the source cannot work."""
        self._source.check()

    def frames(self) -> Iterator[Frame]:
        """Yield the covered frames; raises as the source, and ``ConfigError`` if a mask lies outside of the picture."""
        for frame in self._source.frames():
            self._drawn_hw = self._drawn_hw or frame.size_hw
            yield replace(frame, image=masked(frame.image, self._masks, self._drawn_hw))

    def keep(self, size_hw: tuple[int, int]) -> None:
        """Learn the size of the first frame, which another process read; height and width, pixels."""
        self._drawn_hw = size_hw

    def resume(self, stamp: FrameStamp) -> None:
        """Let the frames continue after ``stamp``."""
        self._source.resume(stamp)

    def ack(self, stamp: FrameStamp) -> None:
        """Let the source forget them."""
        self._source.ack(stamp)

    def close(self) -> None:
        """End; idempotent, from any thread."""
        self._source.close()


def _is_polygon(corners: object, most: float) -> bool:
    return (
        isinstance(corners, list | tuple)
        and len(corners) >= 3
        and all(
            isinstance(corner, list | tuple)
            and len(corner) == 2
            and all(
                isinstance(side, int | float) and not isinstance(side, bool) and isfinite(side) and 0 <= side <= most
                for side in corner
            )
            for corner in corners
        )
    )
