"""When a rule holds: days of the week and hours of the day, in a time zone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from math import inf
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from pipeline.alerts.alert_builder import AlertBuilder

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Schedule:
    """Days and hours.

    Where a clock is set back, an hour that it shows twice is meant for the first time; where it is set forward, an hour
    that it leaves out is meant as far after midnight as on other days.

    Attributes:
        days: Of the week, 0 is Monday; hours that reach into the next day belong to the day on which they begin.
        from_hour: In [0, 24], for instance 22.5 for half past ten.
        to_hour: In [0, 24], exclusive. At or below ``from_hour``, it is an hour of the next day.
        time_zone: The time zone.
    """

    days: frozenset[int]
    from_hour: float
    to_hour: float
    time_zone: tzinfo

    def holds_at(self, at: float) -> bool:
        """Return whether a moment, Unix seconds, lies in it.

        Example:
            >>> night = Schedule(frozenset({4}), 22.0, 6.0, UTC)  # Friday night
            >>> saturday = datetime(2024, 7, 6, 3, tzinfo=UTC).timestamp()
            >>> night.holds_at(saturday), night.holds_at(saturday + 86400)
            (True, False)
        """
        return bool(self.holds(np.array([at]))[0])

    def holds(self, times: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which moments, Unix seconds, ascending, lie in it: shape as ``times``."""
        is_held = np.zeros(len(times), bool)
        for since, until in self.periods(float(times[0]), float(times[-1])) if len(times) else ():
            is_held |= (times >= since) & (times < until)
        return is_held

    @property
    def longest_s(self) -> float:
        """The longest time for which it holds without a break, seconds; infinite if it always holds.

        Example:
            >>> Schedule(frozenset({4}), 22.0, 6.0, UTC).longest_s / 3600
            8.0
        """
        year = datetime(2024, 1, 1, tzinfo=UTC).timestamp()  # with nights in which the clock changes
        longest_s = max(ends - begins for begins, ends in self.periods(year, year + 366 * 86400))
        return inf if longest_s > 7 * 86400 + 3600 else longest_s

    def periods(self, since: float, until: float) -> Iterator[tuple[float, float]]:
        """Yield when it begins and ends to hold, Unix seconds, wherever that meets the time between two moments.

        Days without a break between them are one period, which is cut where the days before and after begin.
        """
        day = datetime.fromtimestamp(since, self.time_zone).date() - timedelta(days=1)
        last = datetime.fromtimestamp(until, self.time_zone).date()
        found: list[tuple[float, float]] = []
        while day <= last:
            if day.weekday() in self.days:
                begins = self._moment(day, self.from_hour)
                ends = self._moment(day + timedelta(days=self.to_hour <= self.from_hour), self.to_hour)
                if found and found[-1][1] >= begins:
                    begins = found.pop()[0]
                found.append((begins, ends))
            day += timedelta(days=1)
        yield from ((begins, ends) for begins, ends in found if begins <= until and ends > since)

    def _moment(self, day: date, hour: float) -> float:
        return (datetime.combine(day, time(), self.time_zone) + timedelta(hours=hour)).timestamp()


def parse_schedule(given: object, key: str, builder: AlertBuilder) -> Schedule:
    """Return the schedule of ``{days: [mon, …], from_hour: 22, to_hour: 6, time_zone: Europe/Vienna}``.

    Days are all if they are left out, hours 0 to 24, the time zone UTC.

    Raises:
        ConfigError: If a value is none of these; it names the key.
    """
    block = builder.check_block(key, given, set(), {"days", "from_hour", "to_hour", "time_zone"})
    days = block.get("days", DAYS)
    if isinstance(days, str) or not isinstance(days, list | tuple) or not days or not set(days) <= set(DAYS):
        raise builder.wrong(f"{key}.days", f"some of {', '.join(DAYS)}", days)
    hours = block.get("from_hour", 0.0), block.get("to_hour", 24.0)
    for name, hour in zip(("from_hour", "to_hour"), hours, strict=True):
        if isinstance(hour, bool) or not isinstance(hour, int | float) or not 0 <= hour <= 24:
            raise builder.wrong(f"{key}.{name}", "an hour from 0 to 24, 22.5 for half past ten", hour)
    return Schedule(
        frozenset(DAYS.index(day) for day in days),
        float(hours[0]),  # type: ignore[arg-type]
        float(hours[1]),  # type: ignore[arg-type]
        parse_time_zone(block.get("time_zone", "UTC"), f"{key}.time_zone", builder),
    )


def parse_time_zone(given: object, key: str, builder: AlertBuilder) -> tzinfo:
    """Return a time zone by its name. Raises ``ConfigError``, which names the key, if there is none."""
    if given == "UTC":
        return UTC  # works even where no time zone database is installed
    try:
        return ZoneInfo(str(given))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise builder.wrong(key, "UTC or a name like Europe/Vienna", given) from error
