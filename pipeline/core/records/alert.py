"""Alerts: what an operator is notified of."""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from pipeline.core.records.track import TrackId


class Severity(StrEnum):
    """How urgent an alert is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertState(StrEnum):
    """Where an alert stands; the record of a key with the highest revision holds."""

    RAISED = "raised"
    AMENDED = "amended"
    ACKNOWLEDGED = "acknowledged"
    RETRACTED = "retracted"


NOBODY_IN_PARTICULAR = 0
"""Person of an alert that is about a place: people are numbered from 1."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that an operator should look at.

    Attributes:
        key: ``rule/person/started_at/place``, deterministic. Delivery is at least once; receivers drop repeats by key
            and ``revision``.
        rule: Name of the rule that raised it.
        severity: How urgent.
        person_id: The person it is about; ``NOBODY_IN_PARTICULAR`` if it is about a place.
        camera_id: The camera that saw it.
        started_at: Unix seconds, event time: when the reported situation began.
        raised_at: Unix seconds, event time: when the rule raised it.
        message: One sentence for a person.
        evidence: The tracks that show it.
        state: RAISED at first. It is AMENDED under the same key when its situation ends, repeats or is corrected, and
            RETRACTED when it proves false; an operator may acknowledge it.
        place: Zone, line or camera where it happens; empty where the rule names none.
        ended_at: Unix seconds, event time: when the situation was over; None while it lasts.
        count: How often the situation occurred; above 1 if the cool-down held repeats back.
        revision: Number of this state of the alert, from 1 on; the state of a key with the highest number holds.
        clip: Path of the video around ``raised_at``, below the output folder of the run; empty where none is kept.
    """

    key: str
    rule: str
    severity: Severity
    person_id: int
    camera_id: str
    started_at: float
    raised_at: float
    message: str
    evidence: tuple[TrackId, ...]
    state: AlertState = AlertState.RAISED
    place: str = ""
    ended_at: float | None = None
    count: int = 1
    revision: int = 1
    clip: str = ""


def clip_of(key: str) -> str:
    """Return the path of the clip of an alert, below the output folder of the run.

    Example:
        >>> clip_of("zone_dwell/7/12.500/door")
        'alert_clips/8783dd9543ec5342.mp4'
    """
    return f"alert_clips/{sha256(key.encode()).hexdigest()[:16]}.mp4"


def incident_id(key: str) -> str:
    """Return the last part of an alert's topic: a key may hold what no topic may.

    Example:
        >>> incident_id("zone_dwell/7/12.500/door")
        '8783dd9543ec'
    """
    return sha256(key.encode()).hexdigest()[:12]
