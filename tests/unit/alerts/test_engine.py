import pickle
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from factories import make_path, make_sighting
from hypothesis import given
from hypothesis import strategies as st

from pipeline.alerts.engine import AlertEngine
from pipeline.alerts.rules.line_crossing import LineCrossingRule
from pipeline.alerts.rules.reappearance import ReappearanceRule
from pipeline.alerts.rules.watchlist import WatchlistRule
from pipeline.alerts.rules.zone_dwell import ZoneDwellRule
from pipeline.core import (
    Alert,
    AlertState,
    Correction,
    CorrectionKind,
    Severity,
    Sighting,
    TrackId,
    TrackPart,
)
from pipeline.core.errors import ConfigError

EAST, WEST = TrackId("east", 0, 1), TrackId("west", 0, 1)
RAISED, AMENDED, RETRACTED = AlertState.RAISED, AlertState.AMENDED, AlertState.RETRACTED


class EveryoneRule:
    """Raises an alert for every sighting."""

    def __init__(self, name: str = "everyone") -> None:
        self.name = name

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        yield self._alert(sighting.person_id, sighting.track_id, sighting.last.captured_at)

    def on_tick(self, now: float) -> Iterable[Alert]:
        yield self._alert(99, TrackId("clock", 0, 1), now)

    def _alert(self, person_id: int, track_id: TrackId, at: float) -> Alert:
        key = f"{self.name}/{person_id}/{at:.3f}"
        return Alert(
            key, self.name, Severity.INFO, person_id, track_id.camera_id, at, at, "Hello.", (track_id,), ended_at=at
        )


def make_stage(*rules, cooldown_s: float = 60.0, max_open: int = 100, max_parts: int = 100) -> AlertEngine:
    return AlertEngine(rules or (EveryoneRule(),), cooldown_s=cooldown_s, max_open=max_open, max_parts=max_parts)


def make_dwell() -> ZoneDwellRule:
    return ZoneDwellRule(
        name="dwell",
        severity="info",
        zones={"hall": {"camera": "east", "polygon": [[0, 0], [160, 0], [160, 120], [0, 120]]}},
        max_dwell_s=10.0,
        max_absence_s=5.0,
        forget_after_s=60.0,
    )


def make_watchlist() -> WatchlistRule:
    return WatchlistRule(
        name="watch", severity="critical", people={"lost child": 17}, min_probability=0.0, forget_after_s=1000.0
    )


def see(at: float, person_id: int = 1, track_id: TrackId = EAST, part: int = 0) -> Sighting:
    return make_sighting(person_id, track_id, part, make_path(first=round(at * 10) - 4, length=5))


def correct(kind: CorrectionKind, *person_ids: int, parts: Sequence[TrackPart] = ()) -> Correction:
    return Correction(kind, person_ids, "test", 0.0, tuple(parts))


def alerted(alerts: Sequence[Alert]) -> list[tuple[str, AlertState, int]]:
    return [(alert.key, alert.state, alert.person_id) for alert in alerts]


def test_a_rule_raises_no_second_alert_about_a_person_during_the_cool_down() -> None:
    alerts = make_stage().process([see(at) for at in (1, 20, 60.9, 61, 62)])
    assert [(alert.raised_at, alert.state, alert.count) for alert in alerts] == [
        (1.0, RAISED, 1),
        (1.0, AMENDED, 3),  # when the cool-down ends: it happened twice more
        (61.0, RAISED, 1),
    ]


def test_each_person_and_each_rule_has_its_own_cool_down() -> None:
    stage = make_stage(EveryoneRule("one"), EveryoneRule("two"))
    alerts = stage.process([see(1), see(2, person_id=2), see(3)])
    assert [alert.key for alert in alerts] == ["one/1/1.000", "two/1/1.000", "one/2/2.000", "two/2/2.000"]


def test_a_tick_raises_alerts_and_starts_a_cool_down() -> None:
    stage = make_stage()
    assert alerted(stage.tick(10.0)) == [("everyone/99/10.000", RAISED, 99)]
    assert stage.tick(20.0) == []


def test_one_key_is_raised_once() -> None:
    stage = make_stage(cooldown_s=0.0)
    assert len(stage.process([see(1), see(1)])) == 1


