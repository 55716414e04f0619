"""Too many people are in a zone, or wait there for too long."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.dwell import Dwell
from pipeline.alerts.gathering import MAX_EVIDENCE, Gathering
from pipeline.alerts.picture_check import Sizes, check_picture
from pipeline.alerts.presences import Presences
from pipeline.alerts.zones import parse_zones
from pipeline.core import Alert, Correction, Sighting, TrackId


class OccupancyRule:
    """Reports when more than ``max_people`` are in a zone for at least ``min_s``. The alert is about the place.

    With ``max_wait_s`` it is about a queue: only people count who have been there for longer than that.

    Args:
        name: Name of the rule.
        severity: info, warning or critical.
        zones: As in ``zone_dwell``; a zone may have a ``max_people`` of its own, which is not about waiting.
        max_people: People that may be in a zone, at least 0.
        min_s: Seconds; a shorter excess does not count.
        max_absence_s: Seconds of absence that do not end a person's presence.
        forget_after_s: Seconds after which a person who is not seen in a zone any more is forgotten.
        max_wait_s: Seconds that people have to be there until they count.
        places: Names of the zones that count; all if empty.
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
        max_people: int,
        min_s: float,
        max_absence_s: float,
        forget_after_s: float,
        max_wait_s: float = 0.0,
        places: Sequence[str] = (),
        ground: Mapping[str, object] | None = None,
    ) -> None:
        self.name = name
        self._builder = AlertBuilder(name=name, severity=severity)
        self._builder.check_at_least(0, max_people=max_people, min_s=min_s, max_absence_s=max_absence_s)
        self._builder.check_at_least(0, max_wait_s=max_wait_s)
        self._builder.check_at_least(max_absence_s + max_wait_s, forget_after_s=forget_after_s)
        parsed = {zone.name: zone for zone in parse_zones(zones, self._builder, ground)}
        if isinstance(places, str) or not set(places) <= set(parsed):
            raise self._builder.wrong("places", f"a list of some of {', '.join(parsed)}", places)
        self._zones = {place: parsed[place] for place in places or parsed}
        self._max_wait_s = max_wait_s
        self._max_people, self._min_s, self._max_absence_s = max_people, min_s, max_absence_s
        self._presences = Presences(max_absence_s=max_absence_s, forget_after_s=forget_after_s)

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        """Report the excesses in each zone that this sighting is in."""
        found: list[Alert] = []
        for zone in self._zones.values():
            times = zone.times_inside(sighting.track_id.camera_id, sighting.path)
            if len(times):
                self._presences.see(zone.name, sighting, times)
                for excess in self._excesses(zone.name):
                    if excess.until >= times[0]:
                        found.append(self._report(zone.name, excess, sighting.track_id, is_over=False))
        return found

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Report the excesses that are over."""
        known = {place: list(self._excesses(place)) for place in self._zones if self._presences.lasting(place)}
        ended: dict[str, float] = {}
        for presence in self._presences.over(now):  # it forgets old ones
            place, since = presence.place, presence.dwell.since
            ended[place] = min(since, ended.get(place, since))
        return [
            self._report(place, excess, None, is_over=True)
            for place, since in ended.items()
            for excess in known[place]
            if excess.until >= since and excess.until < now - self._max_absence_s
        ]

    def on_end(self, at: float) -> Iterable[Alert]:
        """Report all excesses as over."""
        return self.on_tick(float("inf"))

    def on_correction(self, correction: Correction) -> Iterable[Alert]:
        """Give presences to the people they show now, and report the excesses that follow."""
        self._presences.corrected(correction)
        return [
            self._report(place, excess, None, is_over=False)
            for place in self._zones
            for excess in self._excesses(place)
        ]

    def reconsider(self, alert: Alert) -> Alert | None:
        """Return the alert with the times of the excess it is about; None if there was none."""
        if not self._presences.knows(alert.started_at):
            return alert
        for excess in self._excesses(alert.place):
            if excess.since <= alert.raised_at and excess.until >= alert.started_at:
                return replace(alert, started_at=excess.since)
        return None

    def check_picture(self, camera_id: str, sizes: Sizes) -> None:
        """Raise ``ConfigError`` if the picture of a camera does not show one of its zones."""
        check_picture(self._zones.values(), camera_id, sizes, self._builder)

    def snapshot(self) -> bytes:
        """Return the state."""
        return self._presences.snapshot()

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        self._presences.restore(state)

    def _excesses(self, place: str) -> Iterator[Gathering]:
        """Yield the times with more people than allowed, in order."""
        dwells = [dwell for dwell in self._presences.dwells_in(place) if dwell.dwell_s >= self._max_wait_s]
        steps = sorted(
            [(dwell.since + self._max_wait_s, 0, number) for number, dwell in enumerate(dwells)]
            + [(dwell.until, 1, number) for number, dwell in enumerate(dwells)]
        )
        present: dict[int, Dwell] = {}
        since: float | None = None
        shown: dict[TrackId, None] = {}
        limit = self._limit(place)
        for at, is_end, number in steps:
            if is_end:
                del present[number]
            else:
                present[number] = dwells[number]
            if since is not None or len(present) > limit:
                shown |= dict.fromkeys(track for dwell in present.values() for track in dwell.tracks)
            if since is None and len(present) > limit:
                since = at
            elif since is not None and len(present) <= limit:
                if at - since >= self._min_s:
                    yield Gathering(since, at, tuple(shown)[:MAX_EVIDENCE])
                since, shown = None, {}

    def _report(self, place: str, excess: Gathering, track: TrackId | None, *, is_over: bool) -> Alert:
        limit, wait_s = self._limit(place), self._max_wait_s
        message = f"More than {limit} people are in {place!r}."
        if wait_s:
            message = f"More than {limit} people have waited for {wait_s:g} s in {place!r}."
        severity = self._zones[place].severity
        return self._builder.build_gathering(
            excess, track=track, place=place, message=message, is_over=is_over, severity=severity
        )

    def _limit(self, place: str) -> int:
        own = self._zones[place].max_people
        return self._max_people if own is None or self._max_wait_s else own
