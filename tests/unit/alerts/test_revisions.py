"""The numbers of the states of alerts."""

from dataclasses import replace

import pytest

from pipeline.alerts import revisions
from pipeline.alerts.revisions import Revisions
from pipeline.core import Alert, AlertState, Severity

ALERT = Alert("dwell/7/1.0", "dwell", Severity.INFO, 7, "east", 1.0, 2.0, "Stays.", ())
AMENDED = replace(ALERT, state=AlertState.AMENDED)


def test_each_alert_is_numbered_from_1_on() -> None:
    numbers = Revisions()
    told = [numbers.numbered(each).revision for each in (ALERT, AMENDED, replace(ALERT, key="dwell/8/1.0"), AMENDED)]
    assert told == [1, 2, 1, 3]


def test_an_alert_that_a_version_without_numbers_raised_goes_on_from_1() -> None:
    assert Revisions().numbered(AMENDED).revision == 2


def test_an_alert_that_comes_back_from_the_ledger_is_newer_than_its_rows() -> None:
    numbers = Revisions()
    assert numbers.numbered(replace(ALERT, revision=5)).revision == 5
    assert numbers.numbered(replace(ALERT, revision=5)).revision == 6
    numbers.reach({ALERT.key: 8, "unknown": 3})
    assert numbers.numbered(ALERT).revision == 9


def test_of_a_person_who_was_erased_nothing_is_remembered() -> None:
    numbers = Revisions()
    for person_id in (7, 8):
        numbers.numbered(replace(ALERT, key=f"dwell/{person_id}", person_id=person_id))
    numbers.forget([7])
    assert list(numbers.newest) == ["dwell/8"]


def test_the_alerts_that_changed_last_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions, "NUM_REMEMBERED", 2)
    numbers = Revisions()
    for key in ("a", "b", "a", "c"):
        numbers.numbered(replace(ALERT, key=key))
    assert list(numbers.newest) == ["a", "c"]
