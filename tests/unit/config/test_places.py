"""Rules that can never tell anything are warned of."""

import pytest

from pipeline.config.composition import load_config
from pipeline.config.places import idle_rules
from pipeline.core.errors import ConfigError

ZONES = "site.zones={a: {camera: east, polygon: [[1, 1], [50, 1], [50, 90]]}}"
WITH_WAY = ZONES.replace("]]}}", "]], way: [[1, 1], [9, 9]]}}")


@pytest.mark.parametrize(
    ("words", "warned"),
    [
        (["alerts=[absence,occupancy]"], ["absence", "occupancy"]),
        (["alerts=[absence,occupancy]", ZONES], []),
        (["alerts=[wrong_way]", ZONES], ["wrong_way"]),
        (["alerts=[wrong_way]", WITH_WAY], []),
        (["alerts=[restricted_camera]"], ["restricted_camera"]),
        (["alerts=[restricted_camera]", "alerts.restricted_camera.cameras=[east]"], []),
        ([], []),
    ],
    ids=str,
)
def test_a_rule_that_has_nothing_to_look_at_is_warned_of(words: list[str], warned: list[str]) -> None:
    alerts = load_config(["site.cameras={east: /a.mp4}", "detector=passerby", *words]).alerts
    assert [warning.split(":")[0].split(".")[1] for warning in idle_rules(alerts)] == warned


@pytest.mark.parametrize(
    ("words", "warned"),
    [
        (["alerts=[absence]", "alerts.absence.max_absence_s=1800"], ["alerts.absence.max_absence_s"]),
        (["alerts=[absence]", "alerts.absence.max_absence_s=899"], []),
        (["alerts=[zone_dwell]", "site.max_dwell_s=900"], ["alerts.zone_dwell.max_dwell_s"]),
        (["alerts=[zone_exit,occupancy]"], []),
    ],
    ids=str,
)
def test_a_rule_that_wants_more_than_a_schedule_lasts_is_warned_of(words: list[str], warned: list[str]) -> None:
    zone = ZONES.replace("]]}}", "]], schedule: {from_hour: 23.875, to_hour: 0.125}}}")
    alerts = load_config(["site.cameras={east: /a.mp4}", "detector=passerby", zone, *words]).alerts
    found = list(idle_rules(alerts))
    assert [warning.split(":")[0] for warning in found] == warned
    assert all("zone 'a', whose schedule lasts 900 s at most" in warning for warning in found)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        (
            "alerting.exempt=staff*",
            "alerting.exempt: expected [value, …], got staff*; write 'alerting.exempt=[staff*]'",
        ),
        ("alerting.exempt={a: 1}", "alerting.exempt: expected [value, …], got {a: 1}; correct it"),
        (
            "alerts.watchlist.people=[1]",
            "alerts.watchlist.people: expected numbers by name, {lost child: 7}, got [1]; correct it",
        ),
        ("site.max_dwell_s=null", "site.max_dwell_s: expected a value, got null; correct it"),
    ],
)
def test_a_value_of_another_kind_is_named_with_what_to_write(word: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config(["site.cameras={east: /a.mp4}", "detector=passerby", word])
    assert str(refused.value) == told


@pytest.mark.parametrize(("rules", "is_warned"), [("zone_dwell", True), ("watchlist", False)])
def test_people_who_are_enrolled_without_the_rule_about_them_are_warned_of(rules: str, is_warned: bool) -> None:
    words = ["site.cameras={east: /a.mp4}", "detector=passerby", "enrol={child: /a}", f"alerts=[{rules}]"]
    config = load_config(words)
    assert any(warning.startswith("enrol: ") for warning in idle_rules(config.alerts, config.enrol)) is is_warned


def test_a_name_is_enrolled_or_listed_with_a_number_and_not_both() -> None:
    words = ["site.cameras={east: /a.mp4}", "detector=passerby", "enrol={child: /a}"]
    assert load_config(words).alerts["watchlist"]["people"] == {"child": 1}
    with pytest.raises(ConfigError, match=r"alerts\.watchlist\.people\.child: enrol has that name"):
        load_config([*words, "alerts.watchlist.people={child: 9}"])
