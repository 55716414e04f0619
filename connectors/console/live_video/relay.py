"""Passes live video of a camera on to a viewer: fragments of MP4, from a server that speaks go2rtc's protocol (MSE).

Needs: websockets (extra ``console``).
Guarantee: a viewer sees no camera that may not be shown, and nothing any more within ``LOOK_EVERY_S`` of that.
When slow: a viewer who does not keep up is let go, with at most ``MAX_WAITING`` bytes waiting; others do not notice.
Secrets: the server of live video needs to be reached by this process alone.
"""

import asyncio
import json
import re
import struct
import time
from collections import deque
from collections.abc import Callable

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from connectors.console.camera_address import CameraAddress

OPEN_S = 10.0
"""Seconds to wait for the viewer's codecs, and for the other server. Longer keeps a dark tile waiting."""

SILENT_S = 10.0
"""Seconds without a fragment after which a camera counts as away. Longer shows a picture that stands."""

LOOK_EVERY_S = 0.5
"""Seconds between two looks whether a camera may still be shown. Longer: a mask covers later."""

MAX_WAITING = 4_000_000
"""Bytes that may wait for a viewer, some seconds of a camera. More lets slower viewers stay, who see later."""

MAX_FRAGMENT = 8_000_000
"""Bytes of a fragment at most: a picture of a large camera has a tenth of it."""

MAX_VIEWERS = 100
"""Tiles with live video at once, of all viewers; each costs the bytes of its camera twice."""

CODECS = re.compile(r"[\w.,-]{1,500}")

BUSY, COVERED, LATE, AWAY = 4429, 4403, 4409, 4404
"""Close codes: too many viewers, may not be shown, too slow, no video now. The page shows pictures then."""


class _EndedError(Exception):
    """The video ends: a close code, and the reason."""


class LiveVideoRelay:
    """Serves live video to viewers.

    Args:
        address: Of each camera at the server of live video.
        why_not: Returns why a camera may not be shown; empty if it may.
    """

    def __init__(self, address: CameraAddress, why_not: Callable[[str], str]) -> None:
        self._address = address
        self._why_not = why_not
        self.num_viewers = 0

    async def relay(self, socket: WebSocket, camera_id: str) -> None:
        """Send a camera's video until the viewer goes, or it may not be shown any more.

        The viewer sends the codecs that it can play, separated by commas. It is sent ``{"mime": …}`` and then
        fragments, each behind 8 bytes: a big-endian float64, Unix seconds when the fragment came here. The close code
        says why it ends.
        """
        if self.num_viewers >= MAX_VIEWERS:
            await socket.close(BUSY, "too many viewers")
            return
        self.num_viewers += 1
        try:
            await self._relay(socket, camera_id)
        except _EndedError as ended:
            code, reason = ended.args
            await _closed(socket, code, reason)
        except (WebSocketDisconnect, WebSocketDisconnected, KeyError):
            return
        except (OSError, WebSocketException, TimeoutError):
            await _closed(socket, AWAY, "the server of live video does not answer")
        finally:
            self.num_viewers -= 1

    async def _relay(self, socket: WebSocket, camera_id: str) -> None:
        self._check(camera_id)
        codecs = await asyncio.wait_for(socket.receive_text(), OPEN_S)
        if not CODECS.fullmatch(codecs):
            raise _EndedError(AWAY, "expected codecs, separated by commas")
        address = self._address.of_camera(camera_id)
        async with connect(address, max_size=MAX_FRAGMENT, open_timeout=OPEN_S, compression=None, proxy=None) as server:
            await server.send(json.dumps({"type": "mse", "value": codecs}))
            waiting = _Waiting()
            tasks = [
                asyncio.create_task(each)
                for each in (
                    _read(server, waiting),
                    _send(socket, waiting),
                    self._watch(camera_id),
                    _until_gone(socket),
                )
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            for task in done:
                task.result()

    async def _watch(self, camera_id: str) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await asyncio.to_thread(self._check, camera_id)

    def _check(self, camera_id: str) -> None:
        if reason := self._why_not(camera_id):
            raise _EndedError(COVERED, reason)


class _Waiting:
    """Messages that wait for a viewer."""

    def __init__(self) -> None:
        self.messages: deque[str | bytes] = deque()
        self.num_bytes = 0
        self.changed = asyncio.Event()

    def put(self, message: str | bytes) -> None:
        """Add a message; raise ``_EndedError`` if too many bytes wait."""
        self.messages.append(message)
        self.num_bytes += len(message)
        if self.num_bytes > MAX_WAITING:
            raise _EndedError(LATE, "the connection is too slow for live video")
        self.changed.set()


async def _read(server: ClientConnection, waiting: _Waiting) -> None:
    """Take what the server sends, as it comes."""
    has_begun = False
    while True:
        message = await asyncio.wait_for(server.recv(), SILENT_S)
        if isinstance(message, bytes):
            if has_begun:
                waiting.put(struct.pack(">d", time.time()) + message)
            continue
        kind, value = _parsed(message)
        if kind == "mse":
            has_begun = True
            waiting.put(json.dumps({"mime": value[:200]}))
        elif kind == "error":
            raise _EndedError(AWAY, "the server of live video has no video of this camera")


async def _send(socket: WebSocket, waiting: _Waiting) -> None:
    while True:
        await waiting.changed.wait()
        waiting.changed.clear()
        while waiting.messages:
            message = waiting.messages.popleft()
            await (socket.send_text(message) if isinstance(message, str) else socket.send_bytes(message))
            waiting.num_bytes -= len(message)


async def _until_gone(socket: WebSocket) -> None:
    while True:
        await socket.receive_text()  # a viewer sends nothing more; this raises when it disconnects


def _parsed(message: str) -> tuple[str, str]:
    """Return the type and the value of a message of the server; of another, two empty texts."""
    try:
        found = json.loads(message)
        return str(found["type"]), str(found["value"])
    except (ValueError, KeyError, TypeError):
        return "", ""


async def _closed(socket: WebSocket, code: int, reason: str) -> None:
    try:
        await socket.close(code, reason)
    except (WebSocketDisconnect, WebSocketDisconnected, RuntimeError):
        return  # gone already
