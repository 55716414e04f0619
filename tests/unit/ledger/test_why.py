"""The words in which a ledger explains a decision."""

from dataclasses import replace
from pathlib import Path

import pytest
from factories import make_sighting

from pipeline.core import Correction, CorrectionKind, Match, Outcome, Record, TrackId, TrackPart
from pipeline.core.errors import DataError
from pipeline.ledger import Ledger, LedgerReader
from pipeline.ledger.why import why

EAST, WEST = TrackId("east", 0, 1), TrackId("west", 0, 1)
EVIDENCE = (("looks", 1.256), ("way", -0.5), ("needed", 2.0), ("quality", 0.875))


def explained(folder: Path, part: TrackPart, *records: Record) -> list[str]:
    ledger = Ledger(folder / "ledger.sqlite")
    ledger.append(records)
    ledger.close()
    reader = LedgerReader(folder / "ledger.sqlite")
    found = why(reader, part)
    reader.close()
    return found


def test_a_match_tells_distance_evidence_runner_up_and_who_was_ruled_out(tmp_path: Path) -> None:
    sighting = replace(
        make_sighting(3, EAST, outcome=Outcome.MATCHED),
        evidence=EVIDENCE,
        probability=0.876,
        distance=0.12345,
        runner_up=Match(4, 0.45678),
        gates=("not 5: elsewhere at that time", "not 6: too far"),
    )
    assert explained(tmp_path, TrackPart(EAST, 0), sighting) == [
        "east/0/1:0 at 0.4 was recognised as person 3; 88% sure",
        "  appearance: cosine distance 0.123 to this person",
        "  appearance: +1.26",
        "  needed to link: +2.00",
        "  quality of the crops: +0.88",
        "  place and time: -0.50",
        "  runner-up: person 4, at 0.457",
        "  not 5: elsewhere at that time",
        "  not 6: too far",
        "now: person 3",
    ]


def test_a_pending_match_says_that_it_may_change(tmp_path: Path) -> None:
    sighting = replace(make_sighting(3, EAST, outcome=Outcome.TENTATIVE), distance=None, runner_up=Match(1, 0.4))
    assert explained(tmp_path, TrackPart(EAST, 0), sighting) == [
        "east/0/1:0 at 0.4 became person 3 for now, perhaps the runner-up; 95% sure",
        "  runner-up: person 1, at 0.400",
        "  no one was ruled out",
        "now: person 3",
    ]


def test_later_corrections_are_told_through_all_numbers_of_the_person(tmp_path: Path) -> None:
    part, other = TrackPart(EAST, 0), TrackPart(WEST, 0)
    before = Correction(CorrectionKind.MERGED, (1, 9), "ann", 0.0, reason="before it was seen")
    records = [
        before,
        make_sighting(1, EAST),
        Correction(CorrectionKind.SPLIT, (1, 5), "review", 1.0, (other,), "of another part"),
        Correction(CorrectionKind.MERGED, (2, 1), "review", 1.0),
        Correction(CorrectionKind.NAMED, (2,), "ann", 1.0, reason="she said so", name="Anna"),
        Correction(CorrectionKind.MERGED, (7, 8), "ann", 1.0),
        Correction(CorrectionKind.SPLIT, (2, 6), "review", 1.0, (part,), "better so"),
        Correction(CorrectionKind.ERASED, (6,), "ann", 1.0),
    ]
    assert explained(tmp_path, part, *records)[-5:] == [
        "then merged: 2, 1, by re-clustering",
        "then named: 2, by ann (she said so)",
        "then split: 2, 6, by re-clustering (better so)",
        "then erased: 6, by ann",
        "now: nobody",
    ]


def test_a_part_that_was_never_seen_is_an_error_that_says_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^west/0/1:0: expected a sighting of the ledger, got none; sightings\.jsonl"):
        explained(tmp_path, TrackPart(WEST, 0), make_sighting(1, EAST))
