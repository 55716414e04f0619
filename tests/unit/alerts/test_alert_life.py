"""The life of an alert: told once for each person and place, held back and told later, ended."""

from collections.abc import Sequence

import pytest
from factories import make_path, make_sighting

from pipeline.alerts.engine import AlertEngine
from pipeline.alerts.rules.line_crossing import LineCrossingRule
from pipeline.alerts.rules.watchlist import WatchlistRule
from pipeline.alerts.rules.zone_dwell import ZoneDwellRule
from pipeline.core import Alert, AlertState, Sighting, TrackId

DOOR, VAULT, NOWHERE = (10.0, 10.0, 30.0, 50.0), (100.0, 10.0, 120.0, 50.0), (60.0, 10.0, 80.0, 50.0)
ZONES = {
    "door": {"camera": "east", "polygon": [[0, 0], [50, 0], [50, 120], [0, 120]]},
    "vault": {"camera": "east", "polygon": [[90, 0], [150, 0], [150, 120], [90, 120]]},
}
TRACK = TrackId("east", 0, 1)


class Walk:
    """Somebody who is here and there, in parts of one second."""

    def __init__(self) -> None:
        self._part = -1
        self.sightings: list[Sighting] = []

    def stay(self, box: Sequence[float], from_s: float, to_s: float, track_id: TrackId = TRACK) -> "Walk":
        for second in range(round(from_s), round(to_s)):
            self._part += 1
            path = make_path(first=10 * second, length=11, box=box)
            self.sightings.append(make_sighting(17, track_id, self._part, path))
        return self


def make_engine(*rules, cooldown_s: float = 60.0) -> AlertEngine:
    return AlertEngine(rules, cooldown_s=cooldown_s, max_open=100, max_parts=10_000)


def make_dwell(zones=ZONES, max_dwell_s: float = 10.0) -> ZoneDwellRule:
    return ZoneDwellRule(
        name="dwell", severity="warning", zones=zones, max_dwell_s=max_dwell_s, max_absence_s=3.0, forget_after_s=300.0
    )


def live(engine: AlertEngine, walk: Walk) -> list[Alert]:
    """The alerts that a run told in the order of raising, each in its last form."""
    told: dict[str, Alert] = {}
    for sighting in walk.sightings:
        for alert in (*engine.process([sighting]), *engine.tick(sighting.last.captured_at)):
            told[alert.key] = alert
    for alert in engine.flush():
        told[alert.key] = alert
    return [alert for alert in told.values() if alert.state is not AlertState.RETRACTED]


def at(alerts: Sequence[Alert]) -> list[tuple[str, float, float | None, int]]:
    return [(alert.place, round(alert.raised_at), alert.ended_at, alert.count) for alert in alerts]


def test_a_cool_down_at_the_door_does_not_silence_the_vault() -> None:
    walk = Walk().stay(DOOR, 0, 15).stay(VAULT, 20, 620)
    assert at(live(make_engine(make_dwell()), walk)) == [("door", 11, 15.0, 1), ("vault", 31, 620.0, 1)]


def test_a_stay_that_outlasts_the_cool_down_is_told_when_it_ends() -> None:
    walk = Walk().stay(DOOR, 0, 15).stay(DOOR, 20, 620)
    assert at(live(make_engine(make_dwell()), walk)) == [("door", 11, 15.0, 1), ("door", 71, 620.0, 1)]


def test_a_stay_that_is_over_before_the_cool_down_ends_is_counted_in_the_earlier_alert() -> None:
    walk = Walk().stay(DOOR, 0, 15).stay(DOOR, 20, 35).stay(NOWHERE, 36, 100)
    assert at(live(make_engine(make_dwell()), walk)) == [("door", 11, 35.0, 2)]


def test_each_line_is_told() -> None:
    lines = {
        "fence": {"camera": "east", "from": [40, 120], "to": [40, 0], "forbidden": "both"},
        "track bed": {"camera": "east", "from": [85, 120], "to": [85, 0], "forbidden": "both"},
    }
    rule = LineCrossingRule(name="line", severity="warning", lines=lines, min_depth_px=4.0, forget_after_s=300.0)
    walk = Walk().stay(DOOR, 0, 2).stay(NOWHERE, 2, 5).stay(VAULT, 5, 8)
    assert [(alert.place, round(alert.started_at)) for alert in live(make_engine(rule), walk)] == [
        ("fence", 2),
        ("track bed", 5),
    ]


def test_a_line_that_is_crossed_again_during_the_cool_down_is_counted() -> None:
    lines = {"fence": {"camera": "east", "from": [40, 120], "to": [40, 0], "forbidden": "both"}}
    rule = LineCrossingRule(name="line", severity="warning", lines=lines, min_depth_px=4.0, forget_after_s=300.0)
    walk = Walk().stay(DOOR, 0, 2).stay(NOWHERE, 2, 5).stay(DOOR, 5, 8).stay(NOWHERE, 8, 70).stay(DOOR, 70, 72)
    assert [(round(alert.started_at), alert.count) for alert in live(make_engine(rule), walk)] == [(2, 3), (70, 1)]


def test_a_listed_person_is_told_in_each_camera() -> None:
    rule = WatchlistRule(
        name="watch", severity="critical", people={"lost child": 17}, min_probability=0.0, forget_after_s=300.0
    )
    walk = Walk()
    for camera_id, from_s in (("east", 0), ("gate", 30), ("street", 50)):
        walk.stay(DOOR, from_s, from_s + 5, TrackId(camera_id, 0, 1))
    assert [(alert.place, alert.started_at) for alert in live(make_engine(rule), walk)] == [
        ("east", 0.0),
        ("gate", 30.0),
        ("street", 50.0),
    ]


@pytest.mark.parametrize("cooldown_s", [0.0, 60.0])
def test_nested_zones_have_keys_of_their_own(cooldown_s: float) -> None:
    zones = {**ZONES, "yard": {"camera": "east", "polygon": [[0, 0], [160, 0], [160, 120], [0, 120]]}}
    alerts = live(make_engine(make_dwell(zones), cooldown_s=cooldown_s), Walk().stay(DOOR, 0, 30))
    assert [alert.key for alert in alerts] == ["dwell/17/0.000/door", "dwell/17/0.000/yard"]


def test_an_alert_ends_when_the_person_has_left() -> None:
    engine = make_engine(make_dwell())
    raised = [alert for sighting in Walk().stay(DOOR, 0, 15).sightings for alert in engine.process([sighting])]
    assert [alert.ended_at for alert in raised] == [None]
    assert engine.tick(17.0) == []
    (ended,) = engine.tick(40.0)
    assert (ended.key, ended.state, ended.ended_at) == (raised[0].key, AlertState.AMENDED, 15.0)
    assert engine.tick(41.0) == engine.flush() == []


def test_an_alert_of_which_the_person_comes_back_late_goes_on() -> None:
    engine = make_engine(make_dwell())
    engine.process(Walk().stay(DOOR, 0, 15).sightings)
    engine.tick(40.0)
    (again,) = engine.process(Walk().stay(DOOR, 16, 17, TrackId("east", 0, 2)).sightings)
    assert (again.state, again.ended_at, again.started_at) == (AlertState.AMENDED, None, 0.0)
