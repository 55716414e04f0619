"""How long people take from camera to camera, learned from the links that are certain.

A walking time is taken as log-normal: nobody is faster than fast, and some dawdle. Its middle and spread are the
weighted median and the median deviation of the newest times, so that a wrong link among them changes little, and the
old fade. Pairs that nobody was seen to walk, and those with few walks, keep what the site's file says of them.
"""

from dataclasses import dataclass, field
from math import exp, log, pi, sqrt

MIN_TRANSITS = 8
"""Fewer say nothing."""
MAX_TRANSITS = 200
"""Newest times that are kept of an ordered pair of cameras."""
MAX_PAIRS = 10_000
HALF_LIFE_TRANSITS = 50.0
"""A time counts half as much after so many newer ones."""
MIN_SPREAD = 0.15
"""Of the logarithm of a time: people are not clockwork."""
DEVIATION = 1.4826
"""Standard deviations in a median deviation of a normal distribution."""
SHORTEST_S = 0.2


@dataclass(frozen=True, slots=True)
class TransitTime:
    """How long people take from one camera to another.

    Attributes:
        num_transits: It was learned from.
        median_s: Seconds; half are faster.
        spread: Standard deviation of the logarithm.
    """

    num_transits: int
    median_s: float
    spread: float

    def log_density(self, gap_s: float) -> float:
        """Return the log of how probable a time is, per second."""
        gap_s = max(gap_s, SHORTEST_S)
        off = (log(gap_s) - log(self.median_s)) / self.spread
        return -off * off / 2 - log(gap_s * self.spread * sqrt(2 * pi))


@dataclass(slots=True)
class TransitTimes:
    """What was learned of all ways.

    Attributes:
        times: Seconds, oldest first, by ordered pair of cameras (from, to).
        known: What they come to, as far as it was asked for since the newest of them.
    """

    times: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    known: dict[tuple[str, str], TransitTime | None] = field(default_factory=dict)

    def learn(self, from_camera: str, to_camera: str, gap_s: float) -> None:
        """Take note that somebody certainly walked from one camera to the other in so many seconds."""
        times = self.times.setdefault((from_camera, to_camera), [])
        times.append(max(gap_s, SHORTEST_S))
        del times[:-MAX_TRANSITS]
        self.known.pop((from_camera, to_camera), None)
        while len(self.times) > MAX_PAIRS:
            oldest = next(iter(self.times))
            del self.times[oldest]
            self.known.pop(oldest, None)

    def restore(self, times: dict[tuple[str, str], list[float]]) -> None:
        """Know the times that another one learned."""
        self.times, self.known = times, {}

    def walk(self, from_camera: str, to_camera: str) -> TransitTime | None:
        """Return what is known of a way; None where too few were seen to walk it."""
        pair = from_camera, to_camera
        if pair not in self.times:
            return None  # and nothing is kept: a large site has more pairs than anybody walks
        if pair not in self.known:
            self.known[pair] = _fitted(self.times[pair])
        return self.known[pair]

    def walks(self) -> dict[tuple[str, str], TransitTime]:
        """Return all that is known, by ordered pair of cameras."""
        found = {pair: self.walk(*pair) for pair in sorted(self.times)}
        return {pair: walk for pair, walk in found.items() if walk is not None}


def _fitted(times: list[float]) -> TransitTime | None:
    if len(times) < MIN_TRANSITS:
        return None
    weights = [0.5 ** ((len(times) - 1 - index) / HALF_LIFE_TRANSITS) for index in range(len(times))]
    logs = [log(gap_s) for gap_s in times]
    middle = _median(logs, weights)
    spread = DEVIATION * _median([abs(value - middle) for value in logs], weights)
    return TransitTime(len(times), exp(middle), max(spread, MIN_SPREAD))


def _median(values: list[float], weights: list[float]) -> float:
    """Return the value below which half of the weight lies."""
    pairs = sorted(zip(values, weights, strict=True))
    half, seen = sum(weights) / 2, 0.0
    for value, weight in pairs:
        seen += weight
        if seen >= half:
            return value
    return pairs[-1][0]