def test_what_is_held_back_is_counted_at_the_end() -> None:
    stage = make_stage()
    stage.process([see(1)])
    assert stage.flush() == []
    assert stage.process([see(5)]) == []
    assert [(alert.raised_at, alert.state, alert.count) for alert in stage.flush()] == [(1.0, AMENDED, 2)]


def test_a_merge_gives_an_alert_to_the_kept_person_under_its_old_key() -> None:
    stage = make_stage()
    stage.process([see(1, person_id=2)])
    assert alerted(stage.process([correct(CorrectionKind.MERGED, 1, 2)])) == [("everyone/2/1.000", AMENDED, 1)]


def test_a_merge_retracts_the_later_of_two_alerts_about_one_situation() -> None:
    stage = make_stage(make_dwell())
    seen = [see(at, person_id, TrackId("east", 0, person_id), at) for at in range(1, 20) for person_id in (1, 2)]
    first, second = (alert for alert in stage.process(seen) if alert.state is RAISED)
    changes = stage.process([correct(CorrectionKind.MERGED, 1, 2)])
    assert alerted(changes) == [(second.key, RETRACTED, 2)]
    assert [alert.key for alert in stage.flush()] == [first.key]


def test_a_merge_keeps_two_alerts_about_two_situations() -> None:
    stage = make_stage()
    stage.process([see(1, 1, EAST), see(5, 2, WEST)])
    assert alerted(stage.process([correct(CorrectionKind.MERGED, 1, 2)])) == [("everyone/2/5.000", AMENDED, 1)]
    # The newer one cools down.
    assert [alert.raised_at for alert in stage.process([see(64.5), see(65)]) if alert.state is RAISED] == [65.0]


def test_a_merge_keeps_alerts_further_apart_than_the_cool_down() -> None:
    stage = make_stage()
    stage.process([see(1), see(100, person_id=2, track_id=WEST)])
    assert alerted(stage.process([correct(CorrectionKind.MERGED, 1, 2)])) == [("everyone/2/100.000", AMENDED, 1)]


def test_a_merge_moves_the_cool_down_to_the_kept_person() -> None:
    stage = make_stage()
    stage.process([see(1, person_id=2), correct(CorrectionKind.MERGED, 1, 2)])
    assert stage.process([see(10, part=1)]) == []


@pytest.mark.parametrize(("kept_at", "absorbed_at"), [(50, 1), (1, 50)], ids=["kept newer", "absorbed newer"])
def test_a_merge_keeps_the_newer_of_two_cool_downs(kept_at: float, absorbed_at: float) -> None:
    stage = make_stage()
    seen = [see(kept_at, 1, EAST), see(absorbed_at, 2, WEST)]
    stage.process(sorted(seen, key=lambda event: event.last.captured_at))
    stage.process([correct(CorrectionKind.MERGED, 1, 2)])
    later = stage.process([see(80, part=1), see(110, part=2)])
    assert [alert.raised_at for alert in later if alert.state is RAISED] == [110.0]


def test_a_split_gives_an_alert_to_the_person_its_evidence_shows() -> None:
    stage = make_stage()
    stage.process([see(1)])
    split = correct(CorrectionKind.SPLIT, 1, 2, parts=[TrackPart(EAST, 0)])
    assert alerted(stage.process([split])) == [("everyone/1/1.000", AMENDED, 2)]


def test_a_split_moves_the_cool_down_with_the_alert() -> None:
    stage = make_stage()
    stage.process([see(1), correct(CorrectionKind.SPLIT, 1, 2, parts=[TrackPart(EAST, 0)])])
    alerts = stage.process([see(10, 1, WEST), see(11, 2, EAST, part=1)])
    assert alerted(alerts) == [("everyone/1/10.000", RAISED, 1)]


def test_a_split_of_other_parts_leaves_an_alert_alone_and_raises_what_was_held_back() -> None:
    stage = make_stage()
    stage.process([see(1), see(2, part=1)])
    split = correct(CorrectionKind.SPLIT, 1, 2, parts=[TrackPart(EAST, 1)])
    assert alerted(stage.process([split])) == [("everyone/1/2.000", RAISED, 2)]


def test_an_erased_person_leaves_no_alert() -> None:
    stage = make_stage()
    stage.process([see(1), see(2, person_id=2)])
    assert alerted(stage.process([correct(CorrectionKind.ERASED, 1)])) == [("everyone/1/1.000", RETRACTED, 1)]
    assert stage.process([correct(CorrectionKind.ERASED, 1)]) == []


