"""What a trial says of a camera, which it opens once."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.cli.cameras.trial import try_camera
from pipeline.config.composition import load_config, to_yaml
from pipeline.core.errors import ConfigError

pytestmark = pytest.mark.slow


class Camera(BaseHTTPRequestHandler):
    """Sends ten pictures a second as MJPEG, to one viewer at a time; at ``/broken`` none."""

    num_asked = 0

    def do_GET(self) -> None:
        Camera.num_asked += 1
        self.send_response(200)
        self.send_header("content-type", "multipart/x-mixed-replace; boundary=part")
        self.end_headers()
        rng = np.random.default_rng(0)
        for _ in range(0 if self.path == "/broken" else 100):
            jpeg = cv2.imencode(".jpg", rng.integers(0, 255, (48, 64, 3), np.uint8))[1].tobytes()
            head = f"--part\r\ncontent-type: image/jpeg\r\ncontent-length: {len(jpeg)}\r\n\r\n".encode()
            try:
                self.wfile.write(head + jpeg + b"\r\n")
            except OSError:
                return
            time.sleep(0.1)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    Camera.num_asked = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Camera) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(to_yaml(load_config(["site=empty", f"output_dir={tmp_path}"])))
    return tmp_path


def test_a_camera_is_opened_once_and_its_picture_is_shown(run: Path, address: str) -> None:
    found, jpeg = try_camera(run, "yard", f"{address}/live")
    assert (found["width"], found["height"], found["is_live"], found["wrong"]) == (64, 48, True, "")
    assert jpeg.startswith(b"\xff\xd8")
    assert Camera.num_asked == 1, "some cameras have one viewer at a time"


def test_a_camera_that_breaks_off_before_its_first_picture_is_refused_in_a_line(run: Path, address: str) -> None:
    with pytest.raises(ConfigError, match=r"site\.cameras\.yard: http://.*/broken: expected pictures, got") as refused:
        try_camera(run, "yard", f"{address}/broken")
    assert "\n" not in str(refused.value)


def test_a_recording_that_is_not_there_is_refused_in_a_line(run: Path) -> None:
    with pytest.raises(ConfigError, match=r"site\.cameras\.yard: .*nowhere\.mp4") as refused:
        try_camera(run, "yard", str(run / "nowhere.mp4"))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("detector", ["no_such_detector", {"_target_": "models.detection.no_such.Detector"}])
def test_a_detector_that_cannot_be_used_is_refused_before_the_camera_is_opened(
    run: Path, address: str, detector: object
) -> None:
    with pytest.raises(ConfigError, match=r"yard.*detector|detector.*no_such"):
        try_camera(run, "yard", {"uri": f"{address}/live", "detector": detector})
    assert Camera.num_asked == 0


def test_a_machine_that_there_is_not_is_no_web_page(run: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"rtsp://nowhere\.invalid/x: expected pictures, got no machine named nowhere"
    ):
        try_camera(run, "yard", "rtsp://nowhere.invalid/x")
