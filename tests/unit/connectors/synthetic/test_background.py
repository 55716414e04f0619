from dataclasses import replace

import numpy as np
import pytest

from connectors.synthetic.places.catalogue import build_place
from connectors.synthetic.places.light import OVERCAST, SUN, Light, towards
from connectors.synthetic.places.materials import KINDS, Material
from connectors.synthetic.places.place import Lane, Place
from connectors.synthetic.places.primitives import Box, Cylinder, Ellipsoid, Primitive
from connectors.synthetic.rendering.background import FAR, render_background
from connectors.synthetic.rendering.camera import Camera
from connectors.synthetic.rendering.effects import CameraEffects
from pipeline.core.errors import ConfigError

GREY = Material("plain", (128, 128, 128))
HIGH = Light(towards(0.0, -0.5, 1.0), (2.0, 2.0, 2.0), (1.0, 1.0, 1.0), 2.0)
CAMERA = Camera("c", (0.0, 0.0, 2.0), (0.0, 10.0, 1.0), 200.0, (120, 160), CameraEffects())


def place_of(*primitives: Primitive, light: Light = HIGH) -> Place:
    nodes = {"a": (-20.0, -5.0), "b": (20.0, -5.0)}
    return Place("p", primitives, GREY, light, (CAMERA,), ("a", "b"), nodes, (Lane("a", "b", 1.0),), (), 5)


WALL = Box((-3.0, 8.0, 0.0), (3.0, 9.0, 3.0), GREY)


def test_depth_is_measured_along_the_optical_axis_and_fits_the_positions() -> None:
    seen = render_background(place_of(WALL), CAMERA)
    y, x = np.mgrid[0:120:7, 0:160:7]
    there = CAMERA.project(seen.position[y, x].reshape(-1, 3))
    near = seen.depth[y, x].ravel() < FAR
    assert np.allclose(there[near, 2], seen.depth[y, x].ravel()[near], rtol=1e-3)
    assert np.allclose(there[near, 0], x.ravel()[near] + 0.5, atol=0.02)
    assert np.allclose(there[near, 1], y.ravel()[near] + 0.5, atol=0.02)


@pytest.mark.parametrize(
    ("primitive", "distance_m"),
    [
        (WALL, 8.0),
        (Cylinder((0.0, 8.0), 1.0, (0.0, 3.0), GREY), 7.0),
        (Ellipsoid((0.0, 8.0, 1.3), (2.0, 0.5, 1.0), GREY), 7.5),
    ],
)
def test_a_primitive_appears_at_its_position(primitive: Primitive, distance_m: float) -> None:
    position = render_background(place_of(primitive), CAMERA).position
    assert position[60, 80, 1] == pytest.approx(distance_m, abs=0.1)


def test_the_ground_is_at_height_zero_and_the_sky_at_far_depth() -> None:
    seen = render_background(place_of(WALL), CAMERA)
    assert seen.position[110, 80, 2] == pytest.approx(0, abs=1e-4)
    assert seen.depth[2, 2] == FAR
    assert seen.sunlit[2, 2].tolist() == [0, 0, 0]
    assert (seen.unlit[2, 2] > 0).all()


def test_the_shadow_of_a_wall_has_no_sunlight_and_its_base_is_darker() -> None:
    north_wall = replace(WALL, low=(-3.0, 8.0, 0.0), high=(3.0, 8.2, 3.0))
    behind = Light(towards(0.0, 1.0, 0.6), (2.0, 2.0, 2.0), (1.0, 1.0, 1.0), 0.5)
    seen = render_background(place_of(north_wall, light=behind), CAMERA)
    before = np.abs(seen.position - (0.0, 5.4, 0.0)).sum(2).argmin()
    assert seen.sunlit.reshape(-1, 3)[before].max() == 0
    foot = np.abs(seen.position - (0.0, 7.85, 0.0)).sum(2).argmin()
    assert seen.unlit.reshape(-1, 3)[foot].max() < 0.9 * seen.unlit.reshape(-1, 3)[before].max()


def test_light_comes_through_a_ceiling() -> None:
    ceiling = Box((-9.0, -9.0, 3.0), (9.0, 9.0, 3.2), Material("ceiling", (200, 200, 200)))
    assert render_background(place_of(ceiling), CAMERA).sunlit[110, 80].min() > 0
    roof = replace(ceiling, material=GREY)
    assert render_background(place_of(roof), CAMERA).sunlit[110, 80].max() == 0


def test_the_same_place_gives_the_same_bytes() -> None:
    first, second = (render_background(build_place("shop", 3), CAMERA) for _ in range(2))
    assert first.unlit.tobytes() == second.unlit.tobytes()
    assert first.sunlit.tobytes() == second.sunlit.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_every_material_is_finite_and_reflects_less_light_than_it_receives(kind: str) -> None:
    wall = replace(WALL, material=Material(kind, (150, 120, 90), seed=3))
    seen = render_background(place_of(wall, light=OVERCAST), CAMERA)
    assert np.isfinite(seen.unlit).all()
    assert (seen.unlit >= 0).all()
    assert (seen.sunlit <= 1.0).all()


def test_arrays_have_the_documented_shape_and_dtype() -> None:
    seen = render_background(place_of(WALL, light=SUN), CAMERA.scaled(0.5))
    assert seen.depth.shape == (60, 80)
    assert {a.shape for a in (seen.position, seen.unlit, seen.sunlit)} == {(60, 80, 3)}
    assert {a.dtype for a in (seen.depth, seen.position, seen.unlit, seen.sunlit)} == {np.dtype(np.float32)}


def test_an_unknown_material_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"material: expected one of plain, .*got 'velvet'"):
        Material("velvet", (1, 2, 3))


def test_a_box_inside_out_is_refused() -> None:
    with pytest.raises(ConfigError, match="box: expected low below high"):
        Box((0, 0, 1), (1, 1, 0), GREY)


def test_a_sun_below_the_ground_is_refused() -> None:
    with pytest.raises(ConfigError, match="points up"):
        replace(SUN, to_sun=(0.0, 0.0, -1.0))
