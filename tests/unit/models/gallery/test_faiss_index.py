"""What only the FAISS gallery does."""

from math import inf

import faiss
import numpy as np
import pytest
from factories import make_embedding

from models.gallery.exact import ExactGallery
from models.gallery.faiss_index import FaissGallery
from pipeline.core import Gallery, Identity
from pipeline.core.errors import ConfigError

WRONG = [
    {"device": "tpu", "threads": 1, "approximate_above": inf},
    {"device": "cpu", "threads": 0, "approximate_above": inf},
    {"device": "cpu", "threads": 1, "approximate_above": float("nan")},
]


def looks(seed: int, count: int, dim: int = 64) -> np.ndarray:
    """Return unit vectors that lie together as those of a network do: a few directions carry most of the spread."""
    rng = np.random.default_rng(seed)
    drawn = (0.3 + rng.standard_normal((count, dim))) / (1 + np.arange(dim) / 8)
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def fill(gallery: Gallery, people: dict[int, np.ndarray]) -> Gallery:
    for person_id, prototypes in people.items():
        gallery.put(Identity(person_id, "test@0", prototypes, 0.0, 1.0, ("east",)))
    return gallery


def approximate(above: float) -> FaissGallery:
    return FaissGallery(device="cpu", threads=1, approximate_above=above)


def answers(gallery: Gallery, queries: np.ndarray, k: int = 10) -> list[list]:
    return [gallery.nearest(make_embedding(vector=query, space="test@0"), k) for query in queries]


@pytest.mark.parametrize("arguments", WRONG, ids=str)
def test_what_makes_no_sense_is_refused(arguments: dict) -> None:
    with pytest.raises(ConfigError):
        FaissGallery.preflight(**arguments)


def test_a_gpu_that_is_not_there_is_refused() -> None:
    if hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0:
        pytest.skip("there is one")
    with pytest.raises(ConfigError, match="doctor --install gpu"):
        FaissGallery(device="cuda", threads=1, approximate_above=inf)


def test_a_large_gallery_finds_nearly_all_that_an_exact_one_finds() -> None:
    people = {number: rows[None] for number, rows in enumerate(looks(0, 4000))}
    queries = looks(1, 50)
    exact, found = (answers(fill(g, people), queries) for g in (ExactGallery(), approximate(1000)))
    nearest = [exact_one[0] in found_one for exact_one, found_one in zip(exact, found, strict=True)]
    assert np.mean(nearest) >= 0.9
    assert found != exact  # else nothing was left out, and this shows nothing
    assert all(len(matches) == 10 for matches in found)


def test_what_a_large_gallery_answers_depends_on_who_is_in_it_and_on_nothing_else() -> None:
    rows = looks(0, 900)
    gallery = approximate(200)
    for start in (500, 100, 0):  # others were added and removed, and their numbers are used again
        fill(gallery, {number: rows[start + number][None] for number in range(400)})
        answers(gallery, looks(2, 3))
    for number in range(300, 400):
        gallery.drop(number)
    afresh = fill(approximate(200), {number: rows[number][None] for number in reversed(range(300))})
    assert answers(gallery, looks(1, 40)) == answers(afresh, looks(1, 40))


def test_a_gallery_that_became_small_again_is_exact_again() -> None:
    people = {number: rows[None] for number, rows in enumerate(looks(0, 400))}
    gallery, queries = fill(approximate(300), people), looks(1, 30)
    answers(gallery, queries)
    for number in range(290, 400):
        gallery.drop(number)
    few = {number: people[number] for number in range(290)}
    assert answers(gallery, queries) == answers(fill(ExactGallery(), few), queries)
