"""The incidents of an engine."""

from pipeline.alerts.incidents import Incident, Incidents
from pipeline.core import Alert, Severity, TrackId


def incident(at: float, *, is_told: bool = False, counted_in: str = "") -> Incident:
    track_id = TrackId("east", 0, round(at))
    alert = Alert(f"r/1/{at}", "r", Severity.INFO, 1, "east", at, at, "Hello.", (track_id,), ended_at=at)
    return Incident(alert, frozenset(), at, is_told=is_told, counted_in=counted_in)


def test_a_process_that_takes_over_tells_the_same_in_the_same_order() -> None:
    """A run that is continued must come to the same events, or it is refused."""
    first, other = Incidents(max_open=10), Incidents(max_open=10)
    owner = incident(1, is_told=True)
    for each in (owner, incident(2), incident(3), incident(3, counted_in=owner.key), incident(2, counted_in=owner.key)):
        first.put(each)
    (told,) = first.drain()
    assert [track_id.number for track_id in told.evidence] == [1, 2, 3]
    other.restore(first.snapshot())
    assert [each.key for each in other.counted()] == [each.key for each in first.counted()]
    for incidents in (first, other):
        incidents.put(incident(4, counted_in=owner.key))
    assert other.drain() == first.drain()
