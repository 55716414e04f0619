import itertools
import math
from typing import Any

import numpy as np
import pytest

from connectors.synthetic.crowd_simulation import CrowdSimulation
from connectors.synthetic.places.catalogue import build_place
from connectors.synthetic.places.obstacles import Obstacles
from connectors.synthetic.stance import Stance
from pipeline.core.errors import ConfigError

pytestmark = pytest.mark.slow

PLACES = ("plaza", "corridor", "shop")


def crowd(name: str = "plaza", people: int = 20, seed: int = 0, **options: Any) -> CrowdSimulation:
    speeds = np.random.default_rng(seed).normal(1.3, 0.15, people).clip(0.8)
    return CrowdSimulation(build_place(name), people=people, speeds_m_s=speeds.tolist(), seed=seed, **options)


def walked(moving: CrowdSimulation, seconds: float) -> list[tuple[Stance, ...]]:
    return [moving.advance() for _ in range(round(seconds / moving.step_s))]


def test_one_seed_gives_one_history_and_another_seed_gives_another() -> None:
    first, again, other = (walked(crowd(seed=seed), 20) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_time_begins_at_zero_and_goes_on_in_steps() -> None:
    moving = crowd()
    assert moving.time_s == 0
    walked(moving, 1.0)
    assert moving.time_s == pytest.approx(1.0)


@pytest.mark.parametrize("name", PLACES)
def test_people_do_not_overlap_each_other_or_obstacles(name: str) -> None:
    obstacles = Obstacles(build_place(name).primitives)
    for stances in walked(crowd(name, 24, seed=1), 120):
        xy = np.array([(s.x, s.y) for s in stances]).reshape(-1, 2)
        assert (obstacles.clearance_m(xy) > 0.25).all()
        apart = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1)) + 9 * np.eye(len(xy))
        assert apart.min(initial=9) > 0.35


@pytest.mark.parametrize("name", PLACES)
def test_no_person_gets_stuck_in_any_variant(name: str) -> None:
    for variant in range(3):
        speeds = np.random.default_rng(variant).normal(1.3, 0.15, 24).clip(0.8).tolist()
        moving = CrowdSimulation(build_place(name, variant), people=24, speeds_m_s=speeds, seed=variant, returns=1.0)
        stay_s: dict[int, float] = {}
        for stances in walked(moving, 120):
            stay_s = {s.person: stay_s.get(s.person, 0) + moving.step_s for s in stances}
            assert max(stay_s.values(), default=0) < 110


def test_people_move_without_jumps() -> None:
    for before, after in itertools.pairwise(walked(crowd(seed=2), 60)):
        earlier = {s.person: s for s in before}
        for s in after:
            if s.person in earlier and s.walked_m >= earlier[s.person].walked_m:
                was = earlier[s.person]
                step = math.hypot(s.x - was.x, s.y - was.y)
                assert step < 0.45
                assert s.walked_m - was.walked_m == pytest.approx(step, abs=1e-6)
                assert abs((s.heading - was.heading + math.pi) % (2 * math.pi) - math.pi) < 0.35
                assert abs(s.walking - was.walking) < 0.3


def test_people_face_the_direction_in_which_they_walk() -> None:
    moving = crowd(seed=5)
    off = [
        abs((math.atan2(b.y - a.y, b.x - a.x) - b.heading + math.pi) % (2 * math.pi) - math.pi)
        for before, after in itertools.pairwise(walked(moving, 60))
        for a, b in itertools.product(before, after)
        if a.person == b.person and b.speed_m_s > 0.8 and b.walked_m >= a.walked_m
    ]
    assert np.median(off) < 0.1


def test_people_stop_stand_and_talk() -> None:
    stances = [s for step in walked(crowd(people=35, seed=1), 200) for s in step]
    actions = {s.action for s in stances}
    assert actions == {"walk", "stand", "phone", "talk"}
    assert any(s.walking == 0 for s in stances if s.action == "talk")
    assert all(s.speed_m_s < 1e-6 for s in stances if s.action != "walk")


def test_no_person_talks_alone() -> None:
    for stances in walked(crowd(people=35, seed=1), 100):
        talking = np.array([(s.x, s.y) for s in stances if s.action == "talk"]).reshape(-1, 2)
        apart = np.hypot(*(talking[:, None] - talking[None]).transpose(2, 0, 1)) + 99 * np.eye(len(talking))
        assert apart.min(1, initial=99).max(initial=0) < 1.6 or not len(talking)


