"""Rules that are edited beside a run: what a file of edits may say, and what follows from it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config.composition import load_config
from pipeline.config.edits_of_run import with_edits
from pipeline.config.plan import make_plan
from pipeline.config.rule_edits import (
    edited,
    engine_of,
    of_run,
    parse_edits,
    settle_of,
    templates,
    to_text,
    whole_edits,
)
from pipeline.config.schema import PipelineConfig
from pipeline.core.errors import ConfigError, WeightsError
from pipeline.ledger.cameras.book import CameraBook
from pipeline.ledger.cameras.command import CameraCommand, CameraCommandKind

DOOR = {"camera": "east", "polygon": [[0, 0], [90, 0], [90, 60]]}


def config_of(folder: Path, *words: str) -> PipelineConfig:
    cameras = "site.cameras={east: /a.mp4, west: /b.mp4}"
    return load_config(["site=empty", cameras, f"output_dir={folder}", "sink=[counts]", *words])


def test_whole_edits_give_the_same_rules_over_any_configuration(tmp_path: Path) -> None:
    zones = f"site.zones={yaml.safe_dump({'door': DOOR}, default_flow_style=True).strip()}"
    run = of_run(config_of(tmp_path, zones, "alerts.zone_dwell.severity=critical", "site.max_dwell_s=7"))
    other = of_run(config_of(tmp_path, "alerts=[absence]", "alerting.cooldown_s=3", "site.max_dwell_s=9"))
    whole = parse_edits(to_text(whole_edits(run, {}, "edits")), "edits")
    for key in ("alerts", "alerting"):
        assert edited(other, whole, "edits")[key] == run[key]
    assert whole["site"]["zones"] == {"door": DOOR}
    assert whole["alerts"]["zone_dwell"]["severity"] == "critical"
    assert "zones" not in whole["alerts"]["zone_dwell"]  # it follows the site


def test_a_new_zone_reaches_each_rule_that_follows_the_site(tmp_path: Path) -> None:
    run = of_run(config_of(tmp_path, "alerts=[zone_dwell,occupancy]"))
    rules = edited(run, {"site": {"zones": {"door": DOOR}}}, "edits")["alerts"]
    assert [rule["zones"] for rule in rules.values()] == [{"door": DOOR}, {"door": DOOR}]


@pytest.mark.parametrize(
    ("words", "wait_s"),
    [([], 18.0), (["buffer.part_s=8"], 43.0), (["buffer.part_s=1", "tracker.lost_s=4"], 10.0)],
)
def test_rules_wait_as_long_as_a_part_may_take(tmp_path: Path, words: list[str], wait_s: float) -> None:
    assert settle_of(of_run(config_of(tmp_path, *words))) == wait_s
    assert settle_of(of_run(config_of(tmp_path)) | {"tracker": {"_target_": "mine.Tracker"}}) == 18.0


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return of_run(config_of(tmp_path_factory.mktemp("run")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("site: {zones: ${oc.env:HOME}}", "got a reference"),
        ("site: {zones: &a {}, lines: *a}", "got a reference such as"),
        ("[" * 5000, "more than 12 levels"),
        ("[", "got no YAML"),
        ("sink: {}", "expected some of site, alerts, alerting"),
        ("alerts: {zone_dwell: {_target_: os.system}}", "_target_: expected pipeline.alerts"),
        ("alerts: {../site/demo: {}}", "expected one of absence"),
        ("alerts: {zone_dwell: 3}", "expected options by name"),
        ("site: {zones: {door: {camera: east, polygon: [[0, 0], [1, 1]]}}}", "at least three corners"),
        ("site: {zones: {door: {camera: nowhere, polygon: [[0, 0], [9, 0], [9, 9]]}}}", "expected one of ['east'"),
        ("site: []", "site: expected some of"),
    ],
)
def test_edits_that_cannot_be_used_are_refused_with_the_key(run: dict[str, Any], text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        engine_of(run, parse_edits(text, "edits"), "edits")
    assert message in str(refused.value)


def test_a_run_starts_with_the_site_of_its_edits(tmp_path: Path) -> None:
    ground = {"east": [[0.1, 0, 0], [0, 0.1, 0], [0, 0, 1]]}
    (tmp_path / "edits.yaml").write_text(to_text({"site": {"zones": {"door": DOOR}, "ground": ground}}))
    config = with_edits(config_of(tmp_path))
    assert config.site.zones == config.sink["counts"]["zones"] == {"door": DOOR}
    assert config.site.ground == ground
    assert config.alerts["zone_dwell"]["zones"] == {}  # the alert engine takes the file itself


def test_a_run_with_edits_that_are_wrong_does_not_start(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("alerts: {zone_dwell: {limit: 3}}")
    with pytest.raises(ConfigError, match=r"alerts\.zone_dwell"):
        make_plan(config_of(tmp_path, f"edits={path}", "sink=[]"))


def test_what_rules_never_tell_is_said_once_and_not_beside_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = ["alerts=[absence]", "sink=[]", "detector=passerby", "source=[file]"]
    with pytest.raises(WeightsError):
        make_plan(config_of(tmp_path, *words, "embedder=image_onnx", "embedder.weights=/none.onnx"))
    assert caplog.messages == []
    plan = make_plan(config_of(tmp_path, *words))
    assert [message.split(":")[0] for message in caplog.messages] == ["alerts.absence"]
    caplog.clear()
    (tmp_path / "edits.yaml").write_text("alerts: {occupancy: {}}")
    edits = make_plan(config_of(tmp_path, *words)).edits.read_text()
    plan.make_alert(edits)
    assert [message.split(":")[0] for message in caplog.messages] == ["alerts.occupancy"]


MINE = """mine:
  _target_: pipeline.alerts.rules.zone_dwell.ZoneDwellRule
  name: mine
  severity: info
  zones: ${site.zones}
  max_dwell_s: 2
  max_absence_s: 3.0
  forget_after_s: 300.0
  ground: ${site.ground}
