"""A recording on a web server, read while it is fetched.

Needs: av.
Secrets: user and password in the address, or from the environment or a file. They reach no log and no error.
"""

import errno
import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from urllib.parse import urlsplit

import av.error
from av.container import InputContainer

from connectors.redaction import redact_url
from connectors.sources.certificates import authorities, why_refused
from connectors.sources.credentials import address_with_credentials
from connectors.sources.hardware_decoding import open_video
from connectors.sources.recordings.video_files import NoVideoError, VideoFile

OPTIONS = {
    "reconnect": "1",
    "reconnect_on_network_error": "1",
    "reconnect_delay_max": "10",
    "live_start_index": "0",
    "m3u8_hold_counters": "2",
}
"""Options of FFmpeg: after a broken connection the rest is asked for, again and again within ten seconds.

A playlist without an end is read from its first part on, and is over when it has not grown at the second look.
"""

NO_HLS = {"format_whitelist": "mov,matroska,webm,mpegts,avi,flv,asf,mpeg,mpegvideo,h264,hevc,mjpeg,ogg,mxf"}
"""Options of FFmpeg for a verified server: the parts of HLS would be opened without looking at their certificates."""

PORT = 443
"""Of https."""

TIMEOUT_S = 15.0
"""Seconds within which the server must answer. More wait longer for one that is down."""

logger = logging.getLogger(__name__)


class WebFile:
    """A video file, or an HLS playlist from its first part on, by ``http`` or ``https``.

    Args:
        uri: Its address.
        username: The user, if the server asks for one.
        password_env: Environment variable that holds the password.
        password_file: File that holds the password.
        ca_file: Authorities that may sign the server's certificate (PEM); None: those of this system.
        verify: False: look at no certificate. A playlist of HLS by ``https`` is read only then.

    Attributes:
        name: The address without secrets.
    """

    is_many = False
    note = ""

    def __init__(
        self,
        uri: str,
        *,
        username: str | None = None,
        password_env: str | None = None,
        password_file: str | None = None,
        ca_file: str | None = None,
        verify: bool = True,
    ) -> None:
        self._options = dict(OPTIONS)
        self._authorities = authorities(ca_file) if verify and uri.lower().startswith("https:") else None
        if self._authorities is not None:
            self._options |= {"tls_verify": "1", "ca_file": self._authorities, **NO_HLS}
        self.name = redact_url(uri)
        self._is_noted = False
        self._address = partial(
            address_with_credentials,
            uri,
            block="files",
            username=username,
            password_env=password_env,
            password_file=password_file,
        )

    def there_now(self) -> list[VideoFile]:
        """Return the one file."""
        return [VideoFile(self.name, partial(self._open, self._address()))]

    def files(self, closed: threading.Event) -> Iterator[VideoFile]:
        """Yield the one file."""
        yield from self.there_now()

    @contextmanager
    def _open(self, address: str, hwaccel: str) -> Iterator[InputContainer]:
        with ExitStack() as opened:
            try:
                container = opened.enter_context(
                    open_video(address, hwaccel, options=self._options, timeout=(TIMEOUT_S, TIMEOUT_S))
                )
            except (av.error.FFmpegError, OSError) as error:
                if (reason := self._why_refused(address, error)) is None:
                    raise
            else:
                reason = None
            if reason is not None:  # outside the handler: errors of FFmpeg hold the whole address
                raise NoVideoError(f"expected a video from {self.name}, got {reason}")
            if container.format.name == "hls" and container.duration is None and not self._is_noted:
                self._is_noted = True
                logger.warning(
                    "%s: the playlist does not say that it has ended (#EXT-X-ENDLIST); it is read to its last part",
                    self.name,
                )
            yield container

    def _why_refused(self, address: str, error: av.error.FFmpegError | OSError) -> str | None:
        """Return what the server answered instead of a video, and what to do; None if that is not known."""
        if isinstance(error, av.error.HTTPClientError | av.error.HTTPServerError):
            return f"{error.strerror}; check the address, the user and the password"
        if self._authorities is not None:
            parts = urlsplit(address)
            why = why_refused(parts.hostname or "", parts.port or PORT, self._authorities, TIMEOUT_S)
            if why is not None:
                return f"{why}; name its authority, or its own certificate, as files.ca_file"
        if isinstance(error, av.error.InvalidDataError) or error.errno == errno.EIO:
            return (
                "no video, perhaps a web page, or a connection that ended too soon; check the address, and that the "
                "server sends parts of a file (ranges), or the mp4 has its index at its beginning (faststart)"
            )
        return None
