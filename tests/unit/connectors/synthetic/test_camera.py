import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.synthetic.rendering.camera import Camera
from connectors.synthetic.rendering.effects import CameraEffects
from pipeline.core.errors import ConfigError

EFFECTS = CameraEffects()
NORTHWARD = Camera("c", (0.0, 0.0, 2.0), (0.0, 10.0, 2.0), 500.0, (360, 640), EFFECTS)


def test_the_target_is_at_the_centre_of_the_image() -> None:
    camera = Camera("c", (1.0, 2.0, 3.0), (4.0, -5.0, 0.5), 500.0, (360, 640), EFFECTS)
    x, y, depth = camera.project(np.array([camera.target]))[0]
    assert (x, y) == pytest.approx((320, 180))
    assert depth == pytest.approx(np.linalg.norm(np.subtract(camera.target, camera.position)))


def test_right_is_right_and_up_is_up() -> None:
    right, up = NORTHWARD.project(np.array([[1.0, 10.0, 2.0], [0.0, 10.0, 3.0]]))
    assert right == pytest.approx([370, 180, 10])
    assert up == pytest.approx([320, 130, 10])


def test_points_behind_the_camera_have_no_positive_depth() -> None:
    assert NORTHWARD.project(np.array([[0.0, -1.0, 2.0], [0.0, 0.0, 2.0]]))[:, 2].max() <= 0


def test_intrinsics_and_rotation_agree_with_project() -> None:
    points = np.random.default_rng(0).normal((0, 12, 1), 2, (50, 3))
    homogeneous = (points - NORTHWARD.position) @ NORTHWARD.rotation.T @ NORTHWARD.intrinsics.T
    assert np.allclose(homogeneous[:, :2] / homogeneous[:, 2:], NORTHWARD.project(points)[:, :2])


@given(st.tuples(*[st.floats(-20, 20)] * 3), st.tuples(*[st.floats(-20, 20)] * 3))
def test_the_rotation_is_orthonormal_with_determinant_one(
    position: tuple[float, float, float], target: tuple[float, float, float]
) -> None:
    if np.hypot(position[0] - target[0], position[1] - target[1]) < 0.1:
        return
    rotation = Camera("c", position, target, 500.0, (360, 640), EFFECTS).rotation
    assert np.allclose(rotation @ rotation.T, np.eye(3))
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_a_scaled_camera_sees_the_same() -> None:
    points = np.array([[1.0, 10.0, 1.0], [-2.0, 7.0, 2.5]])
    assert np.allclose(NORTHWARD.scaled(2).project(points)[:, :2], 2 * NORTHWARD.project(points)[:, :2])
    assert NORTHWARD.scaled(2).size_hw == (720, 1280)


@pytest.mark.parametrize(
    ("target", "focal_px", "size_hw"),
    [((0.0, 10.0, 2.0), 0.0, (360, 640)), ((0.0, 10.0, 2.0), 500.0, (0, 640)), ((0.0, 0.0, 0.0), 500.0, (360, 640))],
)
def test_an_impossible_camera_is_refused(
    target: tuple[float, float, float], focal_px: float, size_hw: tuple[int, int]
) -> None:
    with pytest.raises(ConfigError, match="camera c: expected"):
        Camera("c", (0.0, 0.0, 2.0), target, focal_px, size_hw, EFFECTS)
