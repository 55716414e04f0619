"""The parts of tracks that an alert is based on: if a correction moves them, the alert moves too."""

from pipeline.core import Alert, Correction, Sighting, TrackId, TrackPart
from pipeline.core.records.moves import moves_of
from pipeline.core.serialisation import deserialise, serialise


class AlertBasis:
    """Remembers who was seen when, to find the parts of tracks behind an alert.

    Args:
        max_parts: Number of the newest parts of tracks to remember, at least 1.
    """

    def __init__(self, *, max_parts: int) -> None:
        self._max_parts = max_parts
        # Person, first and last Unix second of each part, in the order in which they were seen.
        self._seen: dict[TrackPart, tuple[int, float, float]] = {}
        self._of_track: dict[TrackId, dict[TrackPart, None]] = {}

    def add(self, sighting: Sighting) -> None:
        """Remember a sighting."""
        part = TrackPart(sighting.track_id, sighting.part)
        self._drop(part)
        self._seen[part] = (sighting.person_id, sighting.first.captured_at, sighting.last.captured_at)
        self._of_track.setdefault(part.track_id, {})[part] = None
        while len(self._seen) > self._max_parts:
            self._drop(next(iter(self._seen)))

    def parts_of(self, alert: Alert) -> frozenset[TrackPart]:
        """Return the parts that an alert is based on.

        For each track in its evidence, these are the parts that show its person between ``started_at`` and
        ``raised_at`` or, if there is none, the last part before.
        """
        of_evidence = [
            (part, *self._seen[part]) for track_id in alert.evidence for part in self._of_track.get(track_id, ())
        ]
        of_person = [
            (part, first_at, last_at)
            for part, person_id, first_at, last_at in of_evidence
            if person_id == alert.person_id and first_at <= alert.raised_at
        ]
        during = {part for part, _, last_at in of_person if last_at >= alert.started_at}
        latest = {part.track_id: part for part, _, _ in sorted(of_person, key=lambda entry: (entry[2], entry[0]))}
        shown = {part.track_id for part in during}
        return frozenset(during | {part for track_id, part in latest.items() if track_id not in shown})

    def on_correction(self, correction: Correction) -> None:
        """Move parts to the people they show now."""
        for move in moves_of(correction):
            for part, (person_id, first_at, last_at) in list(self._seen.items()):
                if not move.takes(part, person_id):
                    continue
                if move.target is None:
                    self._drop(part)
                else:
                    self._seen[part] = (move.target, first_at, last_at)

    def snapshot(self) -> bytes:
        """Return the state."""
        return serialise(list(self._seen.items()))

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        self._seen = dict(deserialise(state, list[tuple[TrackPart, tuple[int, float, float]]]))
        self._of_track = {}
        for part in self._seen:
            self._of_track.setdefault(part.track_id, {})[part] = None

    def _drop(self, part: TrackPart) -> None:
        if self._seen.pop(part, None) is not None:
            of_track = self._of_track[part.track_id]
            del of_track[part]
            if not of_track:
                del self._of_track[part.track_id]
