"""What a file of edits says of overlaps, transit times and clocks, as it is accepted in the page."""

from pathlib import Path

import pytest
import yaml

from pipeline.association.geometry.topology import TransitBounds
from pipeline.config.composition import load_config, to_yaml
from pipeline.config.edits_of_run import as_run, with_edits, with_offset_of_camera
from pipeline.config.plan import make_plan
from pipeline.config.rule_edits import edited, of_run, parse_edits, to_text, whole_edits
from pipeline.config.schema import PipelineConfig
from pipeline.core.errors import ConfigError

CAMERAS = "site.cameras={east: /a.mp4, west: {uri: /b.mp4, offset_s: 1}, yard: 'rtsp://10.0.0.9/live'}"
LEARNED = {
    "overlaps": [["east", "yard"]],
    "no_overlap": [["west", "east"]],
    "transit_times": [{"between": ["east", "west"], "min_s": 5.8, "max_s": float("inf"), "typical_s": 12}],
    "offset_s": {"west": -2, "yard": 0.7},
}


def config_of(folder: Path, *words: str) -> PipelineConfig:
    sinks = "sink=[annotated_video]"
    return load_config(["site=empty", CAMERAS, sinks, f"output_dir={folder}", "weights_dir=null", *words])


def edit(folder: Path, site: object = LEARNED) -> None:
    (folder / "edits.yaml").write_text(yaml.safe_dump({"site": site}))


def test_the_matcher_begins_as_configured_and_follows_the_file_once_it_takes_it(tmp_path: Path) -> None:
    edit(tmp_path)
    plan = make_plan(config_of(tmp_path), has_detector=False)
    assert with_edits(config_of(tmp_path)).site.overlaps is None  # the ledger says from when another topology holds
    topology = plan.make_topology(plan.edits.read_text())
    assert topology.transit_times == {("east", "west"): TransitBounds(5.8, float("inf"), 12.0)}
    pairs = (("east", "yard"), ("east", "west"), ("west", "yard"))
    assert [topology.may_coincide(*pair) for pair in pairs] == [True, False, False]


def test_the_times_of_cameras_are_moved_and_the_run_writes_by_how_much(tmp_path: Path) -> None:
    edit(tmp_path)
    config = config_of(tmp_path)
    plan = make_plan(config, has_detector=False)
    offsets = {camera_id: intake.offset_s for camera_id, intake in plan.intakes.items()}
    assert offsets == {"east": 0.0, "west": -2.0, "yard": 0.7}
    written = as_run(config, plan)
    assert written.site.cameras["west"] == written.sink["annotated_video"]["cameras"]["west"]
    assert written.site.cameras["yard"] == {"uri": "rtsp://10.0.0.9/live", "offset_s": 0.7}
    assert written.site.cameras["east"] == "/a.mp4"


def test_a_recording_that_is_read_on_keeps_its_times_and_a_live_camera_follows(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(to_yaml(config_of(tmp_path)))
    edit(tmp_path)
    plan = make_plan(config_of(tmp_path, "resume=true"), has_detector=False)
    assert (plan.intakes["west"].offset_s, plan.intakes["yard"].offset_s) == (1.0, 0.7)
    later = ["resume=true", CAMERAS.replace("b.mp4", "later.mp4")]
    assert make_plan(config_of(tmp_path, *later), has_detector=False).intakes["west"].offset_s == -2.0


def test_a_camera_that_is_read_anew_follows_the_newest_offset(tmp_path: Path) -> None:
    zone = {"camera": "roof", "polygon": [[0, 0], [9, 0], [9, 9]]}  # a camera that is still to be added
    edit(tmp_path, {"offset_s": {"yard": -1.5}, "zones": {"top": zone}})
    config = with_offset_of_camera(config_of(tmp_path), "yard")
    assert config.site.cameras["yard"] == {"uri": "rtsp://10.0.0.9/live", "offset_s": -1.5}
    assert with_offset_of_camera(config_of(tmp_path), "east").site.cameras == config_of(tmp_path).site.cameras


def test_edits_that_say_nothing_of_it_leave_it_to_the_configuration(tmp_path: Path) -> None:
    run = of_run(config_of(tmp_path, "site.overlaps=[[east, yard]]"))
    assert not set(whole_edits(run, {}, "edits")["site"]) & set(LEARNED)
    whole = parse_edits(to_text(whole_edits(run, {"site": LEARNED}, "edits")), "edits")
    assert {key: whole["site"][key] for key in LEARNED} == LEARNED
    assert edited(run, {}, "edits")["site"]["overlaps"] == [["east", "yard"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{overlaps: [[east, roof]]}", "site.overlaps: expected two of ['east', 'west', 'yard']"),
        ("{no_overlap: [[east]]}", "site.no_overlap: expected two of"),
        ("{overlaps: 3}", "overlaps"),
        ("{no_overlap: {east: west}}", "site.no_overlap: expected [value, …]"),
        ("{transit_times: [{between: [east, west], min_s: 9, max_s: 3}]}", "expected 0 <= min_s <= typical_s <= max_s"),
        ("{transit_times: [{between: [east, west], min_s: 1}]}", "max_s"),
        ("{transit_times: [{between: [east, west], min_s: x, max_s: 3}]}", "min_s"),
        ("{offset_s: 3}", "site.offset_s: expected {camera: seconds, …}"),
        ("{offset_s: {roof: 1}}", "site.offset_s: expected one of"),
        ("{offset_s: {west: 11}}", "site.offset_s.west: expected seconds from -10 to 10, got 11"),
        ("{offset_s: {west: .nan}}", "site.offset_s.west: expected seconds from -10 to 10"),
        ("{offset_s: {west: true}}", "site.offset_s.west: expected seconds"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        edited(of_run(config_of(tmp_path)), parse_edits(f"site: {text}", "edits"), "edits")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