def test_a_confirmation_changes_nothing() -> None:
    stage = make_stage()
    stage.process([see(1)])
    assert stage.process([correct(CorrectionKind.CONFIRMED, 1)]) == []


def test_a_false_watch_list_alert_is_retracted_and_its_cool_down_ends() -> None:
    stage = make_stage(make_watchlist())
    stage.process([see(1, 17)])
    split = correct(CorrectionKind.SPLIT, 17, 40, parts=[TrackPart(EAST, 0)])
    assert alerted(stage.process([split])) == [("watch/17/0.600/east", RETRACTED, 17)]
    assert alerted(stage.process([see(5, 17, WEST)])) == [("watch/17/4.600/west", RAISED, 17)]


def test_a_watch_list_alert_stays_true_when_the_person_is_renumbered() -> None:
    stage = make_stage(make_watchlist())
    stage.process([see(1, 17)])
    assert alerted(stage.process([correct(CorrectionKind.MERGED, 3, 17)])) == [("watch/17/0.600/east", AMENDED, 3)]


def test_a_reappearance_of_two_different_people_is_retracted() -> None:
    rule = ReappearanceRule(name="back", severity="info", min_absence_s=10.0, max_absence_s=100.0, forget_after_s=200.0)
    stage = make_stage(rule)
    (alert,) = stage.process([see(1), see(50, track_id=WEST)])
    assert alert.evidence == (EAST, WEST)
    split = correct(CorrectionKind.SPLIT, 1, 2, parts=[TrackPart(WEST, 0)])
    assert [alert.state for alert in stage.process([split])] == [RETRACTED]


def test_a_dwell_that_was_two_people_is_retracted() -> None:
    stage = make_stage(make_dwell())
    (alert,) = stage.process([see(at, part=at) for at in range(1, 14)])
    assert alert.started_at == pytest.approx(0.6)
    split = correct(CorrectionKind.SPLIT, 1, 2, parts=[TrackPart(EAST, part) for part in range(8, 14)])
    assert [alert.state for alert in stage.process([split])] == [RETRACTED]


def test_the_newest_alerts_stay_open_for_corrections() -> None:
    stage = make_stage(max_open=2)
    stage.process([see(at, person_id=at) for at in (1, 2, 3)])
    assert stage.process([correct(CorrectionKind.ERASED, 1)]) == []
    assert len(stage.process([correct(CorrectionKind.ERASED, 2, 3)])) == 2


def test_memory_does_not_grow_with_the_people_who_have_left() -> None:
    stage = make_stage()
    sizes = []
    for person_id in range(1, 5001):
        stage.process([see(10 * person_id, person_id, TrackId("east", 0, person_id))])
        if person_id in (500, 5000):
            sizes.append(len(pickle.dumps(stage)))
    assert sizes[1] < 1.2 * sizes[0]


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="expected a different name for each rule"):
        make_stage(EveryoneRule(), EveryoneRule())


people = st.integers(1, 3)
sightings = st.builds(
    lambda person_id, camera_id: (person_id, TrackId(camera_id, 0, 1)), people, st.sampled_from(["east", "west"])
)
corrections = st.one_of(
    st.tuples(st.just(CorrectionKind.MERGED), people, people).filter(lambda drawn: drawn[1] != drawn[2]),
    st.tuples(st.just(CorrectionKind.SPLIT), people, people).filter(lambda drawn: drawn[1] != drawn[2]),
    st.tuples(st.just(CorrectionKind.ERASED), people),
)


def events_of(drawn) -> list[Sighting | Correction]:
    """Return sightings one second after another, and corrections that move every other part of a person."""
    events: list[Sighting | Correction] = []
    seen: list[tuple[int, TrackPart]] = []
    for part, item in enumerate(drawn):
        if isinstance(item[0], CorrectionKind):
            moved = [part for owner, part in seen if owner == item[1]][::2]
            events.append(correct(*item, parts=moved if item[0] is CorrectionKind.SPLIT else ()))
        else:
            events.append(see(1 + part, *item, part=part))
            seen.append((item[0], TrackPart(item[1], part)))
    return events


