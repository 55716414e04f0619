from factories import make_path, make_sighting

from pipeline.alerts.basis import AlertBasis
from pipeline.core import Alert, Correction, CorrectionKind, Severity, Sighting, TrackId, TrackPart

EAST, WEST = TrackId("east", 0, 1), TrackId("west", 0, 1)


def see(at: float, person_id: int = 1, track_id: TrackId = EAST, part: int = 0) -> Sighting:
    """A sighting that ends at a time and began 0.4 seconds before."""
    return make_sighting(person_id, track_id, part, make_path(first=round(at * 10) - 4, length=5))


def make_alert(started_at: float, raised_at: float, *evidence: TrackId, person_id: int = 1) -> Alert:
    return Alert("key", "rule", Severity.INFO, person_id, "east", started_at, raised_at, "Hello.", evidence)


def make_basis(*sightings: Sighting, max_parts: int = 100) -> AlertBasis:
    basis = AlertBasis(max_parts=max_parts)
    for sighting in sightings:
        basis.add(sighting)
    return basis


def test_an_alert_is_based_on_all_parts_from_its_start_until_it_was_raised() -> None:
    basis = make_basis(*(see(at, part=at) for at in (1, 2, 3, 4)))
    assert basis.parts_of(make_alert(1.9, 3.0, EAST)) == {TrackPart(EAST, 2), TrackPart(EAST, 3)}


def test_parts_of_other_people_and_other_tracks_are_not_its_basis() -> None:
    basis = make_basis(see(1), see(1.5, 2, part=1), see(2, track_id=WEST))
    assert basis.parts_of(make_alert(0.0, 3.0, EAST)) == {TrackPart(EAST, 0)}


def test_a_track_that_ended_before_counts_with_its_last_part() -> None:
    basis = make_basis(see(1), see(2, part=1), see(50, track_id=WEST))
    assert basis.parts_of(make_alert(49.6, 50.0, EAST, WEST)) == {TrackPart(EAST, 1), TrackPart(WEST, 0)}


def test_parts_follow_their_people() -> None:
    basis = make_basis(see(1), see(2, 2, WEST), see(3, part=1))
    basis.on_correction(Correction(CorrectionKind.MERGED, (1, 2), "test", 3.0))
    assert len(basis.parts_of(make_alert(0.0, 3.0, EAST, WEST))) == 3
    basis.on_correction(Correction(CorrectionKind.SPLIT, (1, 5), "test", 3.0, (TrackPart(EAST, 1),)))
    assert basis.parts_of(make_alert(0.0, 3.0, EAST, WEST, person_id=5)) == {TrackPart(EAST, 1)}
    basis.on_correction(Correction(CorrectionKind.ERASED, (1,), "test", 3.0))
    assert basis.parts_of(make_alert(0.0, 3.0, EAST, WEST)) == frozenset()


def test_only_the_newest_parts_are_remembered() -> None:
    basis = make_basis(*(see(at, part=at) for at in (1, 2, 3)), max_parts=2)
    assert basis.parts_of(make_alert(0.0, 3.0, EAST)) == {TrackPart(EAST, 2), TrackPart(EAST, 3)}
