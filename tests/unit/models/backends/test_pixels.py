"""Colour order and range."""

from typing import Any

import numpy as np
import pytest

from models.backends.pixels import PixelScaling
from pipeline.core.errors import ConfigError

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), np.uint8)


@pytest.mark.parametrize(("order", "channels"), [("rgb", [0, 1, 2]), ("bgr", [2, 1, 0])])
def test_mean_and_std_follow_the_colour_order(order: str, channels: list[int]) -> None:
    mean, std = np.array([10.0, 20, 30]), np.array([2.0, 4, 8])
    expected = (IMAGES[..., channels] - mean) / std
    got = PixelScaling(colour_order=order, mean=mean.tolist(), std=std.tolist())(IMAGES)
    assert (got.shape, got.dtype) == ((2, 3, 5, 4), np.float32)
    np.testing.assert_allclose(got, expected.transpose(0, 3, 1, 2), atol=1e-4)


def test_a_scaling_that_does_nothing_is_exact() -> None:
    got = PixelScaling(colour_order="rgb", mean=[0, 0, 0], std=[1, 1, 1])(IMAGES)
    np.testing.assert_array_equal(got, IMAGES.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    "arguments",
    [{"colour_order": "grb"}, {"mean": [0.0]}, {"std": [1.0, 1, 0]}],
    ids=["order", "mean", "std"],
)
def test_a_scaling_that_makes_no_sense_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        PixelScaling(**{"colour_order": "rgb", "mean": [0, 0, 0], "std": [1, 1, 1]} | arguments)
