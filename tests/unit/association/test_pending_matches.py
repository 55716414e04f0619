"""Pending matches: a provisional number always ends in a correction."""

from people import make_match, run_matcher, see, windows

from pipeline.association.matcher import Matcher
from pipeline.core import CommandKind, Correction, CorrectionCommand, CorrectionKind, Embedding, Outcome, Sighting

CONFIRMED, MERGED = CorrectionKind.CONFIRMED, CorrectionKind.MERGED
UNSURE = [see("east", 1, stop=1.0), see("west", 1, start=10.0, stop=11.0, distance=0.53, quality=0.2)]


def corrections_of(stage: Matcher, embeddings: list[Embedding]) -> list[tuple[CorrectionKind, tuple[int, ...]]]:
    records = run_matcher(stage, embeddings)
    assert [r.outcome for r in records if isinstance(r, Sighting)][1] is Outcome.TENTATIVE
    return [(record.kind, record.person_ids) for record in records if isinstance(record, Correction)]


def test_pictures_of_the_same_person_merge_the_two_numbers_and_settle_the_pending_match() -> None:
    better = see("west", 1, part=1, start=11.1, stop=14.0, distance=0.0, quality=1.0)
    later = see("gate", 9, start=500.0, stop=501.0, person=5)
    ((kind, people), *rest) = corrections_of(
        make_match(recluster_every_s=3.0, recluster_window_s=60.0), [*UNSURE, better, later]
    )
    assert (kind, set(people), rest) == (MERGED, {1, 2}, [])


def test_pictures_of_another_person_confirm_the_new_number() -> None:
    other = [see("west", 1, part=n, start=8.1 + 3 * n, stop=11 + 3 * n, distance=0.8, quality=1.0) for n in range(1, 9)]
    assert corrections_of(make_match(recluster_every_s=3.0), [*UNSURE, *other]) == [(CONFIRMED, (2,))]


def test_a_pending_match_that_stays_open_too_long_is_confirmed_as_a_new_person() -> None:
    later = see("gate", 9, start=500.0, stop=501.0, person=5)
    assert corrections_of(make_match(recluster_every_s=3.0, recluster_window_s=60.0), [*UNSURE, later]) == [
        (CONFIRMED, (2,))
    ]


def test_a_pending_match_that_a_correction_settled_is_not_settled_again() -> None:
    stage = make_match(recluster_every_s=3.0, recluster_window_s=60.0)
    run_matcher(stage, UNSURE)
    command = CorrectionCommand(CommandKind.CONFIRM, (2,), by="ann", at=12.0, reason="")
    stage.apply(command, Correction(CONFIRMED, (2,), by="ann", at=12.0))
    records = run_matcher(stage, [see("gate", 9, start=500.0, stop=501.0, person=5)])
    assert [record for record in records if isinstance(record, Correction)] == []


def test_a_pending_match_survives_a_restart() -> None:
    stage, other = (make_match(recluster_every_s=3.0, recluster_window_s=60.0) for _ in range(2))
    for window in windows(UNSURE):
        stage.process(window)
    other.restore(stage.snapshot())
    records = run_matcher(other, [see("gate", 9, start=500.0, stop=501.0, person=5)])
    assert [record.kind for record in records if isinstance(record, Correction)] == [CONFIRMED]


def test_the_end_of_the_stream_leaves_no_match_pending() -> None:
    stage = make_match()
    assert corrections_of(stage, UNSURE) == [(CONFIRMED, (2,))]
    assert stage.flush() == []
