"""Embeddings that are unusable, and must not change what is known of any person."""

import numpy as np

from pipeline.core import Embedding

NORM_TOLERANCE = 1e-2
"""How far the norm of a vector may be from 1."""


def flaw(embedding: Embedding, seen_until: float | None) -> str | None:
    """Return what is wrong with an embedding, in words; None if it is sound.

    Args:
        embedding: Any embedding.
        seen_until: Unix seconds when its track was last seen; None for a new track.
    """
    norm = float(np.linalg.norm(embedding.vector))
    if not abs(norm - 1) <= NORM_TOLERANCE:  # NaN is caught here, too
        return f"a vector of norm {norm:g}"
    times = embedding.path.captured_at
    is_timed = len(times) > 0 and np.isfinite(times).all() and np.isfinite(embedding.completed_at)
    if not is_timed or not np.isfinite(embedding.path.boxes_xyxy).all():
        return "a path without times or boxes"
    if (np.diff(times) < 0).any() or (seen_until is not None and times[0] < seen_until):
        return "a track that goes back in time"
    if not 0 < embedding.quality <= 1:
        return f"a quality of {embedding.quality:g}"
    return None
