"""A run with a privacy mask: nobody is found under it, and no file of the run shows what it covers."""

import json
from pathlib import Path

import av
import pytest
from running import run

from pipeline.camera.privacy_mask import GREY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MASK = "{left: {camera: west, relative: true, polygon: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}}"
SITE = (
    "site.cameras={west: connectors/synthetic/demo/west.mp4}",
    *("detector=passerby", "runtime=inline", "sink=[jsonl,recording,annotated_video]"),
)


def test_nobody_is_found_under_a_mask_and_no_video_shows_it(tmp_path: Path) -> None:
    done = run([*SITE, f"site.masks={MASK}", f"output_dir={tmp_path}"], timeout_s=250)
    assert done.code == 0, done.err
    sightings = [json.loads(line) for line in (tmp_path / "sightings.jsonl").read_text().splitlines()]
    west = [each["box_xyxy"] for each in sightings if each["camera_id"] == "west"]
    assert west
    assert all((left + right) / 2 > 310 for left, _, right, _ in west), "half of the picture is 320 pixels wide"
    for video in [*(tmp_path / "video").glob("*.ts"), tmp_path / "annotated/west.mp4"]:
        with av.open(str(video)) as container:
            picture = next(container.decode(video=0)).to_ndarray(format="gray").astype(int)
        middle = picture[100:200, 100:200]
        assert abs(middle.mean() - GREY) < 6, video
        assert middle.std() < 6, video


def test_a_mask_outside_of_the_picture_ends_the_run_with_its_key(tmp_path: Path) -> None:
    outside = "{left: {camera: west, polygon: [[900, 0], [1000, 0], [1000, 90]]}}"
    done = run([*SITE, f"site.masks={outside}", f"output_dir={tmp_path}"], timeout_s=250)
    assert done.code == 2
    assert "site.masks.left: expected corners in a picture of 640x360" in done.err
