"""A recording on a web server, read while it is fetched.

Needs: av.
Secrets: user and password in the address, or from the environment or a file. They reach no log and no error.
"""

import threading
from collections.abc import Iterator
from functools import partial

import av

from connectors.redaction import redact_url
from connectors.sources.credentials import address_with_credentials
from connectors.sources.video_files import VideoFile

OPTIONS = {"reconnect": "1", "reconnect_on_network_error": "1", "reconnect_delay_max": "10"}
"""Options of FFmpeg: after a broken connection the rest is asked for, again and again within ten seconds."""

TIMEOUT_S = 15.0
"""Seconds within which the server must answer. More wait longer for one that is down."""


class WebFile:
    """A video file, or an HLS playlist that has an end, by ``http`` or ``https``.

    Args:
        uri: Its address.
        username: The user, if the server asks for one.
        password_env: Environment variable that holds the password.
        password_file: File that holds the password.

    Attributes:
        name: The address without secrets.
    """

    is_many = False

    def __init__(
        self,
        uri: str,
        *,
        username: str | None = None,
        password_env: str | None = None,
        password_file: str | None = None,
    ) -> None:
        self.name = redact_url(uri)
        self._address = partial(
            address_with_credentials,
            uri,
            username=username,
            password_env=password_env,
            password_file=password_file,
        )

    def there_now(self) -> list[VideoFile]:
        """Return the one file."""
        address = self._address()
        return [VideoFile(self.name, partial(av.open, address, "r", options=OPTIONS, timeout=(TIMEOUT_S, TIMEOUT_S)))]

    def files(self, closed: threading.Event) -> Iterator[VideoFile]:
        """Yield the one file."""
        yield from self.there_now()
