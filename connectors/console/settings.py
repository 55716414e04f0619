"""Settings of the page's server, checked."""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from connectors.console.camera_address import CameraAddress
from connectors.console.sign_in.ways import Ways
from pipeline.core.errors import ConfigError

URL_FILE = "open_at.txt"
"""File in the page's folder: the address of the page beside a run. The run prints it and deletes the file."""

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Addresses that mean all of this machine's, each with the loopback address that reaches the same server."""

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1", "[::1]")


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the page's server.

    Attributes:
        output_dir: Output folder of the run that the page shows.
        host: Address to listen on.
        port: First port to try; the next free one is taken. 0: any free port.
        names: Host names that browsers may use, besides loopback and ``host``; cameras use the first.
        is_open: No login; allowed on loopback only.
        accounts: File of users; None: in the output folder.
        certificate: PEM file of the certificate; None: no TLS.
        certificate_key: PEM file of its key.
        session_s: Seconds after which a session ends.
        keep_pictures_s: Seconds that pictures of sightings are kept.
        max_picture_bytes: Size of all pictures and clips together, bytes.
        is_live: The page belongs to a run, which applies the correction commands.
        ways: The ways to sign in.
        recorder: Another recorder of the same cameras, see ``RECORDER``; None: none is known.
        live_video: A server of live video of them, see ``LIVE_VIDEO``; None: none is known.

    Raises:
        ConfigError: If a value is out of range, the page is open on an address other than loopback, or it is open and
            somebody should sign in.
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
    ways: Ways = field(default_factory=Ways)
    recorder: CameraAddress | None = None
    live_video: CameraAddress | None = None

    def __post_init__(self) -> None:
        if self.is_open and not is_loopback(self.host):
            raise ConfigError(
                f"console.open: expected false on {self.host}, got true; set open=false, or host=127.0.0.1"
            )
        if self.is_open and self.ways != Ways():
            raise ConfigError("console.open: expected false with oidc, proxy or local_accounts=false; set open=false")
        if (self.certificate is None) != (self.certificate_key is None):
            raise ConfigError("console.certificate: expected a certificate and its key, got one of them; give both")
        for path in (self.certificate, self.certificate_key):
            if path is not None and not path.is_file():
                raise ConfigError(f"console.certificate: expected a PEM file, got {path}; correct it")
        if not 0 <= self.port < 65536:
            raise ConfigError(f"console.port: expected 0 to 65535, got {self.port}; correct it")

    @property
    def folder(self) -> Path:
        """Folder of the page's own files."""
        return self.output_dir / "console"

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Host names that a request may carry; another name means DNS rebinding."""
        return frozenset((*LOOPBACK_NAMES, self.host, *self.names))

    def url(self, port: int) -> str:
        """Return the page's address, with its first name if it has one."""
        host = self.names[0] if self.names else ANY_ADDRESS.get(self.host, self.host)
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if self.certificate else 'http'}://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Return whether an address is reachable from this machine only.

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
