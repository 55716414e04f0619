"""Mistakes are one line that names them, exit code 2, and nothing is written."""

import socket
from pathlib import Path

import pytest
from running import run

pytestmark = [pytest.mark.shared, pytest.mark.slow]


def test_unusable_input_is_refused_with_one_line(shared: Path, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no film")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "0001.jpg").touch()
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        closed_port = held.getsockname()[1]
    altered = tmp_path / "altered"
    altered.mkdir()
    for path in (shared / "models").glob("person-*"):
        (altered / path.name).symlink_to(path)
    public = ["detector=yolox_onnx", "embedder=omz_0288"]
    weights = bytearray((shared / "models/opencv_zoo_yolox_nano.onnx").read_bytes())
    weights[len(weights) // 2] ^= 1
    (altered / "opencv_zoo_yolox_nano.onnx").write_bytes(weights)
    good = f"site.cameras={{east: {clip}}}"
    weights_dir = f"weights_dir={shared / 'models'}"
    cases = {
        "an unknown key": ([good, weights_dir, "flow.drain=1"], "flow"),
        "a misspelt plug-in": ([good, weights_dir, "detector=yolox_onx"], "yolox_onx"),
        "a missing file": ([f"site.cameras={{east: {tmp_path}/no.mp4}}", weights_dir], "no.mp4"),
        "a file of no bytes": ([f"site.cameras={{east: {tmp_path}/empty.mp4}}", weights_dir], "empty.mp4"),
        "a file that is no video": ([f"site.cameras={{east: {tmp_path}/text.mp4}}", weights_dir], "text.mp4"),
        "a picture of no bytes": ([f"site.cameras={{east: {pictures}}}", weights_dir], "pictures"),
        "a camera that is down": (
            [f"site.cameras={{east: 'rtsp://u:hunter2@127.0.0.1:{closed_port}/x'}}", weights_dir],
            "site.cameras.east",
        ),
        "absent weights": ([good, *public, f"weights_dir={tmp_path}", "embedder.weights=nobody.xml"], "nobody.xml"),
        "altered weights": ([good, *public, f"weights_dir={altered}"], "opencv_zoo_yolox_nano.onnx"),
        "weights without a network": (
            [good, *public, f"weights_dir={pictures}"],
            "person-reidentification-retail-0288.xml",
        ),
        "weights behind a network that is down": (
            [good, *public, f"weights_dir={altered}", "detector.weights=movenet_lightning_int8_v4.tflite"],
            "movenet",
        ),
        "weights that are no network": ([good, weights_dir, f"detector.weights={tmp_path}/text.mp4"], "text.mp4"),
        "an option of the wrong type": ([good, weights_dir, "tracker.lost_s=soon"], "tracker.lost_s"),
        "a number that would hang": ([good, weights_dir, "flow.read_ahead_frames=0"], "flow.read_ahead_frames"),
        "an unknown runtime": ([good, weights_dir, "runtime.kind=threads"], "runtime.kind"),
        "a zone in no camera": (
            [good, weights_dir, "site.zones={door: {camera: west, polygon: []}}"],
            "site.zones.door",
        ),
        "a zone that is none": (
            [good, weights_dir, "site.zones={door: {camera: east, polygon: [[0, 0]]}}"],
            "zones.door.polygon",
        ),
        "a camera that no file can be named for": ([f"site.cameras={{a/b: {clip}}}", weights_dir], "a/b"),
        "a brace that is missing": ([f"site.cameras={{east: 'rtsp://u:hunter2@{clip}'", weights_dir], "site.cameras"),
        "a device that is not there": (["site.cameras={door: 99}", weights_dir], "site.cameras.door"),
        "a folder that cannot be": ([good, weights_dir, f"output_dir={clip}/below"], "output_dir"),
    }
    for what, (overrides, named) in cases.items():
        output = tmp_path / "output"
        finished = run(
            [f"output_dir={output}", "runtime=inline", *overrides],
            timeout_s=60,
            XDG_CACHE_HOME=str(tmp_path / "cache"),
            HTTPS_PROXY=f"http://127.0.0.1:{closed_port}",  # there is no network
        )
        assert finished.code == 2, f"{what}: {finished}"
        words = [line for line in finished.err.splitlines() if not line.startswith("{")]  # what is no log
        assert words == finished.errors, f"{what}: {finished.err}"
        assert len(finished.errors) == 1, f"{what}: {finished.err}"
        assert named in finished.errors[0], f"{what}: {finished.err}"
        assert "Traceback" not in finished.err, f"{what}: {finished.err}"
        assert "hunter2" not in finished.err, what
        assert not output.exists(), f"{what}: something was written"
        assert finished.seconds < 30, f"{what}: {finished.seconds:.0f} s"
