import pytest
from factories import make_path, make_sighting

from pipeline.alerts.rules.reappearance import ReappearanceRule
from pipeline.core import Alert, Correction, CorrectionKind, Sighting, TrackId, TrackPart
from pipeline.core.errors import ConfigError

EAST, WEST, LATER = TrackId("east", 0, 1), TrackId("west", 0, 1), TrackId("west", 0, 2)


def make_rule(min_absence_s: float = 10.0, max_absence_s: float = 100.0) -> ReappearanceRule:
    return ReappearanceRule(
        name="back",
        severity="info",
        min_absence_s=min_absence_s,
        max_absence_s=max_absence_s,
        forget_after_s=120.0,
    )


def see(from_s: float, to_s: float, track_id: TrackId = EAST, *, person_id: int = 1, part: int = 0) -> Sighting:
    path = make_path(first=round(from_s * 10), length=round((to_s - from_s) * 10) + 1)
    return make_sighting(person_id, track_id, part, path)


def run(rule: ReappearanceRule, *sightings: Sighting) -> list[Alert]:
    return [alert for sighting in sightings for alert in rule.on_sighting(sighting)]


@pytest.mark.parametrize(
    ("return_s", "count"),
    [(14.9, 0), (15.0, 1), (105.0, 1), (105.1, 0), (500.0, 0)],
    ids=["too soon", "at the earliest", "at the latest", "too late", "forgotten"],
)
def test_only_an_absence_of_the_right_length_raises_an_alert(return_s: float, count: int) -> None:
    assert len(run(make_rule(), see(0, 5), see(return_s, return_s + 2, WEST))) == count


def test_the_alert_says_where_the_person_was_and_shows_both_tracks() -> None:
    (alert,) = run(make_rule(), see(0, 5), see(20, 22, WEST))
    assert alert.message == "Somebody is back after 15 s, last seen in 'east'."
    assert (alert.key, alert.evidence, alert.raised_at) == ("back/1/20.000/west", (EAST, WEST), 22.0)


def test_a_gap_within_one_track_is_no_absence() -> None:
    assert run(make_rule(), see(0, 5), see(20, 22, part=1)) == []


def test_a_person_in_two_cameras_at_once_was_not_away() -> None:
    assert run(make_rule(), see(0, 5), see(3, 20, WEST), see(19, 30, LATER)) == []


def test_a_person_who_was_merged_comes_back_under_the_kept_number() -> None:
    rule = make_rule()
    run(rule, see(0, 5, person_id=2))
    rule.on_correction(Correction(CorrectionKind.MERGED, (1, 2), "test", 6.0))
    assert len(run(rule, see(20, 22, WEST))) == 1


def test_after_a_split_each_person_keeps_their_own_last_presence() -> None:
    rule = make_rule()
    run(rule, see(0, 5), see(6, 30, WEST))
    moved = (TrackPart(WEST, 0),)
    rule.on_correction(Correction(CorrectionKind.SPLIT, (1, 2), "test", 30.0, moved))
    (alert,) = run(rule, see(31, 33, LATER))
    assert alert.evidence == (EAST, LATER)
    (alert,) = run(rule, see(50, 52, TrackId("east", 0, 9), person_id=2))
    assert alert.evidence == (WEST, TrackId("east", 0, 9))


def test_an_alert_that_lost_one_of_its_tracks_is_not_true() -> None:
    rule = make_rule()
    (alert,) = run(rule, see(0, 5), see(20, 22, WEST))
    assert rule.reconsider(alert) == alert
    assert rule.reconsider(Alert(**{f: getattr(alert, f) for f in alert.__slots__} | {"evidence": (WEST,)})) is None


def test_two_people_who_prove_to_be_one_came_back() -> None:
    rule = make_rule()
    assert run(rule, see(0, 5), see(20, 22, WEST, person_id=2)) == []
    (alert,) = rule.on_correction(Correction(CorrectionKind.MERGED, (1, 2), "test", 23.0))
    assert (alert.key, alert.evidence, alert.raised_at) == ("back/1/20.000/west", (EAST, WEST), 22.0)


def test_who_was_seen_meanwhile_under_another_number_was_not_away() -> None:
    rule = make_rule()
    (alert,) = run(rule, see(0, 5), see(6, 18, LATER, person_id=2), see(20, 22, WEST))
    assert not list(rule.on_correction(Correction(CorrectionKind.MERGED, (1, 2), "test", 23.0)))
    assert rule.reconsider(alert) is None


def test_a_return_in_two_cameras_at_once_is_reported_as_it_was_told() -> None:
    rule = make_rule()
    (alert,) = run(rule, see(0, 5), see(20, 22, WEST), see(19.9, 23, TrackId("north", 0, 1)))
    assert list(rule.on_correction(Correction(CorrectionKind.NAMED, (1,), "test", 24.0, name="ann"))) == [alert]


def test_an_erased_person_does_not_come_back() -> None:
    rule = make_rule()
    run(rule, see(0, 5))
    rule.on_correction(Correction(CorrectionKind.ERASED, (1,), "test", 6.0))
    assert run(rule, see(20, 22, WEST)) == []


def test_a_maximum_absence_below_the_minimum_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"alerts\.back\.max_absence_s: expected a number of at least 200"):
        make_rule(min_absence_s=200.0)
