"""Cameras that a file of edits keeps for the runs that begin with it."""

from pathlib import Path

import pytest
import yaml

from pipeline.config.composition import load_config
from pipeline.config.edits_of_run import cameras_of_edits
from pipeline.config.kept_cameras import kept_cameras, with_kept_cameras
from pipeline.config.plan import make_plan
from pipeline.config.rule_edits import of_run, parse_edits, to_text, whole_edits
from pipeline.config.schema import PipelineConfig
from pipeline.core.errors import ConfigError
from pipeline.ledger.cameras.command import ChangedCameras

DOOR = {"camera": "east", "polygon": [[0, 0], [90, 0], [90, 60]]}


def config_of(folder: Path) -> PipelineConfig:
    zones = f"site.zones={yaml.safe_dump({'door': DOOR}, default_flow_style=True).strip()}"
    cameras = "site.cameras={east: /a.mp4, west: /b.mp4}"
    return load_config(["site=empty", cameras, zones, "weights_dir=null", f"output_dir={folder}"])


def test_a_run_begins_with_the_cameras_that_were_kept_and_a_zone_may_name_one_that_was_removed(tmp_path: Path) -> None:
    cameras = {"yard": "/c.mp4", "west": {"uri": "/d.mp4", "max_fps": 5}, "east": None}
    (tmp_path / "edits.yaml").write_text(yaml.safe_dump({"site": {"cameras": cameras}}))
    config = config_of(tmp_path)
    kept = with_kept_cameras(config, cameras_of_edits(config))
    assert kept.site.cameras == {"west": {"uri": "/d.mp4", "max_fps": 5}, "yard": "/c.mp4"}
    assert kept.site.later == ["east"]
    assert set(make_plan(kept, has_detector=False).make_sources) == {"west", "yard"}
    assert with_kept_cameras(config, {}) == config


def test_commands_of_the_run_that_is_continued_are_newer(tmp_path: Path) -> None:
    changed = ChangedCameras(added={"yard": "/new.mp4"}, removed=frozenset({"east"}))
    kept = with_kept_cameras(config_of(tmp_path), {"yard": "/old.mp4", "east": None, "roof": "/r.mp4"}, changed)
    assert set(kept.site.cameras) == {"east", "west", "roof"}  # the command adds yard, and leaves east out


def test_whole_edits_keep_the_cameras_and_no_rule_follows_from_them(tmp_path: Path) -> None:
    run = of_run(config_of(tmp_path))
    edits = {"site": {"cameras": {"yard": "rtsp://host/live", "gate": None}}}
    whole = parse_edits(to_text(whole_edits(run, edits, "edits")), "edits")
    assert whole["site"].pop("cameras") == edits["site"]["cameras"]
    assert whole == whole_edits(run, {}, "edits")


@pytest.mark.parametrize(
    ("cameras", "message"),
    [
        (["yard"], "expected {name: address"),
        ({"yard": {}}, "expected a uri"),
        ({"yard": "rtsp://ann:s3cret@host/live"}, "expected no password"),
        ({"yard": {"uri": "rtsp://host", "opener": {"password": "s3cret"}}}, "expected no password"),
    ],
)
def test_what_is_no_camera_is_named_and_no_secret_is_kept(cameras: object, message: str) -> None:
    with pytest.raises(ConfigError, match=f"edits: site.cameras.*{message}") as caught:
        kept_cameras({"site": {"cameras": cameras}}, "edits")
    assert "s3cret" not in str(caught.value)
