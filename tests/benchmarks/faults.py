"""Puts named faults into a copy of the code, one at a time, and runs the test that must notice each.

python tests/benchmarks/faults.py              # prints the table of docs/testing.md; exit code 1 if one stays unseen
"""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree

ROOT = Path(__file__).resolve().parents[2]
LINKED = ("models", "connectors", "configs", "tests", "pyproject.toml")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: what goes wrong, where, which text of the code becomes which, and the test that notices it."""

    words: str
    path: str
    old: str
    new: str
    test: str


FAULTS = (
    Fault(
        "compaction deletes the records of erasures",
        "ledger/ledger.py",
        "IN ('named', 'erased'))",
        "IN ('named'))",
        "ledger/test_ledger_program.py::test_compaction_never_deletes_an_erasure",
    ),
    Fault(
        "after compaction a number is given again",
        "ledger/ledger.py",
        "            note_last_person_id(self._database, until)\n",
        "",
        "ledger/test_ledger_program.py::test_a_number_whose_events_were_compacted_is_not_given_again",
    ),
    Fault(
        "a stalled live camera holds everybody back",
        "runtime/event_time.py",
        "if at >= newest - self._max_lateness_s)",
        "if at >= -inf)",
        "runtime/test_match_actor.py::test_a_stalled_live_camera_does_not_hold_the_others_back",
    ),
    Fault(
        "frames count as safe while a sink is behind",
        "runtime/sink_fanout.py",
        "                is_safe = False\n",
        "",
        "runtime/test_sink_fanout.py::test_a_camera_is_not_told_that_frames_are_safe_while_a_sink_is_busy",
    ),
    Fault(
        "a source is acknowledged before its frames are safe",
        "runtime/cameras/camera_actor.py",
        "self._acks[0][0] <= safe_until and ",
        "",
        "runtime/cameras/test_camera_actor.py::test_nothing_is_acknowledged_before_it_is_safe",
    ),
    Fault(
        "an embedding that is delivered twice is judged twice",
        "runtime/match_actor.py",
        "if part in self._due_at or self._ledger.has(part):",
        "if False:",
        "runtime/test_match_actor.py::test_an_embedding_that_is_delivered_twice_is_processed_once",
    ),
    Fault(
        "a matcher that came back accepts deliveries to the one that died",
        "runtime/match_actor.py",
        "if epoch not in (None, self._epoch):",
        "if False:",
        "runtime/test_match_actor_restarts.py::test_a_delivery_to_an_earlier_epoch_is_refused",
    ),
    Fault(
        "a dropped frame of a live camera is not counted",
        "runtime/cameras/frame_queue.py",
        "                self.num_dropped += 1\n",
        "",
        "runtime/cameras/test_frame_queue.py::"
        "test_of_a_live_camera_only_the_newest_frame_waits_and_the_dropped_ones_are_counted",
    ),
    Fault(
        "a merge overwrites a newer cool-down",
        "alerts/expiring_map.py",
        "if target not in self._entries or self._entries[target][0] < at:",
        "if True:",
        "alerts/test_expiring_map.py::test_moving_an_entry_keeps_the_newer_of_both",
    ),
    Fault(
        "an alert about a place keeps the tracks of an erased person",
        "ledger/erasure.py",
        'rest = [track for track in message["evidence"] if track not in tracks]',
        'rest = message["evidence"]',
        "ledger/corrections/test_commands.py::test_an_alert_about_a_place_stays_without_the_tracks_of_an_erased_person",
    ),
    Fault(
        "parts of tracks that show no person are kept",
        "camera/tracking.py",
        "if max(part.scores) < self._min_peak_score:",
        "if False:",
        "camera/test_tracking_rules.py::test_a_part_needs_a_score_of_the_stated_height",
    ),
    Fault(
        "static false positives are kept",
        "camera/tracking.py",
        "return track.is_static and ",
        "return False and ",
        "camera/test_tracking_rules.py::test_a_track_that_does_not_move_is_dropped_below_the_stated_mean_score",
    ),
    Fault(
        "the velocity is ignored in the motion",
        "association/cues.py",
        " + earlier.last.velocity[axis] * min(gap_s, 1.0)",
        "",
        "association/test_deciding_rules.py::test_of_two_people_who_cross_each_is_found_where_their_velocity_leads",
    ),
    Fault(
        "the quality of the pictures counts for nothing",
        "association/candidates.py",
        "np.array([one.reliability * reliability for one in appearance])",
        "1.0",
        "association/test_deciding_rules.py::test_an_appearance_that_is_enough_in_good_pictures_is_not_enough_in_poor_ones",
    ),
    Fault(
        "which cameras overlap is ignored",
        "association/geometry/topology.py",
        "self.overlaps is None or camera_pair(first_camera, second_camera) in self.overlaps",
        "True",
        "association/test_matcher.py::test_one_person_is_in_two_pictures_at_once_only_where_cameras_may_overlap",
    ),
)


def main() -> int:
    """Try every fault; print the table."""
    print("| fault | test in `tests/unit/` that fails |\n|---|---|")
    unseen = 0
    for fault in FAULTS:
        is_noticed = noticed(fault)
        unseen += not is_noticed
        print(f"| {fault.words} | {f'`{fault.test}`' if is_noticed else '**none**'} |", flush=True)
    return int(unseen > 0)


def noticed(fault: Fault) -> bool:
    """Return whether the test passes on the code as it is, and fails on a copy that has the fault."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for link in LINKED:
            (folder / link).symlink_to(ROOT / link)
        copytree(ROOT / "pipeline", folder / "pipeline")
        passes = run(folder, fault.test)
        path = folder / "pipeline" / fault.path
        text = path.read_text()
        if text.count(fault.old) != 1:
            raise SystemExit(f"{fault.path}: expected once {fault.old!r}; write the fault anew")
        path.write_text(text.replace(fault.old, fault.new))
        return passes and not run(folder, fault.test)


def run(folder: Path, test: str) -> bool:
    """Return whether a test passes on the code in a folder."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    environment = os.environ | {"PYTHONPATH": f"{folder}:{ROOT / 'tests/support'}", "PYTHONDONTWRITEBYTECODE": "1"}
    words = [*command, "-o", f"pythonpath={folder}", f"tests/unit/{test}"]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
