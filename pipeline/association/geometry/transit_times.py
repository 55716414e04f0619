"""How long people take from camera to camera, learned from links that can no longer change.

A transit time is modelled as log-normal: it has a hard lower end and a long tail. Its median and spread are the
weighted median and the weighted median absolute deviation of the newest times. So a wrong link among them changes
little, and old times fade. Pairs of cameras with too few transits keep what the site's file states.
"""

from dataclasses import dataclass, field
from math import exp, log, pi, sqrt

MIN_TRANSITS = 8
"""Transits of an ordered pair of cameras below which nothing is fitted. Larger: learning starts later."""
MAX_TRANSITS = 200
"""Newest times that are kept of an ordered pair of cameras; bounds memory."""
MAX_PAIRS = 10_000
"""Ordered pairs of cameras whose times are kept; bounds memory. The pair that was added first goes first."""
HALF_LIFE_TRANSITS = 50.0
"""Newer transits after which a time counts half as much. Larger: the fit follows a change more slowly."""
MIN_SPREAD = 0.15
"""Least standard deviation of the logarithm of a time. Larger: a usual time says less."""
DEVIATION = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
SHORTEST_S = 0.2
"""Seconds; a shorter transit counts as this long, because its logarithm is taken."""


@dataclass(frozen=True, slots=True)
class TransitTime:
    """How long people take from one camera to another.

    Attributes:
        num_transits: Number of transits it was fitted to; 0 if it was stated.
        median_s: Median, seconds.
        spread: Standard deviation of the logarithm.
    """

    num_transits: int
    median_s: float
    spread: float

    def log_density(self, gap_s: float) -> float:
        """Return the log of the density of a transit time, per second."""
        gap_s = max(gap_s, SHORTEST_S)
        off = (log(gap_s) - log(self.median_s)) / self.spread
        return -off * off / 2 - log(gap_s * self.spread * sqrt(2 * pi))


@dataclass(slots=True)
class TransitTimes:
    """The transit times of all ordered pairs of cameras.

    Attributes:
        times: Seconds, oldest first, by ordered pair of cameras (from, to).
        cache: Fits, by the same pairs; dropped when a time is added.
    """

    times: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    cache: dict[tuple[str, str], TransitTime | None] = field(default_factory=dict)

    def learn(self, from_camera: str, to_camera: str, gap_s: float) -> None:
        """Add the time of a transit that is certain."""
        times = self.times.setdefault((from_camera, to_camera), [])
        times.append(max(gap_s, SHORTEST_S))
        del times[:-MAX_TRANSITS]
        self.cache.pop((from_camera, to_camera), None)
        while len(self.times) > MAX_PAIRS:
            oldest = next(iter(self.times))
            del self.times[oldest]
            self.cache.pop(oldest, None)

    def restore(self, times: dict[tuple[str, str], list[float]]) -> None:
        """Take over the times of another object."""
        self.times, self.cache = times, {}

    def fitted(self, from_camera: str, to_camera: str) -> TransitTime | None:
        """Return the transit time from one camera to another; None after too few transits."""
        pair = from_camera, to_camera
        if pair not in self.times:
            return None  # without an entry in the cache: most pairs of a large site never see a transit
        if pair not in self.cache:
            self.cache[pair] = _fitted(self.times[pair])
        return self.cache[pair]

    def all_fitted(self) -> dict[tuple[str, str], TransitTime]:
        """Return every transit time with enough transits, by ordered pair of cameras."""
        found = {pair: self.fitted(*pair) for pair in sorted(self.times)}
        return {pair: transit for pair, transit in found.items() if transit is not None}


def _fitted(times: list[float]) -> TransitTime | None:
    if len(times) < MIN_TRANSITS:
        return None
    weights = [0.5 ** ((len(times) - 1 - index) / HALF_LIFE_TRANSITS) for index in range(len(times))]
    logs = [log(gap_s) for gap_s in times]
    middle = _median(logs, weights)
    spread = DEVIATION * _median([abs(value - middle) for value in logs], weights)
    return TransitTime(len(times), exp(middle), max(spread, MIN_SPREAD))


def _median(values: list[float], weights: list[float]) -> float:
    """Return the weighted median: the value at which half of the weight is reached."""
    pairs = sorted(zip(values, weights, strict=True))
    half, seen = sum(weights) / 2, 0.0
    for value, weight in pairs:
        seen += weight
        if seen >= half:
            return value
    return pairs[-1][0]
