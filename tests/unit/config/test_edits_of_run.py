"""What is saved in the page is checked as the next run checks it, in the same words."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from clips import make_clip

from pipeline.cli.cameras.checks import check_pictures
from pipeline.config.composition import load_config, to_yaml
from pipeline.config.edits_of_run import checked_edits
from pipeline.config.plan import make_plan
from pipeline.config.schema import PipelineConfig
from pipeline.core.errors import ConfigError

FAR = [[900, 0], [1000, 0], [1000, 90]]
"""Outside of a picture of 160x120."""

NO_GROUND = [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
RECORDED = "{uri: /a/b.mp4, record: 'rtsp://10.0.0.9/main'}"


def config_of(folder: Path, video: Path, west: str = "rtsp://10.0.0.9/live") -> PipelineConfig:
    cameras = f"site.cameras={{east: {video}, west: {west}}}"
    return load_config(["site=empty", cameras, f"output_dir={folder}", "sink=[]", "detector=passerby"])


def save(folder: Path, config: PipelineConfig, edits: dict[str, Any]) -> None:
    """Do what the page does before it saves edits, beside a run whose cameras have told their first frames."""
    (folder / "config.yaml").write_text(to_yaml(config))
    sizes = {name: {"frame_hw": [120, 160]} for name in config.site.cameras}
    (folder / "status.json").write_text(json.dumps({"cameras": sizes}))
    (folder / "new.yaml").write_text(yaml.safe_dump(edits))
    checked_edits(folder, folder / "new.yaml")


@pytest.mark.parametrize(
    ("site", "words"),
    [
        (
            {"masks": {"m": {"camera": "east", "polygon": FAR}}},
            "site.masks.m: expected corners in a picture of 160x120",
        ),
        (
            {"zones": {"z": {"camera": "east", "polygon": FAR}}},
            "site.zones.z.polygon: expected points inside the picture",
        ),
        (
            {"lines": {"l": {"camera": "east", "from": FAR[0], "to": FAR[2], "forbidden": "neither"}}},
            "site.lines.l.from",
        ),
        ({"ground": {"east": NO_GROUND}}, "site.ground.east: expected a camera of"),
        ({"ground": {"east": [[float("nan"), 0, 0], [0, 1, 0], [0, 0, 1]]}}, "site.ground.east: expected a camera of"),
        (
            {"masks": {"m": {"camera": "east", "polygon": [[0, 0], [9, 9], [9, 0], [0, 9]]}}},
            "site.masks.m.polygon: expected edges",
        ),
    ],
)
def test_what_the_next_run_refuses_is_refused_on_saving_in_the_same_words(
    tmp_path: Path, site: dict[str, Any], words: str
) -> None:
    config = config_of(tmp_path, make_clip(tmp_path / "east.mp4", 3))
    with pytest.raises(ConfigError) as saving:
        save(tmp_path, config, {"site": site})
    assert str(saving.value).startswith(words)
    (tmp_path / "edits.yaml").write_text(yaml.safe_dump({"site": site}))
    with pytest.raises(ConfigError) as starting:
        check_pictures(config, make_plan(config, has_detector=False), ["east"])
    assert str(starting.value) == str(saving.value)


def test_a_mask_of_a_live_camera_is_checked_and_its_zones_are_left_to_the_warning_of_the_run(tmp_path: Path) -> None:
    config = config_of(tmp_path, tmp_path / "east.mp4")
    save(tmp_path, config, {"site": {"zones": {"z": {"camera": "west", "polygon": FAR}}}})
    with pytest.raises(ConfigError, match=r"site\.masks\.m: expected corners in a picture of 160x120"):
        save(tmp_path, config, {"site": {"masks": {"m": {"camera": "west", "polygon": FAR}}}})


def test_a_mask_of_a_camera_whose_main_stream_is_recorded_is_refused(tmp_path: Path) -> None:
    mask = {"camera": "west", "polygon": [[0, 0], [9, 0], [9, 9]]}
    with pytest.raises(ConfigError, match=r"site\.cameras\.west\.record: records what site\.masks\.m covers"):
        save(tmp_path, config_of(tmp_path, tmp_path / "east.mp4", RECORDED), {"site": {"masks": {"m": mask}}})


def test_a_zone_that_is_none_is_refused_although_no_rule_reads_it(tmp_path: Path) -> None:
    zones = {"z": {"camera": "east", "polygon": [[0, 0], [9, 9]]}}
    with pytest.raises(ConfigError, match=r"site\.zones\.z\.polygon: expected at least three corners"):
        save(tmp_path, config_of(tmp_path, tmp_path / "east.mp4"), {"site": {"zones": zones}, "alerts": {}})


def test_a_camera_that_has_told_no_frame_yet_is_left_to_the_next_run(tmp_path: Path) -> None:
    config = config_of(tmp_path, tmp_path / "east.mp4")
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    (tmp_path / "new.yaml").write_text(yaml.safe_dump({"site": {"masks": {"m": {"camera": "east", "polygon": FAR}}}}))
    for status in (None, '{"cameras": {"east": {}}}', "[]", "{"):
        if status is not None:
            (tmp_path / "status.json").write_text(status)
        assert checked_edits(tmp_path, tmp_path / "new.yaml")["site"]["masks"]
