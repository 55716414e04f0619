"""How the pictures of a live camera are stamped when the system clock is set, and which of them are dropped."""

import itertools
import time
from collections.abc import Iterator

import numpy as np
import pytest

from connectors.sources import live_reading
from connectors.sources.live_reading import LiveReading

HOUR_S = 3600.0


class Clock:
    """A system clock that a test can set; the monotonic clock runs on."""

    def __init__(self) -> None:
        self.set_by_s = 0.0

    def time(self) -> float:
        return time.time() + self.set_by_s

    def monotonic(self) -> float:
        return time.monotonic()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(live_reading, "time", clock)
    return clock


def make_reading() -> LiveReading[int]:
    def pictures() -> Iterator[int]:
        for number in itertools.count():
            time.sleep(0.01)
            yield number

    return LiveReading("test", pictures, open_timeout_s=5.0, read_timeout_s=5.0)


@pytest.mark.parametrize("hour_s", [HOUR_S, -HOUR_S], ids=["forward", "back"])
def test_setting_the_clock_does_not_change_the_times_of_an_open_camera(clock: Clock, hour_s: float) -> None:
    reading, times = make_reading(), list[float]()
    for arrival in itertools.islice(reading.arrivals(), 20):
        times.append(arrival.arrived_at)
        if len(times) == 10:
            clock.set_by_s = hour_s
    reading.close()
    steps_s = np.diff(times)
    assert (steps_s > 0.005).all()
    assert (steps_s < 60.0).all()


@pytest.mark.parametrize(("hour_s", "later_s"), [(HOUR_S, HOUR_S), (-HOUR_S, 0.0)], ids=["forward", "back"])
def test_a_camera_that_is_opened_again_takes_the_new_time_if_that_is_later(
    clock: Clock, hour_s: float, later_s: float
) -> None:
    reading = make_reading()
    before = next(reading.arrivals()).arrived_at
    clock.set_by_s = hour_s
    after = next(reading.arrivals()).arrived_at
    reading.close()
    assert 0 < after - before - later_s < 60.0
