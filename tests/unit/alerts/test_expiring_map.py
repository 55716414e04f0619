from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.alerts.expiring_map import ExpiringMap


def test_an_entry_that_was_not_set_for_long_is_forgotten() -> None:
    entries: ExpiringMap[str, int] = ExpiringMap(forget_after_s=10)
    entries.set("a", 1, at=0)
    entries.set("b", 2, at=5)
    entries.set("a", 3, at=12)
    entries.set("c", 4, at=15.5)
    assert (entries.get("a"), entries.get("b"), entries.get("c"), len(entries)) == (3, None, 4, 2)


def test_a_late_entry_does_not_turn_time_back() -> None:
    entries: ExpiringMap[str, int] = ExpiringMap(forget_after_s=10)
    entries.set("a", 1, at=100)
    entries.set("b", 2, at=0)
    entries.set("c", 3, at=111)
    assert len(entries) == 1


def test_the_map_can_change_while_it_is_listed() -> None:
    entries: ExpiringMap[str, int] = ExpiringMap(forget_after_s=10)
    entries.set("a", 1, at=0)
    entries.set("b", 2, at=0)
    for key, _ in entries.items():
        entries.pop(key)
    assert len(entries) == 0


@example([("a", 1), ("b", 2)])
@example([("a", 2), ("b", 1)])
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9)), min_size=1, max_size=9))
def test_moving_an_entry_keeps_the_newer_of_both(events: list[tuple[str, int]]) -> None:
    entries: ExpiringMap[str, int] = ExpiringMap(forget_after_s=100)
    last: dict[str, int] = {}
    for key, at in events:
        entries.set(key, at, at=at)
        last[key] = at
    entries.move("a", "b")
    assert dict(entries.items()) == {"b": max(last.values())}


def test_an_entry_that_is_moved_to_no_key_is_forgotten() -> None:
    entries: ExpiringMap[str, int] = ExpiringMap(forget_after_s=10)
    entries.set("a", 1, at=0)
    entries.move("a", None)
    assert len(entries) == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 100)), max_size=50))
def test_entries_in_order_of_time_are_known_exactly_until_they_expire(events: list[tuple[int, float]]) -> None:
    entries: ExpiringMap[int, float] = ExpiringMap(forget_after_s=10)
    last: dict[int, float] = {}
    now = 0.0
    for key, now in sorted(events, key=lambda event: event[1]):
        entries.set(key, now, at=now)
        last[key] = now
    assert dict(entries.items()) == {key: at for key, at in last.items() if at >= now - 10}
