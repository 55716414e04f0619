"""A reverse proxy on loopback that signs everybody in as one user, as an authenticating proxy of a site does."""

import socket
import threading
from types import TracebackType
from typing import Self


class SigningProxy:
    """Context manager that forwards requests with a user's name and groups, and takes away what clients claim to be.

    Args:
        port: Port of the page.
        headers: Headers that it sets; tests change them while it runs. Empty: it names nobody.
    """

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self.headers = headers
        self._page = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        """Forward one request, or one WebSocket: a connection is for one of them, so each request gets its headers."""
        with client, socket.create_connection(self._page) as page:
            head = b""
            while b"\r\n\r\n" not in head:
                data = client.recv(65536)
                if not data:
                    return
                head += data
            head, _, rest = head.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            kept = [line for line in lines if not line.lower().startswith(("x-user:", "x-groups:"))]
            if not any(line.lower().startswith("upgrade:") for line in kept):
                kept = [line for line in kept if not line.lower().startswith("connection:")] + ["Connection: close"]
            kept += [f"{name}: {value}" for name, value in self.headers.items()]
            page.sendall("\r\n".join([first, *kept, "", ""]).encode("latin-1") + rest)
            back = threading.Thread(target=_pump, args=(page, client), daemon=True)
            back.start()
            _pump(client, page)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Copy until one side ends, then end the other."""
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
