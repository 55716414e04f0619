"""WebSockets: pictures from cameras, pictures to viewers, and word that something changed."""

import asyncio
import hmac
import json
import logging
import time

from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from connectors.console.api.sessions import Visitor
from connectors.console.app_state import AppState
from pipeline.core.errors import ConnectorError

logger = logging.getLogger(__name__)

FOLLOW_EVERY_S = 0.4
REST_EVERY_S = 2.0
"""While nobody looks."""

HEARTBEAT_S = 15.0
TIDY_EVERY_S = 60.0
NOT_LOGGED_IN = 4401


class LiveRoutes:
    """Routes of WebSockets.

    Args:
        state: What the page works with.
        feed_key: What cameras show to be let in.
    """

    def __init__(self, state: AppState, feed_key: str) -> None:
        self._state = state
        self._feed_key = feed_key
        self._last_event = 0
        self._last_orders = 0
        self._changed = asyncio.Condition()
        self._num_listening = 0

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter()
        router.add_api_websocket_route("/feed", self.feed)
        router.add_api_websocket_route("/api/wall", self.wall)
        router.add_api_websocket_route("/api/changes", self.changes)
        return router

    async def follow(self) -> None:
        """Look for new events, for ever, and tell those who wait; tidy up now and then."""
        tidied_at = -TIDY_EVERY_S
        while True:
            try:
                if time.monotonic() - tidied_at > TIDY_EVERY_S:
                    tidied_at = time.monotonic()
                    await asyncio.to_thread(self._state.tidy)
                await self._follow_once()
            except ConnectorError as error:
                logger.warning("the ledger cannot be followed now: %s", error)
            is_watched = self._num_listening or self._state.wall.num_viewers
            await asyncio.sleep(FOLLOW_EVERY_S if is_watched else REST_EVERY_S)

    async def _follow_once(self) -> None:
        last_event, last_orders = await asyncio.to_thread(self._look)
        if (last_event, last_orders) != (self._last_event, self._last_orders):
            self._last_event, self._last_orders = last_event, last_orders
            async with self._changed:
                self._changed.notify_all()

    def _look(self) -> tuple[int, int]:
        return self._state.follow(), sum(placed.state != "pending" for placed in self._state.ledger_view.commands())

    async def feed(self, socket: WebSocket) -> None:
        """Take pictures of a camera that knows the key."""
        given = socket.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            camera_id = json.loads(socket.headers.get("x-camera", ""))
        except ValueError:
            camera_id = None
        if not hmac.compare_digest(given.encode(), self._feed_key.encode()) or not isinstance(camera_id, str):
            await socket.close(1008)
            return
        await socket.accept()
        await self._state.wall.feed(socket, camera_id)

    async def wall(self, socket: WebSocket) -> None:
        """Send live pictures of the cameras that are asked for: ``?cameras=`` as JSON; all without."""
        visitor = await self._visitor(socket)
        if visitor is None:
            return
        names = self._state.site_file.site().cameras or self._state.wall.cameras
        try:
            asked = json.loads(socket.query_params.get("cameras", "null"))
        except ValueError:
            asked = []
        wanted = set(names) if asked is None else set(map(str, asked)) if isinstance(asked, list) else set()
        await self._state.wall.view(socket, frozenset(name for name in wanted if visitor.user.sees(name)))

    async def changes(self, socket: WebSocket) -> None:
        """Send ``{"event": N}`` whenever the ledger holds something new, and now and then anyway."""
        if await self._visitor(socket) is None:
            return
        watching = asyncio.create_task(self._tell(socket))
        self._num_listening += 1
        try:
            while True:
                await socket.receive_text()
        except (WebSocketDisconnect, KeyError):
            return
        finally:
            self._num_listening -= 1
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _tell(self, socket: WebSocket) -> None:
        told: tuple[int, int] | None = None
        while True:
            now = (self._last_event, self._last_orders)
            await socket.send_text(json.dumps({"event": now[0], "orders": now[1], "is_new": now != told}))
            told = now
            try:
                await asyncio.wait_for(self._news(told), HEARTBEAT_S)
            except TimeoutError:
                continue

    async def _news(self, told: tuple[int, int]) -> None:
        """Wait until there is something else than what was told."""
        async with self._changed:
            await self._changed.wait_for(lambda: (self._last_event, self._last_orders) != told)

    async def _visitor(self, socket: WebSocket) -> Visitor | None:
        """Return who looks, and let them in; None if they may not."""
        visitor = await asyncio.to_thread(self._state.sessions.visitor, socket.headers, socket.cookies)
        await socket.accept()
        if visitor is None:
            await socket.close(NOT_LOGGED_IN)
        return visitor
