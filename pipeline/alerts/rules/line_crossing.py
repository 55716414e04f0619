"""A person crosses a line in the forbidden direction."""

from collections.abc import Iterable, Mapping

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.expiring_map import ExpiringMap
from pipeline.alerts.line_walks import MIN_DEPTH_M, line_walk
from pipeline.alerts.picture_check import Sizes, check_picture
from pipeline.alerts.plane_geometry import Points
from pipeline.alerts.zones import Crossing, Line, parse_lines
from pipeline.core import Alert, Sighting, TrackId

FORBIDDEN = {
    Crossing.LEFT_TO_RIGHT: (1,),
    Crossing.RIGHT_TO_LEFT: (-1,),
    Crossing.BOTH: (1, -1),
    Crossing.NEITHER: (),
}
"""Directions that lead to an alert."""


class LineCrossingRule:
    """Reports when the foot point of a track crosses a line in the forbidden direction.

    Left and right are those of the screen, looking from ``from`` to ``to``. Foot points within ``min_depth_px`` of
    a line count as on it, so a person who walks along the line does not cross it, and the alert comes once the person
    is further across. The parts of a track are joined.

    Args:
        name: Name of the rule.
        severity: info, warning or critical.
        lines: ``{name: {camera: …, from: [x, y], to: [x, y], forbidden: left_to_right}}``, pixels of that
            camera's frame; forbidden is left_to_right, right_to_left, both or neither.
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
        min_depth_m: float = MIN_DEPTH_M,
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

    def check_picture(self, camera_id: str, sizes: Sizes) -> None:
        """Raise ``ConfigError`` if the picture of a camera does not show one of its lines."""
        check_picture(self._lines, camera_id, sizes, self._builder)

    def snapshot(self) -> bytes:
        """Return the state."""
        return self._last_points.snapshot()

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        self._last_points.restore(state, list[tuple[tuple[str, TrackId], float, Points]])

    def _follow(self, line: Line, sighting: Sighting) -> Iterable[Alert]:
        key = line.name, sighting.track_id
        walk = line_walk(line, sighting, min_depth_px=self._min_depth_px, min_depth_m=self._min_depth_m)
        if not len(walk.points):
            return []
        before = self._last_points.get(key)
        self._last_points.set(key, walk.points[-1:], at=sighting.last.captured_at)
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
            for at, direction in walk.crossings(line, before)
            if direction in FORBIDDEN[line.forbidden]
        ]
