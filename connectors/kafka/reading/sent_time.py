"""Times as other programs write them: ISO 8601, or a number of seconds, milliseconds, microseconds or nanoseconds."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MIN_UNIX_S = 1e8
"""Numbers below it (1973) are no Unix time: a clock that began with the recording, in the unit that its name states."""

UNITS = (("s", 1e11, 1.0), ("ms", 1e14, 1e-3), ("µs", 1e17, 1e-6), ("ns", math.inf, 1e-9))
"""Unit, the number below which a Unix time is in it (years 1973 to 5138), and its length in seconds."""

SUFFIXES = {"ms": 1e-3, "millis": 1e-3, "msec": 1e-3, "us": 1e-6, "micros": 1e-6, "ns": 1e-9, "nanos": 1e-9}
"""Endings of a field's name that state a unit, and the unit in seconds."""

SECONDS_NAMES = ("sec", "secs", "seconds")
NANOSECONDS_NAMES = ("nanosec", "nsec", "nsecs", "nanos", "nanoseconds")
"""Fields of a time in two numbers, as ROS and Protocol Buffers write it."""

WRAPPED_NAMES = ("$date", "$numberLong")
"""Fields in which MongoDB's JSON wraps a time."""

MAX_ISO_CHARS = 40
"""A longer text is no time. More would search pictures for one."""

MIN_STEP_S = 0.001
"""Seconds between two frames that were sent with one time. Larger values shift frames of a fast camera."""


@dataclass(frozen=True, slots=True)
class SentTime:
    """A time that a message states.

    Attributes:
        seconds: Unix seconds, or seconds of a clock of the sender's own if they are below ``MIN_UNIX_S``.
        form: How it was written: ``ISO 8601``, ``s``, ``ms``, ``µs``, ``ns`` or ``s and ns``.
    """

    seconds: float
    form: str


def parse_time(value: object, name: str = "") -> SentTime | None:
    """Return a time; None if the value is none.

    Args:
        value: A number or a text, or an object with one, or with seconds and nanoseconds.
        name: Of the field. Its suffix (``_ms``) states the unit of numbers that are too small for a Unix time.

    Example:
        >>> parse_time(1767225600250), parse_time("2026-01-01T00:00:00.25Z").seconds, parse_time(40, "pts_ms").seconds
        (SentTime(seconds=1767225600.25, form='ms'), 1767225600.25, 0.04)
    """
    if isinstance(value, Mapping):
        return _parse_object(value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return _iso(value.strip())
    else:
        try:
            number = float(value)
        except OverflowError:
            return None
    if not math.isfinite(number) or number < 0:
        return None
    if number < MIN_UNIX_S:
        stated = re.split(r"[_.\-]", name.lower())[-1]
        return SentTime(number * SUFFIXES.get(stated, 1.0), stated if stated in SUFFIXES else "s")
    form, _, unit = next(each for each in UNITS if number < each[1])
    return SentTime(number * unit, form)


def _parse_object(fields: Mapping[str, Any]) -> SentTime | None:
    for name in WRAPPED_NAMES:
        if name in fields and not isinstance(fields[name], Mapping):
            return parse_time(fields[name])
        if name in fields:
            return _parse_object(fields[name])
    whole, part = (
        next((fields[name] for name in names if name in fields), None) for names in (SECONDS_NAMES, NANOSECONDS_NAMES)
    )
    try:
        seconds, nanoseconds = int(whole or 0), int(part or 0)
    except (TypeError, ValueError, OverflowError):
        return None
    if whole is None or not (0 <= seconds < UNITS[0][1] and 0 <= nanoseconds < 1_000_000_000):
        return None
    return SentTime(seconds + nanoseconds / 1e9, "s and ns")


def is_iso(text: str) -> bool:
    """Return whether a text is a time of ISO 8601."""
    return len(text) <= MAX_ISO_CHARS and _iso(text.strip()) is not None


def _iso(text: str) -> SentTime | None:
    if not re.match(r"\d{4}-?\d{2}-?\d{2}[T ]\d", text):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return SentTime((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp(), "ISO 8601")


class SentClock:
    """Makes the times of one camera's frames increase where the sender's clock is too coarse for that.

    Frames that were sent with one time (whole seconds, for instance) are as far apart as the broker's timestamps of
    their messages. A time that goes back is left as it is.
    """

    def __init__(self) -> None:
        self._sent = self._given = self._logged = -math.inf

    def at(self, sent: float, logged: float) -> float:
        """Return the time of a frame, Unix seconds.

        Args:
            sent: As stated by the sender.
            logged: The broker's timestamp of the message, Unix seconds.
        """
        if sent < self._sent:
            return sent
        step = max(MIN_STEP_S, logged - self._logged) if sent == self._sent else MIN_STEP_S
        given = self._given + step if sent == self._sent else max(sent, self._given + MIN_STEP_S)
        self._sent, self._given, self._logged = sent, given, logged
        return given
