"""A live camera: its newest frame, however the camera is connected.

Needs: what its opener needs (``network.py``, ``webcam.py``).
Guarantee: the newest frame, stamped at arrival or by the camera's clock. Frames that were not taken in time leave a
gap in ``index``. Damaged ones are counted.
When slow: drops old frames and counts them.
Secrets: user and password in the URI. They reach no log and no error.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from connectors.sources.damage import MAX_IN_A_ROW, DamageLog
from connectors.sources.hardware_decoding import CPU
from connectors.sources.live_reading import LiveReading, ReadingEndedError
from pipeline.core import Frame, FrameStamp
from pipeline.core.errors import ConfigError, SourceLostError
from pipeline.core.interfaces import PacketSource, PacketTap
from pipeline.core.records.source_report import SourceReport

NO_CLOCK_AFTER = 500
"""Pictures without the sender's time after which that is said. More say it later."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that has arrived.

    Attributes:
        image: Returns it, shape ``(H, W, 3)``, uint8, RGB. It is a call so that dropped pictures cost no conversion.
        captured_at: Unix seconds by the sender's clock; None if it does not say.
        seconds: Its time in the stream; None if it has none.
        is_concealed: The decoder made up a part of it, because the data of that were lost or damaged.
    """

    image: Callable[[], NDArray[np.uint8]]
    captured_at: float | None = None
    seconds: float | None = None
    is_concealed: bool = False


@dataclass(frozen=True, slots=True)
class NoPicture:
    """Pictures that the camera sent, or should have sent, and that are not there.

    Attributes:
        reason: What became of them.
        count: How many; at least 1.
    """

    reason: str
    count: int = 1


DAMAGED = NoPicture("the camera sent a damaged picture")

logger = logging.getLogger(__name__)


class Opener(Protocol):
    """Opens one kind of camera, as often as needed. The constructor takes the URI first and opens nothing.

    Attributes:
        address: Names the camera in messages, without user and password.
        advice: What to check when the camera sends nothing.
        is_unverified: The connection is encrypted, but by choice its certificate is not verified.
    """

    address: str
    advice: str
    is_unverified: bool

    def check(self) -> None:
        """Raise ``ConfigError`` if an option cannot be right; opens nothing."""
        ...

    def pictures(self, *, open_timeout_s: float, read_timeout_s: float) -> Iterator[Picture | NoPicture]:
        """Open the camera, yield its pictures as they arrive, and close it at the end. Runs in a thread, may block.

        In place of damaged pictures, and of those that never came, it yields ``NoPicture``.

        Args:
            open_timeout_s: Seconds to wait for the first picture, if the library can limit that.
            read_timeout_s: Seconds to wait for each further one, if the library can limit that.

        Raises:
            ReadingEndedError: If the camera cannot be opened, or breaks.
        """
        ...


class LiveSource:
    """Frames of a live camera.

    Args:
        camera_id: The camera.
        uri: What the opener opens.
        opener: Makes the opener from the URI.
        open_timeout_s: Seconds within which the first picture must arrive.
        read_timeout_s: Seconds within which each further picture must arrive.
        max_bad_in_a_row: Damaged pictures in a row after which the camera counts as broken; at least 1.
        clock: ``arrival`` stamps pictures when they arrive; ``sender`` by the camera's clock, as soon as it sends that.
        ca_file: For an opener that takes it; see ``NetworkOpener``.
        verify: Likewise; None for one that does not.
        hwaccel: Likewise.

    Raises:
        ConfigError: If the opener cannot open such a URI, or there is no such clock.
    """

    live = True

    def __init__(
        self,
        camera_id: str,
        uri: str,
        *,
        opener: Callable[..., Opener],
        open_timeout_s: float,
        read_timeout_s: float,
        max_bad_in_a_row: int = MAX_IN_A_ROW,
        clock: str = "arrival",
        ca_file: str | None = None,
        verify: bool | None = None,
        hwaccel: str | None = None,
    ) -> None:
        self.camera_id = camera_id
        if clock not in ("arrival", "sender"):
            raise ConfigError(f"site.cameras.{camera_id}.clock: expected arrival or sender, got {clock}; correct it")
        self._is_senders = clock == "sender"
        self._num_untimed = 0
        self._damage = DamageLog(camera_id, max_in_a_row=max_bad_in_a_row)
        options = {"ca_file": ca_file, "verify": verify, "hwaccel": hwaccel}
        self._opener = opener(uri, **{name: value for name, value in options.items() if value is not None})
        self.tap: PacketTap | None = None
        self._open_timeout_s = open_timeout_s
        self._read_timeout_s = read_timeout_s
        self._num_on_device = 0
        self._reading = self._make_reading()

    @property
    def num_dropped(self) -> int:
        """Pictures that a newer one replaced before they were taken."""
        return self._reading.num_missed

    @property
    def num_bad(self) -> int:
        """Pictures that could not be decoded, or never came."""
        return self._damage.num_bad

    def report(self) -> SourceReport:
        """Return what was left out so far."""
        return SourceReport(
            self._damage.times,
            num_concealed=self._damage.num_concealed,
            is_unverified=self._opener.is_unverified,
            decoder=getattr(self._opener, "decoder", ""),  # a webcam has none of its own
            num_on_device=self._num_on_device,
        )

    def check(self) -> None:
        """Open the camera and wait for a picture.

        Raises:
            ConfigError: If none arrives within ``open_timeout_s``, or an option cannot be right.
        """
        try:
            self._opener.check()
        except ConfigError as error:
            raise ConfigError(f"site.cameras.{self.camera_id}: {error}") from error
        reason = self._make_reading().why_silent()
        if reason is not None:
            raise ConfigError(
                f"site.cameras.{self.camera_id}: expected pictures from {self._opener.address}, got {reason}; "
                f"check {self._opener.advice}"
            )

    def frames(self) -> Iterator[Frame]:
        """Open the camera and yield its newest frame, again and again. ``index`` continues from the last call.

        Raises:
            SourceLostError: If it cannot be opened, breaks, ends the stream, or is silent for too long.
        """
        try:
            for arrival in self._reading.arrivals():
                at = self._captured_at(arrival.picture, arrival.arrived_at)
                if self.tap is not None and arrival.picture.seconds is not None:
                    self.tap.shown(arrival.picture.seconds, at)
                yield Frame(FrameStamp(self.camera_id, arrival.index, at), arrival.picture.image())
        except ReadingEndedError as error:
            raise SourceLostError(
                f"{self._opener.address}: expected pictures, got {error}; check {self._opener.advice}"
            ) from error

    def resume(self, stamp: FrameStamp) -> None:
        """Let indices and times continue after ``stamp``."""
        self._reading.resume(stamp.index, stamp.captured_at)

    def ack(self, stamp: FrameStamp) -> None:
        """Do nothing: a live camera cannot send a frame again."""

    def close(self) -> None:
        """End ``frames`` for good; idempotent, from any thread."""
        self._reading.close()

    def _captured_at(self, picture: Picture, arrived_at: float) -> float:
        if not self._is_senders:
            return arrived_at
        if picture.captured_at is not None:
            self._num_untimed = 0
            return picture.captured_at
        self._num_untimed += 1
        if self._num_untimed == NO_CLOCK_AFTER:
            logger.warning(
                "camera %s sends no time of its clock (RTCP); its pictures are stamped when they arrive", self.camera_id
            )
        return arrived_at

    def _make_reading(self) -> LiveReading[Picture]:
        return LiveReading(
            f"live-{self.camera_id}",
            self._pictures,
            open_timeout_s=self._open_timeout_s,
            read_timeout_s=self._read_timeout_s,
        )

    def _pictures(self) -> Iterator[Picture | None]:
        if isinstance(self._opener, PacketSource):
            self._opener.tap = self.tap
        for picture in self._opener.pictures(open_timeout_s=self._open_timeout_s, read_timeout_s=self._read_timeout_s):
            if isinstance(picture, Picture):
                self._damage.good()
                if picture.is_concealed:
                    self._damage.concealed(time.time())
                self._num_on_device += getattr(self._opener, "decoder", CPU) not in ("", CPU)
                yield picture
                continue
            try:
                self._damage.bad(time.time(), picture.reason, count=picture.count)
            except SourceLostError as error:
                raise ReadingEndedError("too many damaged pictures in a row") from error
            yield None
