"""WebSockets: pictures from cameras, pictures to viewers, and notices of changes."""

import asyncio
import hmac
import json
import logging
import math
import time

from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from connectors.console.api.sessions import Visitor
from connectors.console.app_state import AppState
from connectors.console.sign_in.proxy import CONNECTION_S, ProxyRefusedError
from pipeline.core.errors import ConnectorError

logger = logging.getLogger(__name__)

FOLLOW_EVERY_S = 0.4
"""Seconds between two reads of the ledger while a page is open; the longest delay of an alert on the page."""

FOLLOW_IDLE_EVERY_S = 2.0
"""The same while no page is open."""

HEARTBEAT_S = 2.0
"""Seconds after which a notice is sent even without a change, so that a page notices that the server is gone."""

CHECK_EVERY_S = 0.5
"""Seconds between two looks whether the user of an open connection still may have it. Longer: rights end later."""

TIDY_EVERY_S = 60.0
"""Seconds between two deletions of old pictures."""

NOT_LOGGED_IN = 4401
"""Close code of a WebSocket without a login; 4000 to 4999 are for private use (RFC 6455, 7.4.2)."""

NO_VIDEO = 4404
"""Close code of a WebSocket for live video that there is not, or not for this user."""

COME_AGAIN = 4408
"""Close code of a WebSocket that has lasted long enough: connect again, and be asked again who you are."""


