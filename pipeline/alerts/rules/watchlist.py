"""A person on the watch-list appears."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.presences import Presence, Presences
from pipeline.core import Alert, Correction, Listing, Severity, Sighting
from pipeline.core.errors import WireFormatError
from pipeline.core.records.moves import listings_after, names_after
from pipeline.core.serialisation import deserialise, serialise


class WatchlistRule:
    """Reports when a listed person is in a camera, once per presence there.

    A listed person is given by number: that of a person seen before, or of a person enrolled from pictures. Operators
    list others while the run goes on, each with a severity if they like.

    Args:
        name: Name of the rule.
        severity: info, warning or critical.
        people: Person ids by the name that an operator reads: ``{name: person_id}``.
        min_probability: In [0, 1]: sightings of lower probability are ignored.
        forget_after_s: Seconds after which a person who is not seen in a camera any more is forgotten.
        max_absence_s: Seconds out of a camera's sight that do not end a presence there.

    Raises:
        ConfigError: If a value is out of range.
    """

    def __init__(
        self,
        *,
        name: str,
        severity: str,
        people: Mapping[str, int],
        min_probability: float,
        forget_after_s: float,
        max_absence_s: float = 10.0,
    ) -> None:
        self.name = name
        self._builder = AlertBuilder(name=name, severity=severity)
        self._builder.check_at_least(0, min_probability=min_probability, max_absence_s=max_absence_s)
        self._builder.check_at_least(max_absence_s, forget_after_s=forget_after_s)
        if min_probability > 1:
            raise self._builder.wrong("min_probability", "a number of at most 1", min_probability)
        self._people: dict[int, str] = {}
        for key, person_id in people.items():
            if self._people.setdefault(self._checked(key, person_id), key) != key:
                raise self._builder.wrong(
                    f"people.{key}", f"another number than {self._people[person_id]!r}", person_id
                )
        self._listings: dict[int, Listing] = {}
        self._min_probability = min_probability
        self._presences = Presences(max_absence_s=max_absence_s, forget_after_s=forget_after_s)

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        """Report the presence of a listed person."""
        if sighting.person_id not in self._people or sighting.probability < self._min_probability:
            return []
        camera_id = sighting.track_id.camera_id
        return self._reports(self._presences.see(camera_id, sighting, sighting.path.captured_at))

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Report the presences that are over."""
        return self._reports(self._presences.over(now))

    def on_end(self, at: float) -> Iterable[Alert]:
        """Report all presences as over."""
        return self.on_tick(float("inf"))

    def on_correction(self, correction: Correction) -> Iterable[Alert]:
        """Update the list: naming adds or removes a person, a merge lists the absorbed person as the kept one."""
        self._people = names_after(self._people, correction)
        self._listings = listings_after(self._listings, correction)
        return self._reports(self._presences.corrected(correction))

    def reconsider(self, alert: Alert) -> Alert | None:
        """Return the alert worded for its present person, or None if that person is not on the list."""
        listed = self._people.get(alert.person_id)
        if listed is None:
            return None
        severity = self._severity_of(alert.person_id) or self._builder.default_severity
        return replace(alert, message=_message(listed), severity=severity)

    def snapshot(self) -> bytes:
        """Return the state, the present list included."""
        return serialise((list(self._people.items()), self._presences.snapshot(), list(self._listings.items())))

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        listings: list[tuple[int, Listing]] = []
        try:
            people, presences, listings = deserialise(
                state, tuple[list[tuple[int, str]], bytes, list[tuple[int, Listing]]]
            )
        except WireFormatError:  # of an earlier version
            people, presences = deserialise(state, tuple[list[tuple[int, str]], bytes])
        self._people, self._listings = dict(people), dict(listings)
        self._presences.restore(presences)

    def _checked(self, key: str, person_id: object) -> int:
        if not isinstance(person_id, int) or isinstance(person_id, bool) or person_id < 1:
            raise self._builder.wrong(f"people.{key}", "a person's number, from 1 on", person_id)
        return person_id

    def _severity_of(self, person_id: int) -> Severity | None:
        """Return how urgent alerts about a person are; None: as the rule says."""
        given = self._listings.get(person_id, Listing()).severity
        return Severity(given) if given else None

    def _reports(self, presences: Iterable[Presence]) -> list[Alert]:
        return [
            self._builder.build_presence(
                presence,
                message=_message(self._people[presence.person_id]),
                severity=self._severity_of(presence.person_id),
            )
            for presence in presences
            if presence.person_id in self._people
        ]


def _message(listed: str) -> str:
    return f"{listed!r} of the watch list is here."
