"""The model of a site of many cameras: additive, and limited by what is one thread."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.scale import UnitCosts, fit_line, need_of

COSTS = UnitCosts(
    frame_cpu_ms=10.0,
    frame_gpu_ms=0.0,
    sighting_match_ms=1.0,
    search_us=0.5,
    sightings_per_frame=0.1,
    video_kb=10.0,
    pixels_kb=0.0,
    base_mb=500.0,
    camera_mb=30.0,
)


def test_processors_and_network_are_what_the_frames_cost() -> None:
    need = need_of(100, COSTS, fps=10, cores_a_machine=8, people=1000)
    assert need.cores == pytest.approx(100 * 10 * 0.010 / 0.7)
    assert need.machines == 2
    assert need.video_mbit_s == pytest.approx(80)
    assert need.pixels_mbit_s == need.gpus == 0
    assert need.memory_gb == pytest.approx((2 * 500 + 100 * 30) / 1000)
    assert need.matcher_load == pytest.approx(100 * 10 * 0.1 * 1.5 / 1000)


def test_the_matcher_is_named_where_it_is_full_first() -> None:
    need = need_of(1, replace(COSTS, sighting_match_ms=500.0), fps=10, cores_a_machine=64, people=0)
    assert need.bottleneck.startswith("the matcher, one thread at 1 cameras")
    assert need_of(1, COSTS, fps=10, cores_a_machine=8, people=0).bottleneck == (
        "the processors of one machine at 56 cameras; then the matcher, one thread at 700"
    )


def test_a_link_that_is_full_before_the_processors_is_named() -> None:
    costs = replace(COSTS, pixels_kb=740.0, frame_cpu_ms=1.0)
    assert "the network of a machine at 117" in need_of(1, costs, fps=10, cores_a_machine=64, people=0).bottleneck


@given(st.integers(1, 5000), st.integers(1, 5000), st.floats(1, 60))
def test_more_cameras_never_need_less(one: int, more: int, fps: float) -> None:
    small, large = (need_of(n, COSTS, fps=fps, cores_a_machine=8, people=100) for n in (one, one + more))
    assert small.cores < large.cores
    assert small.machines <= large.machines
    assert small.memory_gb < large.memory_gb
    assert small.matcher_load < large.matcher_load


@given(st.floats(0, 1e4), st.floats(0.1, 100))
def test_a_line_is_found_again(start: float, slope: float) -> None:
    at = [1.0, 2.0, 4.0]
    found = fit_line(at, [start + slope * x for x in at])
    assert found == pytest.approx((start, slope), rel=1e-3, abs=1e-3)


def test_a_line_through_one_point_or_below_zero_begins_at_zero() -> None:
    assert fit_line([4], [8.0]) == (0.0, 2.0)
    assert fit_line([1, 2], [1.0, 4.0])[0] == 0.0
