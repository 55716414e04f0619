"""A run with a privacy mask: nobody is found under it, and no file of the run shows what it covers."""

import json
import time
from contextlib import closing
from pathlib import Path

import av
import pytest
from running import run, start

from pipeline.camera.privacy_mask import GREY
from pipeline.ledger import LedgerReader

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


@pytest.mark.timeout(600)
def test_a_mask_that_is_saved_while_the_run_goes_on_covers_at_once(tmp_path: Path) -> None:
    camera = "site.cameras={west: {uri: connectors/synthetic/demo/west.mp4, max_fps: 4}}"
    process = start([camera, *SITE[1:], "replay.speed=6", f"output_dir={tmp_path}"])
    try:
        sightings, edits = tmp_path / "sightings.jsonl", tmp_path / "edits.yaml"
        while process.poll() is None and not (sightings.is_file() and sightings.stat().st_size):
            time.sleep(0.1)
        (tmp_path / "new.yaml").write_text(f"site: {{masks: {MASK}}}")
        (tmp_path / "new.yaml").replace(edits)
        _, err = process.communicate(timeout=500)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, err
    with closing(LedgerReader(tmp_path / "ledger.sqlite")) as reader:
        assert "masks applied" in [each.action for each in reader.audit()]
    videos = sorted((tmp_path / "video").glob("*.ts"))
    num_seen = sum(spread_at_the_end(video) > 6 for video in videos)
    assert num_seen < len(videos) / 2, "the recorded video, but for the seconds before"
    assert spread_at_the_end(tmp_path / "annotated/west.mp4") < 6, "the film"
    last = [json.loads(line) for line in sightings.read_text().splitlines()][-3:]
    assert all((each["box_xyxy"][0] + each["box_xyxy"][2]) / 2 > 310 for each in last)


def spread_at_the_end(video: Path) -> float:
    """Return how much the last picture differs within its left half."""
    with av.open(str(video)) as container:
        *_, picture = (each.to_ndarray(format="gray") for each in container.decode(video=0))
    return float(picture[100:200, 100:200].std())


def test_a_mask_outside_of_the_picture_ends_the_run_with_its_key(tmp_path: Path) -> None:
    outside = "{left: {camera: west, polygon: [[900, 0], [1000, 0], [1000, 90]]}}"
    done = run([*SITE, f"site.masks={outside}", f"output_dir={tmp_path}"], timeout_s=250)
    assert done.code == 2
    assert "site.masks.left: expected corners in a picture of 640x360" in done.err
