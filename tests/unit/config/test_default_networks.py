"""Which detector a camera gets when none is named: one of real pictures, but for rendered people."""

from pathlib import Path

import pytest

from pipeline.config.composition import CONFIGS, load_config

REAL, RENDERED = "opencv_zoo_yolox_nano.onnx", "passerby_detector.onnx"


@pytest.mark.parametrize(
    ("words", "weights"),
    [
        ([], RENDERED),
        (["site=world_easy"], RENDERED),
        (["site.cameras={a: 'world://plaza/east'}"], RENDERED),
        (["site.cameras={a: {uri: 'world://plaza/east', max_fps: 5}}"], RENDERED),
        (["site.cameras={a: 'world://plaza/east', b: /films/b.mp4}"], REAL),
        (["site.cameras={a: 'world://plaza/east'}", "site.cameras.b=/films/b.mp4"], REAL),
        (["site.cameras={a: /films/a.mp4}"], REAL),
        (["site.cameras={a: /films/a.mp4}", "output_dir=/films/world://plaza"], REAL),
        (["site=campus"], REAL),
        (["site=demo", "detector=yolox_onnx"], REAL),
        (["site.cameras={a: /films/a.mp4}", "detector=passerby"], RENDERED),
    ],
)
def test_real_cameras_get_a_detector_of_real_pictures(
    words: list[str], weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMERA_USER", "ann")
    monkeypatch.setenv("CAMERA_PASSWORD", "s3cret")
    assert load_config(words).detector["weights"] == weights


def test_a_site_of_ones_own_gets_a_detector_of_real_pictures(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/mine.yaml").write_text("cameras: {door: /films/door.mp4}\n")
    assert load_config(["--config-dir", str(tmp_path), "site=mine"]).detector["weights"] == REAL


def test_every_rendered_site_names_its_networks() -> None:
    for path in (CONFIGS / "site").glob("*.yaml"):
        text = path.read_text()
        assert ("detector: passerby" in text) == ("endered" in text.partition("cameras:")[0]), path.name
