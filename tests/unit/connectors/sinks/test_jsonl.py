import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from factories import make_path, make_sighting

from connectors.sinks import append_file
from connectors.sinks.jsonl import JsonlSink
from pipeline.core import Alert, Correction, CorrectionKind, Severity
from pipeline.core.errors import ConnectorError

ALERT = Alert("dwell/3/4.5", "dwell", Severity.INFO, 3, "east", 4.5, 6.0, "Stays.", ())
MERGED = Correction(CorrectionKind.MERGED, (1, 2), "ann", 3.0)

FULL_DISK = """
import resource, sys
from factories import make_sighting
from connectors.sinks import append_file
from connectors.sinks.jsonl import JsonlSink
from pipeline.core.errors import ConnectorError

sink = JsonlSink(output_dir=sys.argv[1])
sink.write([make_sighting()])
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    for number in range(10):
        sink.write([make_sighting(person_id=number)] * 2)
except ConnectorError as error:
    print(error)
sink.flush()
sink.close()
"""


def lines(path: Path) -> list[dict[str, object]]:
    text = path.read_text()
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_the_three_files_exist_from_the_start(tmp_path: Path):
    JsonlSink(output_dir=str(tmp_path / "new")).close()
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["alerts.jsonl", "corrections.jsonl", "sightings.jsonl"]


def test_every_record_goes_to_the_file_of_its_kind_in_order(tmp_path: Path):
    sink = JsonlSink(output_dir=str(tmp_path))
    sink.write([make_sighting(person_id=1), ALERT, MERGED, make_sighting(person_id=2)])
    sink.flush()
    assert [line["person_id"] for line in lines(tmp_path / "sightings.jsonl")] == [1, 2]
    assert [line["key"] for line in lines(tmp_path / "alerts.jsonl")] == ["dwell/3/4.5"]
    assert [line["kind"] for line in lines(tmp_path / "corrections.jsonl")] == ["merged"]
    sink.close()


def test_flush_returns_when_every_new_line_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    synced: list[int] = []
    monkeypatch.setattr(append_file.os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    sink = JsonlSink(output_dir=str(tmp_path))
    sink.write([make_sighting(person_id=1), ALERT])
    sink.flush()
    sink.flush()
    assert synced == [(tmp_path / name).stat().st_ino for name in ("sightings.jsonl", "alerts.jsonl")]
    sink.close()


def test_an_existing_file_is_continued(tmp_path: Path):
    for person_id in (1, 2):
        sink = JsonlSink(output_dir=str(tmp_path))
        sink.write([make_sighting(person_id=person_id)])
        sink.close()
    assert len(lines(tmp_path / "sightings.jsonl")) == 2


@pytest.mark.parametrize("length", [10, 200_000])
def test_a_partial_line_that_a_crash_left_is_cut(tmp_path: Path, length: int):
    (tmp_path / "sightings.jsonl").write_bytes(b'{"schema": 1}\n{"' + b"x" * length)
    (tmp_path / "alerts.jsonl").write_bytes(b'{"schema"')
    sink = JsonlSink(output_dir=str(tmp_path))
    sink.write([make_sighting()])
    sink.close()
    assert len(lines(tmp_path / "sightings.jsonl")) == 2
    assert lines(tmp_path / "alerts.jsonl") == []


def test_a_full_disk_leaves_complete_lines_and_is_named(tmp_path: Path):
    root = Path(__file__).resolve().parents[4]
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        env={"PYTHONPATH": f"{root}:{root}/tests/support"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "sightings.jsonl: expected to write it, got File too large" in run.stdout
    # The batch that did not fit is gone as a whole: one record from before, then pairs.
    assert len(lines(tmp_path / "sightings.jsonl")) % 2 == 1


def test_a_batch_that_one_file_refuses_is_undone_in_the_others(tmp_path: Path):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this system")
    (tmp_path / "alerts.jsonl").symlink_to(full)
    sink = JsonlSink(output_dir=str(tmp_path))
    with pytest.raises(ConnectorError, match=r"alerts\.jsonl"):
        sink.write([make_sighting(path=make_path()), ALERT])
    assert lines(tmp_path / "sightings.jsonl") == []
    sink.close()


def test_a_folder_that_cannot_be_made_is_a_connector_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConnectorError, match="file"):
        JsonlSink(output_dir=str(tmp_path / "file" / "out"))


def test_records_after_a_mark_can_be_written_again(tmp_path: Path) -> None:
    sink = JsonlSink(output_dir=str(tmp_path))
    sink.write([MERGED])
    mark = sink.mark()
    sink.write([MERGED, make_sighting(1)])
    sink.close()
    again = JsonlSink(output_dir=str(tmp_path))
    again.rewind(mark)
    again.write([MERGED])
    again.close()
    assert len((tmp_path / "corrections.jsonl").read_text().splitlines()) == 2
    assert (tmp_path / "sightings.jsonl").read_text() == ""


def test_a_file_that_was_emptied_stays_empty(tmp_path: Path) -> None:
    sink = JsonlSink(output_dir=str(tmp_path))
    sink.write([MERGED])
    mark = sink.mark()
    sink.close()
    (tmp_path / "corrections.jsonl").write_text("")
    again = JsonlSink(output_dir=str(tmp_path))
    again.rewind(mark)
    again.close()
    assert (tmp_path / "corrections.jsonl").read_text() == ""
