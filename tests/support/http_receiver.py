"""A web server on loopback, for what sends to one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def is_let_in(handler: BaseHTTPRequestHandler) -> bool:
    """Return whether a request may be answered; under ``/private`` only that of ann, and others are refused here."""
    if "private" not in handler.path or handler.headers.get("Authorization") == "Basic YW5uOnMzY3I6ZXQ=":  # ann:s3cr:et
        return True
    handler.send_response(401)
    handler.send_header("WWW-Authenticate", 'Basic realm="cam"')
    handler.send_header("Content-Length", "0")
    handler.end_headers()
    return False


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve until the block ends; yields the address, without a slash at its end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
