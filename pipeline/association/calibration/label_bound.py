"""What self-supervised labels prove about the distances of different people, whatever their distribution is.

A label is the distance between two tracks that certainly show two people; no human is needed to give it. The distances
are counted in bins. If k of n labels lie below a distance, the share of the population below it is, with
``CONFIDENCE``, at most a quantile of Beta(k + 1, n - k) (Clopper and Pearson, 1934). The bound is reported; it decides
nothing, so nothing jumps when there are enough labels.
"""

from dataclasses import dataclass, field

from scipy.special import betaincinv

CONFIDENCE = 0.95
"""Probability that the true share is below the bound. Larger: the bound is higher."""
BIN = 0.01
"""Width of a bin, cosine distance. Larger: the bound is higher by up to one bin of labels."""
NUM_BINS = 200
"""Bins: cosine distances reach 2."""
MAX_LABELS = 20_000
"""Labels above which all counts are halved, so that old labels count for less. Larger: old labels fade more slowly."""
MAX_LABELLED_PAIRS = 10_000
"""Pairs of tracks that are remembered, so that each gives one label; bounds memory."""


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

    def max_rate_below(self, distance: float) -> float:
        """Return the share of different pairs that, with ``CONFIDENCE``, at most lies below a distance; 1 at first."""
        num_below = sum(self.counts[: int(distance / BIN) + 1])
        return float(betaincinv(num_below + 1, self.total - num_below, CONFIDENCE)) if self.total > num_below else 1.0


@dataclass(slots=True)
class Labels:
    """The labels so far.

    Attributes:
        distances: Of all labels.
        labelled_pairs: Pairs of tracks that have given their label, oldest first.
    """

    distances: Distances = field(default_factory=Distances)
    labelled_pairs: dict[tuple[str, str], None] = field(default_factory=dict)

    def add(self, tracks: tuple[str, str], distance: float) -> bool:
        """Add a label, unless these two tracks, sorted, have given one: further ones would not be independent.

        Returns:
            Whether it was added.
        """
        if tracks in self.labelled_pairs:
            return False
        self.labelled_pairs[tracks] = None
        while len(self.labelled_pairs) > MAX_LABELLED_PAIRS:
            del self.labelled_pairs[next(iter(self.labelled_pairs))]
        self.distances.add(distance)
        return True
