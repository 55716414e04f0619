"""A short round of the chaos test, so that it cannot rot, and what it counts as lost and as kept."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from apache_kafka import kafka_home
from chaos_run.feed import FPS
from chaos_run.sightings import Missing, Seen, always_seen, ids_kept, missing
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


def test_ids_are_kept_where_one_person_has_one_number_and_one_number_is_one_person() -> None:
    right = [seen(at, at + 1, person, 10 + person) for person in (1, 2) for at in (1, 5, 9, 13)]
    assert ids_kept(right, PERIOD_S) == (1.0, 1.0)
    two_numbers = [seen(at, at + 1, 1, identity) for at, identity in ((1, 7), (5, 7), (9, 7), (13, 8))]
    assert ids_kept(two_numbers, PERIOD_S) == (0.75, 0.75)
    one_number = [seen(at, at + 1, person, 7) for at, person in ((1, 1), (5, 1), (9, 1), (13, 2))]
    assert ids_kept(one_number, PERIOD_S) == (0.75, 0.75)
    other_next_turn = [seen(1, 2, 1, 7), seen(5, 6, 1, 7), seen(31, 32, 1, 8), seen(35, 36, 1, 8)]
    assert ids_kept(other_next_turn, PERIOD_S) == (1.0, 0.5)


@pytest.mark.kafka
@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.skipif(kafka_home() is None, reason="needs Apache Kafka and Java: set KAFKA_HOME")
def test_a_run_on_four_live_cameras_bears_three_faults(tmp_path: Path) -> None:
    words = ["seconds=85", "every=15", "seed=1", "runtime=inline", "turn=24", "undisturbed=2", f"out={tmp_path}"]
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
