"""Video files of this machine: one, those of a pattern, or those of a folder, also while they are written."""

import errno
import glob
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from av.container import InputContainer

from connectors.sources.hardware_decoding import open_video
from connectors.sources.recordings.changed_streams import first_streams, is_joined, where_streams_change
from connectors.sources.recordings.growing_file import POLL_S, GrowingFile
from connectors.sources.recordings.image_sequence import in_order
from connectors.sources.recordings.joined_files import recordings_in
from connectors.sources.recordings.video_files import NoVideoError, VideoFile
from pipeline.core.camera_uri import file_path, is_video_name

HEAD_BYTES = 2**16
"""Bytes at the beginning of an mp4 file in which its index stands if the file can be read while it is written."""

CHUNK_BYTES = 2**20
"""Bytes that are read at once where only the end of a file is waited for. More cost memory."""


class LocalFiles:
    """The files of a recording on this machine.

    - A path is one file. A pattern (``/rec/east/*.mp4``, ``**`` for folders in folders) or a folder of videos is many.
    - Many files are in the order of the dates and times in their names if all hold one, or else of their names, in
      which ``part_10`` comes after ``part_9``.

    Args:
        uri: Path, pattern, folder or ``file://`` URL.
        follow: The recording is still being written: wait for more at its end.
        idle_s: With ``follow``, seconds without more after which the recording has ended; above 0.
    """

    def __init__(self, uri: str, *, follow: bool = False, idle_s: float = 60.0) -> None:
        self._path = file_path(uri)
        self._follow = follow
        self._idle_s = idle_s
        self._moments: dict[Path, float | None] = {}
        self.note = ""
        self.name = str(self._path)

    @property
    def is_many(self) -> bool:
        """Whether the URI means many files."""
        return self._path.is_dir() or (glob.has_magic(str(self._path)) and not self._path.is_file())

    def there_now(self) -> list[VideoFile]:
        """Return the files that are there now; of a recording that is still written, there may be none yet.

        Raises:
            NoVideoError: If there is none, or one that cannot be read while it is written.
        """
        paths = self._paths()
        if self._follow and not self.is_many and not _has_index_first(self._path):
            raise NoVideoError(
                f"expected a file that can be read while it is written, got {self.name}, whose index comes at its end; "
                "record as Matroska, MPEG-TS or fragmented mp4, or leave follow out"
            )
        return [file for path in paths for file in self._files_in(path)]

    def first_path(self) -> Path:
        """Return the path of the first file; raises as ``there_now``."""
        return self._paths()[0]

    def files(self, closed: threading.Event) -> Iterator[VideoFile]:
        """Yield the files, in order; with ``follow``, also those that are written later.

        Raises:
            NoVideoError: If there is none.
        """
        if not self._follow:
            yield from self.there_now()
            return
        read: set[Path] = set()
        grown_at = time.monotonic()
        while not closed.is_set():
            paths = self._paths()
            read.intersection_update(paths)
            waiting = [path for path in paths if path not in read]
            if waiting:
                read.add(waiting[0])
                yield self._growing(waiting[0], closed)
                grown_at = time.monotonic()
            if not self.is_many or time.monotonic() - grown_at > self._idle_s:
                return
            if len(waiting) < 2:
                closed.wait(POLL_S)

    def _paths(self) -> list[Path]:
        if not self.is_many:
            if self._path.exists() and not self._path.is_file():
                raise NoVideoError(
                    f"expected a file, got {self.name}, which can be read only once; write it to a file and set "
                    "follow: true, or send it to an address such as udp://127.0.0.1:1234"
                )
            if not self._path.is_file():
                raise NoVideoError(f"expected a video file, got nothing at {self.name}; correct the path")
            if self._path.stat().st_size == 0 and not self._follow:
                raise NoVideoError(f"expected a video, got the empty file {self.name}; copy it again")
            return [self._path]
        if self._path.is_dir():
            paths = [path for path in self._path.iterdir() if is_video_name(path)]
        else:
            paths = [Path(name) for name in glob.glob(str(self._path), recursive=True)]
        paths = [path for path in paths if path.is_file()]
        if not paths and not self._follow:
            raise NoVideoError(f"expected video files, got none at {self.name}; correct the pattern")
        self._moments, self.note = in_order(paths)
        return list(self._moments)

    def _files_in(self, path: Path) -> list[VideoFile]:
        first, *others = recordings_in(path)
        if not others:
            return [_from(path, 0, self._moments.get(path))]
        parts = [_part(path, begin, end) for begin, end in (first, *others)]
        begins_at = [self._moments.get(path), *(None for _ in others)]
        return [
            VideoFile(f"{path}, part {number}", partial(open_video, part), at)
            for number, (part, at) in enumerate(zip(parts, begins_at, strict=True), start=1)
        ]

    def _growing(self, path: Path, closed: threading.Event) -> VideoFile:
        """Return a file that is read to its end, which comes when the next file begins, or nothing more is written."""
        return VideoFile(str(path), partial(self._open_growing, path, closed), self._moments.get(path))

    @contextmanager
    def _open_growing(self, path: Path, closed: threading.Event, hwaccel: str) -> Iterator[InputContainer]:
        def is_finished() -> bool:
            return self.is_many and self._paths()[-1:] != [path]

        with GrowingFile(path, idle_s=self._idle_s, closed=closed, is_finished=is_finished) as file:
            if _has_index_first(path):
                with open_video(file, hwaccel) as container:
                    yield container
                if file.was_replaced:  # not in its read, whose errors FFmpeg words
                    raise OSError(errno.ESTALE, "another file in its place")
                return
            while file.read(CHUNK_BYTES):  # it can be read only once it is whole
                pass
        with open_video(f"file:{path}", hwaccel) as container:
            yield container


def _part(path: Path, begin: int, end: int) -> str:
    return f"subfile,,start,{begin},end,{end},,:file:{path}"


def _from(path: Path, begin: int, begins_at: float | None = None) -> VideoFile:
    """Return a file from a byte on."""
    # With the scheme, because FFmpeg would take "a:b.mp4" for a protocol.
    address = _part(path, begin, path.stat().st_size) if begin else f"file:{path}"
    return VideoFile(
        f"{path} from byte {begin}" if begin else str(path),
        partial(open_video, address),
        begins_at,
        announced=frozenset(first_streams(path, begin)),
        split=partial(_split, path, begin),
        is_joined=lambda stream_id, after: is_joined(path, begin + after, stream_id),
    )


def _split(path: Path, begin: int, stream_id: int, after: int | None) -> tuple[VideoFile, VideoFile] | None:
    """Split a transport stream where it goes on without a stream, or with another codec; bytes count from ``begin``."""
    announced = first_streams(path, begin)
    if after is not None:
        end = where_streams_change(path, begin + after, stream_id)
    elif stream_id in announced:
        end = where_streams_change(path, begin, stream_id, announced[stream_id])
    else:
        return None
    if end is None:
        return None
    before = VideoFile(str(path), partial(open_video, _part(path, begin, end)), announced=frozenset(announced))
    return before, _from(path, end)


def _has_index_first(path: Path) -> bool:
    """Return whether a file can be read from its beginning on: of mp4, only those whose index comes first."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    index, pictures = head.find(b"moov"), head.find(b"mdat")
    return head[4:8] != b"ftyp" or pictures < 0 or 0 <= index < pictures
