"""What a recording is made of: one video file, or many that follow one another, wherever they are."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from av.container import InputContainer


class NoVideoError(Exception):
    """There is no such recording; the message is what was expected and got, and holds no secret."""


@dataclass(frozen=True, slots=True)
class VideoFile:
    """One file of a recording.

    Attributes:
        name: Names it in messages; holds no secret.
        open: Opens it for a device that decodes (see ``hardware_decoding``), and closes it at the end of the block.
            Raises ``FFmpegError`` or ``OSError`` if that fails.
        begins_at: Unix seconds of its first frame, as its name says; None: the file follows the one before.
        announced: Numbers of the streams that are there at the beginning; empty: all.
        skip: Pictures at the beginning that were read already.
        split: Takes the number of the stream that is read and a byte, and returns the file up to where it goes on
            without that stream behind the byte, and what follows; None if it has that stream to its end. Without a
            byte: up to where the stream goes on with another codec.
        is_joined: Takes the same, and returns whether the next break behind the byte is where two whole files meet.
    """

    name: str
    open: Callable[[str], AbstractContextManager[InputContainer]]
    begins_at: float | None = None
    announced: frozenset[int] = frozenset()
    skip: int = 0
    split: Callable[[int, int | None], "tuple[VideoFile, VideoFile] | None"] = lambda stream_id, after: None
    is_joined: Callable[[int, int], bool] = lambda stream_id, after: False


class VideoFiles(Protocol):
    """Finds the files of one recording. The constructor takes the URI first and opens nothing.

    Attributes:
        name: Names the recording in messages; holds no secret.
        is_many: True: a file that is damaged does not end the recording.
        note: What was made of the names found last, where that is not what most of them say; empty if it is.
    """

    name: str
    is_many: bool
    note: str

    def there_now(self) -> list[VideoFile]:
        """Return the files that are there now, in order.

        Raises:
            NoVideoError: If there is none.
        """
        ...

    def files(self, closed: threading.Event) -> Iterator[VideoFile]:
        """Yield the files in order; may wait for files that are still to be written, until ``closed`` is set.

        Raises:
            NoVideoError: If there is none.
        """
        ...
