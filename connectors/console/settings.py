"""How a page is served."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import ConfigError

NOTE = "open_at.txt"
"""In the folder of the page: where a page beside a run is, for whoever started the run; read once."""

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Addresses that mean every one of this machine, and one that it can be asked under."""

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1", "[::1]")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a page is served.

    Attributes:
        output_dir: Of the run that it shows.
        host: Address to listen on.
        port: The first to try; the next free one is taken.
        names: Names under which browsers may ask for it, besides loopback and ``host``; cameras take the first.
        is_open: Without login; on loopback only.
        accounts: File of users; None: in the output folder.
        certificate: PEM file of the certificate; None: no TLS.
        certificate_key: PEM file of its key.
        session_s: Seconds after which one must log in anew.
        keep_pictures_s: Seconds that pictures of sightings are kept.
        max_picture_bytes: Of all of them together.
        is_live: The run is still on: orders are left to it.
    """

    output_dir: Path
    host: str = "127.0.0.1"
    port: int = 8400
    names: tuple[str, ...] = ()
    is_open: bool = False
    accounts: Path | None = None
    certificate: Path | None = None
    certificate_key: Path | None = None
    session_s: float = 43200.0
    keep_pictures_s: float = 7 * 86400.0
    max_picture_bytes: int = 2_000_000_000
    is_live: bool = False

    def __post_init__(self) -> None:
        if self.is_open and not is_loopback(self.host):
            raise ConfigError(
                f"console.open: expected a login on {self.host}, got an open page; open=false, or host=127.0.0.1"
            )
        if (self.certificate is None) != (self.certificate_key is None):
            raise ConfigError("console.certificate: expected a certificate and its key, got one of them; state both")
        for path in (self.certificate, self.certificate_key):
            if path is not None and not path.is_file():
                raise ConfigError(f"console.certificate: expected a PEM file, got {path}; correct it")
        if not 0 <= self.port < 65536:
            raise ConfigError(f"console.port: expected 0 to 65535, got {self.port}; correct it")

    @property
    def folder(self) -> Path:
        """Where the page keeps what is its own."""
        return self.output_dir / "console"

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Names that a request may be for; another is somebody else's page that points here."""
        return frozenset((*LOOPBACK_NAMES, self.host, *self.names))

    def url(self, port: int) -> str:
        """Return where it is, under its first name if it has one."""
        host = self.names[0] if self.names else ANYWHERE.get(self.host, self.host)
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if self.certificate else 'http'}://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0"), is_loopback("localhost")
        (True, False, True)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
