"""Zones and lines on the ground, drawn in the picture of a camera or in metres, and tests of foot points against them.

A shape is given in pixels, in fractions of the picture (``relative: true``), or in metres on the ground that cameras
share (``metres: true``, with ``site.ground``). A shape that can never be met is a mistake, and said so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.plane_geometry import (
    Points,
    area,
    crossed_edges,
    ground_points,
    is_inside,
    is_on_ground,
    mapped,
    without_outliers,
)
from pipeline.alerts.schedule import Schedule, parse_schedule
from pipeline.core import Severity, TrackPath
from pipeline.core.arrays import check_array, freeze

UNITS = frozenset({"camera", "cameras", "relative", "metres"})
"""Keys that say what the corners of a shape mean."""

ABOUT = frozenset({"severity", "schedule", "people"})
"""Keys that say when a shape counts, for whom and how much. The engine reads ``people``: rules know no names."""

MAX_NUMBER = 1e6
"""Pixels or metres; nothing that a camera shows is further away. A larger number has no square."""

MIN_SIDE = 1e-9
"""Area of a polygon per square of its extent, below which all its corners lie on one line."""


class Unit(StrEnum):
    """What the numbers of a shape are."""

    PIXELS = "pixels"
    RELATIVE = "relative"
    METRES = "metres"


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Where a shape is drawn.

    Attributes:
        unit: What its numbers are.
        camera_ids: The cameras that see it.
        homographies: For metres: by camera, shape ``(3, 3)``, pixels to metres.
    """

    unit: Unit
    camera_ids: tuple[str, ...]
    homographies: Mapping[str, Points]

    def foot_points(self, camera_id: str, path: TrackPath) -> Points:
        """Return where a person stands, shape ``(N, 2)``, in the shape's unit."""
        points = ground_points(path)
        if self.unit is Unit.RELATIVE:
            return points / path.frame_hw[::-1]
        return self.ground(camera_id, points, path.frame_hw) if self.unit is Unit.METRES else points

    def ground(self, camera_id: str, points: Points, frame_hw: tuple[int, int]) -> Points:
        """Return pixels of a camera in metres on the ground, shape ``(N, 2)``; not finite above the horizon."""
        homography = self.homographies[camera_id]
        is_seen = is_on_ground(homography, points, frame_hw)
        return np.where(is_seen[:, None], mapped(homography, points), np.nan)

    def pixels(self, camera_id: str, corners: Points, frame_hw: tuple[int, int]) -> Points:
        """Return corners in pixels of a camera, shape ``(K, 2)``; not finite where they lie behind the camera."""
        if self.unit is Unit.RELATIVE:
            return corners * frame_hw[::-1]
        if self.unit is Unit.METRES:
            homography = self.homographies[camera_id]
            points = mapped(np.linalg.inv(homography), corners)
            return np.where(is_on_ground(homography, points, frame_hw)[:, None], points, np.nan)
        return corners


@dataclass(frozen=True, slots=True, eq=False)
class Zone:
    """An area on the ground.

    Attributes:
        name: As in the site's configuration.
        frame: Where it is drawn.
        polygon: Shape ``(K, 2)``, float64, corners in order, not closed; K at least 3.
        max_dwell_s: Seconds that a person may stay; None: as the rule says.
        severity: Of alerts about it; None: that of the rule.
        schedule: When the zone counts; None: always.
        max_people: People that may be in it; None: as the rule says.
        way: Shape ``(2, 2)``, float64: people should walk from the first point towards the second; None: as they like.
        group: Name of zones in which a stay counts as one; empty: the zone is on its own.
    """

    name: str
    frame: Frame
    polygon: Points
    max_dwell_s: float | None = None
    severity: Severity | None = None
    schedule: Schedule | None = None
    max_people: int | None = None
    way: Points | None = None
    group: str = ""

    def __post_init__(self) -> None:
        check_array("polygon", self.polygon, (None, 2), np.float64)
        freeze(self.polygon)

    def times_inside(self, camera_id: str, path: TrackPath) -> NDArray[np.float64]:
        """Return when a person is inside and the zone counts, Unix seconds, ascending; else as ``times_within``."""
        times = self.times_within(camera_id, path)
        return times if self.schedule is None else times[self.schedule.holds(times)]

    def times_within(self, camera_id: str, path: TrackPath) -> NDArray[np.float64]:
        """Return when a person is inside, whatever the schedule, Unix seconds, ascending.

        There are none where the camera does not see the zone.
        """
        if camera_id not in self.frame.camera_ids:
            return np.empty(0)
        points = self.frame.foot_points(camera_id, path)
        is_in = is_inside(points, self.polygon)
        if is_in.any() and not is_in.all():  # elsewhere outliers change nothing
            is_in = is_inside(without_outliers(points, path.captured_at), self.polygon)
        return path.captured_at[is_in]

    def counts_at(self, at: float) -> bool:
        """Return whether the zone counts at a moment, Unix seconds."""
        return self.schedule is None or self.schedule.holds_at(at)


