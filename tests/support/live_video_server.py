"""A server of live video as go2rtc's documents describe it: fragments of MP4 over a WebSocket, at ``/api/ws?src=NAME``.

The picture is H.264, ten a second, and each is as bright as its time says.
"""

import io
import json
import threading
import time
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

import av
import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

HW = (90, 160)
RATE_HZ = 10
LEVELS_PER_S = 40
PERIOD_S = 5.0
"""Seconds after which brightnesses begin again."""


def brightness(at: float) -> float:
    """Return the brightness of the picture of a moment, Unix seconds."""
    return 20 + LEVELS_PER_S * (at % PERIOD_S)


def moment(level: float) -> float:
    """Return the moment of a picture, seconds within ``PERIOD_S``."""
    return (level - 20) / LEVELS_PER_S


class LiveVideoServer:
    """Context manager that serves some streams.

    Args:
        streams: Names; others are answered by an error.
        floods: Send as fast as the connection takes it.
    """

    def __init__(self, *streams: str, floods: bool = False) -> None:
        self._streams, self._floods = streams, floods
        self.asked: list[str] = []
        """The codecs of each viewer so far."""
        self.num_open = 0
        self._server: Server = serve(self._serve, "127.0.0.1", 0, compression=None)
        self.address = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/api/ws?src={{channel}}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()

    def _serve(self, viewer: ServerConnection) -> None:
        assert viewer.request is not None
        (name,) = parse_qs(urlsplit(viewer.request.path).query)["src"]
        message = json.loads(viewer.recv())
        assert message["type"] == "mse"
        self.asked.append(message["value"])
        if name not in self._streams:
            viewer.send(json.dumps({"type": "error", "value": f"mse: streams: {name}: not found"}))
            return
        self.num_open += 1
        try:
            self._send(viewer)
        except ConnectionClosed:
            return
        finally:
            self.num_open -= 1

    def _send(self, viewer: ServerConnection) -> None:
        written = io.BytesIO()
        flags = "empty_moov+default_base_moof+frag_every_frame"
        film = av.open(written, "w", format="mp4", options={"movflags": flags})
        stream = film.add_stream(
            "libx264", rate=RATE_HZ, options={"tune": "zerolatency", "preset": "ultrafast", "g": "10", "bf": "0"}
        )
        stream.height, stream.width = HW
        stream.pix_fmt = "yuv420p"
        begun = False
        while True:
            level = round(brightness(time.time()))
            frame = av.VideoFrame.from_ndarray(np.full((*HW, 3), level, np.uint8), format="rgb24")
            film.mux(stream.encode(frame))
            if not begun:
                profile = bytes(stream.codec_context.extradata or b"").partition(b"\x67")[2][:3].hex()
                viewer.send(json.dumps({"type": "mse", "value": f'video/mp4; codecs="avc1.{profile}"'}))
                begun = True
            if data := written.getvalue():
                viewer.send(data)
                written.seek(0)
                written.truncate()
            if not self._floods:
                time.sleep(1 / RATE_HZ)
