"""Live video of another server is passed on to those who may see it, as long as they may."""

import json
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from console_page import PASSWORD, RunningPage
from live_video_server import LiveVideoServer
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from connectors.console.camera_address import CameraAddress
from connectors.console.live_video import relay
from connectors.console.store.accounts import Role

pytestmark = pytest.mark.slow

CODECS = "avc1.640029,avc1.64002A"
MASK = "{camera: east, polygon: [[0, 0], [1, 0], [1, 1]], relative: true}"


@pytest.fixture
def server() -> Iterator[LiveVideoServer]:
    with LiveVideoServer("east", "west") as running:
        yield running


@contextmanager
def page_of(folder: Path, server: LiveVideoServer, **settings: Any) -> Iterator[RunningPage]:
    address = CameraAddress(server.address)
    with RunningPage(folder / "run", is_live=True, live_video=address, **settings) as page:
        yield page


@contextmanager
def viewer(page: RunningPage, camera: str, headers: dict[str, str] | None = None) -> Iterator[ClientConnection]:
    address = f"ws://127.0.0.1:{page.port}/api/video?camera={camera}"
    origin = {"origin": page.url, **(headers or {})}
    with connect(address, additional_headers=origin, proxy=None, max_size=None) as socket:
        yield socket


def code_of(socket: ClientConnection) -> int:
    """Read until the connection is closed, and return the code."""
    try:
        while True:
            socket.recv(timeout=30)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 0


def wait_for(happened: Callable[[], bool], seconds: float = 20) -> None:
    give_up_at = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def test_fragments_come_with_the_time_at_which_they_came(tmp_path: Path, server: LiveVideoServer) -> None:
    with page_of(tmp_path, server, is_open=True) as page, viewer(page, "east") as socket:
        socket.send(CODECS)
        assert json.loads(socket.recv())["mime"].startswith("video/mp4; codecs=")
        for number in range(5):
            fragment = socket.recv()
            assert isinstance(fragment, bytes)
            assert abs(struct.unpack(">d", fragment[:8])[0] - time.time()) < 5
            assert fragment[12:16] == (b"ftyp" if number == 0 else b"moof")
    wait_for(lambda: server.num_open == 0)
    assert server.asked == [CODECS]


def test_a_viewer_of_other_cameras_gets_none_and_a_right_that_is_taken_ends_it(
    tmp_path: Path, server: LiveVideoServer
) -> None:
    with page_of(tmp_path, server) as page, page.client("paul", Role.VIEWER, ("west",)) as client:
        assert client.get("/api/site").json()["live_video"] == ["west"]
        cookie = {"cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}
        for camera in ("east", "roof", ""):
            with viewer(page, camera, cookie) as socket:
                assert code_of(socket) == 4404
        with viewer(page, "west") as socket:
            assert code_of(socket) == 4401
        with viewer(page, "west", cookie) as socket:
            socket.send(CODECS)
            socket.recv()
            page.accounts.put("paul", PASSWORD, Role.VIEWER, ("east",))
            began = time.monotonic()
            assert code_of(socket) == 4401
            assert time.monotonic() - began < 5
        wait_for(lambda: server.num_open == 0)
        with page.client("ada", Role.ADMINISTRATOR) as administrator:
            looks = [each for each in administrator.get("/api/audit").json() if "live video" in each["about"]]
    assert [each["by"] for each in looks] == ["paul"]


@pytest.mark.parametrize(
    ("edits", "config"),
    [
        (f"site: {{masks: {{window: {MASK}}}}}", ""),
        ("site: [", ""),
        ("", f"  masks: {{window: {MASK}}}\n"),
        ("", "monitor: {blur_heads: true}\n"),
    ],
    ids=["a saved mask", "edits that cannot be read", "a mask of the start", "blurred heads"],
)
def test_what_is_hidden_in_pictures_has_no_live_video(
    tmp_path: Path, server: LiveVideoServer, edits: str, config: str
) -> None:
    with page_of(tmp_path, server, is_open=True) as page:
        written = page.settings.output_dir / "config.yaml"
        written.write_text(written.read_text() + config)
        (page.settings.output_dir / "edits.yaml").write_text(edits)
        with viewer(page, "east") as socket:
            assert code_of(socket) == 4403
        assert server.asked == []
        with page.client() as client:
            assert "east" not in client.get("/api/site").json()["live_video"]


def test_a_part_of_a_picture_has_no_live_video_of_the_whole(tmp_path: Path, server: LiveVideoServer) -> None:
    with page_of(tmp_path, server, is_open=True) as page:
        written = page.settings.output_dir / "config.yaml"
        left = "{uri: rtsp://host/1, crop_xyxy: [0, 0, 9, 9]}"
        written.write_text(written.read_text().replace("east: /a.mp4", f"east: {left}"))
        with viewer(page, "east") as socket:
            assert code_of(socket) == 4403
        assert server.asked == []


def test_a_viewer_who_does_not_keep_up_is_let_go_and_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "MAX_WAITING", 200_000)
    with (
        LiveVideoServer("east", "west", floods=True) as server,
        page_of(tmp_path, server, is_open=True) as page,
        viewer(page, "east") as slow,
    ):
        slow.send(CODECS)
        slow.recv()
        wait_for(lambda: server.num_open == 0, 60)  # nothing is read meanwhile
        assert code_of(slow) == 4409


@pytest.mark.parametrize("codecs", ["", 'avc1"}', "x" * 501])
def test_codecs_that_are_none_are_not_passed_on(tmp_path: Path, server: LiveVideoServer, codecs: str) -> None:
    with page_of(tmp_path, server, is_open=True) as page, viewer(page, "east") as socket:
        socket.send(codecs)
        assert code_of(socket) == 4404
    assert server.asked == []


def test_a_server_without_the_stream_or_none_at_all_is_said_so(tmp_path: Path) -> None:
    with LiveVideoServer("other") as server, page_of(tmp_path, server, is_open=True) as page:
        with viewer(page, "east") as socket:
            socket.send(CODECS)
            assert code_of(socket) == 4404
        server.__exit__(None, None, None)
        with viewer(page, "east") as socket:
            socket.send(CODECS)
            assert code_of(socket) == 4404


def test_no_more_viewers_than_there_is_room_for(
    tmp_path: Path, server: LiveVideoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "MAX_VIEWERS", 1)
    with page_of(tmp_path, server, is_open=True) as page, viewer(page, "east") as first:
        first.send(CODECS)
        first.recv()
        with viewer(page, "west") as second:
            assert code_of(second) == 4429
        assert first.recv()
