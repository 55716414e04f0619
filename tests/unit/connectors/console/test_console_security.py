"""Hostile requests."""

import json
from pathlib import Path

import pytest
from console_page import HOSTILE, RunningPage
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from connectors.console.api.security_middleware import HEADERS, MAX_BODY

MERGE = {"kind": "merge", "person_ids": [1, 2]}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory):
    with RunningPage(tmp_path_factory.mktemp("run")) as running:
        yield running


@pytest.fixture(scope="module")
def client(page: RunningPage):
    with page.client("ann") as logged_in:
        yield logged_in


def test_a_body_that_is_too_large_is_refused(client) -> None:
    body = json.dumps({**MERGE, "reason": "x" * MAX_BODY})
    assert client.post("/api/corrections", content=body).status_code == 413

    def pieces():
        for _ in range(100):
            yield b" " * 1000

    assert client.post("/api/corrections", content=pieces()).status_code == 413


@pytest.mark.parametrize("body", [b"[" * 60_000, b'{"a":' * 10_000, b"\xff\xfe", b"", b"NaN", b'{"kind": "merge"}'])
def test_a_malformed_correction_is_refused(client, body: bytes) -> None:
    answer = client.post("/api/corrections", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)


@pytest.mark.parametrize(
    "path",
    [
        "/page/../app_state.py",
        "/page/..%2fapp_state.py",
        "/page/%2e%2e/%2e%2e/console/accounts.sqlite",
        "/page//etc/passwd",
        "/page/main.js%00.html",
        "/console/accounts.sqlite",
    ],
)
def test_only_files_of_the_page_can_be_fetched(client, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("track", ["../../x/0/1", "east/0/1' OR 1=1 --", "east/0/x", "/0/1/", f"a/0/{10**20}"])
def test_a_malformed_track_has_no_picture(client, track: str) -> None:
    assert client.get("/api/picture", params={"track": track, "part": 0}).status_code in (404, 422)


@pytest.mark.parametrize("path", ["/", "/page/main.js", "/api/people", "/api/nothing", "/api/picture?track=a/0/1"])
def test_every_answer_has_the_security_headers(client, path: str) -> None:
    answer = client.get(path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value


def test_the_page_loads_nothing_from_elsewhere_and_has_no_inline_script() -> None:
    for path in filter(Path.is_file, Path("connectors/console/page").rglob("*")):
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text
        assert "https://" not in text.replace('"https:"', "")
        assert "innerHTML" not in text
        assert "<script>" not in text
        assert 'setAttribute("style"' not in text


def test_a_hostile_camera_name_stays_data(client) -> None:
    answer = client.get("/api/people/4")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["cameras"] == [HOSTILE]
    assert client.get("/api/people", params={"camera": HOSTILE}).json()["num"] == 1


def test_a_socket_from_another_origin_is_refused(page: RunningPage) -> None:
    address = f"ws://127.0.0.1:{page.port}/api/changes"
    with pytest.raises(InvalidStatus), connect(address, origin="https://evil.example", proxy=None):  # type: ignore[arg-type]
        pass


def test_a_socket_without_a_login_is_closed_at_once(page: RunningPage) -> None:
    for path in ("/api/changes", "/api/live"):
        address = f"ws://127.0.0.1:{page.port}{path}"
        with connect(address, proxy=None) as socket, pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


def test_a_feed_without_the_key_is_refused(page: RunningPage) -> None:
    headers = {"authorization": "Bearer wrong", "x-camera": '"east"'}
    address = f"ws://127.0.0.1:{page.port}/feed"
    with pytest.raises(InvalidStatus), connect(address, additional_headers=headers, proxy=None):
        pass
