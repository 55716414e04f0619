"""What breaks during a run, and what the run leaves then."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from footage import write_clip
from rtsp_server import RtspServer, free_port
from running import interrupt, run, start

pytestmark = [pytest.mark.shared, pytest.mark.slow]


def summary(folder: Path) -> dict[str, object]:
    loaded: dict[str, object] = json.loads((folder / "summary.json").read_text())
    return loaded


def wait_for(what: object, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


@pytest.fixture
def base(shared: Path, tmp_path: Path) -> list[str]:
    return ["runtime=inline", f"weights_dir={shared / 'models'}", f"output_dir={tmp_path / 'out'}"]


def test_a_recording_that_breaks_off_keeps_what_came_before(clip: Path, base: list[str], tmp_path: Path) -> None:
    whole = write_clip(clip, tmp_path / "whole.mkv", 40)
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    finished = run([*base, f"site.cameras={{east: {broken}, west: {clip}}}"])
    assert finished.code == 1
    assert len(finished.errors) == 1
    assert "east" in finished.errors[0]
    cameras = summary(tmp_path / "out")["cameras"]
    assert cameras["east"]["error"]
    assert 5 < cameras["east"]["frames_processed"] < 40
    assert cameras["west"]["error"] is None
    assert cameras["west"]["frames_processed"] == 40
    assert (tmp_path / "out/mot/east.txt").read_text()


def test_a_camera_that_is_down_for_a_while_is_opened_again(clip: Path, base: list[str], tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    write_clip(clip, media / "east.mp4", 40)
    with RtspServer(media) as server:
        url = server.url("east.mp4", endless=True)
        process = start([*base, f"site.cameras={{east: '{url}'}}", "flow.min_backoff_s=0.5", "flow.max_reopens=50"])
        sightings = tmp_path / "out/sightings.jsonl"
        wait_for(lambda: sightings.exists() and sightings.read_text())
        server.kill()
        time.sleep(3)
        before = sightings.read_text()
        server.start()
        wait_for(lambda: len(sightings.read_text()) > len(before))
        finished = interrupt(process)
    assert finished.code == 0, finished.err
    camera = summary(tmp_path / "out")["cameras"]["east"]
    assert camera["reopens"] >= 1
    assert camera["error"] is None
    sessions = {json.loads(line)["track"].split("/")[1] for line in sightings.read_text().splitlines()}
    assert len(sessions) > 1


class Receiver(BaseHTTPRequestHandler):
    """Answers 500 once, then 200."""

    answers: list[int]
    bodies: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        code = self.answers.pop(0) if self.answers else 200
        if code == 200:
            self.bodies.append(body)
        self.send_response(code)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def receiver() -> Iterator[HTTPServer]:
    Receiver.answers, Receiver.bodies = [500], []
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_webhook_that_answers_500_once_gets_every_alert_once(
    clip: Path, base: list[str], tmp_path: Path, receiver: HTTPServer
) -> None:
    zone = "all: {camera: east, polygon: [[0, 0], [768, 0], [768, 576], [0, 576]]}"
    finished = run(
        [
            *base,
            f"site.cameras={{east: {clip}}}",
            f"site.zones={{{zone}}}",
            "alerts=[zone_dwell]",
            "alerts.zone_dwell.max_dwell_s=1",
            "sink=[jsonl,webhook]",
        ],
        PASSERBY_WEBHOOK_URL=f"http://127.0.0.1:{receiver.server_port}/hook",
    )
    assert finished.code == 0, finished.err
    written = [json.loads(line) for line in (tmp_path / "out/alerts.jsonl").read_text().splitlines()]
    delivered = [json.loads(body) for body in Receiver.bodies]
    assert written
    assert [(alert["key"], alert["state"]) for alert in delivered] == [(a["key"], a["state"]) for a in written]
    assert summary(tmp_path / "out")["sink_retries"] >= 1


@pytest.mark.parametrize("runtime", ["inline", pytest.param("ray", marks=pytest.mark.ray)])
def test_a_webhook_that_is_down_stalls_no_camera_and_is_reported(
    clip: Path, base: list[str], tmp_path: Path, runtime: str
) -> None:
    finished = run(
        [
            *base,
            f"runtime={runtime}",
            f"site.cameras={{east: {clip}}}",
            "site.zones={all: {camera: east, polygon: [[0, 0], [768, 0], [768, 576], [0, 576]]}}",
            "alerts=[zone_dwell]",
            "alerts.zone_dwell.max_dwell_s=1",
            "sink=[jsonl,mot,webhook]",
            "flow.flush_every_s=0",
            "flow.drain_s=2",
        ],
        PASSERBY_WEBHOOK_URL=f"http://127.0.0.1:{free_port()}/hook",
    )
    assert finished.code == 1
    assert len(finished.errors) == 1, finished.err
    assert "sink.webhook" in finished.errors[0]
    assert summary(tmp_path / "out")["cameras"]["east"]["frames_processed"] == 40
    assert (tmp_path / "out/alerts.jsonl").read_text()
    assert (tmp_path / "out/mot/east.txt").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to mount a small file system")
@pytest.mark.parametrize("runtime", ["inline", pytest.param("ray", marks=pytest.mark.ray)])
def test_a_full_disk_is_one_error_and_leaves_whole_lines(
    shared: Path, base: list[str], tmp_path: Path, runtime: str
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", disk], check=False)
    if mounted.returncode:
        pytest.skip("cannot mount a small file system")
    try:
        finished = run(
            [
                *base,
                f"site.cameras={{east: {shared / 'data/pets09/vtest.avi'}}}",
                f"output_dir={disk}/out",
                f"runtime={runtime}",
            ],
            timeout_s=240,
        )
        assert finished.code == 1
        assert len(finished.errors) == 1, finished.err
        assert str(disk) in finished.errors[0]
        assert "Traceback" not in finished.err
        for line in (disk / "out/sightings.jsonl").read_text().splitlines():
            json.loads(line)
    finally:
        subprocess.run(["umount", disk], check=True)
