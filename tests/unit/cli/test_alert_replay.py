"""Rules over a past run, from its stored boxes and its ledger."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from factories import make_path, make_sighting

from connectors.sinks.mot import MotSink
from pipeline.cli.alerts import main
from pipeline.config.composition import load_config, to_yaml
from pipeline.core import Correction, CorrectionKind, TrackId
from pipeline.ledger import Ledger

ZONES = {"door": {"camera": "east", "polygon": [[0, 0], [150, 0], [150, 119], [0, 119]]}}
TRACKS = {1: TrackId("east", 0, 1), 2: TrackId("east", 0, 2)}


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run in which one person stays at the door for 20 s under two numbers, which were merged later."""
    records = [
        make_sighting(1 + (part > 2), TRACKS[1 + (part > 2)], part, make_path(first=40 * part, length=41))
        for part in range(5)
    ]
    merged = Correction(CorrectionKind.MERGED, (1, 2), "ann", 20.0)
    config = load_config(["site=empty", "site.cameras={east: /a.mp4}", "site.max_dwell_s=30", f"output_dir={tmp_path}"])
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append([*records, merged])
    ledger.close()
    sink = MotSink(output_dir=str(tmp_path), camera_ids=["east"], max_gap_s=0.0)
    sink.write([*records, merged])
    sink.close()
    return tmp_path


