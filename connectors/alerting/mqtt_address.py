"""The address of an MQTT broker."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from pipeline.core.errors import ConfigError

PORTS = {"mqtt": 1883, "mqtts": 8883}
"""By scheme."""


@dataclass(frozen=True, slots=True)
class MqttAddress:
    """Where a broker listens, and as whom to log in.

    Attributes:
        host: Its name.
        port: Its port.
        is_tls: Whether the connection is encrypted.
        user: None: no login.
        password: None: none.
    """

    host: str
    port: int
    is_tls: bool
    user: str | None
    password: str | None = field(repr=False)

    @property
    def shown(self) -> str:
        """The address without secrets, for messages."""
        return f"{self.host}:{self.port}"


def parse_address(url: str) -> MqttAddress:
    """Return the address in a URL. The message of the error does not repeat it, because it may hold a password.

    Raises:
        ConfigError: If it is none.

    Example:
        >>> parse_address("mqtt://ann:secret@10.0.0.5")
        MqttAddress(host='10.0.0.5', port=1883, is_tls=False, user='ann')
    """
    wrong = "sink.mqtt.url: expected mqtt://user:password@host:1883 or mqtts://…, got {}; correct it"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(wrong.format("something else")) from error
    if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/"):
        raise ConfigError(wrong.format(f"scheme {parts.scheme!r}"))
    return MqttAddress(
        parts.hostname,
        port or PORTS[parts.scheme],
        parts.scheme == "mqtts",
        None if parts.username is None else unquote(parts.username),
        None if parts.password is None else unquote(parts.password),
    )
