"""Notices that a file goes on with other streams than those that were there when it was opened."""

from connectors.sources.recordings.video_files import VideoFile


class BrokenError(Exception):
    """The recording was cut off, or cannot be read at all."""


class StreamsChangedError(BrokenError):
    """The recording goes on with other streams.

    Attributes:
        parts: The file up to there, and what follows.
    """

    def __init__(self, parts: tuple[VideoFile, VideoFile]) -> None:
        super().__init__("other streams than at the beginning")
        self.parts = parts


class StreamsWatch:
    """Knows how far the stream that is read goes.

    Args:
        file: What is read; None: nothing that can go on with other streams.
        format_name: Its container, as FFmpeg calls it.
        stream_id: The number of the stream.
    """

    def __init__(self, file: VideoFile | None, format_name: str, stream_id: int) -> None:
        self._file = file
        self._stream_id = stream_id
        self._read_until, self._checked_at = 0, -1
        self._has_one_codec = format_name != "mpegts"

    def read_until(self, pos: int) -> None:
        """Learn that a packet of the stream begins at a byte."""
        self._read_until = max(self._read_until, pos)

    def is_joined(self, pos: int) -> bool:
        """Return whether the break behind a byte is where two whole files meet."""
        return self._file is not None and self._file.is_joined(self._stream_id, pos)

    def check_streams(self) -> None:
        """Raise ``StreamsChangedError`` if the file goes on without the stream."""
        if self._file is not None and self._read_until > self._checked_at:
            self._checked_at = self._read_until
            if (parts := self._file.split(self._stream_id, self._read_until)) is not None:
                raise StreamsChangedError(parts)

    def check_codec(self) -> None:
        """Raise ``StreamsChangedError`` if the file goes on with another codec, which FFmpeg does not notice.

        It reads the whole file, but only at the first call.
        """
        if self._file is not None and not self._has_one_codec:
            self._has_one_codec = True
            if (parts := self._file.split(self._stream_id, None)) is not None:
                raise StreamsChangedError(parts)
