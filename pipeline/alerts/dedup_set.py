"""The people and tracks that a rule has already raised an alert about."""

from pipeline.alerts.expiring_map import ExpiringMap
from pipeline.core import Correction, CorrectionKind, Sighting, TrackId


class DedupSet:
    """Lets a rule raise one alert per person and track.

    Args:
        forget_after_s: Seconds after which a track that is not seen any more is forgotten.
    """

    def __init__(self, *, forget_after_s: float) -> None:
        self._alerted: ExpiringMap[tuple[int, TrackId], float] = ExpiringMap(forget_after_s=forget_after_s)

    def is_first(self, sighting: Sighting) -> bool:
        """Return whether this is the first alert about this person in this track, and remember it."""
        key, at = (sighting.person_id, sighting.track_id), sighting.last.captured_at
        is_first = self._alerted.get(key) is None
        self._alerted.set(key, at, at=at)
        return is_first

    def on_correction(self, correction: Correction) -> None:
        """Move the entries of an absorbed person to the kept one."""
        if correction.kind is not CorrectionKind.MERGED:
            return
        kept, absorbed = correction.person_ids
        for (person_id, track_id), at in self._alerted.items():
            if person_id == absorbed:
                self._alerted.pop((absorbed, track_id))
                self._alerted.set((kept, track_id), max(at, self._alerted.get((kept, track_id)) or at), at=at)

    def snapshot(self) -> bytes:
        """Return the state."""
        return self._alerted.snapshot()

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        self._alerted.restore(state, list[tuple[tuple[int, TrackId], float, float]])
