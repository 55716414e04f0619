"""What is known of a site: which cameras see the same ground, and how long a transit between two others takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, log

from pipeline.association.geometry.transit_times import TransitTime, TransitTimes

TYPICAL_TRANSIT_S = 30.0
"""Mean transit time, seconds, where none is stated or learned. Larger: a long gap speaks less against one person."""
CHANCE_TRANSIT_S = 120.0
"""Seconds within which another person appears at a random moment. Larger: a typical gap speaks more for one person."""
STATED_SPREAD = 0.5
"""Standard deviation of the logarithm of a transit time around a stated one: two in three take .6 to 1.6 times as long.

Larger: an unusual gap speaks less against one person.
"""
MAX_LLR = 3.0
"""Largest LLR of a transit time."""
MIN_LLR = -1.5
"""Smallest LLR of a transit time. After some minutes time says little; it must not outweigh appearance."""


@dataclass(frozen=True, slots=True)
class TransitBounds:
    """How long people take between two cameras, in either direction.

    Attributes:
        min_s: Seconds; nobody is faster.
        max_s: Seconds; nobody is slower. Infinite: somebody may be.
        typical_s: Seconds; counts until the transit time is learned. None if it was not stated.
    """

    min_s: float
    max_s: float
    typical_s: float | None = None


@dataclass(frozen=True, slots=True)
class Topology:
    """Which transits between the cameras of a site are possible, and how long they take.

    Attributes:
        transit_times: Stated bounds, by ``camera_pair``.
        overlaps: The ``camera_pair`` of cameras that may see one person at the same time. None if it is not stated:
            then any two cameras may.
        no_overlap: The ``camera_pair`` of cameras that never see one person at the same time.
        no_transit: Pairs of camera ids (from, to) between which no direct transit is possible.
        learned: Transit times seen so far. They change probabilities; the stated bounds still rule transits out.
    """

    transit_times: Mapping[tuple[str, str], TransitBounds] = field(default_factory=dict)
    overlaps: frozenset[tuple[str, str]] | None = None
    no_overlap: frozenset[tuple[str, str]] = frozenset()
    no_transit: frozenset[tuple[str, str]] = frozenset()
    learned: TransitTimes = field(default_factory=TransitTimes)

    def may_coincide(self, first_camera: str, second_camera: str) -> bool:
        """Tell whether two cameras can see one person at the same time."""
        pair = camera_pair(first_camera, second_camera)
        if first_camera == second_camera or pair in self.no_overlap:
            return False
        return self.overlaps is None or pair in self.overlaps

    def can_transit(self, from_camera: str, to_camera: str, gap_s: float, error_s: float = 0.0) -> bool:
        """Tell whether the stated bounds allow a transit in ``gap_s`` seconds, of which up to ``error_s`` are wrong."""
        known = self.transit_times.get(camera_pair(from_camera, to_camera))
        return known is None or known.min_s - error_s <= gap_s <= known.max_s + error_s

    def transit_llr(self, from_camera: str, to_camera: str, gap_s: float) -> float:
        """Return the log-likelihood ratio (LLR) of a transit time: above 0 speaks for one person.

        The density of the transit time over that of another person appearing at a random moment. The former is as
        learned on site, else around the stated time, else uniform between the stated bounds, else exponential.
        """
        transit = self.learned.fitted(from_camera, to_camera)
        known = self.transit_times.get(camera_pair(from_camera, to_camera))
        if transit is None and known is not None and known.typical_s is not None:
            transit = TransitTime(0, known.typical_s, STATED_SPREAD)
        if transit is not None:
            llr = log(CHANCE_TRANSIT_S) + transit.log_density(gap_s)
            return min(MAX_LLR, max(MIN_LLR, llr))
        if known is not None and known.max_s < inf:
            return max(0.0, log(CHANCE_TRANSIT_S / max(known.max_s - known.min_s, TYPICAL_TRANSIT_S)))
        return max(MIN_LLR, log(CHANCE_TRANSIT_S / TYPICAL_TRANSIT_S) - gap_s / TYPICAL_TRANSIT_S)


def camera_pair(first: str, second: str) -> tuple[str, str]:
    """Return two camera ids sorted: the key of what holds in both directions."""
    return (first, second) if first <= second else (second, first)
