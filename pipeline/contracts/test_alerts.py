"""What every alert rule must do. That it raises the right alerts, its own tests must show."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from pipeline.alerts.rule_abilities import ViewRule
from pipeline.contracts.records import make_path, make_sighting
from pipeline.core import Alert, AlertRule, Sighting, Stateful, TrackId, TrackPath
from pipeline.core.records.view_event import ViewEvent, ViewEventKind, ViewReport

Factory = Callable[[], AlertRule]
Event = Sighting | ViewReport

WEEK_S = 7 * 24 * 3600.0
STARTED_AT = 23 * 3600.0
"""In the night of the first of January 1970; multiples of an eighth of a second, so that shifts are exact."""


def make_visit(
    person_id: int, track_id: TrackId, began_at: float, num_parts: int, velocity: float
) -> Iterator[Sighting]:
    """Yield parts of four seconds, at eight frames a second, of a walk to and fro through the picture."""
    for part in range(num_parts):
        path = make_path(first=32 * part, length=32)
        times = began_at + np.arange(32 * part, 32 * (part + 1)) / 8
        boxes = path.boxes_xyxy.copy()
        boxes[:, [0, 2]] = ((60 + velocity * (times - began_at)) % 120)[:, None] + np.array([0, 20])
        yield make_sighting(
            person_id, track_id, part, TrackPath(path.indices, times, boxes, path.scores, path.frame_hw)
        )


def make_sightings() -> list[Sighting]:
    """Return the sightings of twelve people who come and go for forty minutes in two cameras, in event time."""
    random = np.random.default_rng(7)
    found: list[Sighting] = []
    for number in range(40):
        camera_id = ("east", "west")[int(random.integers(2))]
        began_at = STARTED_AT + int(random.integers(0, 2400 * 8)) / 8
        found += make_visit(
            int(random.integers(1, 13)),
            TrackId(camera_id, 0, number + 1),
            began_at,
            int(random.integers(1, 14)),
            float(random.integers(0, 16)),
        )
    return sorted(found, key=lambda sighting: (sighting.last.captured_at, sighting.track_id))


def make_views() -> list[ViewReport]:
    """Return reports of all that can be wrong with a view, one after another."""
    return [
        ViewReport("east", at + (200.0 if is_over else 10.0), ViewEvent(kind, at, at + 200.0 if is_over else None))
        for at, kind in ((STARTED_AT + 300.0 * number, kind) for number, kind in enumerate(ViewEventKind))
        for is_over in (False, True)
    ]


def time_of(event: Event) -> float:
    return event.last.captured_at if isinstance(event, Sighting) else event.completed_at


EVENTS: list[Event] = sorted([*make_sightings(), *make_views()], key=time_of)


def shifted(event: Event, by_s: float) -> Event:
    if isinstance(event, ViewReport):
        view = event.event
        assert view is not None
        ended_at = None if view.ended_at is None else view.ended_at + by_s
        later = replace(view, began_at=view.began_at + by_s, ended_at=ended_at)
        return replace(event, completed_at=event.completed_at + by_s, event=later)
    path = event.path
    moved = TrackPath(path.indices, path.captured_at + by_s, path.boxes_xyxy, path.scores, path.frame_hw)
    first, last = (replace(stamp, captured_at=stamp.captured_at + by_s) for stamp in (event.first, event.last))
    return replace(event, path=moved, first=first, last=last)


def reports_of(rule: AlertRule, event: Event) -> list[Alert]:
    """Return what a rule reports of a sighting or a view, and then of the time."""
    if isinstance(event, Sighting):
        found = list(rule.on_sighting(event))
    else:
        found = list(rule.on_view(event)) if isinstance(rule, ViewRule) else []
    return [*found, *rule.on_tick(time_of(event))]


def run(rule: AlertRule, events: Sequence[Event]) -> list[Alert]:
    return [alert for event in events for alert in reports_of(rule, event)]


def test_alerts_name_their_rule_and_are_not_of_the_future(factory: Factory) -> None:
    rule = factory()
    for event in EVENTS:
        for alert in reports_of(rule, event):
            assert alert.rule == rule.name
            assert alert.started_at <= alert.raised_at <= time_of(event)
            assert alert.key
            assert alert.message


def test_the_same_events_lead_to_the_same_alerts(factory: Factory) -> None:
    assert run(factory(), EVENTS) == run(factory(), EVENTS)


def test_only_event_time_counts(factory: Factory) -> None:
    alerts = run(factory(), EVENTS)
    a_week_later = run(factory(), [shifted(event, WEEK_S) for event in EVENTS])
    assert [(alert.person_id, alert.started_at + WEEK_S, alert.raised_at + WEEK_S) for alert in alerts] == [
        (alert.person_id, alert.started_at, alert.raised_at) for alert in a_week_later
    ]


def test_a_rule_goes_on_after_pickling(factory: Factory) -> None:
    rule = factory()
    half = len(EVENTS) // 2
    alerts = run(rule, EVENTS[:half])
    assert alerts + run(pickle.loads(pickle.dumps(rule)), EVENTS[half:]) == run(factory(), EVENTS)


def test_a_rule_that_is_restored_from_its_snapshot_goes_on(factory: Factory) -> None:
    rule, other = factory(), factory()
    if not (isinstance(rule, Stateful) and isinstance(other, Stateful)):
        return  # it has no state that must outlive its process
    half = len(EVENTS) // 2
    alerts = run(rule, EVENTS[:half])
    other.restore(rule.snapshot())
    assert alerts + run(other, EVENTS[half:]) == run(factory(), EVENTS)


def test_the_constructor_call_survives_pickling(factory: Factory) -> None:
    assert pickle.loads(pickle.dumps(factory))().name == factory().name
