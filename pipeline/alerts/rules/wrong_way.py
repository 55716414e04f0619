"""A person walks through a zone the wrong way."""

from collections.abc import Iterable, Mapping

import numpy as np

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.expiring_map import ExpiringMap
from pipeline.alerts.picture_check import Sizes, check_picture
from pipeline.alerts.plane_geometry import Points, ground_points
from pipeline.alerts.presences import Presence, Presences
from pipeline.alerts.whereabouts import PERSON_M
from pipeline.alerts.zones import Unit, Zone, parse_zones
from pipeline.core import Alert, Correction, Sighting, TrackId
from pipeline.core.serialisation import deserialise, serialise

PACE_S = 1.0
"""Seconds over which a pace is taken. A larger value averages more jitter of boxes away, and notices turns later."""


class WrongWayRule:
    """Reports people who walk against the ``way`` of a zone, as long as they do.

    Args:
        name: Name of the rule.
        severity: info, warning or critical.
        zones: As in ``zone_dwell``; those with ``way: [[x, y], [x, y]]`` count, in which people should walk from the
            first point towards the second.
        min_speed_m: Metres a second against the way, from which somebody walks the wrong way; in a picture judged by
            the person's height, in which motion towards the camera seems slower.
        min_s: Seconds; a shorter walk does not count.
        max_absence_s: Seconds of standing, or out of sight, that do not end a walk.
        forget_after_s: Seconds after which a person who is not seen any more is forgotten.
        ground: By camera, three rows that take pixels to metres; for zones in metres.

    Raises:
        ConfigError: If a value is out of range.
    """

    def __init__(
        self,
        *,
        name: str,
        severity: str,
        zones: Mapping[str, object],
        min_speed_m: float,
        min_s: float,
        max_absence_s: float,
        forget_after_s: float,
        ground: Mapping[str, object] | None = None,
    ) -> None:
        self.name = name
        self._builder = AlertBuilder(name=name, severity=severity)
        self._builder.check_at_least(0, min_speed_m=min_speed_m, min_s=min_s, max_absence_s=max_absence_s)
        self._builder.check_at_least(max_absence_s, forget_after_s=forget_after_s)
        parsed = parse_zones(zones, self._builder, ground)
        self._zones = {zone.name: zone for zone in parsed if zone.way is not None}
        self._min_speed_m, self._min_s = min_speed_m, min_s
        self._presences = Presences(max_absence_s=max_absence_s, forget_after_s=forget_after_s)
        # The last second of each track in each zone: shape (N, 2), Unix seconds and progress along the way.
        self._progress: ExpiringMap[tuple[str, TrackId], Points] = ExpiringMap(forget_after_s=forget_after_s)

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        """Report each zone in which the person walks the wrong way."""
        return self._reports(
            presence
            for zone in self._zones.values()
            for presence in self._presences.see(zone.name, sighting, self._wrong_times(zone, sighting))
        )

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Report the walks that are over."""
        return self._reports(self._presences.over(now))

    def on_end(self, at: float) -> Iterable[Alert]:
        """Report all walks as over."""
        return self.on_tick(float("inf"))

    def on_correction(self, correction: Correction) -> Iterable[Alert]:
        """Give walks to the people they show now, and report those of the people it concerns."""
        return self._reports(self._presences.corrected(correction))

    def reconsider(self, alert: Alert) -> Alert | None:
        """Return the alert: it is true of any person."""
        return alert

    def check_picture(self, camera_id: str, sizes: Sizes) -> None:
        """Raise ``ConfigError`` if the picture of a camera does not show one of its zones."""
        check_picture(self._zones.values(), camera_id, sizes, self._builder)

    def snapshot(self) -> bytes:
        """Return the state."""
        return serialise((self._presences.snapshot(), self._progress.snapshot()))

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        presences, progress = deserialise(state, tuple[bytes, bytes])
        self._presences.restore(presences)
        self._progress.restore(progress, list[tuple[tuple[str, TrackId], float, Points]])

    def _wrong_times(self, zone: Zone, sighting: Sighting) -> Points:
        """Return when a person walks the wrong way in a zone, shape ``(N,)``, Unix seconds."""
        camera_id, path = sighting.track_id.camera_id, sighting.path
        is_in = np.isin(path.captured_at, zone.times_inside(camera_id, path))
        if not is_in.any():
            return np.empty(0)
        progress, scale = _progress(zone, camera_id, sighting)
        rows = np.column_stack([path.captured_at, progress])[is_in]
        before = self._progress.get((zone.name, sighting.track_id))
        known = rows if before is None else np.concatenate([before, rows])
        self._progress.set((zone.name, sighting.track_id), known[known[:, 0] >= known[-1, 0] - PACE_S], at=known[-1, 0])
        # The newest row that is a pace old; none for the first second in the zone.
        earlier = np.searchsorted(known[:, 0], rows[:, 0] - PACE_S + 1e-6, side="right") - 1
        is_known = (earlier >= 0) & (rows[:, 0] - known[earlier, 0] <= 2 * PACE_S)
        elapsed = np.where(is_known, rows[:, 0] - known[earlier, 0], 1.0)
        speed_m = (rows[:, 1] - known[earlier, 1]) / elapsed * scale[is_in]
        times: Points = rows[is_known & (speed_m <= -self._min_speed_m), 0]
        return times

    def _reports(self, presences: Iterable[Presence]) -> list[Alert]:
        return [
            self._builder.build_presence(
                presence,
                message=f"Somebody walks the wrong way in {presence.place!r}.",
                severity=self._zones[presence.place].severity,
            )
            for presence in presences
            if presence.dwell.dwell_s >= self._min_s
        ]


def _progress(zone: Zone, camera_id: str, sighting: Sighting) -> tuple[Points, Points]:
    """Return how far along the way a person is, shape ``(N,)``, and metres a unit of it, shape ``(N,)``."""
    path = sighting.path
    assert zone.way is not None
    if zone.frame.unit is Unit.METRES:
        points, way = zone.frame.foot_points(camera_id, path), zone.way
        scale = np.ones(len(points))
    else:
        points, way = ground_points(path), zone.frame.pixels(camera_id, zone.way, path.frame_hw)
        scale = PERSON_M / np.maximum(path.boxes_xyxy[:, 3] - path.boxes_xyxy[:, 1], 1.0).astype(np.float64)
    along = way[1] - way[0]
    return (points - way[0]) @ (along / np.hypot(*along)), scale
