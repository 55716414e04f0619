"""A camera that can be built where a run is submitted, and not in a process of Ray; for tests of what that harms."""

import sys
from typing import Any

from connectors.sources.video_file import VideoFileSource


class DriverSource(VideoFileSource):
    """A recording whose constructor fails in a worker of Ray, as one does that needs a library which is only here."""

    def __init__(self, camera_id: str, uri: str, **options: Any) -> None:
        if "default_worker" in sys.argv[0]:
            raise RuntimeError("no such library here")
        super().__init__(camera_id, uri, **options)
