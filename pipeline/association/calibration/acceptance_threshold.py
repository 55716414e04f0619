"""Acceptance thresholds with a guaranteed false-match rate, from self-supervised labels.

A label is the distance between two tracks that certainly show two people; no human is needed to give it. The distances
are counted in bins. The threshold for a false-match rate is an order statistic of them (split conformal prediction:
Vovk et al., "Algorithmic Learning in a Random World", 2005), chosen such that the true rate is below the stated one
with ``CONFIDENCE``: of a sample of n, the share of the population below the k-th smallest is distributed as
Beta(k, n + 1 - k), whatever the distribution of the distances (Clopper and Pearson, 1934).
"""

from bisect import bisect_right
from dataclasses import dataclass, field

from scipy.special import betaincinv

CONFIDENCE = 0.95
"""Probability that the true false-match rate is below the stated one. Larger: more labels are needed."""
BIN = 0.01
"""Width of a bin, cosine distance. Larger: thresholds are coarser, and lower by up to one bin."""
NUM_BINS = 200
"""Bins: cosine distances reach 2."""
MAX_LABELS = 20_000
"""Labels above which all counts are halved, so that old labels count for less. Larger: old labels fade more slowly."""
MAX_PAIRS = 1024
"""Pairs of cameras that have labels of their own; bounds memory."""
MAX_LABELLED_PAIRS = 10_000
"""Pairs of tracks that are remembered, so that each gives one label; bounds memory."""
POOLED = ("", "")
"""The key that stands for all pairs of cameras."""


@dataclass(slots=True)
class Distances:
    """A histogram of distances between tracks that certainly show two people.

    Attributes:
        counts: By bins of ``BIN``, from distance 0 on.
        total: Sum of the counts.
    """

    counts: list[int] = field(default_factory=lambda: [0] * NUM_BINS)
    total: int = 0

    def add(self, distance: float) -> None:
        """Add one distance."""
        self.counts[min(NUM_BINS - 1, max(0, int(distance / BIN)))] += 1
        self.total += 1
        if self.total > MAX_LABELS:
            self.counts = [count // 2 for count in self.counts]
            self.total = sum(self.counts)

    def threshold(self, max_rate: float) -> float | None:
        """Return the largest distance below which, with ``CONFIDENCE``, at most this fraction of different pairs lies.

        Returns:
            A cosine distance in [0, 2]; None with too few labels: a rate of 1 % needs 300.
        """
        # The bound grows with the number of labels below the threshold: find how many may lie there.
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
    """Return the upper bound of the true rate, with ``CONFIDENCE``, if so many labels of all lie below a distance."""
    return float(betaincinv(num_below + 1, total - num_below, CONFIDENCE))


@dataclass(slots=True)
class Labels:
    """The labels of all cameras, and those of each pair of cameras.

    Attributes:
        pooled: Of all cameras together.
        by_cameras: By ``camera_pair``; the pair whose last label is oldest comes first.
        labelled_pairs: Pairs of tracks that have given their label, oldest first.
        thresholds: Cosine distances by ``camera_pair`` or ``POOLED``, as of the last ``refit``.
    """

    pooled: Distances = field(default_factory=Distances)
    by_cameras: dict[tuple[str, str], Distances] = field(default_factory=dict)
    labelled_pairs: dict[tuple[str, str], None] = field(default_factory=dict)
    thresholds: dict[tuple[str, str], float] = field(default_factory=dict)

    def add(self, cameras: tuple[str, str], tracks: tuple[str, str], distance: float) -> bool:
        """Add a label, unless these two tracks have given one: further ones would not be independent.

        Args:
            cameras: Sorted.
            tracks: Sorted.
            distance: Cosine distance.

        Returns:
            Whether it was added.
        """
        if tracks in self.labelled_pairs:
            return False
        self.labelled_pairs[tracks] = None
        while len(self.labelled_pairs) > MAX_LABELLED_PAIRS:
            del self.labelled_pairs[next(iter(self.labelled_pairs))]
        own = self.by_cameras.pop(cameras, None) or Distances()
        self.by_cameras[cameras] = own
        while len(self.by_cameras) > MAX_PAIRS:
            del self.by_cameras[next(iter(self.by_cameras))]
        own.add(distance)
        self.pooled.add(distance)
        return True

    def refit(self, max_rate: float) -> None:
        """Compute the thresholds from the labels so far; a pair of cameras with too few labels gets none of its own."""
        samples = {POOLED: self.pooled, **self.by_cameras}
        found = {cameras: sample.threshold(max_rate) for cameras, sample in samples.items()}
        self.thresholds = {cameras: distance for cameras, distance in found.items() if distance is not None}

    def threshold(self, cameras: tuple[str, str]) -> tuple[float, str] | None:
        """Return the threshold for two cameras, sorted, and its source, ``pair`` or ``pooled``; None without either."""
        for key, source in ((cameras, "pair"), (POOLED, "pooled")):
            if key in self.thresholds:
                return self.thresholds[key], source
        return None
