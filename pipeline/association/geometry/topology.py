"""What is known of the place: which cameras see the same ground, and how long people walk between the others."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log

from pipeline.association.geometry.transit_times import TransitTime, TransitTimes

TYPICAL_TRANSIT_S = 30.0
"""Mean of the walking times that are believed in where nobody stated any."""
CHANCE_TRANSIT_S = 120.0
"""Span over which the next person to appear is taken to appear at any time, when it is somebody else."""
STATED_SPREAD = 0.5
"""Of the logarithm of a walking time around one that was stated: two in three take .6 to 1.6 of it."""
MAX_LLR = 3.0
MIN_LLR = -1.5
"""However long the way took: after some minutes time says little, and must not drown what looks say."""


@dataclass(frozen=True, slots=True)
class TransitBounds:
    """How long people take between two cameras, either way, seconds; ``typical_s`` counts until it was learned."""

    min_s: float
    max_s: float
    typical_s: float | None = None


@dataclass(frozen=True, slots=True)
class Topology:
    """The cameras of a site and the ways between them.

    Attributes:
        transit_times: By pair of camera ids, sorted.
        overlaps: Pairs of camera ids, sorted, that may see one person at once; None if nobody stated it, and then
            nothing is held against a person in two pictures.
        no_transit: Pairs of camera ids (from, to): nobody walks straight from the first to the second.
        learned: How long people took so far; what was stated still rules out what it ruled out.
    """

    transit_times: Mapping[tuple[str, str], TransitBounds] = field(default_factory=dict)
    overlaps: frozenset[tuple[str, str]] | None = None
    no_transit: frozenset[tuple[str, str]] = frozenset()
    learned: TransitTimes = field(default_factory=TransitTimes)

    def may_coincide(self, first_camera: str, second_camera: str) -> bool:
        """Tell whether one person can be in both pictures at once."""
        if first_camera == second_camera:
            return False
        return self.overlaps is None or _pair(first_camera, second_camera) in self.overlaps

    def can_transit(self, from_camera: str, to_camera: str, gap_s: float) -> bool:
        """Tell whether somebody last seen in one camera can first be seen in the other ``gap_s`` later."""
        known = self.transit_times.get(_pair(from_camera, to_camera))
        return known is None or known.min_s <= gap_s <= known.max_s

    def transit_llr(self, from_camera: str, to_camera: str, gap_s: float) -> float:
        """Return what a walking time says for one person, natural log-odds.

        The density of the walking time over that of somebody else appearing by chance: as learned on site, else around
        the stated time, else uniform between the stated limits, else exponential.
        """
        walk = self.learned.walk(from_camera, to_camera)
        known = self.transit_times.get(_pair(from_camera, to_camera))
        if walk is None and known is not None and known.typical_s is not None:
            walk = TransitTime(0, known.typical_s, STATED_SPREAD)
        if walk is not None:
            llr = log(CHANCE_TRANSIT_S) + walk.log_density(gap_s)
            return min(MAX_LLR, max(MIN_LLR, llr))
        if known is not None:
            return max(0.0, log(CHANCE_TRANSIT_S / max(known.max_s - known.min_s, TYPICAL_TRANSIT_S)))
        return max(MIN_LLR, log(CHANCE_TRANSIT_S / TYPICAL_TRANSIT_S) - gap_s / TYPICAL_TRANSIT_S)


def _pair(first: str, second: str) -> tuple[str, str]:
    return (first, second) if first <= second else (second, first)
