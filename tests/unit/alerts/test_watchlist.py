from dataclasses import replace

import pytest
from factories import make_path, make_sighting

from pipeline.alerts.rules.watchlist import WatchlistRule
from pipeline.core import Alert, Correction, CorrectionKind, Sighting, TrackId
from pipeline.core.errors import ConfigError

TRACK, OTHER = TrackId("east", 0, 1), TrackId("west", 0, 1)


def make_rule(people=None, min_probability: float = 0.8) -> WatchlistRule:
    return WatchlistRule(
        name="watch",
        severity="critical",
        people={"lost child": 17} if people is None else people,
        min_probability=min_probability,
        forget_after_s=60.0,
    )


def see(person_id: int = 17, track_id: TrackId = TRACK, part: int = 0, probability: float = 0.95) -> Sighting:
    return replace(make_sighting(person_id, track_id, part, make_path(first=part * 5)), probability=probability)


def run(rule: WatchlistRule, *sightings: Sighting) -> list[Alert]:
    """What a rule reports, each situation in its newest form."""
    return list({alert.key: alert for sighting in sightings for alert in rule.on_sighting(sighting)}.values())


def test_a_listed_person_is_reported_in_each_camera() -> None:
    alerts = run(make_rule(), see(), see(part=1), see(track_id=OTHER, part=2))
    assert [alert.evidence for alert in alerts] == [(TRACK,), (OTHER,)]
    assert alerts[0].message == "'lost child' of the watch list is here."
    assert alerts[0].key == "watch/17/0.000/east"


def test_people_who_are_not_listed_raise_no_alert() -> None:
    assert run(make_rule(), see(person_id=18)) == []


def test_a_sighting_of_low_probability_is_ignored_until_a_surer_one() -> None:
    alerts = run(make_rule(), see(probability=0.5), see(part=1, probability=0.9))
    assert [alert.started_at for alert in alerts] == [0.5]


def test_a_listed_person_keeps_the_name_under_another_number() -> None:
    rule = make_rule()
    rule.on_correction(Correction(CorrectionKind.MERGED, (3, 17), "test", 1.0))
    assert len(run(rule, see(person_id=3))) == 1
    assert run(rule, see(person_id=17, track_id=OTHER)) == []


def test_after_a_merge_it_is_one_presence_of_the_kept_person() -> None:
    rule = make_rule()
    (alert,) = run(rule, see())
    rule.on_correction(Correction(CorrectionKind.MERGED, (3, 17), "test", 1.0))
    (after,) = run(rule, see(person_id=3, part=1))
    assert (after.person_id, after.started_at) == (3, alert.started_at)
    assert rule.reconsider(replace(alert, person_id=3)) == replace(alert, person_id=3)


def test_an_alert_about_a_person_who_is_not_listed_is_not_true() -> None:
    rule = make_rule()
    (alert,) = run(rule, see())
    assert rule.reconsider(replace(alert, person_id=18)) is None


def test_an_alert_about_another_listed_person_names_that_one() -> None:
    rule = make_rule({"lost child": 17, "her father": 18})
    (alert,) = run(rule, see())
    amended = rule.reconsider(replace(alert, person_id=18))
    assert amended is not None
    assert amended.message == "'her father' of the watch list is here."


def test_an_erased_person_is_not_listed_any_more() -> None:
    rule = make_rule()
    rule.on_correction(Correction(CorrectionKind.ERASED, (17,), "test", 1.0))
    assert run(rule, see()) == []


@pytest.mark.parametrize("person_id", ["seventeen", 1.5, True, None, 0, -4])
def test_a_person_is_a_number(person_id) -> None:
    with pytest.raises(ConfigError, match=r"alerts\.watch\.people\.lost child: expected a person's number"):
        make_rule({"lost child": person_id})


def test_naming_lists_a_person_and_an_empty_name_takes_them_off() -> None:
    rule = make_rule()
    rule.on_correction(Correction(CorrectionKind.NAMED, (5,), "ann", 1.0, name="the man with the red bag"))
    (alert,) = run(rule, see(5))
    assert "the man with the red bag" in alert.message
    rule.on_correction(Correction(CorrectionKind.NAMED, (5,), "ann", 2.0))
    assert run(rule, see(5, OTHER)) == []


def test_two_names_for_one_person_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"alerts\.watch\.people\.thief: expected another number than 'lost child'"):
        make_rule(people={"lost child": 17, "thief": 17})
