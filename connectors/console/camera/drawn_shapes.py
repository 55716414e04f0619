"""Zones and lines as they are drawn into the pictures of a camera."""

from collections.abc import Mapping

import numpy as np

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.zones import Line, Zone, parse_lines, parse_zones

Drawn = tuple[str, bool, list[list[float]]]
"""Name, whether it is a zone, and corners, each side in [0, 1] of the picture."""


class DrawnShapes:
    """Zones and lines of a site.

    Args:
        zones: Of the site.
        lines: Of the site.
        ground: By camera, three rows that take pixels to metres.

    Raises:
        ConfigError: If a zone or line is none.
    """

    def __init__(
        self,
        zones: Mapping[str, object] | None,
        lines: Mapping[str, object] | None,
        ground: Mapping[str, object] | None,
    ) -> None:
        builder = AlertBuilder(name="console", severity="info", group="sink")
        self._shapes: list[Zone | Line] = [*parse_zones(zones or {}, builder, ground)]
        self._shapes += parse_lines(lines or {}, builder, ground)

    def of(self, camera_id: str, frame_hw: tuple[int, int]) -> list[Drawn]:
        """Return the shapes in the picture of a camera, ``frame_hw`` pixels high and wide."""
        found = []
        for shape in self._shapes:
            if camera_id not in shape.frame.camera_ids:
                continue
            corners = shape.polygon if isinstance(shape, Zone) else shape.ends
            corners = shape.frame.pixels(camera_id, corners, frame_hw)
            if np.isfinite(corners).all():  # otherwise it reaches behind the camera
                found.append((shape.name, isinstance(shape, Zone), (corners / frame_hw[::-1]).round(4).tolist()))
        return found
