"""Whether the pictures of cameras show the zones and lines that are drawn for them."""

from collections.abc import Iterable, Mapping

import numpy as np

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.plane_geometry import Points, is_inside
from pipeline.alerts.whereabouts import PERSON_M
from pipeline.alerts.zones import Frame, Line, Unit, Zone

Sizes = Mapping[str, tuple[int, int]]
"""By camera: height and width of its picture, pixels."""

NUM_STEPS = 1000
"""Points looked at on each edge of a shape on the ground. Fewer miss a picture that shows little of a long edge."""

MIN_PERSON_PX = 8.0
"""Height of a person in a picture, pixels, below which nobody is found. A larger value refuses places further away."""

NUM_ROWS = 64
"""Rows and columns of points looked at in a picture, for a zone around all of it. Fewer miss a narrow one."""


def check_picture(shapes: Iterable[Zone | Line], camera_id: str, sizes: Sizes, builder: AlertBuilder) -> None:
    """Raise ``ConfigError`` if the picture of a camera does not show a shape.

    A shape in metres may be in any of its cameras: it is looked for once the pictures of all of them are known.

    Args:
        shapes: Zones and lines.
        camera_id: The camera.
        sizes: Of all cameras that are known, this one among them.
        builder: Names the key in the error.
    """
    for shape in shapes:
        camera_ids = shape.frame.camera_ids
        if camera_id not in camera_ids:
            continue
        key = f"zones.{shape.name}.polygon" if isinstance(shape, Zone) else f"lines.{shape.name}.from and .to"
        corners = shape.polygon if isinstance(shape, Zone) else shape.ends
        if shape.frame.unit is not Unit.METRES:
            height, width = sizes[camera_id]
            found = shape.frame.pixels(camera_id, corners, sizes[camera_id])
            if not _meets(found.min(axis=0), found.max(axis=0), sizes[camera_id]).all():
                expected = f"points inside the picture of {camera_id!r}, {width} by {height} pixels"
                raise builder.wrong(key, expected, found.tolist())
        elif sizes.keys() >= set(camera_ids):
            is_zone = isinstance(shape, Zone)
            if not any(_shows(shape.frame, each, corners, sizes[each], is_zone=is_zone) for each in camera_ids):
                expected = f"metres where the picture of a camera shows people, of {', '.join(camera_ids)}"
                raise builder.wrong(key, expected, corners.tolist())


def _shows(frame: Frame, camera_id: str, corners: Points, size: tuple[int, int], *, is_zone: bool) -> bool:
    """Return whether a picture shows an edge of a shape in metres, or lies within it, near enough to find people."""
    ends = np.roll(corners, -1, axis=0) if is_zone else corners[1:]
    steps = np.linspace(0, 1, NUM_STEPS)[:, None]
    edges = np.concatenate([start + steps * (end - start) for start, end in zip(corners, ends, strict=False)])
    pixels = frame.pixels(camera_id, edges, size)
    found = pixels[_meets(pixels, pixels, size).all(axis=1)]
    if is_zone:
        rows, columns = (np.linspace(0, length - 1, NUM_ROWS) for length in size)
        pixels = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
        found = np.concatenate([found, pixels[is_inside(frame.ground(camera_id, pixels, size), corners)]])
    steps_m = frame.ground(camera_id, found + np.array([1.0, 0.0]), size) - frame.ground(camera_id, found, size)
    return bool((MIN_PERSON_PX * np.hypot(*steps_m.T) <= PERSON_M).any())


def _meets(low: Points, high: Points, size: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Return whether what lies from one point to another meets a picture: each axis for itself; never if not finite."""
    height, width = size
    return (high >= 0) & (low <= [width - 1, height - 1])
