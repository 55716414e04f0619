"""People crowd together in a zone."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from math import inf

import numpy as np

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.gathering import MAX_EVIDENCE, Gathering
from pipeline.alerts.picture_check import Sizes, check_picture
from pipeline.alerts.whereabouts import STEP_S, Whereabouts
from pipeline.alerts.zones import Zone, parse_zones
from pipeline.core import Alert, Correction, Sighting, TrackId, TrackPart
from pipeline.core.serialisation import deserialise, serialise


class CrowdingRule:
    """Reports when at least ``min_people`` in a zone stand close together, each near another of them.

    The alert is about the place. ``occupancy`` counts the people of a zone, wherever in it they are.

    Args:
        name: Name of the rule.
        severity: info, warning or critical.
        zones: As in ``zone_dwell``.
        min_people: People in a crowd, at least 2.
        max_distance_m: Metres up to which two people are near each other; in a camera without ground judged by their
            heights.
        min_s: Seconds; a shorter crowd does not count.
        max_absence_s: Seconds without a crowd that do not end it.
        forget_after_s: Seconds after which it is forgotten where people were.
        ground: By camera, three rows that take pixels to metres.

    Raises:
        ConfigError: If a value is out of range.
    """

    def __init__(
        self,
        *,
        name: str,
        severity: str,
        zones: Mapping[str, object],
        min_people: int,
        max_distance_m: float,
        min_s: float,
        max_absence_s: float,
        forget_after_s: float,
        ground: Mapping[str, object] | None = None,
    ) -> None:
        self.name = name
        self._builder = AlertBuilder(name=name, severity=severity)
        self._builder.check_at_least(2, min_people=min_people)
        self._builder.check_distance(max_distance_m=max_distance_m)
        self._builder.check_at_least(0, min_s=min_s, max_absence_s=max_absence_s)
        self._builder.check_at_least(min_s + max_absence_s, forget_after_s=forget_after_s)
        self._zones = {zone.name: zone for zone in parse_zones(zones, self._builder, ground)}
        self._min_people, self._min_s, self._max_absence_s = min_people, min_s, max_absence_s
        places = {"ground": ground or {}, "max_distance_m": max_distance_m, "forget_after_s": forget_after_s}
        self._whereabouts = {name: Whereabouts(**places) for name in self._zones}  # type: ignore[arg-type]
        # By zone: the parts that show the crowd, by step; and until when crowds were reported as over.
        self._crowded: dict[str, dict[int, tuple[TrackPart, ...]]] = {name: {} for name in self._zones}
        self._reported_until = dict.fromkeys(self._zones, -inf)

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        """Report the crowds that this sighting is in."""
        found: list[Alert] = []
        part = TrackPart(sighting.track_id, sighting.part)
        for zone in self._zones.values():
            inside = np.isin(sighting.path.captured_at, zone.times_inside(sighting.track_id.camera_id, sighting.path))
            steps = [
                step for step in self._whereabouts[zone.name].see(sighting, inside) if self._look(zone.name, step, part)
            ]
            for crowd in self._crowds(zone) if steps else ():
                if crowd.until >= steps[0] * STEP_S:
                    found.append(self._report(zone, crowd, part.track_id, is_over=False))
        return found

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Report the crowds that are over; forget old ones."""
        found = []
        for zone in self._zones.values():
            crowded, oldest_at = self._crowded[zone.name], self._whereabouts[zone.name].oldest_at
            for crowd in self._crowds(zone):
                is_new = crowd.until > self._reported_until[zone.name]
                if is_new and crowd.until < now - self._max_absence_s:
                    self._reported_until[zone.name] = crowd.until
                    found.append(self._report(zone, crowd, None, is_over=True))
            for step in [step for step in crowded if step * STEP_S <= oldest_at]:
                del crowded[step]
        return found

    def on_end(self, at: float) -> Iterable[Alert]:
        """Report all crowds as over."""
        return self.on_tick(inf)

    def on_correction(self, correction: Correction) -> Iterable[Alert]:
        """Look again at who stood where, and report the crowds that follow."""
        found = []
        for zone in self._zones.values():
            whereabouts = self._whereabouts[zone.name]
            whereabouts.on_correction(correction)
            for step in whereabouts.steps:
                self._crowded[zone.name].pop(step, None)
                any(self._look(zone.name, step, part) for part in whereabouts.parts_at(step))
            self._reported_until[zone.name] = -inf
            found += [self._report(zone, crowd, None, is_over=False) for crowd in self._crowds(zone)]
        return found

    def reconsider(self, alert: Alert) -> Alert | None:
        """Return the alert with the times of the crowd it is about; None if there was none."""
        zone = self._zones[alert.place]
        if alert.started_at <= self._whereabouts[zone.name].oldest_at:
            return alert
        for crowd in self._crowds(zone):
            if crowd.since <= alert.raised_at and crowd.until >= alert.started_at:
                return replace(alert, started_at=crowd.since)
        return None

    def check_picture(self, camera_id: str, sizes: Sizes) -> None:
        """Raise ``ConfigError`` if the picture of a camera does not show one of its zones."""
        check_picture(self._zones.values(), camera_id, sizes, self._builder)

    def snapshot(self) -> bytes:
        """Return the state."""
        crowded = {name: list(by_step.items()) for name, by_step in self._crowded.items()}
        places = {name: whereabouts.snapshot() for name, whereabouts in self._whereabouts.items()}
        return serialise((places, crowded, self._reported_until))

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        places, crowded, reported_until = deserialise(
            state, tuple[dict[str, bytes], dict[str, list[tuple[int, tuple[TrackPart, ...]]]], dict[str, float]]
        )
        for name in self._zones.keys() & places.keys():
            self._whereabouts[name].restore(places[name])
            self._crowded[name], self._reported_until[name] = dict(crowded[name]), reported_until[name]

    def _look(self, name: str, step: int, part: TrackPart) -> bool:
        """Note the crowd around a part at a step; return whether there is one."""
        whereabouts = self._whereabouts[name]
        parts = whereabouts.group(step, part)
        is_crowd = len({whereabouts.person_of(each) for each in parts}) >= self._min_people
        if is_crowd:
            self._crowded[name][step] = tuple(parts)
        return is_crowd

    def _crowds(self, zone: Zone) -> Iterator[Gathering]:
        """Yield the times with a crowd, in order."""
        run: list[int] = []
        crowded = self._crowded[zone.name]
        for step in [*sorted(crowded), None]:
            if run and (step is None or (step - run[-1] - 1) * STEP_S > self._max_absence_s):
                since, until = run[0] * STEP_S, run[-1] * STEP_S
                if until - since >= self._min_s:
                    tracks = dict.fromkeys(part.track_id for each in run for part in crowded[each])
                    yield Gathering(since, until, tuple(tracks)[:MAX_EVIDENCE])
                run = []
            if step is not None:
                run.append(step)

    def _report(self, zone: Zone, crowd: Gathering, track: TrackId | None, *, is_over: bool) -> Alert:
        message = f"At least {self._min_people} people crowd together in {zone.name!r}."
        return self._builder.build_gathering(
            crowd, track=track, place=zone.name, message=message, is_over=is_over, severity=zone.severity
        )
