"""Which tracklets meet in a batch: P people with K tracklets each, drawn in two ways.

The two differ threefold in what an epoch is: on MARS 78 batches of 32 against 235.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import ConfigError, DataError

Batches = NDArray[np.int64]
"""Shape ``(batches, P * K)``: rows of the training set; a person's lie together."""


def draw_epoch(
    labels: NDArray[np.int64], *, scheme: str, num_people: int, num_each: int, rng: np.random.Generator
) -> Batches:
    """Return the batches of an epoch; what does not fill a batch is left out.

    Args:
        labels: Shape ``(N,)``: whose each tracklet is.
        scheme: pk_once: every person once; pk_all: every tracklet once, in groups of ``num_each`` of a person.
        num_people: P.
        num_each: K.
        rng: Of the order and the choice.

    Raises:
        ConfigError: If there is no such scheme, or P or K is below 1.
        DataError: If there are fewer groups than a batch has.

    Example:
        >>> draw_epoch(np.array([0, 0, 1, 1]), scheme="pk_once", num_people=2, num_each=2,
        ...            rng=np.random.default_rng(0)).shape
        (1, 4)
    """
    if scheme not in ("pk_once", "pk_all") or num_people < 1 or num_each < 1:
        raise ConfigError(
            f"batches: expected pk_once or pk_all and 1 or more of people and tracklets each, got {scheme!r}, "
            f"{num_people} and {num_each}"
        )
    of_person = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    if scheme == "pk_once":
        groups = [_draw(rows, num_each, rng) for rows in of_person]
    else:
        groups = [group for rows in of_person for group in _cut(rows, num_each, rng)]
    num_batches = len(groups) // num_people
    if not num_batches:
        raise DataError(f"training set: expected {num_people} people for a batch, got {len(groups)}; lower num_people")
    order = rng.permutation(len(groups))[: num_batches * num_people]
    return np.stack([groups[place] for place in order]).reshape(num_batches, num_people * num_each)


def _draw(rows: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.choice(rows, count, replace=len(rows) < count)


def _cut(rows: NDArray[np.int64], count: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Return a person's tracklets in groups; a rest is dropped, unless it is all that the person has."""
    if len(rows) < count:
        return [_draw(rows, count, rng)]
    whole = len(rows) // count * count
    return list(rng.permutation(rows)[:whole].reshape(-1, count))
