from dataclasses import replace

import numpy as np
import pytest

from connectors.synthetic.rendering.effects import CameraEffects, develop
from pipeline.core.errors import ConfigError, ShapeError

PLAIN = CameraEffects(
    exposure=1.0, vignette=0.0, blur_px=0.0, noise=0.0, sharpen=0.0, jpeg_quality=0, drift=0.0, saturation=1.0
)
GREY = np.full((48, 64, 3), 0.3, np.float32)


def developed(linear: np.ndarray, effects: CameraEffects, *, seed: int = 0, frame_index: int = 0) -> np.ndarray:
    return develop(linear, effects, np.random.default_rng(seed), frame_index=frame_index)


def test_one_seed_gives_one_image_and_another_seed_gives_another() -> None:
    effects = CameraEffects()
    assert (developed(GREY, effects) == developed(GREY, effects)).all()
    assert (developed(GREY, effects) != developed(GREY, effects, seed=1)).any()


def test_the_input_is_not_modified() -> None:
    linear = GREY.copy()
    developed(linear, CameraEffects())
    assert (linear == GREY).all()


def test_an_image_is_uint8_of_the_same_size() -> None:
    image = developed(GREY, CameraEffects())
    assert image.dtype == np.uint8
    assert image.shape == GREY.shape


def test_more_light_is_never_darker() -> None:
    values = [developed(np.full((4, 4, 3), light, np.float32), PLAIN).mean() for light in np.linspace(0, 6, 40)]
    assert (np.diff(values) >= 0).all()
    assert values[0] == 0
    assert values[-1] > 250


def test_white_balance_colours_grey() -> None:
    image = developed(GREY, replace(PLAIN, white_balance=(1.3, 1.0, 0.7)))
    red, green, blue = image[24, 32].tolist()
    assert red > green > blue


def test_no_saturation_is_grey() -> None:
    colored = (GREY * np.array((2.0, 1.0, 0.3))).astype(np.float32)
    assert np.ptp(developed(colored, replace(PLAIN, saturation=0.0)).astype(int), axis=2).max() <= 1


def test_corners_of_a_vignette_are_darker_than_the_middle() -> None:
    image = developed(GREY, replace(PLAIN, vignette=0.5)).astype(int)
    assert image[0, 0, 1] < image[24, 32, 1] - 10


def test_noise_grows_with_its_setting() -> None:
    weak, strong = (developed(GREY, replace(PLAIN, noise=noise)).std() for noise in (0.01, 0.04))
    assert 3 < strong / weak < 5


def test_exposure_drifts_slowly() -> None:
    effects = replace(PLAIN, drift=0.1)
    means = [developed(GREY, effects, frame_index=index).mean() for index in range(0, 400, 5)]
    assert max(means) - min(means) > 5
    assert np.abs(np.diff(means)).max() < 3


@pytest.mark.parametrize(
    "change",
    [{"exposure": 0.0}, {"white_balance": (1.0, 0.0, 1.0)}, {"noise": -0.1}, {"vignette": 1.5}, {"jpeg_quality": 101}],
)
def test_effects_out_of_range_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="camera effects: expected"):
        replace(PLAIN, **change)


def test_anything_but_a_float32_image_is_refused() -> None:
    with pytest.raises(ShapeError, match="linear: expected"):
        developed(np.zeros((4, 4, 3), np.uint8), PLAIN)
