"""Opens the footage of a camera a second time, if it is a recording."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connectors.sources.images import ImagesSource
from connectors.sources.video_file import VideoFileSource
from pipeline.core import Source


def open_recording(camera_id: str, camera: object) -> Source | None:
    """Return a source of a camera's recording; None if the camera is live.

    Args:
        camera_id: Its name.
        camera: As in ``site.cameras``: an address, or a block with ``uri`` and options of the source.
    """
    block = camera if isinstance(camera, Mapping) else {"uri": camera}
    options: dict[str, Any] = {str(key): value for key, value in block.items()}
    uri = str(options.pop("uri"))
    if uri.isdigit() or "://" in uri.removeprefix("file://"):
        return None
    if Path(uri).is_dir():
        return ImagesSource(camera_id, uri, **options)
    return VideoFileSource(camera_id, uri, **options)
