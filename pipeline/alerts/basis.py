"""Which parts of tracks an alert stands on: what a correction has to move for the alert to move with them."""

from pipeline.core import Alert, Correction, CorrectionKind, Sighting, TrackPart
from pipeline.core.serialisation import deserialise, serialise


class AlertBasis:
    """Remembers who was seen when, as far as needed to say what an alert was concluded from.

    Args:
        max_parts: The newest parts of tracks that are remembered, at least 1.
    """

    def __init__(self, *, max_parts: int) -> None:
        self._max_parts = max_parts
        # Person, first and last Unix second of each part, in the order in which they were seen.
        self._seen: dict[TrackPart, tuple[int, float, float]] = {}

    def add(self, sighting: Sighting) -> None:
        """Remember a sighting."""
        part = TrackPart(sighting.track_id, sighting.part)
        self._seen.pop(part, None)
        self._seen[part] = (sighting.person_id, sighting.first.captured_at, sighting.last.captured_at)
        while len(self._seen) > self._max_parts:
            del self._seen[next(iter(self._seen))]

    def parts_of(self, alert: Alert) -> frozenset[TrackPart]:
        """Return the parts an alert stands on.

        Of each track that it names these are the parts of its person between its beginning and the time it was
        raised or, if there is none, the last one before.
        """
        of_person = [
            (part, first_at, last_at)
            for part, (person_id, first_at, last_at) in self._seen.items()
            if person_id == alert.person_id and part.track_id in alert.evidence and first_at <= alert.raised_at
        ]
        during = {part for part, _, last_at in of_person if last_at >= alert.started_at}
        latest = {part.track_id: part for part, _, _ in sorted(of_person, key=lambda entry: (entry[2], entry[0]))}
        shown = {part.track_id for part in during}
        return frozenset(during | {part for track_id, part in latest.items() if track_id not in shown})

    def on_correction(self, correction: Correction) -> None:
        """Let parts follow their people."""
        if correction.kind is CorrectionKind.SPLIT:
            for part in correction.parts:
                if part in self._seen:
                    self._seen[part] = (correction.person_ids[1], *self._seen[part][1:])
        elif correction.kind is CorrectionKind.MERGED:
            kept, absorbed = correction.person_ids
            for part, (person_id, first_at, last_at) in self._seen.items():
                if person_id == absorbed:
                    self._seen[part] = (kept, first_at, last_at)
        elif correction.kind is CorrectionKind.ERASED:
            erased = frozenset(correction.person_ids)
            self._seen = {part: seen for part, seen in self._seen.items() if seen[0] not in erased}

    def snapshot(self) -> bytes:
        """Return who was seen when."""
        return serialise(list(self._seen.items()))

    def restore(self, state: bytes) -> None:
        """Remember what another one did. Raises ``WireFormatError`` as ``Stateful``."""
        self._seen = dict(deserialise(state, list[tuple[TrackPart, tuple[int, float, float]]]))
