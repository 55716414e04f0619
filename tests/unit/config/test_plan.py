"""What the plan of a run takes from its configuration."""

import pickle
from math import inf
from pathlib import Path

import pytest

from pipeline.config.composition import load_config
from pipeline.config.plan import make_plan
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
    assert processes.shares["detect"] == Share(0.0, 0.0, 3)
    assert processes.shares["match"] == Share(2.0, 0.0, 1)
    assert (plan.match.retention_s, plan.match.max_events, plan.drain_s) == (60.0, 0, 11.0)
    assert (plan.resume, plan.output_dir) == (True, tmp_path)


def test_a_plan_can_be_sent_to_other_processes() -> None:
    assert pickle.loads(pickle.dumps(plan_of(RECORDED))).make_sources.keys() == {"east"}


@pytest.mark.parametrize("actor", ["camera", "match"])
def test_there_is_one_match_actor_and_one_actor_for_each_camera(actor: str) -> None:
    with pytest.raises(ConfigError, match="replicas"):
        plan_of(RECORDED, f"runtime.{actor}.replicas=2")
