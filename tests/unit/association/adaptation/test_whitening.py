"""Whitening is exact, and the same bits whatever the number of threads."""

import subprocess
import sys
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.association.adaptation.whitening import whitening_of


def covariance(seed: int, dim: int) -> np.ndarray:
    samples = np.random.default_rng(seed).integers(-9, 10, (3 * dim, dim)).astype(float)
    return np.sum(samples[:, :, None] * samples[:, None], axis=0) / len(samples) + np.eye(dim)


@given(st.integers(0, 1000), st.integers(1, 12))
def test_whitened_vectors_vary_alike_in_all_directions(seed: int, dim: int) -> None:
    given_ = covariance(seed, dim)
    whitening = whitening_of(given_)
    np.testing.assert_allclose(whitening @ given_ @ whitening.T, np.eye(dim), atol=1e-9)


def test_what_is_whitened_is_left_as_it_was() -> None:
    given_ = covariance(0, 8)
    before = given_.copy()
    whitening_of(given_)
    np.testing.assert_array_equal(given_, before)


@pytest.mark.parametrize("threads", ["1", "4"])
def test_the_bits_do_not_depend_on_the_number_of_threads(threads: str) -> None:
    here = sha256(whitening_of(covariance(3, 96)).tobytes()).hexdigest()
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from hashlib import sha256\n"
        "from test_whitening import covariance, whitening_of\n"
        "print(sha256(whitening_of(covariance(3, 96)).tobytes()).hexdigest())"
    )
    folders = [path for path in sys.path if path]
    folders.append(__file__.rsplit("/", 1)[0])
    found = subprocess.run(
        [sys.executable, "-c", code, *folders],
        env={"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == here
