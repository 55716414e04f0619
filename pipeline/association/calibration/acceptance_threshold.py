"""Labels that cost nothing, and what they prove: below which distance at most so many different people lie.

Two people in one picture at once are two people, and so are two that cameras see at once where nobody can be in both.
The distances between them are counted in bins. The threshold for a false-match rate is an order statistic of them
(split conformal prediction: Vovk et al., "Algorithmic Learning in a Random World", 2005), chosen such that the true
rate is below the stated one with ``CONFIDENCE``: of a sample of n, the share of the population below the k-th smallest
is distributed as Beta(k, n + 1 - k), whatever the distances are like (Clopper and Pearson, 1934).
"""

from bisect import bisect_right
from dataclasses import dataclass, field

from scipy.special import betaincinv

CONFIDENCE = 0.95
BIN = 0.01
NUM_BINS = 200
MAX_LABELS = 20_000
"""Above this number all counts are halved: what was learned long ago counts for less, and memory is bounded."""
MAX_PAIRS = 1024
"""Pairs of cameras that have labels of their own."""
MAX_TAKEN = 10_000
"""Pairs of tracks that are remembered, so that each gives one label."""


@dataclass(slots=True)
class Distances:
    """Distances between people who are certainly two.

    Attributes:
        counts: In bins of ``BIN``, from 0 on.
        total: Sum of the counts.
    """

    counts: list[int] = field(default_factory=lambda: [0] * NUM_BINS)
    total: int = 0

    def add(self, distance: float) -> None:
        """Count one."""
        self.counts[min(NUM_BINS - 1, max(0, int(distance / BIN)))] += 1
        self.total += 1
        if self.total > MAX_LABELS:
            self.counts = [count // 2 for count in self.counts]
            self.total = sum(self.counts)

    def threshold(self, max_rate: float) -> float | None:
        """Return the largest distance below which, with ``CONFIDENCE``, at most this part of different pairs lies.

        Returns:
            A cosine distance in [0, 2]; None while there are too few labels to prove any: 300 for a rate of 1 %.
        """
        # So many labels may lie below it: the bound grows with their number.
        smallest = bisect_right(range(self.total), max_rate, key=lambda below: _upper_bound(below, self.total))
        if smallest == 0:
            return None
        seen = 0
        for index, count in enumerate(self.counts):
            seen += count
            if seen >= smallest:
                return index * BIN  # the lower side of the bin that the order statistic is in
        return None


def _upper_bound(num_below: int, total: int) -> float:
    """Return how large the true rate may be, with ``CONFIDENCE``, of whose labels so many lie below a distance."""
    return float(betaincinv(num_below + 1, total - num_below, CONFIDENCE))


@dataclass(slots=True)
class Labels:
    """Everybody's labels, and those of each pair of cameras.

    Attributes:
        pooled: Of all cameras together.
        by_cameras: By the two cameras, sorted; the one that was used longest ago goes first.
        taken: Pairs of tracks that gave their label already, oldest first.
        thresholds: What was last proven, by the two cameras, or by ``POOLED``; see ``refit``.
    """

    pooled: Distances = field(default_factory=Distances)
    by_cameras: dict[tuple[str, str], Distances] = field(default_factory=dict)
    taken: dict[tuple[str, str], None] = field(default_factory=dict)
    thresholds: dict[tuple[str, str], float] = field(default_factory=dict)

    def add(self, cameras: tuple[str, str], tracks: tuple[str, str], distance: float) -> bool:
        """Take a label, unless these two tracks gave one: more would look like proof, and are the same again.

        Args:
            cameras: Sorted.
            tracks: Sorted.
            distance: Cosine distance.

        Returns:
            Whether it was taken.
        """
        if tracks in self.taken:
            return False
        self.taken[tracks] = None
        while len(self.taken) > MAX_TAKEN:
            del self.taken[next(iter(self.taken))]
        own = self.by_cameras.pop(cameras, None) or Distances()
        self.by_cameras[cameras] = own
        while len(self.by_cameras) > MAX_PAIRS:
            del self.by_cameras[next(iter(self.by_cameras))]
        own.add(distance)
        self.pooled.add(distance)
        return True

    def refit(self, max_rate: float) -> None:
        """Prove thresholds anew from the labels there are now; pairs of cameras without enough are left out."""
        samples = {POOLED: self.pooled, **self.by_cameras}
        found = {cameras: sample.threshold(max_rate) for cameras, sample in samples.items()}
        self.thresholds = {cameras: distance for cameras, distance in found.items() if distance is not None}

    def threshold(self, cameras: tuple[str, str]) -> tuple[float, str] | None:
        """Return the distance proven for two cameras, sorted, and whose labels did: pair or pooled; None if none do."""
        for key, source in ((cameras, "pair"), (POOLED, "pooled")):
            if key in self.thresholds:
                return self.thresholds[key], source
        return None


POOLED = ("", "")
"""Stands for all pairs of cameras."""
