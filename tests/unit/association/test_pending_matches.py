"""A number given for now: whatever becomes of it is told."""

from people import judge, make_match, see

from pipeline.association.matcher import Matcher
from pipeline.core import CommandKind, Correction, CorrectionCommand, CorrectionKind, Embedding, Outcome, Sighting

CONFIRMED, MERGED = CorrectionKind.CONFIRMED, CorrectionKind.MERGED
UNSURE = [see("east", 1, stop=1.0), see("west", 1, start=10.0, stop=11.0, distance=0.53, quality=0.2)]


def told(stage: Matcher, embeddings: list[Embedding]) -> list[tuple[CorrectionKind, tuple[int, ...]]]:
    records = judge(stage, embeddings)
    assert [r.outcome for r in records if isinstance(r, Sighting)][1] is Outcome.TENTATIVE
    return [(record.kind, record.person_ids) for record in records if isinstance(record, Correction)]


def test_pictures_that_show_who_it_is_merge_the_two_numbers_and_end_the_doubt() -> None:
    better = see("west", 1, part=1, start=11.1, stop=14.0, distance=0.0, quality=1.0)
    later = see("gate", 9, start=500.0, stop=501.0, person=5)
    ((kind, people), *rest) = told(make_match(recluster_every_s=3.0, recluster_window_s=60.0), [*UNSURE, better, later])
    assert (kind, set(people), rest) == (MERGED, {1, 2}, [])


def test_pictures_that_show_that_it_is_somebody_else_confirm_the_new_number() -> None:
    other = [see("west", 1, part=n, start=8.1 + 3 * n, stop=11 + 3 * n, distance=0.8, quality=1.0) for n in range(1, 9)]
    assert told(make_match(recluster_every_s=3.0), [*UNSURE, *other]) == [(CONFIRMED, (2,))]


def test_a_doubt_that_nothing_ended_in_time_ends_as_a_person_of_its_own() -> None:
    later = see("gate", 9, start=500.0, stop=501.0, person=5)
    assert told(make_match(recluster_every_s=3.0, recluster_window_s=60.0), [*UNSURE, later]) == [(CONFIRMED, (2,))]


def test_whom_an_operator_decided_about_is_not_decided_again() -> None:
    stage = make_match(recluster_every_s=3.0, recluster_window_s=60.0)
    judge(stage, UNSURE)
    order = CorrectionCommand(CommandKind.CONFIRM, (2,), by="ann", at=12.0, reason="")
    stage.apply(order, Correction(CONFIRMED, (2,), by="ann", at=12.0))
    records = judge(stage, [see("gate", 9, start=500.0, stop=501.0, person=5)])
    assert [record for record in records if isinstance(record, Correction)] == []


def test_a_doubt_survives_a_restart() -> None:
    stage, other = (make_match(recluster_every_s=3.0, recluster_window_s=60.0) for _ in range(2))
    judge(stage, UNSURE)
    other.restore(stage.snapshot())
    records = judge(other, [see("gate", 9, start=500.0, stop=501.0, person=5)])
    assert [record.kind for record in records if isinstance(record, Correction)] == [CONFIRMED]
