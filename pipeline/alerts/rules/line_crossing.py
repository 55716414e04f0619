"""A person crosses a line in the forbidden direction."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.expiring_map import ExpiringMap
from pipeline.alerts.plane_geometry import Points, crossings, depths
from pipeline.alerts.zones import Crossing, Line, Unit, check_picture, parse_lines
from pipeline.core import Alert, Sighting, TrackId


class LineCrossingRule:
    """Reports when the foot point of a track crosses a line in the forbidden direction.

    Left and right are those of the screen, looking from ``from`` to ``to``. Foot points within ``min_depth_px`` of
    a line count as on it, so a person who walks along the line does not cross it, and the alert comes once the person
    is further across. The parts of a track are joined.

    Args:
        name: Name of the rule.
        severity: info, warning or critical.
        lines: ``{name: {camera: …, from: [x, y], to: [x, y], forbidden: left_to_right}}``, pixels of that
            camera's frame; forbidden is left_to_right, right_to_left or both.
        min_depth_px: Pixels, at least 0.
        forget_after_s: Seconds after which a track that is not seen any more is forgotten.

        min_depth_m: Metres, at least 0; for lines in metres.
        ground: By camera, three rows that take pixels to metres; for lines in metres.

    Raises:
        ConfigError: If a value is out of range.
    """

    def __init__(
        self,
        *,
        name: str,
        severity: str,
        lines: Mapping[str, object],
        min_depth_px: float,
        forget_after_s: float,
        min_depth_m: float = 0.1,
        ground: Mapping[str, object] | None = None,
    ) -> None:
        self.name = name
        self._builder = AlertBuilder(name=name, severity=severity)
        self._builder.check_at_least(0, min_depth_px=min_depth_px, min_depth_m=min_depth_m)
        self._builder.check_at_least(0, forget_after_s=forget_after_s)
        self._lines = parse_lines(lines, self._builder, ground)
        self._min_depth_px, self._min_depth_m = min_depth_px, min_depth_m
        self._last_points: ExpiringMap[tuple[str, TrackId], Points] = ExpiringMap(forget_after_s=forget_after_s)

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        """Report each forbidden crossing in this part of a track."""
        return [
            alert
            for line in self._lines
            if sighting.track_id.camera_id in line.frame.camera_ids
            for alert in self._follow(line, sighting)
        ]

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Return nothing: only sightings show crossings."""
        return []

    def check_picture(self, camera_id: str, frame_hw: tuple[int, int]) -> None:
        """Raise ``ConfigError`` if a line lies outside the picture of a camera."""
        check_picture(self._lines, camera_id, frame_hw, self._builder)

    def snapshot(self) -> bytes:
        """Return the state."""
        return self._last_points.snapshot()

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        self._last_points.restore(state, list[tuple[tuple[str, TrackId], float, Points]])

    def _follow(self, line: Line, sighting: Sighting) -> Iterable[Alert]:
        key = line.name, sighting.track_id
        points, min_depth = self._points(line, sighting)
        is_clear = np.abs(depths(points, line.ends)) > min_depth
        if not is_clear.any():
            return []
        before = self._last_points.get(key)
        self._last_points.set(key, points[is_clear][-1:], at=sighting.last.captured_at)
        earlier = np.empty((0, 2)) if before is None else before
        directions = crossings(np.concatenate([earlier, points[is_clear]]), line.ends)
        arrived_at = sighting.path.captured_at[is_clear][1 - len(earlier) :]
        return [
            self._builder.build(
                sighting,
                place=line.name,
                started_at=at,
                raised_at=at,
                ended_at=at,
                message=f"Somebody crosses {line.name!r} in the forbidden direction.",
                severity=line.severity,
            )
            for at in arrived_at[_is_forbidden(directions, line.forbidden)].tolist()
            if line.schedule is None or line.schedule.holds_at(at)
        ]

    def _points(self, line: Line, sighting: Sighting) -> tuple[Points, float]:
        """Return foot points and the least depth, in pixels or metres."""
        points = line.frame.foot_points(sighting.track_id.camera_id, sighting.path)
        if line.frame.unit is Unit.METRES:
            return points, self._min_depth_m
        return points, self._min_depth_px


def _is_forbidden(directions: NDArray[np.int64], forbidden: Crossing) -> NDArray[np.bool_]:
    listed = {Crossing.LEFT_TO_RIGHT: [1], Crossing.RIGHT_TO_LEFT: [-1], Crossing.BOTH: [1, -1]}
    return np.isin(directions, listed[forbidden])
