"""A camera that loses packets: passes RTSP on over TCP, and leaves out some of the RTP packets in it.

On a busy machine the server behind it sends a picture twice now and then. The second one is left out, whole: it has the
time of the first, so a picture of which both were lost would count as two, and one of which one came as none.
"""

import contextlib
import select
import socket
import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType

MARK = 0x24
"""First byte of a packet between the lines of RTSP. RFC 2326, 10.12."""


class LossyRtspProxy:
    """Stands between one client and a server on the loopback address.

    Args:
        port: Of the server.
        is_lost: Takes the number of a picture, from 0, and that of the packet in it, from 0.

    Attributes:
        port: Where it listens.
        num_pictures: Pictures that the server sent.
        num_twice: Packets of pictures that it sent a second time.
    """

    def __init__(self, port: int, is_lost: Callable[[int, int], bool]) -> None:
        self._target = port
        self._is_lost = is_lost
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._thread = threading.Thread(target=self._pass_on, daemon=True)
        self.num_pictures = self.num_twice = 0
        self._ended: bytes | None = None
        self._sent: Counter[int] = Counter()
        self._lost: Counter[int] = Counter()

    @property
    def num_lost(self) -> int:
        """Pictures of which no packet was passed on."""
        return sum(self._lost[picture] == self._sent[picture] for picture in self._lost)

    @property
    def num_damaged(self) -> int:
        """Pictures of which some packets were passed on."""
        return sum(0 < self._lost[picture] < self._sent[picture] for picture in self._sent)

    def __enter__(self) -> "LossyRtspProxy":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()  # unblocks accept
        self._thread.join(10)
        self._server.close()

    def _pass_on(self) -> None:
        near, _ = self._server.accept()
        with near, socket.create_connection(("127.0.0.1", self._target)) as far, contextlib.suppress(OSError):
            waiting = b""
            while True:
                for side in select.select([near, far], [], [])[0]:
                    data = side.recv(65536)
                    if not data:
                        return
                    if side is near:
                        far.sendall(data)
                    else:
                        passed, waiting = self._passed(waiting + data)
                        near.sendall(passed)

    def _passed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return what is passed on, and what is not complete yet."""
        passed = b""
        while data:
            end = 4 + int.from_bytes(data[2:4]) if data[0] == MARK else _end_of_message(data)
            if len(data) < max(4, end) or end == 0:
                break
            if data[0] != MARK or data[1] % 2 or not self._loses(data[4:16]):
                passed += data[:end]
            data = data[end:]
        return passed, data

    def _loses(self, head: bytes) -> bool:
        """Return whether an RTP packet with this head is left out. RFC 3550, 5.1."""
        is_last, stamp = bool(head[1] & 0x80), head[4:8]
        if stamp == self._ended:
            self.num_twice += 1
            return True
        self._ended = stamp if is_last else None
        picture = self.num_pictures
        is_lost = self._is_lost(picture, self._sent[picture])
        self._sent[picture] += 1
        self._lost[picture] += is_lost
        self.num_pictures += is_last
        return is_lost


def _end_of_message(data: bytes) -> int:
    """Return the length of the answer that data begin with; 0 if it is not there yet."""
    head, found, _ = data.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return len(head) + 4 + sum(lengths) if found else 0
