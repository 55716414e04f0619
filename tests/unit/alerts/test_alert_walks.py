"""Random walks: people come, stay, leave, are merged and split; what was told is compared with where they were."""

import os

import numpy as np
from factories import make_path, make_sighting
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from pipeline.alerts.dwell import Interval, dwells_of
from pipeline.alerts.engine import AlertEngine
from pipeline.alerts.rules.zone_dwell import ZoneDwellRule
from pipeline.core import Alert, AlertState, Correction, CorrectionKind, TrackId, TrackPart

NUM_WALKS = int(os.environ.get("PASSERBY_ALERT_WALKS", "150"))
LIMIT_S, MAX_ABSENCE_S, COOLDOWN_S = 4.0, 2.0, 12.0
YARD, DOOR, NOWHERE = (90.0, 10.0, 110.0, 50.0), (10.0, 10.0, 30.0, 50.0), (200.0, 10.0, 220.0, 50.0)
PLACES = {YARD: ("yard",), DOOR: ("door", "yard"), NOWHERE: ()}
ZONES = {
    "door": {"camera": "east", "polygon": [[0, 0], [50, 0], [50, 120], [0, 120]]},
    "yard": {"camera": "east", "polygon": [[0, 0], [150, 0], [150, 120], [0, 120]]},
}
people = st.integers(1, 4)


def make_engine() -> AlertEngine:
    dwell = ZoneDwellRule(
        name="dwell",
        severity="info",
        zones=ZONES,
        max_dwell_s=LIMIT_S,
        max_absence_s=MAX_ABSENCE_S,
        forget_after_s=1e6,
    )
    return AlertEngine([dwell], cooldown_s=COOLDOWN_S, max_open=1000, max_parts=10_000)


class AlertWalk(RuleBasedStateMachine):
    """People by number; each part of a track shows its owner in one place."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = make_engine()
        self.now = 0
        self.owners: dict[TrackPart, int] = {}
        self.seen: list[tuple[TrackPart, tuple[float, ...], float, float]] = []
        self.told: dict[str, Alert] = {}

    @rule(
        boxes=st.dictionaries(people, st.sampled_from([YARD, DOOR, DOOR, NOWHERE]), max_size=3),
        seconds=st.integers(1, 5),
    )
    def watch(self, boxes: dict[int, tuple[float, ...]], seconds: int) -> None:
        """Some people are seen for a while; nobody knows yet whether tracks of before are the same people."""
        for person_id, box in sorted(boxes.items()):
            part = TrackPart(TrackId("east", 0, person_id), len(self.owners))
            path = make_path(first=10 * self.now, length=10 * seconds + 1, box=box, frame_hw=(120, 240))
            self.owners[part] = person_id
            self.seen.append((part, box, path.captured_at[0], path.captured_at[-1]))
            self.hear(self.engine.process([make_sighting(person_id, part.track_id, part.part, path)]))
        self.wait(seconds)

    @rule(seconds=st.sampled_from([1, 2, 3, 8, 30]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.now += seconds
        self.hear(self.engine.tick(float(self.now)))

    @precondition(lambda self: self.owners)
    @rule(kept=people, absorbed=people)
    def merge(self, kept: int, absorbed: int) -> None:
        """Two people prove to be one."""
        if kept != absorbed:
            self.correct(Correction(CorrectionKind.MERGED, (kept, absorbed), "test", float(self.now)))
            self.owners = {part: kept if owner == absorbed else owner for part, owner in self.owners.items()}

    @precondition(lambda self: self.owners)
    @rule(source=people, other=people, chosen=st.integers(1, 2**12 - 1))
    def split(self, source: int, other: int, chosen: int) -> None:
        """Some parts of tracks prove to show somebody else."""
        parts = [part for part, owner in self.owners.items() if owner == source]
        moved = tuple(part for i, part in enumerate(reversed(parts)) if chosen >> (i % 12) & 1)
        if source != other and moved:
            self.correct(Correction(CorrectionKind.SPLIT, (source, other), "test", float(self.now), moved))
            self.owners |= dict.fromkeys(moved, other)

    @rule()
    def restart(self) -> None:
        """The process dies, and another one goes on from its state."""
        state, self.engine = self.engine.snapshot(), make_engine()
        self.engine.restore(state)

    def correct(self, correction: Correction) -> None:
        self.hear(self.engine.process([correction]))

    def hear(self, alerts: list[Alert]) -> None:
        for alert in alerts:
            assert (alert.key in self.told) == (alert.state is not AlertState.RAISED), "raised once, then amended"
            if alert.state is AlertState.RETRACTED:
                del self.told[alert.key]
            else:
                self.told[alert.key] = alert

    def long_stays(self) -> dict[tuple[int, str], list[tuple[float, float]]]:
        """Return the stays longer than the limit, by person and place."""
        intervals: dict[tuple[int, str], list[Interval]] = {}
        for part, box, since, until in self.seen:
            for place in PLACES[box]:
                intervals.setdefault((self.owners[part], place), []).append(Interval(since, until, part))
        return {
            subject: [
                (dwell.since, dwell.until)
                for dwell in dwells_of(found, max_absence_s=MAX_ABSENCE_S)
                if dwell.dwell_s > LIMIT_S
            ]
            for subject, found in intervals.items()
        }

    def teardown(self) -> None:
        self.hear(self.engine.flush())
        stays = self.long_stays()
        for alert in self.told.values():
            assert alert.ended_at is not None, "every raised alert ends"
            found = stays.get((alert.person_id, alert.place), [])
            assert any(meet(alert, stay) for stay in found), f"nothing false is told: {alert}"
        for (person_id, place), found in stays.items():
            alerts = [alert for alert in self.told.values() if (alert.person_id, alert.place) == (person_id, place)]
            assert all(any(meet(alert, stay) for alert in alerts) for stay in found), (
                f"told: {person_id} {place} {found}"
            )
            assert sum(alert.count for alert in alerts) == len(found), f"told once: {person_id} {place} {found}"


def meet(alert: Alert, stay: tuple[float, float]) -> bool:
    assert alert.ended_at is not None
    return bool(alert.started_at <= stay[1] + np.finfo(float).eps and stay[0] <= alert.ended_at)


AlertWalk.TestCase.settings = settings(
    max_examples=NUM_WALKS,
    stateful_step_count=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
TestAlertWalk = AlertWalk.TestCase


def test_an_alert_of_which_a_split_leaves_less_swallows_no_later_stay() -> None:
    """Found by a walk: the alert was raised at a moment that its person's stay does not reach any more."""
    walk = AlertWalk()
    walk.watch(boxes={1: YARD, 4: YARD}, seconds=1)
    walk.wait(seconds=1)
    walk.watch(boxes={1: YARD, 2: YARD, 3: YARD}, seconds=3)
    walk.merge(absorbed=1, kept=2)
    walk.wait(seconds=2)
    walk.watch(boxes={1: YARD}, seconds=1)
    walk.watch(boxes={1: YARD, 3: YARD, 4: YARD}, seconds=1)
    walk.merge(absorbed=3, kept=1)
    walk.split(chosen=3, other=1, source=4)
    walk.wait(seconds=1)
    walk.watch(boxes={1: YARD, 2: YARD}, seconds=3)
    walk.split(chosen=1, other=1, source=2)
    walk.split(chosen=32, other=2, source=1)
    walk.teardown()
