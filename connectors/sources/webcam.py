"""A capture device of this machine, by number.

Needs: opencv-python.
Guarantee: the newest frame, stamped at arrival; frames that nobody took in time leave a gap in ``index``.
When slow: drops old frames.
Secrets: none.
"""

import sys
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from connectors.sources.live_reading import LiveReading, ReadingEndedError
from pipeline.core import Frame, FrameStamp
from pipeline.core.errors import ConfigError, SourceLostError


class WebcamSource:
    """Frames of a webcam or a frame grabber.

    Args:
        camera_id: The camera.
        uri: The device's number: 0 is ``/dev/video0``.
        size_wh: Width and height to ask for; the device may give others. None: its own choice.
        fps: Frames a second to ask for; None: its own choice.
        open_timeout_s: Seconds within which the first picture must come.
        read_timeout_s: Seconds within which every further one must.

    Raises:
        ConfigError: If ``uri`` is no number.
    """

    live = True
    num_bad = 0

    def __init__(
        self,
        camera_id: str,
        uri: str,
        *,
        size_wh: Sequence[int] | None,
        fps: float | None,
        open_timeout_s: float,
        read_timeout_s: float,
    ) -> None:
        if not uri.isdigit():
            raise ConfigError(f"site.cameras.{camera_id}: expected a device number, got {uri!r}; for instance 0")
        self.camera_id = camera_id
        self._number = int(uri)
        self._size_wh = size_wh
        self._fps = fps
        self._open_timeout_s = open_timeout_s
        self._read_timeout_s = read_timeout_s
        self._reading = self._make_reading()

    @property
    def num_dropped(self) -> int:
        """Pictures that nobody took in time."""
        return self._reading.num_missed

    def check(self) -> None:
        """Wait for a picture.

        Raises:
            ConfigError: If none comes within ``open_timeout_s``.
        """
        reason = self._make_reading().why_silent()
        if reason is not None:
            raise ConfigError(
                f"site.cameras.{self.camera_id}: expected pictures from capture device {self._number}, got {reason}; "
                "see which there are (ls /dev/video*), and that no other program uses it"
            )

    def frames(self) -> Iterator[Frame]:
        """Open the device and yield its newest frame again and again; ``index`` goes on where the last call ended.

        Raises:
            SourceLostError: If it cannot be opened, breaks, or is silent for too long.
        """
        try:
            for arrival in self._reading.arrivals():
                stamp = FrameStamp(self.camera_id, arrival.index, arrival.arrived_at)
                yield Frame(stamp, np.asarray(cv2.cvtColor(arrival.picture, cv2.COLOR_BGR2RGB), np.uint8))
        except ReadingEndedError as error:
            raise SourceLostError(
                f"capture device {self._number}: expected pictures, got {error}; check that it is plugged in"
            ) from error

    def resume(self, stamp: FrameStamp) -> None:
        """Let indices and times go on behind ``stamp``."""
        self._reading.resume(stamp.index, stamp.captured_at)

    def ack(self, stamp: FrameStamp) -> None:
        """Do nothing: what was not seen is gone."""

    def close(self) -> None:
        """End ``frames``, for good; idempotent, from any thread."""
        self._reading.close()

    def _make_reading(self) -> LiveReading[NDArray[np.uint8]]:
        return LiveReading(
            f"webcam-{self.camera_id}",
            self._pictures,
            open_timeout_s=self._open_timeout_s,
            read_timeout_s=self._read_timeout_s,
        )

    def _pictures(self) -> Iterator[NDArray[np.uint8]]:
        """Open the device and yield BGR pictures as they come; runs in the reading's thread."""
        # Left to itself, OpenCV tries other ways to open what is not there, and warns of each.
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
                    raise ReadingEndedError("a device that gives none any more")
                yield picture
        finally:
            device.release()
