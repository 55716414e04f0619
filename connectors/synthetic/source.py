"""Source: a camera of a rendered world, ``world://plaza/east?seed=7&people=20``.

Needs: warp-lang (extra ``world``).
Guarantee: the same address gives the same frames, bit for bit, on one machine.
When slow: a recording waits; with ``live=1`` the newest frame wins.
Secrets: none.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import fields
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors.synthetic.world import Scenario, World
from pipeline.core import Frame, FrameStamp
from pipeline.core.errors import ConfigError

_TYPES = {field.name: type(field.default) for field in fields(Scenario)}
_TRUE = ("1", "true", "yes")


class WorldSource:
    """Frames of one camera of a world. Sources with the same scenario see the same people at the same time.

    Args:
        camera_id: Name of the camera in the pipeline.
        uri: ``world://PLACE/CAMERA?…`` with any field of ``Scenario``, ``seconds``, and ``live``.
        seconds: Length of a recording unless the address gives one; above 0. A live world is endless.
        device: cpu or cuda.

    Raises:
        ConfigError: If the address has an unknown setting or an invalid value.
    """

    num_dropped = num_bad = 0

    def __init__(self, camera_id: str, uri: str, *, seconds: float, device: str) -> None:
        self.camera_id = camera_id
        parts = urlsplit(uri)
        settings = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.live = settings.pop("live", "0").lower() in _TRUE
        self._seconds = self._value("seconds", settings.pop("seconds", str(seconds)), float)
        unknown = sorted(settings.keys() - _TYPES.keys() - {"place"})
        if unknown or self._seconds <= 0:
            raise ConfigError(
                f"site.cameras.{camera_id}: expected settings among {sorted(_TYPES.keys() - {'place'})} and seconds "
                f"above 0, got {unknown or self._seconds}; correct the address"
            )
        given = {name: self._value(name, value, _TYPES[name]) for name, value in settings.items()}
        self._scenario = Scenario(**{"place": parts.netloc, "device": device, **given})
        self._name = parts.path.strip("/")
        self._closed = threading.Event()
        self._first_index = 0

    def _value(self, name: str, value: str, kind: type) -> Any:
        try:
            return value.lower() in _TRUE if kind is bool else kind(value)
        except ValueError as error:
            raise ConfigError(
                f"site.cameras.{self.camera_id}: expected {name} to be of type {kind.__name__}, got {value!r}"
            ) from error

    def check(self) -> None:
        """Check the place, the camera and the number of people.

        Raises:
            ConfigError: If there is no such place or camera, or too many people for the place.
        """
        World(self._scenario, [self._name])

    def frames(self) -> Iterator[Frame]:
        """Yield the frames from the beginning: in real time if live, otherwise as fast as they are consumed."""
        world = World(self._scenario, [self._name])
        num_frames = None if self.live else round(self._seconds * self._scenario.fps)
        began_at = time.time()
        for (view,) in world.moments(num_frames):
            if self._closed.is_set():
                return
            index = view.frame.stamp.index
            captured_at = view.frame.stamp.captured_at
            if not self.live and index < self._first_index:
                continue  # rendered anyway: the noise of a frame depends on the frames before it
            if self.live:
                captured_at += began_at
                wait_s = began_at + index / self._scenario.fps - time.time()
                if wait_s > 0 and self._closed.wait(wait_s):
                    return
                index += self._first_index
            yield Frame(FrameStamp(self.camera_id, index, captured_at), view.frame.image)

    def resume(self, stamp: FrameStamp) -> None:
        """Let ``frames`` continue after ``stamp``; a live world starts again, with higher indices."""
        self._first_index = stamp.index + 1

    def ack(self, stamp: FrameStamp) -> None:
        """Do nothing: the world can be rendered again."""

    def close(self) -> None:
        """End ``frames`` permanently; idempotent, from any thread."""
        self._closed.set()
