"""A TCP proxy on loopback whose connections a test can cut."""

import contextlib
import select
import socket
import threading
from types import TracebackType


class TcpProxy:
    """Passes bytes both ways between its clients and ``target``.

    Args:
        port: Where to listen; 0: anywhere.

    Attributes:
        address: The address that it listens on.
        target: ``host:port``; set before the first connection, may change.
    """

    def __init__(self, port: int = 0) -> None:
        self._server = socket.create_server(("127.0.0.1", port))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        self.target = ""
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._closed = False
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> "TcpProxy":
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            socket.create_connection(self._server.getsockname(), timeout=1).close()  # unblocks accept
        self.cut()
        for thread in self._threads:
            thread.join(5)
        self._server.close()

    def cut(self) -> None:
        """Break all open connections."""
        with self._lock:
            for side in self._open:
                with contextlib.suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._closed:
            near, _ = self._server.accept()
            thread = threading.Thread(target=self._pass_on, args=(near,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _pass_on(self, near: socket.socket) -> None:
        host, _, port = self.target.partition(":")
        with near, contextlib.suppress(OSError):
            near.settimeout(5)
            with socket.create_connection((host, int(port)), timeout=5) as far:
                self._pass_both_ways(near, far)

    def _pass_both_ways(self, near: socket.socket, far: socket.socket) -> None:
        with self._lock:
            self._open |= {near, far}
        try:
            while not self._closed:
                for side in select.select([near, far], [], [], 0.5)[0]:
                    data = side.recv(65536)
                    if not data:
                        return
                    (far if side is near else near).sendall(data)
        finally:
            with self._lock:
                self._open -= {near, far}
