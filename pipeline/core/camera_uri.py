"""What the URI of a camera means. No other module decides this."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

DEVICE = "device"
FILE = "file"
IMAGES = "images"
WEB_RECORDING = "web_recording"
WORLD = "world"

RECORDINGS = frozenset({FILE, IMAGES})
"""Kinds whose URI is a path on this machine. They can be read again; every other kind may be live."""

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".jp2")
"""Endings of the names of images, in lower case."""

_VIDEO_NAME = re.compile(
    r"[^.].*[.](3gp|asf|avi|dav|flv|h26[45]|hevc|m2ts|m4v|mkv|mov|mp4|mpe?g|mts|mxf|ogv|ts|vob|webm|wmv)", re.I
)
"""Names of video files. Of a folder or an address, they tell recordings from others.

Not ``.mjpg``: cameras send endless pictures under such names.
"""


OF_EVERY_CAMERA = frozenset(
    {"uri", "detect", "record", "source", "max_fps", "offset_s", "watch_view", "motion_gate", "detector"}
)
"""Keys of a camera's block that are not options of its source."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera as ``site.cameras`` names it.

    Attributes:
        uri: Its address.
        kind: The kind of source that opens it.
        options: Those of the source that differ from the configured ones.
        offset_s: Seconds that are added to the times of its frames.
        record: Its main stream, which is recorded as it is; as an entry of ``site.cameras``. None: nothing is.
    """

    uri: str
    kind: str
    options: Mapping[str, Any]
    offset_s: float = 0.0
    record: object = None

    @property
    def is_recording(self) -> bool:
        """Whether it is a path on this machine: it can be read again."""
        return self.kind in RECORDINGS

    @property
    def is_complete(self) -> bool:
        """Whether it is a recording to which nobody adds (``follow``), so that its first picture is there."""
        return self.is_recording and not self.options.get("follow")


def parse_camera(camera: object) -> Camera:
    """Return what an entry of ``site.cameras`` means: a URI, or a block with ``uri`` and options.

    ``source`` in a block names the kind, where the URI does not say it. ``detect`` is another word for ``uri``, where
    there is also ``record``.

    Raises:
        ValueError: If there is no URI, an empty one, or two.
    """
    block: Mapping[Any, Any] = camera if isinstance(camera, Mapping) else {"uri": camera}
    uris = [block[name] for name in ("uri", "detect") if block.get(name) is not None]
    if len(uris) != 1:
        raise ValueError(f"expected a uri, or detect and record, got {sorted(map(str, block))}")
    uri = str(uris[0])
    if not uri.strip():
        raise ValueError("expected an address, a file or a folder, got an empty text")
    options = {str(key): value for key, value in block.items() if key not in OF_EVERY_CAMERA}
    kind = str(block.get("source") or uri_kind(uri))
    return Camera(uri, kind, options, float(block.get("offset_s") or 0.0), block.get("record"))


def are_rendered(cameras: Mapping[str, object]) -> bool:
    """Return whether there are cameras and all of them are rendered: those have networks of their own.

    Args:
        cameras: As ``site.cameras``; an entry that means no camera is not rendered.
    """
    return bool(cameras) and all(map(_is_rendered, cameras.values()))


def uri_kind(uri: str) -> str:
    """Return the kind of source that opens a URI.

    Digits are the number of a capture device. A path or a ``file://`` URL is ``images`` if it is a folder without
    videos, and ``file`` otherwise, even if nothing is there. A web address that ends like a video file is a
    ``web_recording``. For any other URI the kind is its scheme in lower case.

    Example:
        >>> uri_kind("RTSP://10.0.0.1/live"), uri_kind("0"), uri_kind("file:///a/east.mp4")
        ('rtsp', 'device', 'file')
        >>> uri_kind("http://10.0.0.1/video.mjpg?fps=5"), uri_kind("https://10.0.0.1/east.mp4")
        ('http', 'web_recording')
    """
    if uri.isascii() and uri.isdigit():
        return DEVICE
    scheme = _scheme(uri)
    if scheme in ("http", "https"):
        return WEB_RECORDING if is_video_name(Path(urlsplit(uri).path)) else scheme
    return IMAGES if scheme == FILE and _is_image_folder(file_path(uri)) else scheme


def file_path(uri: str) -> Path:
    """Return the path that a path or a ``file://`` URL means; ``~`` is the home of the user."""
    is_url = "://" in uri and _scheme(uri) == FILE
    return Path(url2pathname(urlsplit(uri).path)) if is_url else Path(uri).expanduser()


def is_video_name(path: Path) -> bool:
    """Return whether a file's name ends like that of a video."""
    return _VIDEO_NAME.fullmatch(path.name) is not None


def _is_rendered(camera: object) -> bool:
    try:
        return parse_camera(camera).kind == WORLD
    except (TypeError, ValueError):
        return False  # who opens it says what is wrong


def _is_image_folder(path: Path) -> bool:
    """Return whether a path is a folder, and not one of videos without images."""
    if not path.is_dir():
        return False
    names = [each for each in path.iterdir() if not each.name.startswith(".")]
    has_images = any(each.suffix.lower() in IMAGE_SUFFIXES or each.name == "seqinfo.ini" for each in names)
    return has_images or not any(is_video_name(each) for each in names)


def _scheme(uri: str) -> str:
    return uri.split("://", 1)[0].lower() if "://" in uri else FILE
