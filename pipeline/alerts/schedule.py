"""When a rule holds: days of the week and hours of the day, in a time zone."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.alerts.alert_builder import AlertBuilder

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Schedule:
    """Days and hours.

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
        local = datetime.fromtimestamp(at, self.time_zone)
        hour = local.hour + local.minute / 60 + local.second / 3600
        if self.from_hour < self.to_hour:
            return local.weekday() in self.days and self.from_hour <= hour < self.to_hour
        if hour >= self.from_hour:
            return local.weekday() in self.days
        return hour < self.to_hour and (local - timedelta(days=1)).weekday() in self.days


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
