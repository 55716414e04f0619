"""Cameras that a file of edits keeps for the runs that begin with it."""

from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from pipeline.cli.cameras.changes import with_added
from pipeline.config.composition import load_config, to_yaml
from pipeline.config.edits_of_run import cameras_of_edits
from pipeline.config.kept_cameras import kept_cameras, with_kept_cameras
from pipeline.config.plan import make_plan
from pipeline.config.rule_edits import of_run, parse_edits, to_text, whole_edits
from pipeline.config.schema import PipelineConfig
from pipeline.core.errors import ConfigError
from pipeline.ledger.cameras.command import CameraCommand, CameraCommandKind, ChangedCameras, changed_cameras

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


@pytest.mark.parametrize(
    ("typed", "is_newer"),
    [
        ("rtsp://ann:one@host/1", False),
        ("{uri: 'rtsp://ann:two@host/1', offset_s: 0.5}", False),
        ("rtsp://host/3", True),
    ],
    ids=["as before", "as before, with an offset", "typed since"],
)
def test_a_run_that_is_continued_has_the_camera_that_a_command_changed_unless_another_is_typed(
    tmp_path: Path, typed: str, is_newer: bool
) -> None:
    words = ["site=empty", "weights_dir=null", f"output_dir={tmp_path}"]
    began = load_config([*words, "site.cameras={east: 'rtsp://ann:one@host/1'}"])
    written = yaml.safe_load(to_yaml(began))["site"]["cameras"]["east"]
    change = CameraCommand(CameraCommandKind.CHANGE, "east", "ann", 1.0, entry="rtsp://host/2", replaces=written)
    continued = with_added(load_config([*words, f"site.cameras={{east: {typed}}}"]), changed_cameras([change]))
    assert continued.site.cameras["east"] == ("rtsp://host/3" if is_newer else "rtsp://host/2")


def test_a_camera_that_was_changed_twice_is_as_the_last_command_says(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    entries: list[object] = ["/a.mp4", {"uri": "/c.mp4", "detector": {"min_score": 0.5}}, "/d.mp4"]
    commands = [
        CameraCommand(CameraCommandKind.CHANGE, "east", "ann", 1.0, entry=entry, replaces=before)
        for before, entry in pairwise(entries)
    ]
    assert with_added(config, changed_cameras(commands)).site.cameras["east"] == "/d.mp4"
