"""Days and hours: midnight, weekdays, and nights in which the clock changes."""

from datetime import UTC, datetime, timedelta
from math import inf
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.schedule import DAYS, Schedule, parse_schedule

VIENNA = ZoneInfo("Europe/Vienna")
BUILDER = AlertBuilder(name="r", severity="info")


def schedule(**options: object) -> Schedule:
    return parse_schedule({"time_zone": "Europe/Vienna"} | options, "zones.door.schedule", BUILDER)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=VIENNA).timestamp()


@pytest.mark.parametrize(
    ("moment", "holds"),
    [
        ("2024-07-05T21:59:59.999", False),
        ("2024-07-05T22:00", True),
        ("2024-07-06T00:00", True),
        ("2024-07-06T05:59:59.999", True),
        ("2024-07-06T06:00", False),
        ("2024-07-06T23:00", False),
        ("2024-07-05T03:00", False),
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_begins(moment: str, holds: bool) -> None:
    assert schedule(days=["fri"], from_hour=22, to_hour=6).holds_at(at(moment)) is holds


@pytest.mark.parametrize(("moment", "holds"), [("2024-07-04T23:59:59.999", False), ("2024-07-05T00:00", True)])
def test_a_day_begins_at_midnight_of_its_time_zone(moment: str, holds: bool) -> None:
    assert schedule(days=["fri"]).holds_at(at(moment)) is holds


def test_days_without_a_break_are_one_period() -> None:
    week = schedule(days=["mon", "tue", "wed", "thu", "fri"])
    assert list(week.periods(at("2024-07-03T12:00"), at("2024-07-10T12:00"))) == [
        (at("2024-07-02T00:00"), at("2024-07-06T00:00")),
        (at("2024-07-08T00:00"), at("2024-07-11T00:00")),
    ]


@pytest.mark.parametrize(("day", "hours"), [("2024-03-30", 7), ("2024-10-26", 9), ("2024-07-06", 8)])
def test_a_night_in_which_the_clock_changes_is_one_period(day: str, hours: int) -> None:
    noon = at(f"{day}T12:00")
    ((begins, ends),) = schedule(from_hour=22, to_hour=6).periods(noon, noon + 20 * 3600)
    assert (begins - noon, ends - begins) == (10 * 3600, hours * 3600)


def test_the_longest_time_that_a_schedule_lasts() -> None:
    assert schedule(from_hour=22, to_hour=6).longest_s == 9 * 3600  # in October
    assert schedule(days=["mon", "tue"]).longest_s == 48 * 3600
    assert schedule().longest_s == inf


@given(
    st.floats(0, 24),
    st.floats(0, 24).map(lambda hour: round(hour, 2)),
    st.sets(st.sampled_from(DAYS), min_size=1),
    st.sampled_from(["2024-03-29", "2024-10-25", "2024-12-29"]),
    st.integers(0, 96 * 60),
)
def test_an_hour_and_the_rest_of_the_day_never_hold_both_nor_neither(
    from_hour: float, to_hour: float, days: set[str], start: str, minutes: int
) -> None:
    moment = datetime.fromisoformat(start).replace(tzinfo=UTC) + timedelta(minutes=minutes)
    hours = {"from_hour": from_hour, "to_hour": to_hour}, {"from_hour": to_hour, "to_hour": from_hour}
    first, rest = (schedule(days=list(DAYS), **each) for each in hours)
    if from_hour not in (to_hour, to_hour - 24, to_hour + 24):
        assert first.holds_at(moment.timestamp()) is not rest.holds_at(moment.timestamp())
    if schedule(days=sorted(days), **hours[0]).holds_at(moment.timestamp()):
        assert first.holds_at(moment.timestamp())
