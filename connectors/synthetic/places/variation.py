"""Variants of a place: variant 0 is as written, the others are drawn by seed."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from connectors.synthetic.places.light import Light
from connectors.synthetic.places.materials import Color
from connectors.synthetic.places.obstacles import Obstacles
from connectors.synthetic.places.place import Lane, Place, lane_points
from connectors.synthetic.places.primitives import Primitive
from connectors.synthetic.rendering.camera import Camera
from connectors.synthetic.rendering.effects import CameraEffects
from pipeline.core.errors import ConfigError

_T = TypeVar("_T")
Box2 = tuple[float, float, float, float]


class Variation:
    """Samples what differs between the variants of a place: variant 0 is as written.

    Args:
        name: Of the place; two places differ in what one variant samples.
        variant: At least 0.

    Raises:
        ConfigError: If the variant is negative.
    """

    def __init__(self, name: str, variant: int) -> None:
        if variant < 0:
            raise ConfigError(f"variant of {name}: expected 0 or more, got {variant}; name one")
        self._fixed = variant == 0
        self._rng = np.random.default_rng([variant, *name.encode()])

    def number(self, written: float, low: float, high: float) -> float:
        """Return ``written``, or a number between ``low`` and ``high``."""
        return written if self._fixed else float(self._rng.uniform(low, high))

    def chance(self, written: bool, share: float) -> bool:
        """Return ``written``, or true in ``share`` of the variants."""
        return written if self._fixed else bool(self._rng.random() < share)

    def pick(self, written: _T, others: Sequence[_T]) -> _T:
        """Return ``written``, or one of it and the others."""
        return written if self._fixed else [written, *others][int(self._rng.integers(len(others) + 1))]

    def seed(self, written: int) -> int:
        """Return ``written``, or a seed."""
        return written if self._fixed else int(self._rng.integers(1, 10_000))

    def color(self, written: Color, spread: float = 60.0) -> Color:
        """Return ``written``, or a colour near it: mostly another brightness, a little another hue."""
        if self._fixed:
            return written
        shift = self._rng.normal(0, spread * 0.7) + self._rng.normal(0, spread * 0.22, 3)
        red, green, blue = np.clip(np.asarray(written) + shift, 12, 245).astype(int).tolist()
        return red, green, blue

    def light(self, written: Light, others: Sequence[Light]) -> Light:
        """Return ``written``, or one of it and the others, from another side and a little stronger or weaker."""
        if self._fixed:
            return written
        light = self.pick(written, others)
        strength, angle = self._rng.uniform(0.8, 1.2), self._rng.uniform(0, 2 * math.pi)
        across = math.hypot(*light.to_sun[:2])
        red, green, blue = (float(strength * part) for part in light.sun_rgb)
        to_sun = across * math.cos(angle), across * math.sin(angle), light.to_sun[2]
        return replace(light, to_sun=to_sun, sun_rgb=(red, green, blue))

    def scattered(
        self, place: Place, area_xyxy: Box2, things: Sequence[Callable[[float, float], Sequence[Primitive]]]
    ) -> Place:
        """Return the place with three to nine more objects off the lanes and spots; variant 0 as it is.

        Args:
            place: Without the objects.
            area_xyxy: Where they may stand, metres.
            things: Functions that make an object at x, y.
        """
        if self._fixed:
            return place
        kept = [(lane_points(place.nodes, lane), lane.half_width_m + 0.25) for lane in place.edges]
        ways_to = [{"a": place.nodes[spot.node], "b": spot.xy} for spot in place.spots]
        kept += [(lane_points(ends, Lane("a", "b", 0.0)), 0.85) for ends in ways_to]
        kept += [(np.array([camera.position[:2]]), 3.0) for camera in place.cameras]
        kept_xy = np.concatenate([points for points, _ in kept])
        kept_m = np.repeat([room_m for _, room_m in kept], [len(points) for points, _ in kept])
        primitives, others = list(place.primitives), Obstacles(place.primitives)
        wanted = int(self._rng.integers(3, 10))
        for _ in range(25 * wanted):
            more = things[int(self._rng.integers(len(things)))](
                *self._rng.uniform(area_xyxy[:2], area_xyxy[2:]).tolist()
            )
            corners = np.array([corner[:2] for primitive in more for corner in primitive.bounds])
            grid = np.stack(np.meshgrid(*np.linspace(corners.min(0), corners.max(0), 5).T), -1).reshape(-1, 2)
            if others.clearance_m(grid).min() > 0.15 and (Obstacles(more).clearance_m(kept_xy) > kept_m).all():
                primitives += more
                others = Obstacles(primitives)
                wanted -= 1
            if not wanted:
                break
        return replace(place, primitives=tuple(primitives))

    def camera(self, written: Camera, *, roof_m: float = 8.5) -> Camera:
        """Return ``written``, or a camera near it with another lens, height and image quality.

        Args:
            written: As in variant 0.
            roof_m: Greatest height, metres; above 5 m, 40 % of the cameras hang on masts.
        """
        if self._fixed:
            return written
        rng = self._rng
        x, y, z = written.position
        tx, ty, tz = written.target
        height = z + rng.uniform(-0.5, 0.8)
        focal = written.focal_px * rng.uniform(0.8, 1.3)
        if roof_m > 5 and rng.random() < 0.4:
            # From a mast or a first floor: a steep view, people 60 to 90 px tall.
            height, focal = rng.uniform(5.5, roof_m), written.focal_px * rng.uniform(0.8, 1.05)
        dx, dy = rng.uniform(-0.25, 0.25, 2) if roof_m < 5 else rng.uniform(-0.5, 0.5, 2)
        ex, ey = rng.uniform(-1.0, 1.0, 2)
        return replace(
            written,
            position=(x + float(dx), y + float(dy), float(np.clip(height, 2.3, roof_m))),
            target=(tx + float(ex), ty + float(ey), tz),
            focal_px=float(focal),
            effects=self._effects(written.effects),
            clock_offset_s=float(rng.uniform(-0.02, 0.02)),
        )

    def _effects(self, written: CameraEffects) -> CameraEffects:
        rng = self._rng
        soft = rng.random() < 0.25
        return CameraEffects(
            exposure=float(written.exposure * rng.uniform(0.65, 1.4)),
            white_balance=(float(1 + rng.normal(0, 0.08)), 1.0, float(1 + rng.normal(0, 0.10))),
            contrast=float(rng.uniform(0.82, 1.18)),
            saturation=float(rng.uniform(0.45, 1.15)),
            vignette=float(rng.uniform(0, 0.45)),
            blur_px=float(rng.uniform(1.0, 1.7) if soft else rng.uniform(0.35, 0.9)),
            noise=float(rng.uniform(0.008, 0.045)),
            sharpen=float(rng.uniform(0, 0.7)),
            jpeg_quality=int(rng.integers(45, 92)),
            drift=float(rng.uniform(0, 0.06)),
        )