@given(st.lists(st.one_of(sightings, corrections), max_size=30), st.integers(0, 30))
def test_a_restored_engine_continues_exactly(drawn, cut: int) -> None:
    def make() -> AlertEngine:
        dwell = ReappearanceRule(
            name="back", severity="info", min_absence_s=2.0, max_absence_s=20.0, forget_after_s=60.0
        )
        return make_stage(EveryoneRule(), make_watchlist(), dwell, cooldown_s=3.0, max_open=10, max_parts=8)

    events = events_of(drawn)
    before, after = make(), make()
    alerts = before.process(events[:cut])
    after.restore(before.snapshot())
    assert alerts + after.process(events[cut:]) == make().process(events)


@given(st.lists(sightings, min_size=8, max_size=40), st.sampled_from([3.0, 7.0]))
def test_alerts_about_a_person_are_raised_a_cool_down_apart_and_count_everything(drawn, cooldown_s: float) -> None:
    stage = make_stage(cooldown_s=cooldown_s)
    live = {alert.key: alert for alert in (*stage.process(events_of(drawn)), *stage.flush())}
    times: dict[int, list[float]] = {}
    for alert in sorted(live.values(), key=lambda alert: alert.raised_at):
        times.setdefault(alert.person_id, []).append(alert.raised_at)
    assert all(b - a >= cooldown_s for raised_at in times.values() for a, b in pairwise(raised_at))
    assert sum(alert.count for alert in live.values()) == len(drawn)


@given(st.lists(st.one_of(sightings, corrections), max_size=30), st.sampled_from([0.0, 5.0, 1000.0]))
def test_after_any_corrections_keys_are_unique_and_alerts_follow_their_evidence(drawn, cooldown_s) -> None:
    events: list[Sighting | Correction] = []
    owners: dict[TrackPart, int] = {}
    for part, item in enumerate(drawn):
        if isinstance(item[0], CorrectionKind):
            moved = [part for part, owner in owners.items() if owner == item[1]][::2]
            events.append(correct(*item, parts=moved if item[0] is CorrectionKind.SPLIT else ()))
            if item[0] is CorrectionKind.SPLIT:
                owners |= dict.fromkeys(moved, item[2])
            elif item[0] is CorrectionKind.MERGED:
                owners = {part: item[1] if owner == item[2] else owner for part, owner in owners.items()}
        else:
            events.append(see(1 + part, *item, part=part))
            owners[TrackPart(item[1], part)] = item[0]

    live: dict[str, Alert] = {}
    for alert in make_stage(cooldown_s=cooldown_s).process(events):
        if alert.state is RAISED:
            assert alert.key not in live
            live[alert.key] = alert
        elif alert.state is AMENDED:
            assert alert.key in live
            live[alert.key] = alert
        else:
            del live[alert.key]
    for alert in live.values():
        # An alert is about the person its evidence shows.
        assert any(
            owners[part] == alert.person_id
            for part in owners
            if part.track_id in alert.evidence and part.part + 1 == alert.raised_at
        )


def make_fence() -> LineCrossingRule:
    fence = {"camera": "east", "from": [75, 120], "to": [75, 0], "forbidden": "both"}
    return LineCrossingRule(
        name="line", severity="info", lines={"fence": fence}, min_depth_px=4.0, forget_after_s=300.0
    )


def cross(person_id: int, track: int) -> Sighting:
    path = make_path(0, 21, (10, 10, 30, 50), (5.0, 0.0))
    return make_sighting(person_id, TrackId("east", 0, track), 0, path)


def test_two_tracks_that_prove_to_show_one_crossing_leave_one_alert() -> None:
    """The rule about lines reports nothing when people are merged."""
    stage = make_stage(make_fence())
    first, second = (alert for person_id in (1, 2) for alert in stage.process([cross(person_id, person_id)]))
    changed = stage.process([correct(CorrectionKind.MERGED, 1, 2)])
    assert [(alert.key, alert.state) for alert in changed] == [(second.key, RETRACTED)]
    assert first.person_id == 1


def test_a_name_that_was_taken_away_exempts_nobody_after_a_restart() -> None:
    def make() -> AlertEngine:
        limits = {"cooldown_s": 0.0, "max_open": 100, "max_parts": 100}
        return AlertEngine([EveryoneRule()], **limits, exempt=["staff*"], names={1: "staff bob"})  # type: ignore[arg-type]

    before, after = make(), make()
    assert before.process([see(1)]) == []
    before.process([Correction(CorrectionKind.NAMED, (1,), "ann", 2.0, name="")])
    after.restore(before.snapshot())
    assert len(after.process([see(3, part=1)])) == 1
