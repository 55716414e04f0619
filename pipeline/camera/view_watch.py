"""Watches the view of one camera: frozen, black, covered, defocused, moved.

The thresholds were measured on nine recordings: real (PETS, Intel's corridor, Pose2Sim, Sports2D), of a game engine
(Scenescape), and rendered (the four cameras of the demo). docs/cameras.md has the figures.
"""

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from math import inf

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.core import Frame
from pipeline.core.records.view_event import ViewEvent, ViewEventKind

logger = logging.getLogger(__name__)

STILL_AFTER_S = 3.0
"""Seconds of one same picture after which people are no longer looked for in it.

The longest such time in the recordings was 0.2 s: sensors have noise. More leave people of a frozen picture there for
longer; less take pauses of a stream for it.
"""

LASTS_S = 10.0
"""Seconds that something must be wrong before it is an event. More miss short events; less tell of a passing lorry."""

CHECK_EVERY_S = 1.0
"""Seconds between two checks of anything but a frozen picture. More cost less, and notice later."""

PIXEL_STEP = 8
"""Every so many pixels, in rows and columns, are compared with the picture before. More cost less."""

MAX_BLACK = 16.0
"""Mean grey value up to which a picture is black. The recordings had 98 and more. More take nights for black."""

MAX_COVERED_STD = 6.0
"""Spread of grey values over the picture, made small, up to which it is covered. The recordings had 15 and more."""

MAX_DEFOCUSED = 0.25
"""Share of the usual sharpness up to which a picture is defocused. The recordings had 0.63 and more, and 0.16 and less
when blurred over 4 pixels. More notice less blur, and take fog for it."""

MAX_MOVED = 0.45
"""Correlation with the usual view up to which a camera is moved. The recordings had 0.68 and more; turned by a fifth of
the picture they had 0.46 and less, but one, a corridor that looks alike everywhere. More notice smaller turns."""

USUAL_WEIGHT = 0.05
"""Weight of a new check in what is usual. More forget the usual view sooner: a slow change is no event."""

HOLE_S = 2.0
HOLE_STEPS = 3.0
"""Seconds, and steps as long as the one before, above both of which nothing was seen between two frames.

More take what was seen before and after such a hole for what was seen all the time.
"""

NEW_VIEW_AFTER_S = 60.0
"""Seconds after which a moved camera's view is the usual one. More keep the event for longer."""

NUM_EVENTS = 100
"""Newest events that are kept. More cost memory in ``summary.json``."""

_SMALL_WH = (64, 36)
_SHARPNESS_WIDTH = 640


