"""The prototypes of all known people in one growing table, and the exact order of the nearest."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.core import Embedding, Identity, Match
from pipeline.core.arrays import check_array
from pipeline.core.distance import check_same_space
from pipeline.core.errors import ShapeError

NOBODY = -1
_MIN_ROWS = 64

CoarseSearch = Callable[[int], tuple[NDArray[np.float32], NDArray[np.int64]]]
"""Number of rows wanted -> the nearest rows' cosine distances, ascending, and their numbers in the table.

Fewer rows than wanted are all that the search can find."""


class PrototypeTable:
    """Rows of prototypes and whose they are; all of one space.

    What is replaced or dropped leaves dead rows behind, which belong to ``NOBODY``; once they are the greater
    part, the table is packed and ``generation`` grows. Rows only ever come at the end in between, so that an
    index beside the table can follow it cheaply.

    Attributes:
        generation: Grows when rows change their numbers.
        size: Number of rows, dead ones included.
    """

    generation: int
    size: int
    _space: str
    _vectors: NDArray[np.float32]
    _owners: NDArray[np.int64]
    _rows_of: dict[int, slice]
    _num_dead: int
    _alive: NDArray[np.uint8]

    def __init__(self) -> None:
        self.generation = 0
        self._clear()

    def __len__(self) -> int:
        return len(self._rows_of)

    @property
    def vectors(self) -> NDArray[np.float32]:
        """All rows, shape ``(size, D)``."""
        return self._vectors[: self.size]

    @property
    def owners(self) -> NDArray[np.int64]:
        """Whose row it is, shape ``(size,)``; ``NOBODY`` for dead ones."""
        return self._owners[: self.size]

    @property
    def num_alive(self) -> int:
        """Rows that hold a prototype."""
        return self.size - self._num_dead

    @property
    def alive(self) -> NDArray[np.uint8]:
        """One bit per row, lowest first: whether it holds a prototype."""
        return self._alive[: (self.size + 7) // 8]

    def put(self, identity: Identity) -> None:
        """Add a person, or replace their prototypes.

        Raises:
            EmbeddingSpaceError: If they are of another space than the rest.
            ShapeError: If there is none, or they have another length than the rest.
        """
        prototypes = identity.prototypes
        if self._rows_of:
            check_same_space(self._space, identity.space)
            check_array("prototypes", prototypes, (None, self._vectors.shape[1]), np.float32)
        if len(prototypes) == 0:
            raise ShapeError(f"prototypes of person {identity.person_id}: expected one or more, got none")
        if not self._rows_of:
            self._clear(identity.space, prototypes.shape[1])
        rows = self._rows_of.get(identity.person_id)
        if rows is not None and np.array_equal(self._vectors[rows], prototypes):
            return
        self._bury(identity.person_id)
        self._append(identity.person_id, prototypes)
        self._pack_if_mostly_dead()

    def drop(self, person_id: int) -> None:
        """Forget a person; with the last one, the space is forgotten too."""
        self._bury(person_id)
        if not self._rows_of:
            self._clear()
        else:
            self._pack_if_mostly_dead()

    def nearest(
        self, embedding: Embedding, k: int, search: CoarseSearch, *, max_rows: int | None = None
    ) -> list[Match]:
        """Return up to ``k`` people, ascending distance, ties by ``person_id``.

        ``search`` computes in single precision, and its last bits depend on what else is in the table. So it
        only selects candidates: all who could be among the first ``k`` within its rounding error.
        Their distances are then computed row by row in double precision: the same for every history and
        index.

        Args:
            embedding: Who is looked for.
            k: At most this many.
            search: Finds the nearest rows.
            max_rows: What ``search`` can be asked for at most; None for all rows.

        Raises:
            EmbeddingSpaceError: If the embedding is of another space than the table.
            ShapeError: If its vector has another length.
        """
        if not self._rows_of or k < 1:
            return []
        check_same_space(self._space, embedding.space)
        check_array("vector", embedding.vector, (self._vectors.shape[1],), np.float32)
        query = embedding.vector.astype(np.float64)
        people = self._candidates(k, search, self.size if max_rows is None else min(self.size, max_rows + 1))
        return self._in_order(sorted(people), query)[:k]

    def _candidates(self, k: int, search: CoarseSearch, too_many_rows: int) -> set[int]:
        # Twice the worst rounding error of a dot product of unit vectors, D * 2**-24, and of the subtraction.
        slack = (self._vectors.shape[1] + 8) * 2.0**-23
        num_rows = 4 * k
        while num_rows < too_many_rows:
            distances, rows = search(num_rows)
            is_all = len(rows) < num_rows
            owners = self.owners[rows]
            alive = owners != NOBODY
            people, first = np.unique(owners[alive], return_index=True)
            if len(people) >= k:
                limit = np.sort(distances[alive][first])[k - 1] + slack
                if is_all or distances[-1] > limit:
                    return set(people[distances[alive][first] <= limit].tolist())
            if is_all:
                return set(people.tolist())
            num_rows *= 4
        return set(self._rows_of)

    def _in_order(self, people: list[int], query: NDArray[np.float64]) -> list[Match]:
        """Return people, ascending, by the distance of their nearest prototype: each row by itself."""
        if not people:
            return []
        blocks = [self._vectors[self._rows_of[person_id]] for person_id in people]
        starts = np.cumsum([0, *(len(block) for block in blocks[:-1])])
        rows = np.clip(1 - np.sum(np.concatenate(blocks).astype(np.float64) * query, axis=1), 0, 2)
        distances = np.minimum.reduceat(rows, starts)
        order = np.argsort(distances, kind="stable").tolist()
        return [Match(people[index], float(distances[index])) for index in order]

    def _append(self, person_id: int, prototypes: NDArray[np.float32]) -> None:
        rows = slice(self.size, self.size + len(prototypes))
        if rows.stop > len(self._owners):
            capacity = 2 * rows.stop
            vectors, owners = self.vectors, self.owners
            self._vectors = np.empty((capacity, prototypes.shape[1]), np.float32)
            self._owners = np.full(capacity, NOBODY, np.int64)
            self._vectors[: self.size], self._owners[: self.size] = vectors, owners
            self._alive = np.concatenate([self._alive, np.zeros(capacity // 8 + 1 - len(self._alive), np.uint8)])
        self._vectors[rows], self._owners[rows] = prototypes, person_id
        for row in range(rows.start, rows.stop):
            self._alive[row // 8] |= 1 << row % 8
        self._rows_of[person_id] = rows
        self.size = rows.stop

    def _bury(self, person_id: int) -> None:
        rows = self._rows_of.pop(person_id, None)
        if rows is not None:
            self._owners[rows] = NOBODY
            self._num_dead += rows.stop - rows.start
            for row in range(rows.start, rows.stop):
                self._alive[row // 8] &= ~(1 << row % 8) & 0xFF

    def _pack_if_mostly_dead(self) -> None:
        if 2 * self._num_dead <= max(self.size, _MIN_ROWS):
            return
        blocks = [(number, self._vectors[rows].copy()) for number, rows in sorted(self._rows_of.items())]
        self._clear(self._space, self._vectors.shape[1])
        for person_id, prototypes in blocks:
            self._append(person_id, prototypes)

    def _clear(self, space: str = "", dim: int = 0) -> None:
        self.generation += 1
        self.size = 0
        self._num_dead = 0
        self._space = space
        self._rows_of = {}
        self._vectors = np.empty((_MIN_ROWS, dim), np.float32)
        self._owners = np.full(_MIN_ROWS, NOBODY, np.int64)
        self._alive = np.zeros(_MIN_ROWS // 8 + 1, np.uint8)
