"""Opens a capture device of this machine, by number, for ``live.py``.

Needs: opencv-python.
Secrets: none.
"""

import sys
from collections.abc import Iterator, Sequence
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from connectors.sources.live import Picture
from connectors.sources.live_reading import ReadingEndedError
from pipeline.core.camera_uri import DEVICE, uri_kind
from pipeline.core.errors import ConfigError


class WebcamOpener:
    """Opens a webcam or a frame grabber.

    Args:
        uri: The number of the device: 0 is ``/dev/video0``.
        size_wh: Width and height to ask for, pixels; the device may choose others. None: the device chooses.
        fps: Frames a second to ask for. None: the device chooses.

    Attributes:
        address: Names the device.
        advice: What to check when the device sends nothing.
        is_unverified: False: nothing is encrypted.

    Raises:
        ConfigError: If ``uri`` is no number.
    """

    is_unverified = False
    advice = "that it is plugged in (ls /dev/video* lists the devices), and that no other program uses it"

    def __init__(self, uri: str, *, size_wh: Sequence[int] | None, fps: float | None) -> None:
        if uri_kind(uri) != DEVICE:
            raise ConfigError(f"capture device: expected a device number, got {uri!r}; for instance 0")
        self.address = f"capture device {uri}"
        self._number = int(uri)
        self._size_wh = size_wh
        self._fps = fps

    def check(self) -> None:
        """Do nothing: there is nothing to check without opening it."""

    def pictures(self, *, open_timeout_s: float, read_timeout_s: float) -> Iterator[Picture]:
        """Open the device and yield its pictures as they arrive; the drivers know no time-outs.

        Raises:
            ReadingEndedError: If it cannot be opened, or sends no more.
        """
        # By default OpenCV tries other drivers for a device that is not there, and warns about each.
        device = cv2.VideoCapture(self._number, cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY)
        try:
            if not device.isOpened():
                raise ReadingEndedError("a device that cannot be opened")
            device.set(cv2.CAP_PROP_BUFFERSIZE, 1)
            if self._size_wh is not None:
                device.set(cv2.CAP_PROP_FRAME_WIDTH, self._size_wh[0])
                device.set(cv2.CAP_PROP_FRAME_HEIGHT, self._size_wh[1])
            if self._fps is not None:
                device.set(cv2.CAP_PROP_FPS, self._fps)
            while True:
                is_read, picture = device.read()
                if not is_read:
                    raise ReadingEndedError("a device that sends no more")
                yield Picture(partial(_rgb, picture))
        finally:
            device.release()


def _rgb(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
