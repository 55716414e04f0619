"""A recording that was read in part is scored on that part, wherever it is."""

from pathlib import Path

import pytest

from pipeline.cli.scoring.truth import score_run
from pipeline.config.composition import load_config
from pipeline.config.schema import TruthConfig
from pipeline.telemetry.camera_status import CameraStatus

CAMERAS = (
    "{uri: /a/east.mp4, seconds: 2}",
    "{uri: 'https://host/east.mp4', seconds: 2}",
    "{uri: 's3://footage/east.mp4', seconds: 2, stride: 4}",
    "{uri: /a/east.mp4, seconds: 2, max_fps: 2}",
)


@pytest.mark.parametrize("camera", CAMERAS)
def test_only_the_part_that_was_asked_for_is_scored(camera: str, tmp_path: Path) -> None:
    row = "{},1,10,10,20,60,1,-1,-1,-1\n"
    (tmp_path / "truth.txt").write_text("".join(row.format(number) for number in range(1, 101)))
    (tmp_path / "mot").mkdir()
    (tmp_path / "mot" / "east.txt").write_text("".join(row.format(number) for number in range(1, 21)))
    config = load_config([f"site.cameras={{east: {camera}}}", "sink=[mot]"])
    config.site.truth = TruthConfig("mot", str(tmp_path / "truth.txt"), crops={"east": None})
    read_in_part = score_run(config, tmp_path, {"east": CameraStatus(frames_read=5, next_index=20)})
    assert read_in_part is not None
    assert read_in_part.idf1 == 1.0
    config.site.cameras["east"] = {**config.site.cameras["east"], "seconds": None}
    whole = score_run(config, tmp_path, {"east": CameraStatus(frames_read=100, next_index=100)})
    assert whole is not None
    assert whole.idf1 == pytest.approx(2 * 20 / 120)