class LiveRoutes:
    """Routes of WebSockets.

    Args:
        state: State of the page.
        feed_key: Key that a camera must present.
    """

    def __init__(self, state: AppState, feed_key: str) -> None:
        self._state = state
        self._feed_key = feed_key
        self._last_event = 0
        self._last_corrections = 0
        self._changed = asyncio.Condition()
        self._num_listening = 0

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter()
        router.add_api_websocket_route("/feed", self.feed)
        router.add_api_websocket_route("/api/live", self.live)
        router.add_api_websocket_route("/api/changes", self.changes)
        router.add_api_websocket_route("/api/video", self.video)
        return router

    async def follow(self) -> None:
        """Read new events and notify the open pages, until cancelled; delete old pictures from time to time."""
        tidied_at = -TIDY_EVERY_S
        while True:
            try:
                if time.monotonic() - tidied_at > TIDY_EVERY_S:
                    tidied_at = time.monotonic()
                    await asyncio.to_thread(self._state.tidy)
                await self._follow_once()
            except ConnectorError as error:
                logger.warning("the ledger cannot be followed now: %s", error)
            is_watched = self._num_listening or self._state.live_view.num_viewers
            await asyncio.sleep(FOLLOW_EVERY_S if is_watched else FOLLOW_IDLE_EVERY_S)

    async def _follow_once(self) -> None:
        last_event, last_corrections = await asyncio.to_thread(self._read)
        if (last_event, last_corrections) != (self._last_event, self._last_corrections):
            self._last_event, self._last_corrections = last_event, last_corrections
            async with self._changed:
                self._changed.notify_all()

    def _read(self) -> tuple[int, int]:
        """Return the number of the newest event, and how many commands were answered."""
        last_event = self._state.follow()
        return last_event, self._state.ledger_view.num_answered()

    async def feed(self, socket: WebSocket) -> None:
        """Receive pictures of a camera that presents the key."""
        given = socket.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            camera_id = json.loads(socket.headers.get("x-camera", ""))
        except ValueError:
            camera_id = None
        if not hmac.compare_digest(given.encode(), self._feed_key.encode()) or not isinstance(camera_id, str):
            await socket.close(1008)
            return
        await socket.accept()
        await self._state.live_view.feed(socket, camera_id)

    async def live(self, socket: WebSocket) -> None:
        """Send live pictures of the cameras in ``?cameras=``, a JSON array; of all cameras without it.

        With ``?pictures=no`` no pictures follow, only who is where in them.
        """
        visitor = await self._visitor(socket)
        if visitor is None:
            return
        names = self._state.site_file.site().cameras or self._state.live_view.cameras
        try:
            asked = json.loads(socket.query_params.get("cameras", "null"))
        except ValueError:
            asked = []
        wanted = set(names) if asked is None else set(map(str, asked)) if isinstance(asked, list) else set()
        cameras = frozenset(name for name in wanted if visitor.user.sees(name))
        await asyncio.to_thread(
            lambda: self._state.notes.audit_look(visitor.user.name, "live pictures", sorted(cameras))
        )
        watch = asyncio.create_task(self._end_without_permission(socket, visitor))
        try:
            has_pictures = socket.query_params.get("pictures") != "no"
            await self._state.live_view.view(socket, cameras, has_pictures=has_pictures)
        finally:
            await _ended(watch)

    async def video(self, socket: WebSocket) -> None:
        """Send live video of the camera in ``?camera=``; see ``LiveVideoRelay.relay``."""
        visitor = await self._visitor(socket)
        if visitor is None:
            return
        camera_id, relay = socket.query_params.get("camera", ""), self._state.live_video
        is_known = camera_id in self._state.site_file.site().cameras
        if relay is None or not is_known or not visitor.user.sees(camera_id):
            await socket.close(NO_VIDEO)
            return
        await asyncio.to_thread(lambda: self._state.notes.audit_look(visitor.user.name, "live video", [camera_id]))
        watch = asyncio.create_task(self._end_without_permission(socket, visitor))
        try:
            await relay.relay(socket, camera_id)
        finally:
            await _ended(watch)

    async def changes(self, socket: WebSocket) -> None:
        """Send ``{"event": N, "corrections": M, "is_new": true}`` after each change, and a heartbeat between."""
        visitor = await self._visitor(socket)
        if visitor is None:
            return
        watch = asyncio.create_task(self._end_without_permission(socket, visitor))
        watching = asyncio.create_task(self._notify(socket))
        self._num_listening += 1
        try:
            while True:
                await socket.receive_text()
        except (WebSocketDisconnect, WebSocketDisconnected, KeyError):
            return
        finally:
            self._num_listening -= 1
            await _ended(watching)
            await _ended(watch)

    async def _notify(self, socket: WebSocket) -> None:
        sent: tuple[int, int] | None = None
        while True:
            now = (self._last_event, self._last_corrections)
            await socket.send_text(json.dumps({"event": now[0], "corrections": now[1], "is_new": now != sent}))
            sent = now
            try:
                await asyncio.wait_for(self._wait_for_change(sent), HEARTBEAT_S)
            except TimeoutError:
                continue

    async def _wait_for_change(self, sent: tuple[int, int]) -> None:
        """Wait until the state differs from what was sent."""
        async with self._changed:
            await self._changed.wait_for(lambda: (self._last_event, self._last_corrections) != sent)

    async def _end_without_permission(self, socket: WebSocket, visitor: Visitor) -> None:
        """Close a connection as soon as its user logs out, is changed or removed, or the session or token expires."""
        end_at = time.monotonic() + CONNECTION_S if visitor.is_by_proxy else math.inf
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            if time.monotonic() > end_at:
                await socket.close(COME_AGAIN)
                return
            now = await asyncio.to_thread(self._known, socket)
            if now is None or now.must_set_up or now.user != visitor.user:
                await socket.close(NOT_LOGGED_IN)
                return

    def _known(self, socket: WebSocket) -> Visitor | None:
        try:
            return self._state.sessions.visitor(socket)
        except ProxyRefusedError:
            return None

    async def _visitor(self, socket: WebSocket) -> Visitor | None:
        """Accept the connection and return who asks; close it and return None without a login."""
        visitor = await asyncio.to_thread(self._known, socket)
        await socket.accept()
        if visitor is None or visitor.must_set_up:
            await socket.close(NOT_LOGGED_IN)
            return None
        return visitor


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancel a task, and wait for its end."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
