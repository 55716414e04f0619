"""A listed person appears."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.dedup_set import DedupSet
from pipeline.core import Alert, Correction, CorrectionKind, Sighting
from pipeline.core.serialisation import deserialise, serialise


class WatchlistRule:
    """Tells when a track shows a listed person, once a track.

    A listed person is a number: of somebody who was seen before, or the one under which example pictures
    were put into the gallery.

    Args:
        name: Of the rule.
        severity: info, warning or critical.
        people: Person ids by the name that an operator reads: ``{name: person_id}``.
        min_probability: In [0, 1]: sightings that are less sure are passed over.
        forget_after_s: Seconds after which a track that was not seen is forgotten.

    Raises:
        ConfigError: If a value cannot be.
    """

    def __init__(
        self,
        *,
        name: str,
        severity: str,
        people: Mapping[str, int],
        min_probability: float,
        forget_after_s: float,
    ) -> None:
        self.name = name
        self._builder = AlertBuilder(name=name, severity=severity)
        self._builder.check_at_least(0, min_probability=min_probability, forget_after_s=forget_after_s)
        self._people = {self._checked(key, person_id): key for key, person_id in people.items()}
        self._min_probability = min_probability
        self._alerted = DedupSet(forget_after_s=forget_after_s)

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        """Return an alert if a track shows a listed person for the first time."""
        listed = self._people.get(sighting.person_id)
        if listed is None or sighting.probability < self._min_probability:
            return []
        if not self._alerted.is_first(sighting):
            return []
        return [self._builder.issue(sighting, started_at=sighting.first.captured_at, message=_message(listed))]

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Return nothing."""
        return []

    def on_correction(self, correction: Correction) -> None:
        """Let the list follow its people and those who name them; who is merged is listed under the kept number."""
        self._alerted.on_correction(correction)
        if correction.kind is CorrectionKind.MERGED:
            kept, absorbed = correction.person_ids
            if absorbed in self._people:
                self._people.setdefault(kept, self._people.pop(absorbed))
        elif correction.kind is CorrectionKind.NAMED and correction.name:
            self._people[correction.person_ids[0]] = correction.name
        elif correction.kind in (CorrectionKind.NAMED, CorrectionKind.ERASED):
            for person_id in correction.person_ids:
                self._people.pop(person_id, None)

    def reconsider(self, alert: Alert) -> Alert | None:
        """Return the alert about whom it now concerns, or None if that person is not on the list."""
        listed = self._people.get(alert.person_id)
        return None if listed is None else replace(alert, message=_message(listed))

    def snapshot(self) -> bytes:
        """Return the list as it stands, and whom was told of."""
        return serialise((list(self._people.items()), self._alerted.snapshot()))

    def restore(self, state: bytes) -> None:
        """Know what another one knew. Raises ``WireFormatError`` as ``Stateful``."""
        people, alerted = deserialise(state, tuple[list[tuple[int, str]], bytes])
        self._people = dict(people)
        self._alerted.restore(alerted)

    def _checked(self, key: str, person_id: object) -> int:
        if not isinstance(person_id, int) or isinstance(person_id, bool):
            raise self._builder.wrong(f"people.{key}", "a person's number", person_id)
        return person_id


def _message(listed: str) -> str:
    return f"{listed!r} of the watch list is here."
