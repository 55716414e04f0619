"""What every gallery must do."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.contracts.records import make_embedding
from pipeline.core import Gallery, Identity, Match
from pipeline.core.errors import EmbeddingSpaceError, ShapeError

Factory = Callable[[], Gallery]
SPACE = "test@0"


@pytest.fixture
def gallery(factory: Factory) -> Gallery:
    return factory()


def unit(rows: Iterable[Iterable[float]]) -> NDArray[np.float32]:
    array = np.array(rows, np.float64)
    length: NDArray[np.float64] = np.linalg.norm(array, axis=1, keepdims=True)
    return (array / length).astype(np.float32)


def identity(person_id: int, prototypes: np.ndarray, space: str = SPACE) -> Identity:
    return Identity(person_id, space, prototypes, 0.0, 1.0, ("east",))


def query_of(vector: np.ndarray, space: str = SPACE) -> Any:
    return make_embedding(vector=vector, space=space)


def random_units(seed: int, num: int, dim: int = 32) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(num, dim)))


def test_the_nearest_prototype_counts(gallery: Gallery) -> None:
    gallery.put(identity(1, unit([[1, 0], [0, 1]])))
    gallery.put(identity(2, unit([[1, 1]])))
    matches = gallery.nearest(query_of(unit([[0, 1]])[0]), 5)
    assert [match.person_id for match in matches] == [1, 2]
    assert [match.distance for match in matches] == pytest.approx([0, 1 - 2**-0.5], abs=1e-6)


def test_no_more_than_k_come_back(gallery: Gallery) -> None:
    for person_id, vector in enumerate(random_units(0, 6)):
        gallery.put(identity(person_id, vector[None]))
    query = query_of(random_units(1, 1)[0])
    everyone = gallery.nearest(query, 10)
    assert len(everyone) == 6
    assert gallery.nearest(query, 3) == everyone[:3]
    assert gallery.nearest(query, 0) == []


def test_equal_distances_come_in_order_of_their_numbers(gallery: Gallery) -> None:
    vector = random_units(0, 1)
    for person_id in (7, 3, 5):
        gallery.put(identity(person_id, vector))
    assert [match.person_id for match in gallery.nearest(query_of(vector[0]), 2)] == [3, 5]


def test_many_equal_prototypes_do_not_hide_a_person(gallery: Gallery) -> None:
    crowd, other = random_units(0, 2)
    gallery.put(identity(1, np.repeat(crowd[None], 500, axis=0)))
    gallery.put(identity(2, other[None]))
    assert [match.person_id for match in gallery.nearest(query_of(crowd), 2)] == [1, 2]


def test_an_empty_gallery_finds_no_one(gallery: Gallery) -> None:
    assert len(gallery) == 0
    assert gallery.nearest(query_of(random_units(0, 1)[0]), 3) == []


def test_a_person_put_again_is_replaced(gallery: Gallery) -> None:
    gallery.put(identity(1, unit([[1, 0]])))
    gallery.put(identity(1, unit([[0, 1]])))
    (match,) = gallery.nearest(query_of(unit([[1, 0]])[0]), 3)
    assert len(gallery) == 1
    assert match.distance == pytest.approx(1)


def test_a_dropped_person_is_gone(gallery: Gallery) -> None:
    first, second = random_units(0, 2)
    gallery.put(identity(1, first[None]))
    gallery.put(identity(2, second[None]))
    gallery.drop(1)
    assert [match.person_id for match in gallery.nearest(query_of(first), 3)] == [2]
    assert len(gallery) == 1


def test_dropping_an_unknown_person_changes_nothing(gallery: Gallery) -> None:
    gallery.put(identity(1, random_units(0, 1)))
    gallery.drop(2)
    assert len(gallery) == 1


def test_another_space_is_refused(gallery: Gallery) -> None:
    vectors = random_units(0, 1)
    gallery.put(identity(1, vectors))
    with pytest.raises(EmbeddingSpaceError):
        gallery.nearest(query_of(vectors[0], space="other@1"), 1)
    with pytest.raises(EmbeddingSpaceError):
        gallery.put(identity(2, vectors, space="other@1"))
    assert len(gallery) == 1


def test_an_emptied_gallery_takes_another_space(gallery: Gallery) -> None:
    gallery.put(identity(1, random_units(0, 1)))
    gallery.drop(1)
    other = random_units(0, 1, dim=8)
    gallery.put(identity(1, other, space="other@1"))
    assert len(gallery.nearest(query_of(other[0], space="other@1"), 1)) == 1


@pytest.mark.parametrize("num", [0, 1], ids=["none", "other length"])
def test_prototypes_that_do_not_fit_are_refused(gallery: Gallery, num: int) -> None:
    gallery.put(identity(1, random_units(0, 1)))
    with pytest.raises(ShapeError):
        gallery.put(identity(2, random_units(0, 1, dim=8 if num else 32)[:num]))
    assert len(gallery) == 1


def brute_force(people: dict[int, np.ndarray], query: np.ndarray, k: int) -> list[Match]:
    distances = {
        person_id: float(np.clip(1 - (rows.astype(np.float64) * query.astype(np.float64)).sum(1), 0, 2).min())
        for person_id, rows in people.items()
    }
    return [Match(i, d) for d, i in sorted((d, i) for i, d in distances.items())][:k]


@pytest.mark.parametrize("num_people", [200])
def test_a_crowd_with_noise_is_ordered_exactly(factory: Factory, num_people: int) -> None:
    generator = np.random.default_rng(3)
    base = generator.normal(size=256)
    # Differences near the rounding error of single precision.
    people = {
        i: unit(base + 1e-4 * generator.normal(size=(3, 256))) for i in generator.permutation(num_people).tolist()
    }
    gallery = factory()
    for person_id, prototypes in people.items():
        gallery.put(identity(person_id, prototypes))
    query = unit([base])[0]
    assert gallery.nearest(query_of(query), 10) == brute_force(people, query, 10)
