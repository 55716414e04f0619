"""What a trial says of a camera that breaks off."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.cli.cameras.trial import try_camera
from pipeline.config.composition import load_config, to_yaml
from pipeline.core.errors import ConfigError


class Broken(BaseHTTPRequestHandler):
    """Shows one picture to the first who asks, and nothing to others."""

    num_asked = 0

    def do_GET(self) -> None:
        Broken.num_asked += 1
        self.send_response(200)
        self.send_header("content-type", "image/jpeg")
        self.end_headers()
        if Broken.num_asked == 1:
            self.wfile.write(cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/gate.jpg"
        server.shutdown()


@pytest.mark.slow
def test_a_camera_that_breaks_off_before_its_first_picture_is_refused_in_a_line(tmp_path: Path, address: str) -> None:
    (tmp_path / "config.yaml").write_text(to_yaml(load_config(["site=empty", f"output_dir={tmp_path}"])))
    with pytest.raises(ConfigError, match="expected pictures, got the end of the connection"):
        try_camera(tmp_path, "yard", address)
