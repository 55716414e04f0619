"""How the page ends while pages and cameras are connected and requests are open: at once, in order, without a word."""

import json
import logging
import threading
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from console_page import FEED_KEY, RunningPage
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from connectors.console import server


def close_code(connection: ClientConnection) -> int | None:
    """Read what is left of a connection, and return the code with which the server closed it."""
    try:
        list(connection)
    except ConnectionClosed as error:
        return error.rcvd and error.rcvd.code
    return 1000


def test_the_page_ends_in_order_with_sockets_and_a_request_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[logging.LogRecord] = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", said.append)
    monkeypatch.setattr(server, "STOP_S", 0.3)
    entered, release = threading.Event(), threading.Event()
    answers: list[httpx.Response] = []
    feed = {"authorization": f"Bearer {FEED_KEY}", "x-camera": json.dumps("east")}
    running = RunningPage(tmp_path, is_open=True)
    logging.getLogger("uvicorn.error").addHandler(handler)
    with ExitStack() as stack:
        stack.callback(logging.getLogger("uvicorn.error").removeHandler, handler)
        with running:

            def blocked() -> list[object]:
                entered.set()
                release.wait(30)
                return []

            monkeypatch.setattr(running.state.ledger_view, "alerts", blocked)
            asking = threading.Thread(target=lambda: answers.append(httpx.get(f"{running.url}/api/alerts", timeout=30)))
            asking.start()
            stack.callback(release.set)
            address = running.url.replace("http", "ws", 1)
            sockets = [stack.enter_context(connect(f"{address}{path}")) for path in ("/api/changes", "/api/live")]
            sockets.append(stack.enter_context(connect(f"{address}/feed", additional_headers=feed)))
            sockets[0].recv(timeout=30)
            assert entered.wait(30)
        asking.join(30)
        assert [close_code(each) for each in sockets] == [1012] * 3, "the service restarts"
    assert [(answer.status_code, answer.json()["detail"]) for answer in answers] == [(503, server.STOPPED)]
    assert [record.getMessage() for record in said if record.levelno >= logging.WARNING] == []
