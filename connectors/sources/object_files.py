"""Recordings in an object store: ``s3://bucket/east.mp4``, ``gs://…``; a pattern or a folder means many.

Needs: fsspec, and s3fs or gcsfs: the extra ``objects``.
Secrets: those of the store's own library (environment, profile, service account). None are taken here.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
from av.container import InputContainer

from connectors.redaction import redact_url
from connectors.sources.hardware_decoding import open_video
from connectors.sources.recordings.image_sequence import in_order
from connectors.sources.recordings.video_files import NoVideoError, VideoFile
from pipeline.core.camera_uri import is_video_name

BLOCK_BYTES = 2**22
"""Bytes that are fetched at once. More cost memory for each camera; less are more requests."""


class ObjectFiles:
    """The objects of a recording.

    Args:
        uri: Address of an object, of a folder of videos, or a pattern.
        storage: Options of the store's library, for instance ``{endpoint_url: "http://minio:9000"}`` of s3fs.

    Attributes:
        name: The address without secrets.
    """

    def __init__(self, uri: str, *, storage: Mapping[str, Any] | None = None) -> None:
        self.name = redact_url(uri)
        self.note = ""
        self._uri = uri
        self._storage = dict(storage or {})

    @property
    def is_many(self) -> bool:
        """Whether the address means many objects."""
        return "*" in self._uri or not is_video_name(Path(self._uri))

    def there_now(self) -> list[VideoFile]:
        """Return the objects, in the order of the times in their names, or of their names.

        Raises:
            NoVideoError: If there is none, or the store cannot be read.
        """
        try:
            store, path = fsspec.url_to_fs(self._uri, **self._storage)
            if not self.is_many:
                found = [path] if store.exists(path) else []
            else:
                pattern = path if "*" in path else f"{path.rstrip('/')}/*"
                found = [each for each in store.glob(pattern) if is_video_name(Path(each))]
        except ImportError as error:
            raise NoVideoError(
                f"expected the library of {self.name}, got {error}; pip install 'passerby[objects]'"
            ) from error
        except Exception as error:  # each store has errors of its own
            raise NoVideoError(
                f"expected a recording, got {type(error).__name__} from {self.name}; "
                "check the address, the rights and the store's credentials"
            ) from error
        if not found:
            raise NoVideoError(f"expected a recording, got nothing at {self.name}; correct the address")
        objects = {Path(each): each for each in found}
        moments, self.note = in_order(objects) if self.is_many else (dict.fromkeys(objects), "")
        return [VideoFile(objects[path], partial(_open, store, objects[path]), at) for path, at in moments.items()]

    def files(self, closed: threading.Event) -> Iterator[VideoFile]:
        """Yield the objects, in order."""
        yield from self.there_now()


@contextmanager
def _open(store: Any, path: str, hwaccel: str) -> Iterator[InputContainer]:
    with store.open(path, "rb", block_size=BLOCK_BYTES) as file, open_video(file, hwaccel) as container:
        yield container
