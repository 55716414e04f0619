"""The web server around the page."""

import asyncio
import socket

import uvicorn
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect, WebSocketDisconnected

from connectors.console.api.app import make_app
from connectors.console.app_state import AppState
from connectors.console.camera.message import MAX_MESSAGE

MAX_CONNECTIONS = 500
"""Connections at once; more are refused, which bounds memory."""

STOP_S = 2
"""Seconds that open requests get to finish at shutdown; a larger value delays the end of a run."""

CUT_S = 2
"""Seconds more in which those that are cut off then say so; a larger value delays the end of a run."""

STOPPED = "the page ends; ask again when it is back"
"""Answer to a request that the end of the page cuts off."""


class _Server(uvicorn.Server):
    """A server that cuts off what does not finish in time, before uvicorn does so with a traceback for each."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the sockets, let open requests finish, and cut off the rest."""
        cutting = asyncio.create_task(self._cut())
        await super().shutdown(sockets)
        cutting.cancel()

    async def _cut(self) -> None:
        await asyncio.sleep(STOP_S)
        for task in set(self.server_state.tasks):
            task.cancel()


class _EndsInOrder:
    """Ends a socket whose other side has gone, and answers a request that is cut off.

    Args:
        app: The application behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        is_started = False

        async def watched(message: Message) -> None:
            nonlocal is_started
            is_started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except (WebSocketDisconnect, WebSocketDisconnected):
            return  # closed by the other side, or as the server ends
        except asyncio.CancelledError:
            if scope["type"] == "http" and not is_started:
                await JSONResponse({"detail": STOPPED}, 503)(scope, receive, send)
            elif scope["type"] != "websocket":
                raise


def make_server(state: AppState, feed_key: str) -> uvicorn.Server:
    """Return a server; the caller passes it a listening socket.

    Args:
        state: State of the page.
        feed_key: Key that a camera must present.
    """
    settings = state.settings
    return _Server(
        uvicorn.Config(
            _EndsInOrder(make_app(state, feed_key)),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws_max_size=MAX_MESSAGE,
            ws_per_message_deflate=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=STOP_S + CUT_S,
            ssl_certfile=settings.certificate,
            ssl_keyfile=settings.certificate_key,
        )
    )
