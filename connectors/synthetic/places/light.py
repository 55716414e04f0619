"""The light of a place: one directional light (the sun, or a bank of lamps) and ambient light."""

import math
from dataclasses import dataclass

from connectors.synthetic.places.primitives import Point3
from pipeline.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Light:
    """Linear light: a white surface that faces the sun has radiance ``sun_rgb + ambient_rgb``.

    Attributes:
        to_sun: Unit vector from the ground towards the sun.
        sun_rgb: Strength of the directional light, linear, at least 0.
        ambient_rgb: Strength of the ambient light, linear, at least 0; also the colour of the sky.
        softness_px: Blur of shadows, pixels of the shadow map; those of people and those of the place.
    """

    to_sun: Point3
    sun_rgb: Point3
    ambient_rgb: Point3
    softness_px: float

    def __post_init__(self) -> None:
        if abs(math.hypot(*self.to_sun) - 1) > 1e-3 or self.to_sun[2] <= 0:
            raise ConfigError(f"light: expected to_sun to be a unit vector that points up, got {self.to_sun}; scale it")


def towards(east: float, north: float, up: float) -> Point3:
    """Return a unit vector."""
    norm = math.hypot(east, north, up)
    return east / norm, north / norm, up / norm


SUN = Light(towards(-0.45, -0.55, 0.8), (2.5, 2.35, 2.1), (0.72, 0.80, 0.95), 3.0)
OVERCAST = Light(towards(-0.1, -0.15, 1.0), (0.5, 0.5, 0.5), (1.5, 1.55, 1.6), 6.0)
INDOOR = Light(towards(0.12, 0.18, 1.0), (0.75, 0.73, 0.66), (0.98, 0.95, 0.88), 7.0)
DUSK = Light(towards(0.75, -0.45, 0.42), (1.05, 0.72, 0.46), (0.48, 0.50, 0.62), 4.0)
