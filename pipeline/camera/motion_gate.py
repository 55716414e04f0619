"""Leaves out the detector while nothing moves in the picture of one camera."""

from math import exp, inf

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.core import LetterboxedFrame

STEP = 4
"""Every so many pixels of the detector's input are compared, in rows and columns. More cost less, and miss more."""

MIN_CHANGE = 12.0
"""Grey values by which a pixel, blurred, must differ from the usual picture. More notice less in low contrast.

Sensors have a noise of 2 to 3 grey values, which the blur makes smaller.
"""

MIN_CHANGED = 6
"""Pixels that must differ. A person 30 pixels high in the detector's input has about 18. More miss smaller people."""

OPEN_S = 5.0
"""Seconds for which people are looked for after the last movement.

More lose fewer people who stand still, and save less.
"""

USUAL_S = 3.0
"""Seconds in which the usual picture takes over two thirds of what has changed.

More keep the gate open for longer when the light has changed or a chair was moved; less let people who stand still
become a part of it sooner.
"""


class MotionGate:
    """Tells in which frames of one camera people are looked for. Its answers depend on nothing but the pictures.

    Attributes:
        num_closed: Frames in which nobody is looked for.
    """

    def __init__(self) -> None:
        self._usual: NDArray[np.float32] | None = None
        self._at = 0.0
        self._moved_at = -inf
        self.num_closed = 0

    def is_closed(self, frame: LetterboxedFrame) -> bool:
        """Take the next frame, and return whether nothing has moved for ``OPEN_S``."""
        at = frame.stamp.captured_at
        picture = cv2.blur(np.ascontiguousarray(frame.image[::STEP, ::STEP, 1]), (3, 3)).astype(np.float32)
        if self._usual is None:
            self._usual, self._moved_at = picture, at
        elif np.count_nonzero(np.abs(picture - self._usual) > MIN_CHANGE) >= MIN_CHANGED:
            self._moved_at = at
        weight = 1 - exp(-max(0.0, at - self._at) / USUAL_S)
        self._usual += weight * (picture - self._usual)
        self._at = at
        is_closed = at - self._moved_at >= OPEN_S
        self.num_closed += is_closed
        return is_closed
