"""Numbers that would make a pipeline hang, divide by zero or do nothing are refused before it starts."""

import pytest

from pipeline.config.composition import load_config
from pipeline.config.validation import check_ranges
from pipeline.core.errors import ConfigError

CAMERA = "site.cameras={east: /a/east.mp4}"


@pytest.mark.parametrize("kind", ["inline", "ray"])
def test_what_is_shipped_is_in_range(kind: str) -> None:
    check_ranges(load_config([CAMERA, f"runtime={kind}"]))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("runtime.kind", "foo"),
        ("runtime.threads", "0"),
        ("runtime.detect.replicas", "0"),
        ("runtime.batch.max_items", "0"),
        ("runtime.embed.num_gpus", "-1"),
        ("runtime.camera.num_cpus", "inf"),
        ("runtime.match.num_cpus", "0.00001"),
        ("runtime.detect.num_gpus", "1.5"),
        ("runtime.detect.num_gpus", "inf"),
        ("runtime.match.num_gpus", "nan"),
        ("flow.max_inflight_frames", "0"),
        ("flow.read_ahead_frames", "-8"),
        ("flow.max_reopens", "-1"),
        ("flow.drain_s", "nan"),
        ("matcher.window_s", "0"),
        ("matcher.max_false_match_rate", "1"),
        ("matcher.max_false_match_rate", "nan"),
        ("matcher.calibration.same_std", "0"),
        ("matcher.calibration.different_mean", "0.1"),
        ("detect.min_score", "1.5"),
    ],
)
def test_a_number_out_of_range_is_refused_by_its_key(key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=key):
        check_ranges(load_config([CAMERA, f"{key}={value}"]))


@pytest.mark.parametrize("stage", ["camera", "detect", "pose", "embed", "match"])
@pytest.mark.parametrize("resource", ["a: -1", "a: inf", "a: nan", "CPU: 1", "GPU: 1", "memory: 1", "bundle: 1"])
def test_a_resource_that_no_cluster_can_be_asked_for_is_refused_by_its_key(stage: str, resource: str) -> None:
    key = f"runtime.{stage}.resources"
    with pytest.raises(ConfigError, match=rf"^{key}\.{resource.partition(':')[0]}: expected .*; "):
        check_ranges(load_config([CAMERA, f"{key}={{{resource}}}"]))


@pytest.mark.parametrize(
    ("key", "value"),
    [("matcher.leave_after_s", "inf"), ("runtime.max_restarts", "0"), ("runtime.detect.num_gpus", "2")],
)
def test_the_edges_of_a_range_are_in_it(key: str, value: str) -> None:
    check_ranges(load_config([CAMERA, f"{key}={value}"]))


@pytest.mark.parametrize("value", ["[nobody]", "[]", "7"])
def test_a_watch_list_that_has_no_names_is_named(value: str) -> None:
    with pytest.raises(ConfigError, match=r"^alerts\.watchlist\.people: "):
        load_config([CAMERA, f"alerts.watchlist.people={value}"])