"""


def test_a_rule_of_ones_own_can_be_tried(tmp_path: Path, run: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "alerts").mkdir()
    (tmp_path / "alerts/mine.yaml").write_text(MINE)
    other = {"alerts": {"mine": {"max_dwell_s": 4}}, "site": {"zones": {"door": DOOR}}}
    with pytest.raises(ConfigError, match=r"alerts\.mine: expected one of .*, or one more of a class of these"):
        edited(run, other, "edits")
    rule = edited(run | {"config_dirs": [tmp_path]}, other, "edits")["alerts"]["mine"]
    assert (rule["max_dwell_s"], rule["zones"]) == (4, {"door": DOOR})
    monkeypatch.setenv("PASSERBY_CONFIG_DIR", str(tmp_path))
    assert edited(run, other, "edits")["alerts"]["mine"] == rule
    assert edited(run, whole_edits(run, other, "edits"), "edits")["alerts"]["mine"] == rule
    (tmp_path / "alerts/mine.yaml").write_text("other: {}")
    with pytest.raises(ConfigError, match=r"mine\.yaml: expected the options of a rule under mine:"):
        edited(run, other, "edits")


def test_a_second_rule_of_one_class_can_be_tried(run: dict[str, Any]) -> None:
    target = "pipeline.alerts.rules.zone_dwell.ZoneDwellRule"
    second = {"_target_": target, "max_dwell_s": 2}
    other = {"alerts": {"zone_dwell": {}, "short": second}, "site": {"zones": {"door": DOOR}}}
    rules = edited(run, other, "edits")["alerts"]
    assert [(rule["name"], rule["zones"]) for rule in rules.values()] == [
        ("zone_dwell", {"door": DOOR}),
        ("short", {"door": DOOR}),
    ]
    assert rules["short"]["max_dwell_s"] == 2
    whole = whole_edits(run, other, "edits")
    assert whole["alerts"]["short"].keys() >= second.keys()
    assert edited(run, whole, "edits")["alerts"] == rules
    engine_of(run, other, "edits")


def test_edits_build_nothing_but_rules(run: dict[str, Any]) -> None:
    other = {"alerts": {"mine": {"_target_": "connectors.sinks.jsonl.JsonlSink"}}}
    with pytest.raises(ConfigError, match=r"alerts\.mine\._target_: expected the class of one of"):
        engine_of(run, other, "edits")


def test_a_site_may_let_nobody_stay_in_a_zone(run: dict[str, Any]) -> None:
    assert edited(run, {"site": {"max_dwell_s": 0}}, "edits")["alerts"]["zone_dwell"]["max_dwell_s"] == 0


def test_templates_have_the_options_of_every_rule_that_are_its_own() -> None:
    found: dict[str, dict[str, Any]] = templates()
    assert found["zone_dwell"] == {"severity": "warning", "max_absence_s": 3.0, "forget_after_s": 300.0}
    assert len(found) == len(list((Path(__file__).parents[3] / "configs/alerts").glob("*.yaml")))


def test_edits_may_name_a_camera_once_it_is_added_to_the_run(tmp_path: Path) -> None:
    plan = make_plan(config_of(tmp_path))
    text = to_text({"site": {"zones": {"gate": {**DOOR, "camera": "yard"}}}})
    with pytest.raises(ConfigError, match="got yard"):
        plan.make_alert(text)
    book = CameraBook(tmp_path)
    number = book.submit(CameraCommand(CameraCommandKind.ADD, "yard", by="ann", at=1.0, entry="/c.mp4"))
    with pytest.raises(ConfigError, match="got yard"):
        plan.make_alert(text)  # asked for, and not added
    book.finish(number, is_done=True, text="camera yard is added")
    plan.make_alert(text)


@pytest.mark.parametrize(
    "text",
    [
        "site: {zones: {a: {}, a: {}}}",
        "alerts: {absence: {}}\nalerts: {}",
        "site: {zones: {a: {polygon: [{x: 1, x: 2}]}}}",
    ],
)
def test_a_key_that_is_given_twice_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^r\.yaml: .* the key (a|alerts|x) twice in line"):
        parse_edits(text, "r.yaml")
