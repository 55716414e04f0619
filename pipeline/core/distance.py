"""Distance between appearances: cosine distance everywhere; lower is closer."""

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import EmbeddingSpaceError


def cosine_distances(queries: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return cosine distances in [0, 2] of all pairs, shape ``(N, M)``.

    Args:
        queries: Shape ``(N, D)``, L2 norm 1 per row.
        others: Shape ``(M, D)``, L2 norm 1 per row.

    Example:
        >>> cosine_distances(np.array([[1, 0]], np.float32), np.array([[1, 0], [0, 1]], np.float32))
        array([[0., 1.]], dtype=float32)
    """
    distances: NDArray[np.float32] = np.clip(1 - queries @ others.T, 0, 2)
    return distances


def check_same_space(expected: str, got: str, what: str = "embedding space") -> None:
    """Raise unless two embedding spaces are the same.

    Args:
        expected: The space that is needed.
        got: The other one.
        what: Whose space it is, for the message.

    Raises:
        EmbeddingSpaceError: If they differ.
    """
    if expected != got:
        raise EmbeddingSpaceError(
            f"{what}: expected the space {expected}, got {got}; new weights need an empty gallery"
        )
