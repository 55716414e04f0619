"""A real RTSP server in its own process, on a free port of the loopback address."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

SERVE = """
import asyncio, sys
from aio_rtsp_toolkit.server import serve
asyncio.run(serve(sys.argv[1], "127.0.0.1", int(sys.argv[2])))
"""
STARTS_WITHIN_S = 30.0


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RtspServer:
    """Serves the mp4 files of a folder in real time.

    Args:
        folder: The folder of the files; each must be H.264 with a key frame at its start.
        port: The port to listen on; None: a free one. It stays the same after ``kill`` and ``start``.
    """

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "RtspServer":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    def url(self, name: str, *, endless: bool = False, user: str = "") -> str:
        """Return the URL of a file; ``endless`` repeats it without end; ``user`` is ``name:password``."""
        return f"rtsp://{user}{'@' if user else ''}127.0.0.1:{self.port}/{name}{'/play_count_0/' if endless else ''}"

    def start(self) -> None:
        """Start the server; return when it listens."""
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(self.folder), str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"the RTSP server ended with {self._process.returncode}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.05)
        raise RuntimeError("the RTSP server does not listen")

    def kill(self) -> None:
        """Kill the server, like a camera that loses power; idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Keep connections open and send nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Send again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
