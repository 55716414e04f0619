"""A run that was killed or stopped, and is continued."""

import json
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from factories import make_sighting
from running import run, start

from pipeline.cli.ledger import main as ledger_main
from pipeline.ledger import Ledger, LedgerReader

pytestmark = [pytest.mark.slow]


def lines(folder: Path, name: str) -> list[str]:
    return (folder / name).read_text().splitlines()


def digest(folder: Path) -> str:
    return str(json.loads((folder / "summary.json").read_text())["result_sha256"])


@pytest.mark.shared
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
def test_a_run_that_was_killed_or_stopped_continues_to_the_result_of_an_undisturbed_one(
    halves: list[str], tmp_path: Path, name: str
) -> None:
    options = ["runtime=inline", *halves, "matcher.recluster_every_s=1", "sink=[jsonl,mot]", "flow.flush_every_s=0.2"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert run([*options, f"output_dir={whole}"]).code == 0
    killed.mkdir()  # what is resumed must be there, if only as an empty folder
    sightings = killed / "sightings.jsonl"
    for num_lines in (3, 12):
        process = start([*options, f"output_dir={killed}", "replay.speed=1", "resume=true"])
        deadline = time.monotonic() + 120
        while not (sightings.exists() and len(lines(killed, "sightings.jsonl")) >= num_lines):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.Signals[name])
        out, err = process.communicate(timeout=60)
        if name == "SIGINT":
            assert process.returncode == 0, err
            assert num_lines > 3 or "stopped early: left after " in out  # later the clip may have ended
            assert (killed / "mot/right.txt").read_text()
    finished = run([*options, f"output_dir={killed}", "resume=true"])
    assert finished.code == 0, finished.err
    assert digest(killed) == digest(whole)
    for name in ("sightings.jsonl", "corrections.jsonl", "alerts.jsonl", "mot/left.txt", "mot/right.txt"):
        assert lines(killed, name) == lines(whole, name), name


@pytest.mark.shared
def test_a_run_without_resume_sets_the_ledger_aside(halves: list[str], tmp_path: Path) -> None:
    options = ["runtime=inline", *halves, f"output_dir={tmp_path}"]
    digests = []
    for _ in range(2):
        assert run(options).code == 0
        digests.append(digest(tmp_path))
    assert digests[0] == digests[1]
    assert sorted(path.name for path in tmp_path.glob("ledger*")) == ["ledger.1.sqlite", "ledger.sqlite"]


@pytest.mark.timeout(400)
def test_a_run_that_goes_on_after_an_erasure_keeps_everybody_else(tmp_path: Path) -> None:
    options = ["site=demo", "source.file.seconds=4", "runtime=inline", "sink=[jsonl,mot]", f"output_dir={tmp_path}"]
    assert run(options, timeout_s=300).code == 0
    cameras = sorted(path.name for path in (tmp_path / "mot").glob("*.txt"))
    before = {name: lines(tmp_path, f"mot/{name}") for name in cameras}
    reader = LedgerReader(tmp_path / "ledger.sqlite")
    gone, *others = [person.person_id for person in reader.persons()]
    reader.close()
    assert ledger_main(["erase", str(tmp_path), str(gone), "--by", "ann"]) == 0
    assert run([*options, "resume=true"], timeout_s=300).code == 0
    reader = LedgerReader(tmp_path / "ledger.sqlite")
    assert [person.person_id for person in reader.persons()] == others
    reader.close()
    for name in cameras:
        assert lines(tmp_path, f"mot/{name}") == [line for line in before[name] if line.split(",")[1] != str(gone)]
    assert json.loads((tmp_path / "summary.json").read_text())["identities"] > 0


def of_the_future(ledger: Path) -> None:
    with sqlite3.connect(ledger) as database:
        database.execute("UPDATE about SET value = '99' WHERE key = 'schema'")
    database.close()


def damaged(ledger: Path) -> None:
    pages = ledger.read_bytes()
    ledger.write_bytes(pages[:4096] + b"\xff" * (len(pages) - 4096))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("resume", ["true", "false"])
@pytest.mark.parametrize(
    ("spoil", "named"), [(of_the_future, "expected ledger schema 2, got 99"), (damaged, "malformed")]
)
def test_a_ledger_that_cannot_be_continued_is_one_error_line_and_stays_as_it_is(
    tmp_path: Path, spoil: Callable[[Path], None], named: str, resume: str
) -> None:
    ledger = tmp_path / "ledger.sqlite"
    made = Ledger(ledger)
    made.append([make_sighting(1)])
    made.close()
    spoil(ledger)
    before = ledger.read_bytes()
    short = ["site=demo", "source.file.seconds=1", "runtime=inline", "sink=[jsonl]"]
    finished = run([*short, f"output_dir={tmp_path}", f"resume={resume}"], timeout_s=300)
    assert (finished.code, len(finished.errors)) == (1, 1), finished.err
    assert named in finished.errors[0]
    assert "Traceback" not in finished.err
    assert ledger.read_bytes() == before
