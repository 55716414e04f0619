"""The people and tracks that a rule has already raised an alert about."""

from pipeline.alerts.expiring_map import ExpiringMap
from pipeline.core import Correction, CorrectionKind, Sighting, TrackId
from pipeline.core.moves import moves_of


class DedupSet:
    """Lets a rule raise one alert per person and track.

    Args:
        forget_after_s: Seconds after which a track that is not seen any more is forgotten.
    """

    def __init__(self, *, forget_after_s: float) -> None:
        self._alerted: ExpiringMap[tuple[int, TrackId], bool] = ExpiringMap(forget_after_s=forget_after_s)

    def is_first(self, sighting: Sighting) -> bool:
        """Return whether this is the first alert about this person in this track, and remember it."""
        key = sighting.person_id, sighting.track_id
        is_first = self._alerted.get(key) is None
        self._alerted.set(key, True, at=sighting.last.captured_at)
        return is_first

    def on_correction(self, correction: Correction) -> None:
        """Move the entries of people who move as a whole; a split leaves entries with their track's first person.

        An undone merge leaves entries with both people: neither is told twice.
        """
        for move in moves_of(correction):
            for (person_id, track_id), _ in self._alerted.items():
                if correction.kind is CorrectionKind.UNDONE and move.parts and person_id == move.source:
                    if move.target is not None and track_id in {part.track_id for part in move.parts}:
                        self._alerted.copy((person_id, track_id), (move.target, track_id))
                elif move.parts is None and person_id == move.source:
                    target = None if move.target is None else (move.target, track_id)
                    self._alerted.move((person_id, track_id), target)

    def snapshot(self) -> bytes:
        """Return the state."""
        return self._alerted.snapshot()

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        self._alerted.restore(state, list[tuple[tuple[int, TrackId], float, bool]])
