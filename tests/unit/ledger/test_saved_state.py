"""A run that goes on finds in its ledger exactly the state, the inputs and the marks that were kept for it."""

from pathlib import Path

import pytest
from factories import make_embedding, make_path, make_sighting

from pipeline.core import Alert, Correction, CorrectionKind, Record, Severity, Sighting, TrackId, TrackPart
from pipeline.core.serialisation import deserialise, serialise
from pipeline.ledger import Entry, Ledger, LedgerReader, Saved
from pipeline.ledger import ledger as ledgers
from pipeline.ledger.hash_chain import START
from pipeline.ledger.snapshot import FORGOTTEN, OWED
from pipeline.ledger.unpublished import StoredRecord, unpublished_records

EAST, WEST = TrackId("east", 0, 1), TrackId("west", 0, 1)
NOTE = Correction(CorrectionKind.CONFIRMED, (1,), "ann", 3.0)
ALERT = Alert("dwell/2/5.000", "dwell", Severity.INFO, 2, "west", 5.0, 5.4, "Stays.", (WEST,))
OWED_RECORD: StoredRecord = ("correction", serialise(NOTE))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def reopened(ledger: Ledger, path: Path) -> Ledger:
    ledger.close()
    return Ledger(path)


def test_a_new_ledger_has_nothing_to_go_on_from(path: Path) -> None:
    ledger = Ledger(path)
    assert ledger.saved() == Saved(None, START, [], 0, {})
    assert ledger.last_entry() == 0
    assert ledger.digest == START.hex()
    ledger.close()


def test_what_was_appended_since_the_snapshot_is_kept_in_order_with_its_hash(path: Path) -> None:
    ledger = Ledger(path)
    ledger.append([make_sighting(1)], entry=("window", b"one"))
    ledger.append([], entry=("tick", b"two"))
    first = bytes.fromhex(ledger.digest)
    ledger.append([NOTE], entry=("window", b"three"))
    last = bytes.fromhex(ledger.digest)
    ledger.note_published({"jsonl": "17"}, until=2)
    entries = [Entry(1, "window", b"one", first), Entry(2, "tick", b"two", first), Entry(3, "window", b"three", last)]
    assert ledger.saved() == Saved(None, START, entries, 2, {"jsonl": "17"})
    ledger = reopened(ledger, path)
    assert ledger.saved() == Saved(None, START, entries, 2, {"jsonl": "17"})
    assert (ledger.last_entry(), ledger.digest) == (3, last.hex())
    ledger.close()


def test_a_snapshot_takes_the_place_of_the_journal_and_its_numbers_are_not_given_again(path: Path) -> None:
    ledger = Ledger(path)
    ledger.append([make_sighting(1)], entry=("window", b"one"))
    chain = bytes.fromhex(ledger.digest)
    ledger.save(b"state")
    assert (ledger.saved(), ledger.last_entry()) == (Saved(b"state", chain, [], 0, {}), 1)
    ledger.note_published({})
    ledger.save(b"newer")
    ledger.append([], entry=("window", b"two"))
    assert ledger.saved() == Saved(b"newer", chain, [Entry(2, "window", b"two", chain)], 1, {})
    ledger.close()


def test_all_that_was_written_so_far_is_published_unless_a_number_is_named(path: Path) -> None:
    ledger = Ledger(path)
    for number in range(3):
        ledger.append([], entry=("window", bytes([number])))
    ledger.note_published({"a": "1"})
    assert (ledger.saved().published, ledger.saved().marks) == (3, {"a": "1"})
    ledger.note_published({"b": "2"}, until=0)
    assert (ledger.saved().published, ledger.saved().marks) == (0, {"b": "2"})
    ledger.close()


def test_a_snapshot_is_wanted_once_the_journal_is_as_large_as_the_last_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledgers, "MIN_JOURNAL_BYTES", 10)
    ledger = Ledger(path)
    ledger.append([], entry=("window", b"123456789"))
    assert not ledger.wants_snapshot
    ledger.append([NOTE])  # no input: the journal is as long as before
    assert not ledger.wants_snapshot
    ledger.append([], entry=("window", b"x"))
    assert ledger.wants_snapshot
    ledger = reopened(ledger, path)
    assert ledger.wants_snapshot
    ledger.save(b"s" * 30)
    assert not ledger.wants_snapshot
    ledger.append([], entry=("window", b"x" * 29))
    ledger = reopened(ledger, path)
    assert not ledger.wants_snapshot
    ledger.append([], entry=("window", b"x"))
    assert ledger.wants_snapshot
    ledger.close()


