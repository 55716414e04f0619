"""A stream that only the program ``ffmpeg`` can open, as a pipe."""

import shutil
import subprocess
from types import TracebackType

from connectors.sources.live_reading import ReadingEndedError


class FfmpegRelay:
    """Runs ``ffmpeg``, which copies a stream to a pipe as MPEG-TS; a context manager that ends it.

    Args:
        address: What it opens. Other users of this machine may see it in the list of processes.

    Raises:
        ReadingEndedError: If there is no such program.
    """

    def __init__(self, address: str) -> None:
        program = shutil.which("ffmpeg")
        if program is None:
            raise ReadingEndedError(
                f"{address.split('://', 1)[0]}, which needs the program ffmpeg; install it, or let a server such as "
                "MediaMTX offer the stream by RTSP"
            )
        copied = ("-map", "0:v:0", "-c", "copy", "-f", "mpegts", "-flush_packets", "1", "pipe:1")
        self._process = subprocess.Popen(
            [program, "-nostdin", "-loglevel", "error", "-i", address, *copied],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> "FfmpegRelay":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process.stdout is not None
        self._process.kill()
        self._process.stdout.close()
        self._process.wait()

    def read(self, size: int) -> bytes:
        """Return what has arrived, at most ``size`` bytes; none at the end. Blocks."""
        assert self._process.stdout is not None
        return self._process.stdout.read1(size)  # type: ignore[attr-defined, no-any-return]
