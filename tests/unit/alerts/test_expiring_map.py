from hypothesis import given
from hypothesis import strategies as st

from pipeline.alerts.expiring_map import ExpiringMap


def test_an_entry_that_was_not_set_for_long_is_forgotten() -> None:
    recent: ExpiringMap[str, int] = ExpiringMap(forget_after_s=10)
    recent.set("a", 1, at=0)
    recent.set("b", 2, at=5)
    recent.set("a", 3, at=12)
    recent.set("c", 4, at=15.5)
    assert (recent.get("a"), recent.get("b"), recent.get("c"), len(recent)) == (3, None, 4, 2)


def test_a_late_entry_does_not_turn_time_back() -> None:
    recent: ExpiringMap[str, int] = ExpiringMap(forget_after_s=10)
    recent.set("a", 1, at=100)
    recent.set("b", 2, at=0)
    recent.set("c", 3, at=111)
    assert len(recent) == 1


def test_the_map_can_change_while_it_is_listed() -> None:
    recent: ExpiringMap[str, int] = ExpiringMap(forget_after_s=10)
    recent.set("a", 1, at=0)
    recent.set("b", 2, at=0)
    for key, _ in recent.items():
        recent.pop(key)
    assert len(recent) == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 100)), max_size=50))
def test_entries_in_order_of_time_are_known_exactly_until_they_expire(events: list[tuple[int, float]]) -> None:
    recent: ExpiringMap[int, float] = ExpiringMap(forget_after_s=10)
    last: dict[int, float] = {}
    now = 0.0
    for key, now in sorted(events, key=lambda event: event[1]):
        recent.set(key, now, at=now)
        last[key] = now
    assert dict(recent.items()) == {key: at for key, at in last.items() if at >= now - 10}