class Crossing(StrEnum):
    """The direction in which a line is crossed: on the screen, looking from its first to its second end."""

    LEFT_TO_RIGHT = "left_to_right"
    RIGHT_TO_LEFT = "right_to_left"
    BOTH = "both"
    NEITHER = "neither"
    """For lines that are only counted."""


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line that must not be crossed in one direction, or in both.

    Attributes:
        name: As in the site's configuration.
        frame: Where it is drawn.
        ends: Shape ``(2, 2)``, float64: from, to.
        forbidden: The forbidden direction.
        severity: Of alerts about it; None: that of the rule.
        schedule: When it counts; None: always.
    """

    name: str
    frame: Frame
    ends: Points
    forbidden: Crossing
    severity: Severity | None = None
    schedule: Schedule | None = None

    def __post_init__(self) -> None:
        check_array("ends", self.ends, (2, 2), np.float64)
        freeze(self.ends)


def parse_zones(
    zones: Mapping[str, object], builder: AlertBuilder, ground: Mapping[str, object] | None = None
) -> tuple[Zone, ...]:
    """Return the zones of ``{name: {camera: …, polygon: [[x, y], …]}}``.

    Args:
        zones: By name. Besides: ``relative: true`` or ``metres: true`` (then ``cameras`` in place of ``camera``, or
            none for all), ``max_dwell_s``, ``max_people``, ``severity``, ``schedule``, ``people``, ``way``,
            ``group``.
        builder: Names the key in errors.
        ground: By camera, three rows that take pixels to metres.

    Raises:
        ConfigError: If a block has other keys, or nobody can ever be in the zone; it names the zone and why.
    """
    optional = UNITS | ABOUT | {"max_dwell_s", "max_people", "way", "group"}
    parsed = []
    _check_names("zones", zones, builder)
    for name, given in zones.items():
        key = f"zones.{name}"
        block = builder.check_block(key, given, {"polygon"}, optional)
        frame = _frame(block, key, builder, ground or {})
        polygon = _points(block["polygon"])
        if polygon is None or len(polygon) < 3:
            raise builder.wrong(
                f"{key}.polygon", "at least three corners [x, y], in numbers up to a million", block["polygon"]
            )
        _check_corners(polygon, frame, f"{key}.polygon", builder)
        if (crossed := crossed_edges(polygon)) is not None:
            raise builder.wrong(f"{key}.polygon", "corners in order around the zone", f"edges {crossed} that cross")
        if abs(area(polygon)) <= MIN_SIDE * float(np.ptp(polygon, axis=0).max()) ** 2:
            raise builder.wrong(f"{key}.polygon", "corners that do not all lie on one line", polygon.tolist())
        max_dwell_s = block.get("max_dwell_s")
        if max_dwell_s is not None:
            builder.check_at_least(0, **{f"{key}.max_dwell_s": max_dwell_s})  # type: ignore[arg-type]
        max_people = block.get("max_people")
        if max_people is not None and (type(max_people) is not int or max_people < 0):
            raise builder.wrong(f"{key}.max_people", "a whole number of at least 0", max_people)
        way = None
        if "way" in block:
            way = _points(block["way"])
            if way is None or len(way) != 2 or np.array_equal(way[0], way[1]):
                raise builder.wrong(f"{key}.way", "two different points [x, y]", block["way"])
        group = block.get("group", "")
        if not isinstance(group, str) or group in zones or ("group" in block and not group):
            raise builder.wrong(f"{key}.group", "a text that is the name of no zone", group)
        parsed.append(
            Zone(
                name,
                frame,
                polygon,
                None if max_dwell_s is None else float(max_dwell_s),  # type: ignore[arg-type]
                *_severity_and_schedule(block, key, builder),
                max_people,
                way,
                group,
            )
        )
    return tuple(parsed)


def parse_lines(
    lines: Mapping[str, object], builder: AlertBuilder, ground: Mapping[str, object] | None = None
) -> tuple[Line, ...]:
    """Return the lines of ``{name: {camera: …, from: [x, y], to: [x, y], forbidden: left_to_right}}``.

    Besides, and in errors, as ``parse_zones``.

    Raises:
        ConfigError: If a block has other keys, an end is not a point, both ends are equal, a direction is unknown, or
            nobody can ever cross the line.
    """
    parsed = []
    _check_names("lines", lines, builder)
    for name, given in lines.items():
        key = f"lines.{name}"
        block = builder.check_block(key, given, {"from", "to", "forbidden"}, UNITS | ABOUT)
        frame = _frame(block, key, builder, ground or {})
        ends = _points([block["from"], block["to"]])
        if ends is None or np.array_equal(ends[0], ends[1]):
            raise builder.wrong(f"{key}.from and .to", "two different points [x, y]", [block["from"], block["to"]])
        _check_corners(ends, frame, f"{key}.from and .to", builder)
        if block["forbidden"] not in list(Crossing):
            raise builder.wrong(f"{key}.forbidden", f"one of {', '.join(Crossing)}", block["forbidden"])
        parsed.append(
            Line(name, frame, ends, Crossing(str(block["forbidden"])), *_severity_and_schedule(block, key, builder))
        )
    return tuple(parsed)


def _check_names(kind: str, shapes: Mapping[str, object], builder: AlertBuilder) -> None:
    if any(not str(name).strip() for name in shapes):
        raise builder.wrong(f"{kind}.", "a name for each", "an empty one")


def _frame(block: Mapping[str, object], key: str, builder: AlertBuilder, ground: Mapping[str, object]) -> Frame:
    """Return where a shape is drawn."""
    if block.get("relative") and block.get("metres"):
        raise builder.wrong(key, "relative: true or metres: true", "both")
    for name in ("relative", "metres"):
        if not isinstance(block.get(name, False), bool):
            raise builder.wrong(f"{key}.{name}", "true or false", block[name])
    if block.get("metres"):
        homographies = {camera_id: np.array(rows, np.float64) for camera_id, rows in ground.items()}
        camera_ids = block.get("cameras", block.get("camera", tuple(homographies)))
        camera_ids = (camera_ids,) if isinstance(camera_ids, str) else camera_ids
        if not isinstance(camera_ids, list | tuple) or not camera_ids or not set(camera_ids) <= set(homographies):
            raise builder.wrong(f"{key}.cameras", f"cameras of site.ground, {sorted(homographies)}", camera_ids)
        return Frame(Unit.METRES, tuple(map(str, camera_ids)), homographies)
    if "camera" not in block or "cameras" in block:
        raise builder.wrong(key, "a camera, or metres: true", sorted(block))
    return Frame(Unit.RELATIVE if block.get("relative") else Unit.PIXELS, (str(block["camera"]),), {})


def _severity_and_schedule(
    block: Mapping[str, object], key: str, builder: AlertBuilder
) -> tuple[Severity | None, Schedule | None]:
    severity, schedule, people = block.get("severity"), block.get("schedule"), block.get("people", ("*",))
    if not isinstance(people, list | tuple) or not people or not all(isinstance(name, str) and name for name in people):
        raise builder.wrong(f"{key}.people", "a list of names, * for any letters: [staff*]", people)
    return (
        None if severity is None else builder.severity(f"{key}.severity", severity),
        None if schedule is None else parse_schedule(schedule, f"{key}.schedule", builder),
    )


def _check_corners(corners: Points, frame: Frame, key: str, builder: AlertBuilder) -> None:
    """Raise ``ConfigError`` if corners cannot be in their unit."""
    if frame.unit is Unit.PIXELS and corners.min() >= 0 and corners.max() <= 1:
        raise builder.wrong(key, "pixels, or fractions of the picture with relative: true", corners.tolist())
    is_outside = (corners.max(axis=0) < 0).any() or (frame.unit is Unit.RELATIVE and (corners.min(axis=0) >= 1).any())
    if is_outside and frame.unit is not Unit.METRES:
        raise builder.wrong(key, "points inside the picture", corners.tolist())


def _points(given: object) -> Points | None:
    """Return points, shape ``(N, 2)``, or None if ``given`` is something else."""
    try:
        points = np.array(given, np.float64)
        has_bools = any(isinstance(value, bool) for point in given for value in point)  # type: ignore[attr-defined]
    except (TypeError, ValueError, OverflowError):
        return None
    is_points = points.ndim == 2 and points.shape[1] == 2 and not has_bools
    return points if is_points and (np.abs(points) <= MAX_NUMBER).all() else None
