"""Tracklet to embedding: which tracklets are worth it, and how many at once."""

from collections.abc import Sequence

from pipeline.core import Embedder, Embedding, Tracklet


class EmbeddingStage:
    """Turns tracklets into vectors; of many cameras mixed. Pixels end here.

    Args:
        embedder: The network.
        min_quality: Tracklets whose best crop is worse are hopeless, and left out; in [0, 1].
    """

    def __init__(self, embedder: Embedder, *, min_quality: float) -> None:
        self._embedder = embedder
        self._min_quality = min_quality

    def process(self, batch: Sequence[Tracklet]) -> list[Embedding | None]:
        """Return one embedding a tracklet, in the same order; None for the hopeless ones."""
        worth_it = [tracklet for tracklet in batch if tracklet.qualities.max() >= self._min_quality]
        found = dict(zip(worth_it, self._embedder.embed(worth_it), strict=True))
        return [found.get(tracklet) for tracklet in batch]

    def flush(self) -> list[Embedding | None]:
        """Return nothing: no tracklet is held."""
        return []
