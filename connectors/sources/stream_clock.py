"""The times of one stream: what cameras and recorders write, made to ascend and to be believed.

Stamps of real streams are missing, doubled, hours off for one frame, or begin again at 0. One component decides for
all sources what is made of that.
"""

import logging
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from statistics import median
from typing import Generic, Literal, TypeVar, get_args

from pipeline.core.errors import ConfigError, SourceLostError
from pipeline.core.records.source_report import Gap, GapOutcome

logger = logging.getLogger(__name__)

Item = TypeVar("Item")

OnGap = Literal["keep", "cut", "refuse"]
"""What is made of a lasting leap forward."""

NEAR = 3.0
"""Usual intervals up to which a step forward is taken at once. More let larger outliers pass."""

SOON = 1.5
"""Usual intervals for each frame between, up to which a later stamp shows that the stream goes on as before.

More decide sooner, and let shorter outliers pass for a leap.
"""

WINDOW = 7
"""Stamps that are compared where one is doubtful: up to three outliers in a row are found.

More find longer runs, and hold a live stream back for longer while a stamp is doubtful.
"""

MAX_HELD = 12
"""Frames that are held at most, those without a stamp included. More cost memory: each is a decoded picture."""

MIN_RESTART = 3
"""Ascending stamps that make a clock that went back. Fewer take outliers for one."""

MIN_GAP_S = 2.0
"""Seconds from which a leap is a gap, unless three usual intervals are longer. Less states the pauses of any stream."""

MAX_GAP_S = 86400.0
"""Seconds above which a leap is no gap of a recording: its clock was set. Less cuts the nights of a recording."""

MAX_LAST_STEP_S = 60.0
"""Seconds that the very last frame may be ahead, though no other frame confirms it. More believe outliers there."""

MIN_STEP_S = 1e-4
"""Seconds between two frames at least, where times have to be squeezed. More delay the return to the stream's times."""

NUM_STEPS = 15
MIN_STEPS = 5
"""Newest intervals whose median is the usual one, and how many that takes. More react later to another frame rate."""

NUM_GAPS = 100
"""Newest gaps that are kept for the summary. More cost memory there."""


class _Verdict(StrEnum):
    TAKE = "take"
    RESTART = "restart"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class _Held(Generic[Item]):
    item: Item
    stamp_s: float | None
    step_s: float | None
    elapsed_s: float | None


