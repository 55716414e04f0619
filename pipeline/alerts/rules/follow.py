"""A person stays near another one for long, while they walk about."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.dwell import Dwell, Interval, dwells_of
from pipeline.alerts.whereabouts import STEP_S, Whereabouts
from pipeline.core import Alert, Correction, Sighting, TrackPart
from pipeline.core.serialisation import deserialise, serialise

Pair = tuple[int, int]
"""Two people: the one with the lower number, who was seen first, and the one who follows."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two parts of tracks show two people near each other, from one moment to another, Unix seconds."""

    one: TrackPart
    other: TrackPart
    since: float
    until: float


class FollowRule:
    """Reports a person who is near the same other person for longer than ``max_follow_s``, in one camera after another.

    Of the two, the one who was seen later is said to follow. Both must get about, so that people who wait together are
    not told. People who walk together are: name them, and exempt them.

    Args:
        name: Name of the rule.
        severity: info, warning or critical.
        max_follow_s: Seconds.
        max_distance_m: Metres up to which two people are near each other; in a camera without ground judged by their
            heights.
        min_walk_m: Metres that both must get about meanwhile.
        max_absence_s: Seconds apart, or out of sight, that do not end it.
        forget_after_s: Seconds after which it is forgotten who was near whom.
        ground: By camera, three rows that take pixels to metres.

    Raises:
        ConfigError: If a value is out of range.
    """

    def __init__(
        self,
        *,
        name: str,
        severity: str,
        max_follow_s: float,
        max_distance_m: float,
        min_walk_m: float,
        max_absence_s: float,
        forget_after_s: float,
        ground: Mapping[str, object] | None = None,
    ) -> None:
        self.name = name
        self._builder = AlertBuilder(name=name, severity=severity)
        self._builder.check_distance(max_distance_m=max_distance_m)
        self._builder.check_at_least(0, max_follow_s=max_follow_s, min_walk_m=min_walk_m, max_absence_s=max_absence_s)
        self._builder.check_at_least(max_follow_s + max_absence_s, forget_after_s=forget_after_s)
        self._max_follow_s, self._min_walk_m, self._max_absence_s = max_follow_s, min_walk_m, max_absence_s
        self._whereabouts = Whereabouts(
            ground=ground or {}, max_distance_m=max_distance_m, forget_after_s=forget_after_s
        )
        self._meetings: list[Meeting] = []
        # Pairs with something new to report, and until when their follows were reported as over.
        self._open: dict[Pair, float] = {}

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        """Report whom this person follows."""
        part = TrackPart(sighting.track_id, sighting.part)
        found: list[Pair] = []
        for other, since, until in self._meet(part, self._whereabouts.see(sighting)):
            meeting = Meeting(part, other, since, until)
            if (pair := self._pair(meeting)) is not None:
                self._meetings.append(meeting)
                self._open.setdefault(pair, -inf)
                found.append(pair)
        return [
            report
            for pair in dict.fromkeys(found)
            if pair[1] == sighting.person_id
            for dwell in self._follows(pair)
            if dwell.until >= sighting.first.captured_at
            for report in self._reports(pair, dwell, part=part, is_over=False)
        ]

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Report the follows that are over; forget old meetings."""
        found: list[Alert] = []
        for pair, reported_until in list(self._open.items()):
            follows = self._follows(pair)
            over = [dwell for dwell in follows if dwell.until < now - self._max_absence_s]
            for dwell in over:
                if dwell.until > reported_until:
                    found += self._reports(pair, dwell, is_over=True)
            if len(over) == len(follows):
                del self._open[pair]
            elif over:
                self._open[pair] = over[-1].until
        oldest_at = self._whereabouts.oldest_at
        self._meetings = [meeting for meeting in self._meetings if meeting.until > oldest_at]
        return found

    def on_end(self, at: float) -> Iterable[Alert]:
        """Report all follows as over."""
        return self.on_tick(inf)

    def on_correction(self, correction: Correction) -> Iterable[Alert]:
        """Give meetings to the people they show now, and report the follows of the people it concerns."""
        self._whereabouts.on_correction(correction)
        pairs = {pair: None for meeting in self._meetings if (pair := self._pair(meeting)) is not None}
        concerned = [pair for pair in pairs if set(pair) & set(correction.person_ids)]
        self._open = {pair: until for pair, until in self._open.items() if pair in pairs} | dict.fromkeys(
            concerned, -inf
        )
        return [
            report
            for pair in concerned
            for dwell in self._follows(pair)
            for report in self._reports(pair, dwell, is_over=False)
        ]

    def reconsider(self, alert: Alert) -> Alert | None:
        """Return the alert with the times of the follow it is about; None if there was none."""
        if alert.started_at <= self._whereabouts.oldest_at:
            return alert
        pairs = {pair for meeting in self._meetings if (pair := self._pair(meeting)) and pair[1] == alert.person_id}
        for pair in sorted(pairs):
            for dwell in self._follows(pair):
                if dwell.since <= alert.raised_at and dwell.until >= alert.started_at and self._is_told(pair, dwell):
                    return replace(alert, started_at=dwell.since, ended_at=dwell.until)
        return None

    def snapshot(self) -> bytes:
        """Return the state."""
        return serialise((self._whereabouts.snapshot(), self._meetings, list(self._open.items())))

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        whereabouts, self._meetings, pairs = deserialise(
            state, tuple[bytes, list[Meeting], list[tuple[tuple[int, int], float]]]
        )
        self._whereabouts.restore(whereabouts)
        self._open = dict(pairs)

    def _meet(self, part: TrackPart, steps: list[int]) -> Iterator[tuple[TrackPart, float, float]]:
        """Yield who is near at these steps: other part, and Unix seconds from when to when."""
        near: dict[TrackPart, list[int]] = {}
        for step in steps:
            for other in self._whereabouts.near(step, part):
                near.setdefault(other, []).append(step)
        for other, at in near.items():
            cuts = [0, *(i + 1 for i, (a, b) in enumerate(pairwise(at)) if (b - a) * STEP_S > self._max_absence_s)]
            for start, stop in pairwise([*cuts, len(at)]):
                yield other, at[start] * STEP_S, at[stop - 1] * STEP_S

    def _pair(self, meeting: Meeting) -> Pair | None:
        """Return the people of a meeting; None if they are one, or forgotten."""
        one, other = map(self._whereabouts.person_of, (meeting.one, meeting.other))
        return None if one is None or other is None or one == other else (min(one, other), max(one, other))

    def _follows(self, pair: Pair) -> list[Dwell]:
        """Return the times for which two people were near each other, by the parts of the one who follows."""
        intervals = []
        for meeting in self._meetings:
            if self._pair(meeting) == pair:
                is_one = self._whereabouts.person_of(meeting.one) == pair[1]
                intervals.append(Interval(meeting.since, meeting.until, meeting.one if is_one else meeting.other))
        return dwells_of(intervals, max_absence_s=self._max_absence_s)

    def _is_told(self, pair: Pair, dwell: Dwell) -> bool:
        return dwell.dwell_s > self._max_follow_s and all(
            self._whereabouts.walked_m(person_id, dwell.since, dwell.until) >= self._min_walk_m for person_id in pair
        )

    def _reports(self, pair: Pair, dwell: Dwell, *, part: TrackPart | None = None, is_over: bool) -> Iterator[Alert]:
        if self._is_told(pair, dwell):
            tracks = dwell.tracks if part is None else tuple(dict.fromkeys((*dwell.tracks, part.track_id)))
            yield self._builder.build_for(
                pair[1],
                (part.track_id if part is not None else dwell.tracks[-1]).camera_id,
                place=dwell.tracks[0].camera_id,
                started_at=dwell.since,
                raised_at=dwell.until,
                ended_at=dwell.until if is_over else None,
                message=f"Somebody is near the same other person for more than {self._max_follow_s:g} s.",
                evidence=tracks,
            )