def replayed(run_dir: Path, rules: dict, capsys: pytest.CaptureFixture[str]) -> list[dict]:
    path = run_dir / "rules.yaml"
    path.write_text(json.dumps(rules))
    assert main(["replay", str(run_dir), "--rules", str(path), "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_new_zone_and_limit_are_tried_on_the_people_as_they_are_now(run_dir: Path, capsys) -> None:
    (alert,) = replayed(run_dir, {"site": {"zones": ZONES, "max_dwell_s": 15}}, capsys)
    assert (alert["person_id"], alert["place"], alert["started_at"], alert["ended_at"]) == (1, "door", 0.0, 20.0)
    assert alert["evidence"] == ["east/0/1", "east/0/2"]


def test_rules_may_be_chosen_and_changed(run_dir: Path, capsys) -> None:
    rules = {"site": {"zones": ZONES}, "alerts": {"zone_dwell": {"severity": "critical", "max_dwell_s": 3}}}
    (alert,) = replayed(run_dir, rules, capsys)
    assert alert["severity"] == "critical"


def test_the_rules_of_the_run_are_the_default(run_dir: Path, capsys) -> None:
    assert main(["replay", str(run_dir)]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"alerts": {"dwell": {}}}, "alerts.dwell: expected one of absence, camera_lost"),
        ({"zones": ZONES}, "expected some of site, alerts, alerting"),
        ({"alerts": {"zone_dwell": {"limit": 3}}}, "alerts.zone_dwell"),
        ({"site": {"max_dwel_s": 4}}, "site.max_dwel_s: rules have no such key; expected one of"),
        ({"site": {"later": ["gate"]}}, "site.later: rules have no such key; expected one of ground, li"),
        ({"alerting": {"cooldown": 3}}, "alerting.cooldown: rules have no such key; expected one of cooldown_s"),
        ({"alerting": {"exempt": "staff*"}}, "alerting.exempt: expected [value, …], got 'staff*'; correct it"),
        ({"alerting": {"exempt": [["staff"]]}}, "alerting.exempt: expected names, got ['staff']; correct it"),
        ({"alerts": {"watchlist": {"people": [1]}}}, "alerts.watchlist.people: expected {name: value, …}, got [1]; co"),
        ({"site": {"max_dwell_s": None}}, "site.max_dwell_s: expected a number, got None; correct it"),
        ({"site": {"max_dwell_s": -1}}, "error: site.max_dwell_s: expected a number of at least 0, got -1; correct it"),
        ({"site": {"zones": {"door": {"camera": "east", "polygon": [[0, 0], [1, 0], [1, 1]]}}}}, "relative: true"),
        (
            {"site": {"zones": {"door": ZONES["door"] | {"camera": "esat"}}}},
            "site.zones.door.camera: expected one of ['",
        ),
        ({"site": {"lines": {"gate": {"camera": "gat"}}}}, "site.lines.gate.camera: expected one of ['east'], got gat"),
        ({"alerting": {"cooldown_s": -1}}, "alerting.cooldown_s: expected a number of at least 0, got -1"),
        ({"alerts": "zone_dwell"}, "alerts: expected rules by name, got 'zone_dwell'"),
        ({"alerts": {"crowding": {"max_distance_m": 0}}}, "alerts.crowding.max_distance_m: expected a number above 0"),
        ({"alerts": {"follow": {"max_distance_m": -1}}}, "alerts.follow.max_distance_m: expected a number above 0"),
        (
            {"alerts": {"watchlist": {"min_probability": 2}}},
            "alerts.watchlist.min_probability: expected a number of at",
        ),
        (
            {"site": {"zones": {"door": ZONES["door"] | {"polygon": [[900, 1], [950, 1], [950, 9]]}}}},
            "site.zones.door.polygon: expected points inside the picture of 'east'",
        ),
        ({"alerts": {"restricted_camera": {"cameras": ["est"]}}}, "alerts.restricted_camera.cameras: expected one of"),
    ],
)
def test_wrong_rules_are_named(run_dir: Path, capsys, rules: dict, message: str) -> None:
    path = run_dir / "rules.yaml"
    path.write_text(json.dumps(rules))
    assert main(["replay", str(run_dir), "--rules", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_an_alert_is_acknowledged_by_somebody(capsys) -> None:
    assert main(["ack", "dwell/1/0.0/door", "--by", " "]) == 2
    assert capsys.readouterr().err == "error: --by: expected who handles the alert, got no name; give one\n"


def test_a_folder_without_a_run_is_named(tmp_path: Path, capsys) -> None:
    assert main(["replay", str(tmp_path)]) == 2
    assert "expected a run that has ended" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "rules.yaml: expected rules as docs/alerts.md shows, got no such file; correct the path\n"),
        ("alerts: [zone_dwell", "got no YAML: "),
        ("site: {zones: '${nothing}'}", "got a reference ${…}; write its value\n"),
        ("alerts: 3", "alerts: expected rules by name, got 3; correct it\n"),
        ("site: {zones: &a {}, lines: *a}", "got a reference such as *zones; write its value\n"),
        ("alerts: {zone_dwell: {_target_: pipeline.alerts.rules.follow.FollowRule}}", "_target_: expected pipeline"),
        ("site: 3", "rules.yaml"),
        (
            "alerting: {cooldown_s: often}",
            "rules.yaml: alerting.cooldown_s: expected a number, got 'often'; correct it\n",
        ),
        ("alerting: {max_open: 1.5}", "rules.yaml: alerting.max_open: expected a whole number, got 1.5; correct it\n"),
        (b"\xff\xfe\x00", "got no YAML; correct it\n"),
        ("", ""),
    ],
)
def test_a_file_of_rules_that_cannot_be_read_is_named_in_plain_words(run_dir: Path, capsys, text, message: str) -> None:
    path = run_dir / "rules.yaml"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    code = main(["replay", str(run_dir), "--rules", str(path)])
    shown = capsys.readouterr().err
    assert code == (2 if message else 0)
    assert message in shown
    assert not re.search(r"Error\b|Errno|\(", shown)
    assert shown.count("\n") <= 1


def test_a_run_on_a_medium_that_cannot_be_written_is_replayed(run_dir: Path, capsys) -> None:
    rules = run_dir / "rules.yaml"
    rules.write_text(json.dumps({"site": {"zones": ZONES, "max_dwell_s": 15}}))
    with locked(run_dir):
        assert main(["replay", str(run_dir), "--rules", str(rules), "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let nobody write into a folder, this process included, even if it is that of an administrator."""
    is_root = os.geteuid() == 0
    for path in (folder, *folder.parents[:-2]) if is_root else ():
        path.chmod(0o755)
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        if is_root:
            os.seteuid(65534)
        yield
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)
