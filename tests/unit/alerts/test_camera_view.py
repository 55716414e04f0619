"""Alerts about cameras: lost, and tampered with."""

import pytest

from pipeline.alerts.engine import AlertEngine
from pipeline.alerts.rules.camera_view import CameraViewRule
from pipeline.core import Alert, AlertState
from pipeline.core.errors import ConfigError
from pipeline.core.records.view_event import ViewEvent, ViewEventKind, ViewReport

TAMPER = ["frozen", "black", "covered", "defocused", "moved"]


def report(kind: str | None, began_at: float = 100.0, ended_at: float | None = None, *, at: float) -> ViewReport:
    return ViewReport("east", at, None if kind is None else ViewEvent(ViewEventKind(kind), began_at, ended_at))


def standing(*reports: ViewReport, kinds: list[str] = TAMPER, cameras: tuple[str, ...] = ()) -> list[Alert]:
    """The alerts that stand when the stream ends at 1000, each in its last form."""
    rule = CameraViewRule(name="tamper", severity="critical", kinds=kinds, cameras=cameras)
    engine = AlertEngine([rule], cooldown_s=0.0, max_open=100, max_parts=100)
    found = {alert.key: alert for each in reports for alert in engine.watch([each])}
    found |= {alert.key: alert for alert in engine.flush(1000.0)}
    return [alert for alert in found.values() if alert.state is not AlertState.RETRACTED]


@pytest.mark.parametrize("kind", TAMPER)
def test_what_is_wrong_with_a_view_is_one_alert_from_its_beginning_to_its_end(kind: str) -> None:
    (alert,) = standing(report(kind, at=110.0), report(kind, 100.0, 130.0, at=130.0))
    assert (alert.place, alert.camera_id, alert.person_id, alert.evidence) == ("east", "east", 0, ())
    assert (alert.started_at, alert.raised_at, alert.ended_at) == (100.0, 110.0, 130.0)
    assert "'east'" in alert.message


def test_it_is_raised_while_it_lasts() -> None:
    rule = CameraViewRule(name="tamper", severity="critical", kinds=TAMPER)
    engine = AlertEngine([rule], cooldown_s=60.0, max_open=100, max_parts=100)
    (alert,) = engine.watch([report("black", at=110.0)])
    assert (alert.state, alert.ended_at) == (AlertState.RAISED, None)


@pytest.mark.parametrize(("kinds", "num"), [(["black"], 1), (["covered", "lost"], 0)])
def test_only_the_kinds_of_the_rule_are_told(kinds: list[str], num: int) -> None:
    assert len(standing(report("black", at=110.0), kinds=kinds)) == num


@pytest.mark.parametrize(("cameras", "num"), [(("east",), 1), (("west",), 0), ((), 1)])
def test_only_the_cameras_of_the_rule_are_told(cameras: tuple[str, ...], num: int) -> None:
    assert len(standing(report("black", at=110.0), cameras=cameras)) == num


def test_what_lasts_ends_with_the_stream() -> None:
    (alert,) = standing(report("lost", at=110.0), kinds=["lost"])
    assert alert.ended_at == 1000.0


def test_a_camera_that_shows_its_view_again_after_its_process_died_ends_what_lasted() -> None:
    (alert,) = standing(report("lost", at=110.0), report(None, at=150.0), kinds=["lost"])
    assert alert.ended_at == 150.0


def test_a_report_that_comes_twice_is_told_once() -> None:
    begun, over = report("black", at=110.0), report("black", 100.0, 130.0, at=130.0)
    assert standing(begun, begun, over, over) == standing(begun, over)


def test_the_end_of_an_older_event_ends_no_newer_one() -> None:
    found = standing(report("black", 200.0, at=210.0), report("black", 100.0, 130.0, at=220.0))
    assert [(alert.started_at, alert.ended_at) for alert in found] == [(200.0, 1000.0), (100.0, 130.0)]


def test_the_state_goes_on_in_another_process() -> None:
    rule, other = (CameraViewRule(name="tamper", severity="info", kinds=TAMPER) for _ in range(2))
    assert len(list(rule.on_view(report("moved", at=110.0)))) == 1
    other.restore(rule.snapshot())
    assert [alert.ended_at for alert in other.on_end(500.0)] == [500.0]


@pytest.mark.parametrize(
    "options", [{"kinds": []}, {"kinds": ["rain"]}, {"kinds": "black"}, {"cameras": "east"}], ids=str
)
def test_a_wrong_value_names_its_key(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=rf"alerts\.tamper\.{next(iter(options))}"):
        CameraViewRule(**{"name": "tamper", "severity": "info", "kinds": TAMPER, **options})  # type: ignore[arg-type]
