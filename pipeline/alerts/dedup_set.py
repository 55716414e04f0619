"""Whom a rule has already told of."""

from pipeline.alerts.expiring_map import ExpiringMap
from pipeline.core import Correction, CorrectionKind, Sighting, TrackId


class DedupSet:
    """Lets a rule tell of a person once a track.

    Args:
        forget_after_s: Seconds after which a track that was not seen is forgotten.
    """

    def __init__(self, *, forget_after_s: float) -> None:
        self._alerted: ExpiringMap[tuple[int, TrackId], float] = ExpiringMap(forget_after_s=forget_after_s)

    def is_first(self, sighting: Sighting) -> bool:
        """Return whether this person was not told of in this track before, and take it as told."""
        key, at = (sighting.person_id, sighting.track_id), sighting.last.captured_at
        is_first = self._alerted.get(key) is None
        self._alerted.set(key, at, at=at)
        return is_first

    def on_correction(self, correction: Correction) -> None:
        """Take the kept person as told of where the absorbed one was."""
        if correction.kind is not CorrectionKind.MERGED:
            return
        kept, absorbed = correction.person_ids
        for (person_id, track_id), at in self._alerted.items():
            if person_id == absorbed:
                self._alerted.pop((absorbed, track_id))
                self._alerted.set((kept, track_id), max(at, self._alerted.get((kept, track_id)) or at), at=at)

    def snapshot(self) -> bytes:
        """Return whom was told of."""
        return self._alerted.snapshot()

    def restore(self, state: bytes) -> None:
        """Know what another one knew. Raises ``WireFormatError`` as ``Stateful``."""
        self._alerted.restore(state, list[tuple[tuple[int, TrackId], float, float]])
