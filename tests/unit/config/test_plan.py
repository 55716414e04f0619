"""What the plan of a run takes from its configuration."""

import pickle
import re
from math import inf
from pathlib import Path

import pytest
from factories import make_embedding

from pipeline.association.track_segment import TrackSegment
from pipeline.config.composition import load_config
from pipeline.config.plan import make_plan
from pipeline.config.process_limits import process_limits
from pipeline.core import TrackId
from pipeline.core.errors import ConfigError
from pipeline.runtime.plan import Plan, Share

LIVE, RECORDED = "gate: 'rtsp://10.0.0.1/live'", "east: /a/east.mp4"


def plan_of(cameras: str, *overrides: str) -> Plan:
    return make_plan(load_config([f"site.cameras={{{cameras}}}", "runtime=inline", *overrides]))


@pytest.mark.parametrize(
    ("cameras", "expected"),
    [(LIVE, 4.0), (f"{LIVE}, {RECORDED}", 4.0), (RECORDED, inf)],
    ids=["live", "both", "recorded"],
)
def test_only_live_cameras_can_be_late(cameras: str, expected: float) -> None:
    assert plan_of(cameras, "matcher.max_lateness_s=4").match.max_lateness_s == expected


@pytest.mark.parametrize(("cameras", "expected"), [(LIVE, 0.7), (RECORDED, 0.0)], ids=["live", "recorded"])
def test_only_clocks_of_live_cameras_may_be_apart(cameras: str, expected: float) -> None:
    one, two = (TrackSegment.begin(make_embedding(TrackId(camera_id, 0, 1))) for camera_id in ("gate", "east"))
    constraints = plan_of(cameras, "matcher.clock_error_s=0.7").make_match()._constraints
    assert (constraints.clocks_apart_s(one, two), constraints.clocks_apart_s(one, one)) == (expected, 0.0)


def test_limits_and_shares_of_the_configuration_are_in_the_plan(tmp_path: Path) -> None:
    plan = plan_of(
        RECORDED,
        "runtime=ray",
        "runtime.detect.replicas=3",
        "runtime.match.num_cpus=2",
        "runtime.max_restarts=7",
        "runtime.checkpoint_every_s=9",
        "flow.drain_s=11",
        "ledger.retention_s=60",
        "ledger.max_events=0",
        "resume=true",
        f"output_dir={tmp_path}",
    )
    processes = plan.processes
    assert (processes.kind, processes.max_restarts, processes.checkpoint_every_s) == ("ray", 7, 9.0)
    assert processes.shares["detect"] == Share(0.0, 0.0, 3, beside_cameras=True)
    assert processes.shares["match"] == Share(2.0, 0.0, 1)
    assert (plan.match.retention_s, plan.match.max_events, plan.drain_s) == (60.0, 0, 11.0)
    assert (plan.resume, plan.output_dir) == (True, tmp_path)


def test_a_plan_can_be_sent_to_other_processes() -> None:
    assert pickle.loads(pickle.dumps(plan_of(RECORDED))).make_sources.keys() == {"east"}


@pytest.mark.parametrize("actor", ["camera", "match"])
def test_there_is_one_match_actor_and_one_actor_for_each_camera(actor: str) -> None:
    with pytest.raises(ConfigError, match="replicas"):
        plan_of(RECORDED, f"runtime.{actor}.replicas=2")


def shares_of(monkeypatch: pytest.MonkeyPatch, *overrides: str) -> dict[str, Share]:
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    return dict(plan_of(RECORDED, "runtime=ray", *overrides).processes.shares)


def test_a_network_works_beside_the_cameras_unless_it_reserves_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = shares_of(monkeypatch, "runtime.detect.num_gpus=1", "runtime.pose.resources={lane: 1}")
    assert [shares[kind].beside_cameras for kind in ("detect", "pose", "embed")] == [False, False, True]
    assert shares["pose"].resources == {"lane": 1.0}
    stated = shares_of(monkeypatch, "runtime.detect.num_gpus=1", "runtime.detect.beside_cameras=true")
    assert stated["detect"].beside_cameras