class ViewWatch:
    """Watches the view of one camera.

    Args:
        camera_id: The camera, for messages.

    Attributes:
        num_still: Frames in which people were not looked for, because the camera is frozen.
    """

    def __init__(self, camera_id: str) -> None:
        self._camera_id = camera_id
        self._pixels: NDArray[np.uint8] | None = None
        self._same_since = self._checked_at = 0.0
        self._last_at, self._step_s = inf, 0.0
        self._usual: NDArray[np.float32] | None = None
        self._usual_sharpness = 0.0
        self._seen: ViewEventKind | None = None
        self._wrong: tuple[ViewEventKind, float] | None = None
        self._events: deque[ViewEvent] = deque(maxlen=NUM_EVENTS)
        self.num_still = 0

    @property
    def now(self) -> ViewEventKind | None:
        """What has been wrong for long enough to be an event, and still is."""
        return self._events[-1].kind if self._events and self._events[-1].ended_at is None else None

    @property
    def events(self) -> tuple[ViewEvent, ...]:
        """The newest events, oldest first."""
        return tuple(self._events)

    def go_on(self, events: Sequence[ViewEvent], num_still: int) -> None:
        """Take over what another process has counted. An event of then ends with the first check that is all right."""
        self._events.extend(events)
        self.num_still = num_still
        if self.now is not None:
            self._wrong = self.now, self._events[-1].began_at

    def begin_anew(self) -> None:
        """Take the next picture for the usual view: it is the pipeline that changed what is seen, not the camera."""
        self._usual = None

    def is_still(self, frame: Frame) -> bool:
        """Take the next frame, and return whether the camera has sent its picture for seconds already."""
        at = frame.stamp.captured_at
        self._notice_hole(at)
        pixels = frame.image[::PIXEL_STEP, ::PIXEL_STEP]
        is_same = self._pixels is not None and np.array_equal(pixels, self._pixels)
        if not is_same:
            self._pixels, self._same_since = pixels.copy(), at
        is_still = at - self._same_since >= STILL_AFTER_S
        if is_still:
            self.num_still += 1
            is_dark = self._seen in (ViewEventKind.BLACK, ViewEventKind.COVERED)
            self._learn(self._seen if is_dark else ViewEventKind.FROZEN, self._same_since, at)
        elif self._usual is None or at - self._checked_at >= CHECK_EVERY_S:
            self._checked_at, self._seen = at, self._look(frame.image)
            self._learn(self._seen, at, at)
        return is_still

    def _notice_hole(self, at: float) -> None:
        """Begin anew where nothing was seen for a while; an event that has begun goes on."""
        step_s = at - self._last_at
        if step_s > max(HOLE_S, HOLE_STEPS * self._step_s):
            self._pixels = None
            if self.now is None:
                self._wrong = None
        self._last_at, self._step_s = at, step_s

    def _look(self, image: NDArray[np.uint8]) -> ViewEventKind | None:
        """Return what is wrong with a picture, and learn the usual view from one that is right."""
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(grey, _SMALL_WH, interpolation=cv2.INTER_AREA).astype(np.float32)
        if small.mean() <= MAX_BLACK:
            return ViewEventKind.BLACK
        if small.std() <= MAX_COVERED_STD:
            return ViewEventKind.COVERED
        sharpness = _sharpness(grey)
        if self._usual is None:
            self._usual, self._usual_sharpness = small, sharpness
        if sharpness <= MAX_DEFOCUSED * self._usual_sharpness:
            return ViewEventKind.DEFOCUSED
        if _correlation(small, self._usual) <= MAX_MOVED:
            if self._lasts_s() > NEW_VIEW_AFTER_S:
                self._usual = None
            return ViewEventKind.MOVED
        self._usual = (1 - USUAL_WEIGHT) * self._usual + USUAL_WEIGHT * small
        self._usual_sharpness += USUAL_WEIGHT * (sharpness - self._usual_sharpness)
        return None

    def _lasts_s(self) -> float:
        return self._checked_at - self._wrong[1] if self._wrong is not None else 0.0

    def _learn(self, kind: ViewEventKind | None, since: float, at: float) -> None:
        """Note what is wrong now; an event begins when it has lasted, and ends when something else is the case."""
        if self._wrong is not None and kind != self._wrong[0]:
            self._end(at)
        if kind is None:
            return
        if self._wrong is None:
            self._wrong = kind, since
        began_at = self._wrong[1]
        if at - began_at >= LASTS_S and self.now is None:
            self._events.append(ViewEvent(kind, began_at))
            logger.warning("camera %s: its view is %s since %.1f s", self._camera_id, kind, began_at)

    def _end(self, at: float) -> None:
        self._wrong = None
        if self.now is not None:
            self._events[-1] = replace(self._events[-1], ended_at=at)
            logger.info("camera %s: its view is no longer %s", self._camera_id, self._events[-1].kind)


def _sharpness(grey: NDArray[np.uint8]) -> float:
    """Return the variance of the second derivative, at about the same size for all cameras."""
    step = max(1, round(grey.shape[1] / _SHARPNESS_WIDTH))
    if step > 1:
        size_wh = max(1, grey.shape[1] // step), max(1, grey.shape[0] // step)
        grey = np.asarray(cv2.resize(grey, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    return float(cv2.Laplacian(grey, cv2.CV_16S).astype(np.float32).var())


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Return the correlation of two pictures; brightness and contrast do not matter."""
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1e-6))
