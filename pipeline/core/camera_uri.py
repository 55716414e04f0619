"""What the URI of a camera means. No other module decides this."""

from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

DEVICE = "device"
FILE = "file"
IMAGES = "images"

RECORDINGS = frozenset({FILE, IMAGES})
"""Kinds whose URI is a path on this machine. They can be read again; every other kind may be live."""


def uri_kind(uri: str) -> str:
    """Return the kind of source that opens a URI.

    Digits are the number of a capture device. A path or a ``file://`` URL is ``images`` if it is a folder and ``file``
    otherwise, even if nothing is there. For any other URI the kind is its scheme in lower case.

    Example:
        >>> uri_kind("RTSP://10.0.0.1/live"), uri_kind("0"), uri_kind("file:///a/east.mp4")
        ('rtsp', 'device', 'file')
    """
    if uri.isascii() and uri.isdigit():
        return DEVICE
    scheme = _scheme(uri)
    return IMAGES if scheme == FILE and file_path(uri).is_dir() else scheme


def file_path(uri: str) -> Path:
    """Return the path that a path or a ``file://`` URL means; ``~`` is the home of the user."""
    is_url = "://" in uri and _scheme(uri) == FILE
    return Path(url2pathname(urlsplit(uri).path)) if is_url else Path(uri).expanduser()


def _scheme(uri: str) -> str:
    return uri.split("://", 1)[0].lower() if "://" in uri else FILE