class StreamClock(Generic[Item]):
    """Gives every frame of a stream a time. The times ascend strictly.

    A step forward of up to three usual intervals is taken as it is, and so is one that another clock confirms. Anything
    else is doubtful, and the frame is held until those after it decide:

    - an outlier, which they do not confirm, is replaced: its time lies between its neighbours';
    - a missing or doubled stamp is replaced likewise, or by the length of the frame if the next stamp is far;
    - a lasting leap forward is a gap: kept, cut or refused, as ``on_gap`` says. Above a day it is always cut. Where
      bad frames stand in between, there is none;
    - a lasting leap back means that the clock began again: the times go on from the last frame.

    Stamps that ascend strictly, and leap by less than a day, are returned as they are, bit for bit.

    Args:
        camera_id: The camera, for messages.
        starts_at: Unix seconds of stamp 0, which is that of the first frame.
        usual_step_s: Seconds between two frames, until the stream shows it; above 0.
        on_gap: What is made of a lasting leap forward.
        is_absolute: The stamps are Unix seconds of a clock that may be corrected: after it went back, the times
            return to the stamps as soon as these are later again.

    Attributes:
        num_repaired: Frames whose stamp was replaced.

    Raises:
        ConfigError: If ``on_gap`` is none of the three.
    """

    def __init__(
        self,
        camera_id: str,
        *,
        starts_at: float = 0.0,
        usual_step_s: float = 0.1,
        on_gap: str = "keep",
        is_absolute: bool = False,
    ) -> None:
        if on_gap not in get_args(OnGap):
            raise ConfigError(
                f"site.cameras.{camera_id}.on_gap: expected one of {', '.join(get_args(OnGap))}, got {on_gap}; "
                "correct it"
            )
        self._camera_id = camera_id
        self._usual_step_s = usual_step_s
        self._on_gap = on_gap
        self._is_absolute = is_absolute
        self._held: deque[_Held[Item]] = deque()
        self._steps: deque[float] = deque(maxlen=NUM_STEPS)
        # Time = _origin + (stamp - _zero).
        self._first = self._origin = starts_at
        self._zero = 0.0
        self._last_stamp: float | None = None
        self._last: float | None = None
        self._gaps: deque[Gap] = deque(maxlen=NUM_GAPS)
        self._bad: list[float] = []
        self.num_repaired = 0

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The newest gaps."""
        return tuple(self._gaps)

    @property
    def shift_s(self) -> float:
        """Seconds by which the times are later than absolute stamps, since the clock behind these went back."""
        return self._origin - self._zero

    def go_on(self, at: float) -> None:
        """Let all times be later than ``at``, Unix seconds; before the first frame of another opening."""
        self._last = at

    def note_overlap(self, name: str, seconds: float) -> None:
        """State that what follows says of itself that it began before the last frame; the times go on from there.

        Args:
            name: What follows, for messages.
            seconds: How far the two are over each other.
        """
        if all(gap.outcome is not GapOutcome.RESTARTED for gap in self._gaps):
            logger.warning(
                "camera %s: %s begins %.1f s before the end of the file before it, says its name; its times go on from "
                "there, and are late by that. More such files are counted in gaps",
                self._camera_id,
                name,
                seconds,
            )
        self._gaps.append(Gap(self._first if self._last is None else self._last, -seconds, GapOutcome.RESTARTED))

    def note_bad(self, stamp_s: float) -> None:
        """Learn when a frame was that is left out because it is damaged: it is counted, and so is no part of a gap."""
        self._bad.append(stamp_s)

    def push(
        self, item: Item, stamp_s: float | None, step_s: float | None = None, *, elapsed_s: float | None = None
    ) -> list[tuple[Item, float]]:
        """Take a frame, and return the frames whose time is now decided, in order, with that time in Unix seconds.

        Args:
            item: The frame, in any form.
            stamp_s: Seconds, as the stream says; None if it does not.
            step_s: Seconds until the next frame, as the stream says; None if it does not.
            elapsed_s: Seconds since the frame before by another clock, for instance that of a broker; None if there is
                none.

        Raises:
            SourceLostError: If there is a gap and ``on_gap`` is ``refuse``.
        """
        self._held.append(_Held(item, stamp_s, step_s, elapsed_s))
        return self._decided(is_last=False)

    def flush(self) -> list[tuple[Item, float]]:
        """Return the frames that are still held; the stream has ended.

        Raises:
            SourceLostError: As ``push``.
        """
        return self._decided(is_last=True)

    def _decided(self, *, is_last: bool) -> list[tuple[Item, float]]:
        done: list[tuple[Item, float]] = []
        while self._held:
            verdict = self._verdict(is_last=is_last)
            if verdict is None:
                break
            kind, count, until = verdict
            if kind is _Verdict.REPLACE:
                done += self._replaced(count, until)
            else:
                done.append(self._taken(self._held.popleft(), is_restart=kind is _Verdict.RESTART))
        return done

    def _verdict(self, *, is_last: bool) -> tuple[_Verdict, int, float | None] | None:
        """Return what to do with how many held frames; where they are replaced, also the stamp that follows them."""
        head, last = self._held[0], self._last_stamp
        if last is None:
            return (_Verdict.REPLACE, 1, None) if head.stamp_s is None else (_Verdict.TAKE, 1, None)
        step_s = self._step()
        near_s = NEAR * step_s
        if head.stamp_s is not None and 0 < head.stamp_s - last <= near_s:
            return _Verdict.TAKE, 1, None
        if self._is_confirmed(head, last):
            return _Verdict.TAKE, 1, None
        stamps = [held.stamp_s for held in self._held]
        for place, stamp in enumerate(stamps[1:], start=1):
            if stamp is not None and 0 < stamp - last <= SOON * step_s * (place + 1):
                return _first_of(_longest_rise(stamps[: place + 1], above=last, below=stamp), stamps)
        num_stamps = sum(stamp is not None for stamp in stamps)
        if not is_last and num_stamps < WINDOW and len(stamps) < MAX_HELD:
            return None
        ahead = _longest_rise(stamps, above=last)
        behind = _longest_rise(stamps, below=last)
        if len(behind) > len(ahead):
            is_restart = len(behind) >= MIN_RESTART and behind[0] == 0
            return (_Verdict.RESTART if is_restart else _Verdict.REPLACE), 1, None
        if ahead == [0] and stamps[0] is not None and stamps[0] - last > max(MAX_LAST_STEP_S, near_s):
            return _Verdict.REPLACE, 1, None
        return _first_of(ahead, stamps)

    def _is_confirmed(self, held: _Held[Item], last: float) -> bool:
        """Return whether another clock has gone forward as far as the stamp."""
        if held.stamp_s is None or held.elapsed_s is None or held.stamp_s <= last:
            return False
        return abs(held.stamp_s - last - held.elapsed_s) <= NEAR * self._step()

    def _step(self) -> float:
        """Return the usual interval, seconds."""
        return median(self._steps) if len(self._steps) >= MIN_STEPS else self._usual_step_s

    def _taken(self, held: _Held[Item], *, is_restart: bool) -> tuple[Item, float]:
        stamp, before, last = held.stamp_s, self._last_stamp, self._last
        assert stamp is not None
        if before is None:
            if last is not None and (not self._is_absolute or stamp <= last):
                self._origin, self._zero = last + self._step(), stamp
        else:
            assert last is not None
            if not self._is_confirmed(held, before):  # a pause of the camera is no leap of its clock
                leap_s = stamp - before if is_restart else self._longest_step(before, stamp)
                self._state_gap(stamp, leap_s, last, is_restart=is_restart)
            if not is_restart:
                self._steps.append(stamp - before)
        self._bad = [] if is_restart else [each for each in self._bad if each > stamp]
        self._last_stamp = stamp
        at = self._origin + (stamp - self._zero)
        return held.item, self._ascending(at)

    def _longest_step(self, before: float, stamp: float) -> float:
        """Return the longest time between two frames from one stamp to the next, bad ones included, seconds."""
        bad = sorted(each for each in self._bad if before < each < stamp)
        return max(after - each for each, after in pairwise([before, *bad, stamp]))

    def _state_gap(self, stamp: float, leap_s: float, last: float, *, is_restart: bool) -> None:
        """Note a leap, and shift the times that follow unless it is kept."""
        if not is_restart and leap_s < max(MIN_GAP_S, NEAR * self._step()):
            return
        if self._is_absolute and not is_restart and stamp > last:
            self._origin = self._zero = 0.0
        outcome = GapOutcome.KEPT
        if is_restart:
            outcome = GapOutcome.RESTARTED
        elif self._on_gap == "refuse":
            raise SourceLostError(
                f"expected times without a gap, got one of {leap_s:.1f} s after "
                f"{last:.2f} s; on_gap=keep keeps it, on_gap=cut closes it"
            )
        elif self._on_gap == "cut" or (leap_s > MAX_GAP_S and not self._is_absolute):
            outcome = GapOutcome.CUT
        if outcome is not GapOutcome.KEPT:
            self._origin, self._zero = last + self._step(), stamp
        self._gaps.append(Gap(last, leap_s, outcome))
        logger.warning(
            "camera %s: the times leap by %.1f s after %.2f s: %s (on_gap)", self._camera_id, leap_s, last, outcome
        )

    def _replaced(self, count: int, until: float | None) -> list[tuple[Item, float]]:
        """Give the first frames that are held times between the last stamp and the one that follows them."""
        done: list[tuple[Item, float]] = []
        usual_s = self._step()
        even_s = None if until is None or self._last_stamp is None else (until - self._last_stamp) / (count + 1)
        for _ in range(count):
            held = self._held.popleft()
            step_s = even_s if even_s is not None and even_s <= NEAR * usual_s else held.step_s or usual_s
            if self.num_repaired == 0:
                logger.warning(
                    "camera %s: the time of a frame is missing or wrong and was replaced; more are counted in "
                    "times_repaired",
                    self._camera_id,
                )
            self.num_repaired += 1
            if self._last is None:
                at = self._first
            else:
                at = self._last + step_s
                self._last_stamp = None if self._last_stamp is None else self._last_stamp + step_s
            done.append((held.item, self._ascending(at)))
        return done

    def _ascending(self, at: float) -> float:
        """Return the time, or if it is not later than the last one, the next possible one."""
        if self._last is not None and at <= self._last:
            at = self._last + MIN_STEP_S
            self.num_repaired += 1
        self._last = at
        return at


def _first_of(rise: list[int], stamps: list[float | None]) -> tuple[_Verdict, int, float | None]:
    """Take the head if the believed stamps begin with it; else replace those before the first believed one."""
    if not rise:
        return _Verdict.REPLACE, 1, None
    return (_Verdict.TAKE, 1, None) if rise[0] == 0 else (_Verdict.REPLACE, rise[0], stamps[rise[0]])


def _longest_rise(
    stamps: list[float | None], *, above: float = float("-inf"), below: float = float("inf")
) -> list[int]:
    """Return the places of the longest strictly ascending subsequence in ``(above, below]``.

    Of several, it is the one that ends, and then the one that goes through, the smallest stamps.
    """
    lengths: dict[int, tuple[int, int | None]] = {}
    for place, stamp in enumerate(stamps):
        if stamp is None or not above < stamp <= below:
            continue
        found: tuple[int, float, int | None] = (0, 0.0, None)
        for before, (length, _) in lengths.items():
            value = stamps[before]
            assert value is not None
            if value < stamp:
                found = max(found, (length, -value, before), key=lambda each: each[:2])
        lengths[place] = (found[0] + 1, found[2])
    if not lengths:
        return []
    at: int | None = max(lengths, key=lambda place: (lengths[place][0], -(stamps[place] or 0.0)))
    rise: list[int] = []
    while at is not None:
        rise.append(at)
        at = lengths[at][1]
    return rise[::-1]
