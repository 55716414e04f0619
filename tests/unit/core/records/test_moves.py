"""Corrections move what is known of people, and whatever applies the moves comes to the same identities."""

import pytest
from factories import make_path, make_sighting
from hypothesis import given
from hypothesis import strategies as st

from pipeline.alerts.basis import AlertBasis
from pipeline.core import Alert, AlertState, Correction, CorrectionKind, Severity, TrackId, TrackPart
from pipeline.core.records.moves import Move, alert_after, moves_of, names_after
from pipeline.ledger import NOBODY, FinalTracks

EAST, WEST = TrackId("east", 0, 1), TrackId("west", 0, 1)
ALERT = Alert("dwell/1/5.000", "dwell", Severity.INFO, 1, "east", 5.0, 5.4, "Stays.", (EAST, WEST))
PARTS = [TrackPart(track_id, part) for track_id in (EAST, WEST) for part in range(3)]


def correct(kind: CorrectionKind, *person_ids: int, parts: tuple[TrackPart, ...] = (), name: str = "") -> Correction:
    return Correction(kind, person_ids, "ann", 9.0, parts, name=name)


@pytest.mark.parametrize("kind", [CorrectionKind.CONFIRMED, CorrectionKind.NAMED])
def test_confirming_and_naming_move_nothing(kind: CorrectionKind) -> None:
    assert moves_of(correct(kind, 1, parts=(PARTS[0],))) == ()


def test_an_erasure_forgets_each_number() -> None:
    assert moves_of(correct(CorrectionKind.ERASED, 1, 4)) == (Move(1, None), Move(4, None))


def test_a_split_takes_its_parts_and_no_others() -> None:
    (move,) = moves_of(correct(CorrectionKind.SPLIT, 1, 2, parts=(PARTS[0],)))
    assert move.takes(PARTS[0], 1)
    assert not move.takes(PARTS[1], 1)


@pytest.mark.parametrize(
    ("correction", "names"),
    [
        (correct(CorrectionKind.NAMED, 3, name="guard"), {1: "ann", 2: "bob", 3: "guard"}),
        (correct(CorrectionKind.NAMED, 1), {2: "bob"}),
        (correct(CorrectionKind.MERGED, 1, 2), {1: "ann"}),
        (correct(CorrectionKind.MERGED, 3, 2), {1: "ann", 3: "bob"}),
        (correct(CorrectionKind.SPLIT, 1, 3, parts=(PARTS[0],)), {1: "ann", 2: "bob"}),
        (correct(CorrectionKind.ERASED, 1, 2), {}),
    ],
    ids=["named", "name taken off", "both named", "absorbed named", "split", "erased"],
)
def test_names_follow_their_people(correction: Correction, names: dict[int, str]) -> None:
    assert names_after({1: "ann", 2: "bob"}, correction) == names


def test_an_alert_keeps_the_evidence_that_still_shows_its_person() -> None:
    split = Move(1, 2, frozenset(PARTS))
    assert alert_after(ALERT, Move(1, None)).state is AlertState.RETRACTED
    assert (alert_after(ALERT, split).person_id, alert_after(ALERT, split).evidence) == (2, (EAST, WEST))
    assert (alert_after(ALERT, split, (WEST,)).person_id, alert_after(ALERT, split, (WEST,)).evidence) == (1, (WEST,))


@given(st.data())
def test_tracks_and_alerts_come_to_the_same_identities_after_any_corrections(data: st.DataObject) -> None:
    owners = {part: data.draw(st.integers(1, 3)) for part in PARTS}
    tracks, basis = FinalTracks(), AlertBasis(max_parts=100)
    for part, person_id in owners.items():
        tracks.see(part, person_id)
        basis.add(make_sighting(person_id, part.track_id, part.part, make_path(10 * part.part)))
    for next_person_id in range(4, 4 + data.draw(st.integers(0, 6))):
        people = sorted(set(owners.values()))
        kind = data.draw(st.sampled_from([CorrectionKind.MERGED, CorrectionKind.SPLIT, CorrectionKind.ERASED]))
        if not people or (kind is CorrectionKind.MERGED and len(people) < 2):
            continue
        first, *rest = data.draw(st.permutations(people))
        mine = [part for part in PARTS if owners.get(part) == first]
        if kind is CorrectionKind.MERGED:
            correction = correct(kind, first, rest[0])
            owners = {part: first if owner == rest[0] else owner for part, owner in owners.items()}
        elif kind is CorrectionKind.SPLIT:
            moved = tuple(data.draw(st.lists(st.sampled_from(mine), min_size=1, unique=True)))
            correction = correct(kind, first, next_person_id, parts=moved)
            owners |= dict.fromkeys(moved, next_person_id)
        else:
            correction = correct(kind, first)
            owners = {part: owner for part, owner in owners.items() if owner != first}
        tracks.correct(correction)
        basis.on_correction(correction)
    assert [tracks.person_of(part) for part in PARTS] == [owners.get(part, NOBODY) for part in PARTS]
    for person_id in range(1, 11):
        alert = Alert("key", "rule", Severity.INFO, person_id, "east", 0.0, 100.0, "Hello.", (EAST, WEST))
        assert basis.parts_of(alert) == {part for part, owner in owners.items() if owner == person_id}
