"""A gallery in numpy that compares each query with all prototypes."""

import numpy as np
from numpy.typing import NDArray

from models.gallery.prototypes import NOBODY, PrototypeTable
from pipeline.core import Embedding, Identity, Match
from pipeline.core.distance import cosine_distances


class ExactGallery:
    """Known people; good for some ten thousand prototypes.

    What it answers depends on who is in it, and not on how they came there. An empty gallery takes any space.
    """

    def __init__(self) -> None:
        self._table = PrototypeTable()

    def __len__(self) -> int:
        return len(self._table)

    def nearest(self, embedding: Embedding, k: int) -> list[Match]:
        """Return up to ``k`` people, ascending distance of the nearest prototype, ties by ``person_id``.

        Raises:
            EmbeddingSpaceError: If the embedding is of another space than the gallery.
        """
        distances: NDArray[np.float32] | None = None

        def search(num_rows: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
            nonlocal distances
            if distances is None:
                distances = cosine_distances(embedding.vector[None], self._table.vectors)[0]
                distances[self._table.owners == NOBODY] = np.inf
            rows = np.argpartition(distances, num_rows)[:num_rows]
            rows = rows[np.argsort(distances[rows])]
            return distances[rows], rows

        return self._table.nearest(embedding, k, search)

    def put(self, identity: Identity) -> None:
        """Add a person, or replace what is known of them.

        Raises:
            EmbeddingSpaceError: If the prototypes are of another space than the gallery.
            ShapeError: If there is none, or they have another length than the others.
        """
        self._table.put(identity)

    def drop(self, person_id: int) -> None:
        """Forget a person; unknown ones are ignored."""
        self._table.drop(person_id)
