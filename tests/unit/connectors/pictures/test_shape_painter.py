"""Zones and lines are drawn where a camera sees them."""

import numpy as np

from connectors.pictures.shape_painter import ShapePainter
from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.zones import parse_lines, parse_zones

BUILDER = AlertBuilder(name="test", severity="info")
ZONES = parse_zones(
    {
        "left": {"camera": "east", "relative": True, "polygon": [[0.1, 0.3], [0.4, 0.3], [0.4, 0.9], [0.1, 0.9]]},
        "ground": {"metres": True, "polygon": [[1, 0.5], [1.5, 0.5], [1.5, 1], [1, 1]]},
    },
    BUILDER,
    {"west": [[0.01, 0, 0], [0, 0.01, 0], [0, 0, 1]]},
)
LINES = parse_lines({"gate": {"camera": "east", "from": [150, 110], "to": [150, 30], "forbidden": "both"}}, BUILDER)


def painted(camera_id: str) -> np.ndarray:
    """Return which pixels changed, shape ``(120, 200)``."""
    image = np.full((120, 200, 3), 90, np.uint8)
    ShapePainter(camera_id, ZONES, LINES).paint(image, scale=1.0, unit=1.0)
    return (image != 90).any(axis=2)


def test_a_camera_shows_its_zones_and_lines() -> None:
    changed = painted("east")
    assert changed[40:100, 25:75].all()
    assert changed[40:100, 150].all()
    assert not changed[:, 90:110].any()


def test_a_zone_in_metres_is_shown_where_it_lies_on_the_ground() -> None:
    changed = painted("west")
    assert changed[55:95, 105:145].all()
    assert not changed[:, :80].any()


def test_a_camera_that_sees_none_shows_none() -> None:
    assert not painted("north").any()
