"""The web server around the page."""

import uvicorn

from connectors.console.api.app import make_app
from connectors.console.app_state import AppState
from connectors.console.camera.message import MAX_MESSAGE

MAX_CONNECTIONS = 500
"""Connections at once; more are refused, which bounds memory."""

STOP_S = 2
"""Seconds that open requests get to finish at shutdown; a larger value delays the end of a run."""


def make_server(state: AppState, feed_key: str) -> uvicorn.Server:
    """Return a server; the caller passes it a listening socket.

    Args:
        state: State of the page.
        feed_key: Key that a camera must present.
    """
    settings = state.settings
    return uvicorn.Server(
        uvicorn.Config(
            make_app(state, feed_key),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws_max_size=MAX_MESSAGE,
            ws_per_message_deflate=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=STOP_S,
            ssl_certfile=settings.certificate,
            ssl_keyfile=settings.certificate_key,
        )
    )
