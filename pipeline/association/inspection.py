"""Embeddings that are unusable, and must not change what is known of any person."""

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from pipeline.core import Embedding
from pipeline.core.errors import DataError

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


def checked_batch(batch: object, cameras: Collection[str] | None) -> list[Embedding]:
    """Return a batch as a list.

    Args:
        batch: Anything.
        cameras: Of which embeddings may come; None for any.

    Raises:
        DataError: If it is no list of embeddings, or one is of another camera.
    """
    if not isinstance(batch, Iterable):
        raise DataError(f"batch: expected a list of embeddings, got {type(batch).__name__}; process([…])")
    found = list(batch)
    for each in found:
        if not isinstance(each, Embedding):
            raise DataError(f"batch: expected embeddings, as make_embedding makes them, got {type(each).__name__}")
        if cameras is not None and each.track_id.camera_id not in cameras:
            raise DataError(
                f"batch: expected embeddings of the cameras {', '.join(cameras)}, got one of "
                f"{each.track_id.camera_id}; correct it, or name it in open_matcher"
            )
    return found


def check_flaws(batch: Sequence[Embedding], flaws: Sequence[str | None]) -> None:
    """Raise ``DataError`` for the first embedding that has a flaw."""
    for embedding, why in zip(batch, flaws, strict=True):
        if why is not None:
            raise DataError(
                f"track {embedding.track_id}, part {embedding.part}: expected a sound embedding, got {why}; correct it"
            )
