"""Another recorder of the same cameras, such as an NVR: the page links to it by camera and time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import yaml

from pipeline.core.errors import ConfigError

KEY = "console.recorder"
KNOWN = ("address", "channels")
SCHEMES = ("http", "https", "rtsp", "rtsps")
TIMES = ("iso", "compact", "unix_s", "unix_ms")
"""Places of the time: ``2026-07-01T10:00:00Z``, ``20260701T100000Z``, seconds and milliseconds since 1970; all UTC."""
PLACES = ("camera", "channel", *TIMES)


@dataclass(frozen=True, slots=True)
class OtherRecorder:
    """Where another recorder shows what a camera saw at a time.

    Attributes:
        address: With ``{places}``, see ``PLACES``. Browsers are given it, so it holds no password.
        channels: By camera: what the recorder calls it; a camera that is not there has its own name.
    """

    address: str
    channels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, Any] | None) -> "OtherRecorder | None":
        """Read and check a configuration; none without one.

        Raises:
            ConfigError: If a key is unknown or wrong.
        """
        if not values:
            return None
        for key in values:
            if key not in KNOWN:
                raise ConfigError(f"{KEY}.{key}: there is no such key; expected one of {', '.join(KNOWN)}")
        address, channels = values.get("address"), values.get("channels") or {}
        if not isinstance(address, str):
            raise ConfigError(f"{KEY}.address: expected an address with {{camera}} and {{iso}}, got {address!r}")
        _check_address(address)
        if not isinstance(channels, Mapping) or not all(isinstance(each, str | int) for each in channels.values()):
            raise ConfigError(f"{KEY}.channels: expected {{camera: name or number}}, got {channels!r}; correct it")
        return cls(address, {str(camera): str(channel) for camera, channel in channels.items()})

    @classmethod
    def of_argument(cls, text: str | None) -> "OtherRecorder | None":
        """Read the argument of a command line, YAML; raises ``ConfigError``."""
        try:
            values = None if text is None else yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"{KEY}: expected YAML, got text that is none; correct it") from error
        if values is not None and not isinstance(values, Mapping):
            raise ConfigError(f"{KEY}: expected {{address: …}}, got {values!r}; correct it")
        return cls.of(values)


def _check_address(address: str) -> None:
    """Raise ``ConfigError`` unless the page can make a link of it."""
    places, rest = re.findall(r"\{([^{}]*)\}", address), re.sub(r"\{[^{}]*\}", "", address)
    try:
        parts = urlsplit(rest)
        is_address = parts.scheme in SCHEMES and bool(parts.hostname)
    except ValueError:
        is_address = False
    if not is_address:
        expected = ", ".join(f"{each}://" for each in SCHEMES)
        raise ConfigError(f"{KEY}.address: expected {expected} and a host, got another address; correct it")
    if parts.username is not None:
        raise ConfigError(
            f"{KEY}.address: expected no user and password, because browsers are given it; leave them out"
        )
    unknown = [f"{{{each}}}" for each in places if each not in PLACES] + re.findall("[{}]", rest)
    if unknown:
        expected = ", ".join(f"{{{each}}}" for each in PLACES)
        raise ConfigError(f"{KEY}.address: expected only the places {expected}, got {unknown[0]}; correct it")
    if not set(places) & set(TIMES):
        raise ConfigError(f"{KEY}.address: expected a place of the time, such as {{iso}}, got none; add it")
