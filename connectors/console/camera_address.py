"""Addresses of other servers that have the cameras as well: of a recorder, such as an NVR, and of live video."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import yaml

from pipeline.core.errors import ConfigError

KNOWN = ("address", "channels")


@dataclass(frozen=True, slots=True)
class AddressKind:
    """What an address may be.

    Attributes:
        key: Of the configuration, in messages.
        schemes: With which it begins.
        places: That may stand in it, in braces.
        needed: Places of which one stands in it.
        example: One of ``needed``, in messages.
    """

    key: str
    schemes: Sequence[str]
    places: Sequence[str]
    needed: Sequence[str]
    example: str


TIMES = ("iso", "compact", "unix_s", "unix_ms")
"""Places of the time: ``2026-07-01T10:00:00Z``, ``20260701T100000Z``, seconds and milliseconds since 1970; all UTC."""
NAMES = ("camera", "channel")
"""Places of the camera: its name here, and its name there."""

RECORDER = AddressKind(
    "console.recorder",
    ("http", "https", "rtsp", "rtsps"),
    (*NAMES, *TIMES),
    TIMES,
    "a place of the time, such as {iso}",
)
"""Another recorder. Browsers are given the address."""
LIVE_VIDEO = AddressKind(
    "console.live_video", ("ws", "wss"), NAMES, NAMES, "a place of the camera: {camera} or {channel}"
)
"""A server of live video; see ``connectors.console.live_video``. The page's server alone asks it."""


@dataclass(frozen=True, slots=True)
class CameraAddress:
    """Where another server has a camera.

    Attributes:
        address: With ``{places}``; without a password.
        channels: By camera: what the other server calls it; a camera that is not there has its own name.
    """

    address: str
    channels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, kind: AddressKind, values: Mapping[str, Any] | None) -> "CameraAddress | None":
        """Read and check a configuration; none without one.

        Raises:
            ConfigError: If a key is unknown or wrong.
        """
        if not values:
            return None
        for key in values:
            if key not in KNOWN:
                raise ConfigError(f"{kind.key}.{key}: there is no such key; expected one of {', '.join(KNOWN)}")
        address, channels = values.get("address"), values.get("channels") or {}
        if not isinstance(address, str):
            raise ConfigError(f"{kind.key}.address: expected an address with {kind.example}, got {address!r}; add it")
        _check_address(kind, address)
        if not isinstance(channels, Mapping) or not all(isinstance(each, str | int) for each in channels.values()):
            raise ConfigError(f"{kind.key}.channels: expected {{camera: name or number}}, got {channels!r}; correct it")
        return cls(address, {str(camera): str(channel) for camera, channel in channels.items()})

    @classmethod
    def of_argument(cls, kind: AddressKind, text: str | None) -> "CameraAddress | None":
        """Read the argument of a command line, YAML; raises ``ConfigError``."""
        try:
            values = None if text is None else yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"{kind.key}: expected YAML, got text that is none; correct it") from error
        if values is not None and not isinstance(values, Mapping):
            raise ConfigError(f"{kind.key}: expected {{address: …}}, got {values!r}; correct it")
        return cls.of(kind, values)

    def of_camera(self, camera_id: str) -> str:
        """Return the address of a camera, without a time."""
        filled = self.address.replace("{camera}", quote(camera_id, safe=""))
        return filled.replace("{channel}", quote(self.channels.get(camera_id, camera_id), safe=""))


def _check_address(kind: AddressKind, address: str) -> None:
    """Raise ``ConfigError`` unless the places in an address can be filled in."""
    places, rest = re.findall(r"\{([^{}]*)\}", address), re.sub(r"\{[^{}]*\}", "", address)
    key = f"{kind.key}.address"
    try:
        parts = urlsplit(rest)
        is_address = parts.scheme in kind.schemes and bool(parts.hostname)
    except ValueError:
        is_address = False
    if not is_address:
        expected = ", ".join(f"{each}://" for each in kind.schemes)
        raise ConfigError(f"{key}: expected {expected} and a host, got another address; correct it")
    if parts.username is not None:
        raise ConfigError(f"{key}: expected no user and password, because others can read it; leave them out")
    unknown = [f"{{{each}}}" for each in places if each not in kind.places] + re.findall("[{}]", rest)
    if unknown:
        expected = ", ".join(f"{{{each}}}" for each in kind.places)
        raise ConfigError(f"{key}: expected only the places {expected}, got {unknown[0]}; correct it")
    if not set(places) & set(kind.needed):
        raise ConfigError(f"{key}: expected {kind.example}, got none; add it")
