"""The web server around the page."""

import uvicorn

from connectors.console.api.app import make_app
from connectors.console.app_state import AppState
from connectors.console.camera.message import MAX_MESSAGE

MAX_CONNECTIONS = 500
STOP_S = 2


def make_server(state: AppState, feed_key: str) -> uvicorn.Server:
    """Return a server that is to be given a socket that listens.

    Args:
        state: What it works with.
        feed_key: What cameras show to be let in.
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
