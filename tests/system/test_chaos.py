"""A short round of the chaos test, so that it cannot rot, and what it counts as lost and as kept."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from apache_kafka import kafka_home
from chaos_run.identities import Numbers, kept_over, numbers_of, share_kept, shared
from chaos_run.judge import kept_by_fault
from chaos_run.scene import CAMERAS, FPS, Scene
from chaos_run.sightings import Missing, Seen, always_seen, missing
from running import ROOT, environment

PERIOD_S = 30


def seen(first_s: float, last_s: float, person: int = 1, identity: int = 1) -> Seen:
    frames = range(round(first_s * FPS), round(last_s * FPS) + 1)
    return Seen("west", person, identity, tuple((frame, frozenset({person})) for frame in frames))


def test_somebody_is_lost_who_is_missing_for_three_seconds_in_which_the_camera_was_followed() -> None:
    alone = [seen(turn * PERIOD_S + 2, turn * PERIOD_S + 12) for turn in range(2)]
    expected = always_seen([*alone, seen(20, 25)], PERIOD_S, 0, 2)
    assert expected == {("west", 1): set(range(2, 13))}  # and not what was seen in one turn only
    watched = {"west": set(range(60, 90)), "east": set(), "north": set(), "gate": set()}
    broken = [seen(62, 66), seen(70, 72)]
    assert missing(broken, expected, PERIOD_S, watched, 3) == ([Missing("west", 1, 67, 69)], 3, 11)
    assert missing(broken, expected, PERIOD_S, watched, 4) == ([], 3, 11)
    shared = Seen("west", 2, 2, ((68 * FPS, frozenset({1, 2})),))  # a box that shows two people
    assert missing([*broken, shared], expected, PERIOD_S, watched, 3) == ([], 2, 11)
    watched["west"] -= {68}
    assert missing(broken, expected, PERIOD_S, watched, 3) == ([], 2, 10)


def numbers(seconds: range, number_of: dict[int, int]) -> Numbers:
    """Return those of people who stand still."""
    return numbers_of(seen(seconds[0], seconds[-1] + 0.8, person, number) for person, number in number_of.items())


def test_ids_are_kept_where_one_person_has_one_number_and_one_number_is_one_person() -> None:
    right = numbers(range(40), {1: 11, 2: 12})
    assert share_kept(right) == 1.0
    swapped = {**numbers(range(10), {1: 12, 2: 11}), **numbers(range(10, 40), {1: 11, 2: 12})}
    assert share_kept(swapped) == 0.75
    assert share_kept({**right, **numbers(range(10), {1: 13})}) == 70 / 80  # a person with two numbers
    assert share_kept(numbers(range(40), {1: 11, 2: 11})) == 0.5  # two people with one number


def test_ids_are_compared_only_where_both_runs_saw_the_same_people_and_the_camera_was_not_blind() -> None:
    undisturbed = numbers(range(40), {1: 1, 2: 2})
    disturbed = {**numbers(range(20), {1: 6, 2: 7, 3: 9}), **numbers(range(30, 40), {1: 6, 2: 7})}
    watched = {"west": {*range(20), *range(25, 40)}}
    assert [share_kept(each) for each in shared(disturbed, undisturbed, watched)] == [1.0, 1.0]
    longer_blind = {"west": {*range(15), *range(35, 40)}}
    assert [share_kept(each) for each in shared(disturbed, undisturbed, longer_blind)] == [1.0, 1.0]
    lost = {**disturbed, **numbers(range(30, 40), {1: 7, 2: 6})}  # in the same seconds, after the blind time
    assert [share_kept(each) for each in shared(lost, undisturbed, watched)] == [40 / 60, 1.0]
    assert all(len(each) == 60 for each in shared(lost, undisturbed, watched))
    assert share_kept({}) == 0.0  # nothing to compare is nothing kept


def test_the_numbers_that_change_over_a_fault_are_counted_by_its_kind() -> None:
    right = numbers(range(100), {1: 1, 2: 2})
    changed = {**right, **numbers(range(60, 100), {1: 3})}
    assert kept_over(changed, range(20, 50), range(60, 90)) == (1, 2)
    assert kept_over(right, range(20, 50), range(60, 90)) == (2, 2)
    faults = [
        {"fault": "job_killed", "begins_s": 40.0, "back_s": 50.0},  # seconds since second 10
        {"fault": "broker_killed", "begins_s": 15.0, "back_s": 20.0},
        {"fault": "broker_killed", "begins_s": 16.0, "back_s": None},
    ]
    assert kept_by_fault(changed, right, faults, 10.0) == {"job_killed": [1, 2, 2], "broker_killed": [2, 2, 2]}


def test_a_turn_of_the_scene_ends_as_it_began_so_that_nobody_leaps() -> None:
    scene = Scene(24)
    for camera_id in CAMERAS:
        truth = scene.truth(camera_id)
        assert max(truth) < scene.num_frames == 24 * FPS
        for frame, (people, boxes_xyxy) in truth.items():
            people_back, boxes_back = truth[scene.num_frames - 1 - frame]
            assert people.tolist() == people_back.tolist()
            assert (boxes_xyxy == boxes_back).all()


@pytest.mark.kafka
@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.skipif(kafka_home() is None, reason="needs Apache Kafka and Java: set KAFKA_HOME")
def test_a_run_on_four_live_cameras_bears_three_faults(tmp_path: Path) -> None:
    words = ["seconds=85", "every=15", "seed=1", "runtime=inline", "turn=24", f"out={tmp_path}"]
    finished = subprocess.run(
        [sys.executable, "tests/benchmarks/chaos.py", *words],
        cwd=ROOT,
        env=environment(PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "tests/support")])),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert len((tmp_path / "faults.jsonl").read_text().splitlines()) == 3
    assert json.loads((tmp_path / "figures.json").read_text())["person_seconds_expected"] > 50
    assert (tmp_path / "chaos.png").is_file()
