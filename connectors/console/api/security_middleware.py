"""Security middleware: checks host, origin and size of each request, and adds security headers to each answer."""

from collections.abc import Set

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.console.api.upload import MAX_UPLOAD

MAX_BODY = 65536
"""Bytes of a request's body."""

MAX_RULES = 600_000
"""Bytes of a request with rules: zones of hundreds of cameras."""

MAX_BODY_AT = {
    **dict.fromkeys(("/api/search/picture", "/api/watchlist/picture", "/api/floor-plan"), MAX_UPLOAD),
    **dict.fromkeys(("/api/rules", "/api/rules/check", "/api/rules/try"), MAX_RULES),
}
"""Paths with a larger limit, bytes."""

MAX_LARGE = 4
"""Such requests at once. Bodies are read before the user is known, so this bounds the memory they take."""

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "media-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class SecurityMiddleware:
    """Refuses requests for other hosts, from other origins and of too many bytes; adds security headers.

    Args:
        app: The application behind it.
        hosts: Host names that a request may carry.
        is_tls: Whether to tell browsers to use TLS only.
    """

    def __init__(self, app: ASGIApp, *, hosts: Set[str], is_tls: bool) -> None:
        self._app = app
        self._hosts = hosts
        self._num_large = 0
        self._headers = dict(HEADERS)
        if is_tls:
            self._headers["strict-transport-security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal is not None and scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal[1]})
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message["headers"]}
                added = [(name.encode(), value.encode()) for name, value in self._headers.items()]
                if b"cache-control" not in names:
                    added.append((b"cache-control", b"no-store"))
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        if refusal is not None:
            await JSONResponse({"detail": refusal[1]}, refusal[0])(scope, receive, send_with_headers)
            return
        if scope["type"] == "websocket" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send_with_headers)
            return
        if scope["path"] not in MAX_BODY_AT:
            await self._pass_on(scope, receive, send_with_headers)
            return
        if self._num_large >= MAX_LARGE:
            busy = f"expected at most {MAX_LARGE} uploads at once; try again"
            await JSONResponse({"detail": busy}, 429)(scope, receive, send_with_headers)
            return
        self._num_large += 1
        try:
            await self._pass_on(scope, receive, send_with_headers)
        finally:
            self._num_large -= 1

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive, _max_body(scope))
        if body is None:
            await JSONResponse({"detail": _too_long(scope)}, 413)(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        host = _without_port(headers.get("host", ""))
        if host not in self._hosts:
            return 421, "expected a host name of this page, got another; see sink.console.names"
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != headers.get("host"):
            return 403, "expected a request from this page, got one from another origin"
        if scope["path"].startswith("/api") and headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return 403, "expected a request from this page, got one from another site"
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > _max_body(scope):
            return 413, _too_long(scope)
        return None


def _max_body(scope: Scope) -> int:
    return MAX_BODY_AT.get(scope["path"], MAX_BODY)


def _too_long(scope: Scope) -> str:
    return f"expected at most {_max_body(scope)} bytes"


def _without_port(host: str) -> str:
    """Return the host name of a Host header.

    Example:
        >>> _without_port("[::1]:8400"), _without_port("localhost:8400"), _without_port("a")
        ('[::1]', 'localhost', 'a')
    """
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


async def _body(receive: Receive, max_bytes: int) -> bytes | None:
    """Return the whole body; None if it has more than ``max_bytes``."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > max_bytes:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives this body first, and then what follows it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> Message:
        return waiting.pop() if waiting else await receive()

    return give
