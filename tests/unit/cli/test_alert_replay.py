"""Rules over a past run, from its stored boxes and its ledger."""

import json
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
        ({"site": {"max_dwel_s": 4}}, "site.max_dwel_s: there is no such key; expected one of"),
        ({"alerting": {"cooldown": 3}}, "alerting.cooldown: there is no such key; expected one of cooldown_s"),
        ({"site": {"zones": {"door": {"camera": "east", "polygon": [[0, 0], [1, 0], [1, 1]]}}}}, "relative: true"),
        (
            {"site": {"zones": {"door": ZONES["door"] | {"camera": "esat"}}}},
            "site.zones.door.camera: expected one of ['",
        ),
        ({"site": {"lines": {"gate": {"camera": "gat"}}}}, "site.lines.gate.camera: expected one of ['east'], got gat"),
        ({"alerts": {"restricted_camera": {"cameras": ["est"]}}}, "alerts.restricted_camera.cameras: expected one of"),
    ],
)
def test_wrong_rules_are_named(run_dir: Path, capsys, rules: dict, message: str) -> None:
    path = run_dir / "rules.yaml"
    path.write_text(json.dumps(rules))
    assert main(["replay", str(run_dir), "--rules", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_without_a_run_is_named(tmp_path: Path, capsys) -> None:
    assert main(["replay", str(tmp_path)]) == 2
    assert "expected a run that has ended" in capsys.readouterr().err
