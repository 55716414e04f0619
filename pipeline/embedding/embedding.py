"""Tracklet to embedding: leaves out tracklets of poor quality, and embeds the others."""

from collections.abc import Sequence

from pipeline.core import Embedder, Embedding, Tracklet, calls_of
from pipeline.core.plugin_contract import answers, blaming


class EmbeddingStage:
    """Turns tracklets, of many cameras mixed, into vectors. No later stage sees pixels.

    Args:
        embedder: The network.
        min_quality: In [0, 1]; a tracklet whose best crop has a lower quality is left out.
    """

    def __init__(self, embedder: Embedder, *, min_quality: float) -> None:
        self._embedder = embedder
        self.calls = calls_of(embedder)
        self._min_quality = min_quality

    def process(self, batch: Sequence[Tracklet]) -> list[Embedding | None]:
        """Return one embedding for each tracklet, in the same order; None for those left out."""
        usable = [tracklet for tracklet in batch if tracklet.qualities.max() >= self._min_quality]
        with blaming("embedder", self._embedder, owns_data=True):
            embedded = self._embedder.embed(usable)
        vectors = answers("embedder", self._embedder, "embed", embedded, Embedding, len(usable))
        found = dict(zip(usable, vectors, strict=True))
        return [found.get(tracklet) for tracklet in batch]

    def flush(self) -> list[Embedding | None]:
        """Return nothing: no tracklet is held."""
        return []
