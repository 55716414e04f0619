"""A person on the watch-list appears."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.dedup_set import DedupSet
from pipeline.core import Alert, Correction, Sighting
from pipeline.core.moves import names_after
from pipeline.core.serialisation import deserialise, serialise


class WatchlistRule:
    """Raises an alert when a track shows a listed person, once per track.

    A listed person is given by number: that of a person seen before, or of a person enrolled from pictures.

    Args:
        name: Name of the rule.
        severity: info, warning or critical.
        people: Person ids by the name that an operator reads: ``{name: person_id}``.
        min_probability: In [0, 1]: sightings of lower probability are ignored.
        forget_after_s: Seconds after which a track that is not seen any more is forgotten.

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
        return [self._builder.build(sighting, started_at=sighting.first.captured_at, message=_message(listed))]

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Return nothing."""
        return []

    def on_correction(self, correction: Correction) -> None:
        """Update the list: naming adds or removes a person, a merge lists the absorbed person as the kept one."""
        self._alerted.on_correction(correction)
        self._people = names_after(self._people, correction)

    def reconsider(self, alert: Alert) -> Alert | None:
        """Return the alert worded for its present person, or None if that person is not on the list."""
        listed = self._people.get(alert.person_id)
        return None if listed is None else replace(alert, message=_message(listed))

    def snapshot(self) -> bytes:
        """Return the state, the present list included."""
        return serialise((list(self._people.items()), self._alerted.snapshot()))

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        people, alerted = deserialise(state, tuple[list[tuple[int, str]], bytes])
        self._people = dict(people)
        self._alerted.restore(alerted)

    def _checked(self, key: str, person_id: object) -> int:
        if not isinstance(person_id, int) or isinstance(person_id, bool):
            raise self._builder.wrong(f"people.{key}", "a person's number", person_id)
        return person_id


def _message(listed: str) -> str:
    return f"{listed!r} of the watch list is here."
