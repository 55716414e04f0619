"""One picture of one camera, and its place in the stream."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.arrays import check_array, freeze


@dataclass(frozen=True, slots=True)
class FrameStamp:
    """The place of a frame in its camera's stream.

    Attributes:
        camera_id: Name of the camera in the site's configuration.
        index: 0, 1, 2 … per camera; a gap means that frames were dropped.
        captured_at: Unix seconds, UTC. A recording that does not say when it began starts at 0.
    """

    camera_id: str
    index: int
    captured_at: float


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of one camera.

    Attributes:
        stamp: Camera, index and time.
        image: Shape ``(H, W, 3)``, uint8, RGB.
    """

    stamp: FrameStamp
    image: NDArray[np.uint8]

    def __post_init__(self) -> None:
        check_array("image", self.image, (None, None, 3), np.uint8)
        freeze(self.image)

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.image.shape[0], self.image.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class LetterboxedFrame:
    """A frame scaled to a detector's input; it crosses process borders in place of the full frame.

    Attributes:
        stamp: The frame it was made from.
        image: Shape ``(h, w, 3)``, uint8, RGB; the scaled frame in the top left corner, the rest grey (114).
        scale: Pixels of ``image`` per pixel of the frame; above 0.
        frame_hw: Height and width of the frame, pixels.
    """

    stamp: FrameStamp
    image: NDArray[np.uint8]
    scale: float
    frame_hw: tuple[int, int]

    def __post_init__(self) -> None:
        check_array("image", self.image, (None, None, 3), np.uint8)
        freeze(self.image)