@pytest.mark.parametrize(("marks", "is_ended"), [({}, True), ({"jsonl": "17"}, False)])
def test_whoever_is_forgotten_leaves_the_highest_number_and_what_sinks_lack(
    path: Path, marks: dict[str, str], is_ended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledgers, "MIN_JOURNAL_BYTES", 1)
    ledger = Ledger(path)
    ledger.append([make_sighting(1)], entry=("window", b"appearances"))
    ledger.save(b"state")
    ledger.append([NOTE], entry=("window", b"appearances"))
    ledger.note_published(marks)
    ledger.forget(9, [OWED_RECORD])
    chain = bytes.fromhex(ledger.digest)
    assert not ledger.wants_snapshot
    saved = ledger.saved()
    assert (saved.state, saved.chain) == (None, START)
    assert [(entry.number, entry.kind, entry.chain) for entry in saved.entries] == [
        (3, FORGOTTEN, chain),
        (4, OWED, chain),
    ]
    assert deserialise(saved.entries[0].body, dict[str, int | bool]) == {"last_person_id": 9, "is_ended": is_ended}
    assert deserialise(saved.entries[1].body, dict[str, list[StoredRecord]]) == {"records": [OWED_RECORD]}
    ledger.close()
    reader = LedgerReader(path)
    assert len(reader.events()) == 2
    reader.close()


def test_a_ledger_that_was_never_published_has_not_ended(path: Path) -> None:
    ledger = Ledger(path)
    ledger.forget(0, [])
    assert deserialise(ledger.saved().entries[0].body, dict[str, int | bool])["is_ended"] is False
    ledger.close()


def test_a_snapshot_keeps_the_records_that_sinks_lack(path: Path) -> None:
    ledger = Ledger(path)
    ledger.append([NOTE], entry=("window", b"input"))
    ledger.save(b"state", [OWED_RECORD])
    (entry,) = ledger.saved().entries
    assert (entry.kind, entry.number) == (OWED, 2)
    assert deserialise(entry.body, dict[str, list[StoredRecord]]) == {"records": [OWED_RECORD]}
    ledger.close()


def window(ledger: Ledger, *records: Record) -> None:
    """Append sightings with the embeddings that they were decided from, as a run does."""
    embeddings = [make_embedding(each.track_id, each.part, each.path) for each in records if isinstance(each, Sighting)]
    ledger.append(records, entry=("window", serialise({"embeddings": embeddings})))


def owed(ledger: Ledger, path: Path, erased: Correction | None = None) -> list[tuple[str, object]]:
    """Return which records sinks lack: of sightings the part and how many boxes they have."""
    reader = LedgerReader(path)
    found = unpublished_records(ledger.saved(), reader, erased)
    reader.close()
    kinds = {"sighting": Sighting, "correction": Correction, "alert": Alert}
    records = [(kind, deserialise(body, kinds[kind])) for kind, body in found]
    return [
        (kind, (each.person_id, TrackPart(each.track_id, each.part), len(each.path)) if kind == "sighting" else each)
        for kind, each in records
    ]


def test_what_was_not_published_is_owed_in_order_and_with_all_boxes(path: Path) -> None:
    ledger = Ledger(path)
    window(ledger, make_sighting(1, EAST, 0, make_path(0)))
    window(ledger, make_sighting(1, EAST, 1, make_path(10, length=7)), ALERT)
    window(ledger, NOTE)
    everything = [
        ("sighting", (1, TrackPart(EAST, 0), 5)),
        ("sighting", (1, TrackPart(EAST, 1), 7)),
        ("alert", ALERT),
        ("correction", NOTE),
    ]
    assert owed(ledger, path) == everything
    ledger.note_published({"jsonl": "1"}, until=1)
    assert owed(ledger, path) == everything[1:]
    ledger.note_published({"jsonl": "3"})
    assert owed(ledger, path) == []
    ledger.close()


def test_records_that_are_owed_come_before_those_that_followed(path: Path) -> None:
    ledger = Ledger(path)
    window(ledger, make_sighting(1, EAST, 0, make_path(0)), ALERT)
    ledger.save(b"state", unpublished_of(ledger, path))
    window(ledger, NOTE)
    assert [kind for kind, _ in owed(ledger, path)] == ["sighting", "alert", "correction"]
    erased = Correction(CorrectionKind.ERASED, (2,), "ann", 9.0)
    assert [kind for kind, _ in owed(ledger, path, erased)] == ["sighting", "correction"]
    ledger.close()


def unpublished_of(ledger: Ledger, path: Path) -> list[StoredRecord]:
    reader = LedgerReader(path)
    found = unpublished_records(ledger.saved(), reader)
    reader.close()
    return found


def test_a_sighting_whose_input_cannot_be_read_is_named_and_the_rest_is_owed(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger(path)
    ledger.append([make_sighting(1, EAST)], entry=("window", b"of another version"))
    window(ledger, make_sighting(2, WEST))
    assert owed(ledger, path) == [("sighting", (2, TrackPart(WEST, 0), 5))]
    assert caplog.messages == ["event 1 of the ledger may be missing at sinks: its input cannot be read"]
    ledger.close()