def test_the_device_of_each_plug_in_reserves_part_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere = shares_of(monkeypatch, "device=cuda")
    assert sum(share.num_gpus * share.replicas for share in everywhere.values()) == pytest.approx(1)
    assert everywhere["camera"].num_gpus == 0
    only_detector = shares_of(monkeypatch, "detector.device=cuda")
    assert {kind for kind, share in only_detector.items() if share.num_gpus} == {"detect"}
    assert shares_of(monkeypatch, "device=cuda", "runtime.detect.num_gpus=0.5")["detect"].num_gpus == 0.5


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], 16),
        (["reproducible=false"], 5),
        (["reproducible=false", "detector.device=cuda"], 16),
        (["reproducible=false", "runtime.batch.max_items=3"], 3),
        (["runtime.batch.max_items=3"], 3),
    ],
)
def test_a_network_on_a_processor_takes_few_at_once(words: list[str], expected: int) -> None:
    assert process_limits(load_config(words)).max_items == expected


def test_a_device_is_asked_for_here_only_if_the_run_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    for runtime in ("inline", "ray"):
        with pytest.raises(ConfigError, match="device: expected"):
            plan_of(RECORDED, f"runtime={runtime}", "device=tpu")
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert plan_of(RECORDED, "runtime=ray", "device=tpu", "weights_dir=/only/there")
    with pytest.raises(ConfigError, match="device: expected"):
        plan_of(RECORDED, "runtime=inline", "device=tpu")


def test_networks_take_what_waits_only_if_results_need_not_be_reproducible() -> None:
    def asked(plan: Plan) -> bool:
        return bool(plan.make_detect.args[0].keywords["reproducible"])  # type: ignore[attr-defined]

    assert asked(plan_of(RECORDED))
    assert not asked(plan_of(RECORDED, "reproducible=false"))


SQUARE = "polygon: [[0, 0], [90, 0], [90, 90]]"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([f"site.zones={{door: {{camera: est, {SQUARE}}}}}"], r"site\.zones\.door\.camera: .*\['east'\], got est"),
        ([f"site.zones={{door: {{{SQUARE}}}}}"], r"site\.zones\.door\.camera: .*got None"),
        (["site.lines={gate: {camera: est}}"], r"site\.lines\.gate\.camera: .*got est"),
        (["site.camera_groups={hall: [east, est]}"], r"site\.camera_groups\.hall: .*got est"),
        (
            ["alerts=[zone_dwell]", f"alerts.zone_dwell.zones={{a: {{camera: est, {SQUARE}}}}}"],
            r"alerts\.zone_dwell\.zones",
        ),
        (["alerts=[restricted_camera]", "alerts.restricted_camera.cameras=[east, est]"], r"cameras: .*got est"),
    ],
)
def test_what_names_an_unknown_camera_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan_of(RECORDED, *words)


UPRIGHT = "polygon: [[0, 0], [1, 0], [1, 1]]"


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ([f"site.zones={{door: {{camera: east, {UPRIGHT}}}}}"], "site.zones.door.polygon"),
        (
            [
                f"site.zones={{door: {{camera: east, {SQUARE}}}}}",
                f"alerts.zone_dwell.zones={{a: {{camera: east, {UPRIGHT}}}}}",
            ],
            "alerts.zone_dwell.zones.a.polygon",
        ),
    ],
)
def test_a_zone_that_is_none_is_named_as_it_was_typed(words: list[str], key: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{re.escape(key)}: "):
        plan_of(RECORDED, "alerts=[zone_dwell]", *words).make_alert()


@pytest.mark.parametrize(
    ("alerts", "keys", "told"),
    [
        ("zone_dwell", "max_people: 3, way: [[0, 0], [9, 9]]", ["max_people: .*add occupancy", "way: .*add wrong_way"]),
        ("zone_exit", "group: a, max_dwell_s: 3", ["group: .*add zone_dwell", "max_dwell_s: .*add zone_dwell"]),
        ("queue", "max_people: 3", ["max_people: .*add occupancy"]),
        ("occupancy,wrong_way,zone_dwell", "max_people: 3, way: [[0, 0], [9, 9]], group: a", []),
        ("zone_dwell", "severity: info, schedule: {days: [mon]}", []),
    ],
)
def test_a_key_of_a_zone_that_no_chosen_rule_reads_is_told(
    alerts: str, keys: str, told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    plan_of(RECORDED, f"alerts=[{alerts}]", f"site.zones={{door: {{camera: east, {SQUARE}, {keys}}}}}")
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == len(told)
    for warning, words in zip(warnings, told, strict=True):
        assert re.match(rf"site\.zones\.door\.{words}", warning)


def test_a_camera_may_have_a_number_for_a_name() -> None:
    plan_of("1: /a/east.mp4", f"site.zones={{door: {{camera: 1, {SQUARE}}}}}")