def test_a_busy_start_has_people_in_the_place_and_an_empty_one_has_none() -> None:
    assert len(crowd(people=30).advance()) >= 5
    assert len(crowd(people=30, start_busy=False).advance()) <= 1


def visits(history: list[tuple[Stance, ...]]) -> dict[int, list[tuple[int, int]]]:
    """Return for each person the outfit and the first step of each visit."""
    found: dict[int, list[tuple[int, int]]] = {}
    inside: set[int] = set()
    for step, stances in enumerate(history):
        for s in stances:
            if s.person not in inside:
                found.setdefault(s.person, []).append((s.outfit, step))
        inside = {s.person for s in stances}
    return found


def test_no_person_returns_soon_when_returns_is_zero() -> None:
    history = walked(crowd(people=12, start_busy=False, returns=0.0), 120)
    assert all(len(stays) == 1 for stays in visits(history).values())


def test_a_person_who_returns_may_wear_another_outfit() -> None:
    history = walked(crowd(people=12, start_busy=False, returns=1.0, changes=1.0), 250)
    stays = [[outfit for outfit, _ in stays] for stays in visits(history).values()]
    assert any(len(outfits) > 1 for outfits in stays)
    assert all(a != b for outfits in stays for a, b in itertools.pairwise(outfits))


def test_without_changes_each_person_keeps_one_outfit() -> None:
    history = walked(crowd(people=12, start_busy=False, returns=1.0, changes=0.0), 250)
    assert {s.outfit for stances in history for s in stances} == {0}


def test_companions_walk_side_by_side() -> None:
    moving = crowd(people=16, seed=3, groups=1.0, start_busy=False)
    gaps = []
    for stances in walked(moving, 60):
        xy = np.array([(s.x, s.y) for s in stances if s.walked_m > 4]).reshape(-1, 2)
        if len(xy) > 1:
            gaps += (np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1)) + 99 * np.eye(len(xy))).min(1).tolist()
    assert np.median(gaps) < 1.2


def test_an_empty_place_stays_empty() -> None:
    assert walked(crowd(people=0), 5) == [()] * 50


def test_more_people_than_the_place_holds_are_refused_with_both_numbers() -> None:
    with pytest.raises(ConfigError, match="0 to 40, the capacity of plaza, got 41"):
        crowd(people=41)


def test_a_negative_number_of_people_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"people: expected 0 to 40.*got -1"):
        CrowdSimulation(build_place("plaza"), people=-1, speeds_m_s=[], seed=0)


@pytest.mark.parametrize("speeds", [[1.2], [1.2, 0.0], [1.2, -1.0], [1.2, math.nan]])
def test_speeds_must_be_one_a_person_and_above_zero(speeds: list[float]) -> None:
    with pytest.raises(ConfigError, match="speeds_m_s: expected 2 numbers above 0"):
        CrowdSimulation(build_place("plaza"), people=2, speeds_m_s=speeds, seed=0)


@pytest.mark.parametrize("share", ["returns", "changes", "groups"])
def test_shares_are_between_0_and_1(share: str) -> None:
    with pytest.raises(ConfigError, match=f"{share}: expected a share from 0 to 1, got 1.5"):
        crowd(**{share: 1.5})


def test_a_campus_of_500_people_moves_without_anybody_inside_a_wall() -> None:
    obstacles = Obstacles(build_place("campus").primitives)
    for stances in walked(crowd("campus", 500, start_busy=False), 20):
        xy = np.array([(s.x, s.y) for s in stances]).reshape(-1, 2)
    assert len(xy) > 200
    assert obstacles.clearance_m(xy).min() > 0.25


def test_positions_are_interpolated_between_two_steps() -> None:
    moving, stepped = crowd(seed=6), crowd(seed=6)
    history = {round(k * 0.1, 1): stances for k, stances in enumerate(walked(stepped, 5), start=1)}
    assert moving.at(0.5) == history[0.5]
    middle = {s.person: s for s in moving.at(0.56)}
    before, after = ({s.person: s for s in history[time]} for time in (0.5, 0.6))
    for person in before.keys() & after.keys():
        assert middle[person].x == pytest.approx(0.4 * before[person].x + 0.6 * after[person].x)
        assert middle[person].walked_m >= before[person].walked_m
    assert moving.at(4.0) == history[4.0]


def test_time_does_not_go_back() -> None:
    moving = crowd()
    moving.at(3.0)
    with pytest.raises(ConfigError, match=r"time_s: expected 2\.90 or later, got 1\.0"):
        moving.at(1.0)
