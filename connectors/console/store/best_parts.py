"""Which part of a track has the best picture: of the track, and of a person."""

from collections.abc import Collection

from connectors.console.store.accounts import User
from connectors.console.store.ledger_view import LedgerView
from connectors.console.store.pictures import PictureStore
from pipeline.core import TrackId, TrackPart
from pipeline.ledger import NOBODY


class BestParts:
    """Looks up the best pictures that a user may see, those of each track once.

    Args:
        ledger_view: The ledger.
        pictures: Pictures of sightings.
        user: Who asks.
        person_ids: The people who will be asked for.
    """

    def __init__(
        self, ledger_view: LedgerView, pictures: PictureStore, user: User, person_ids: Collection[int]
    ) -> None:
        self._ledger_view = ledger_view
        self._pictures = pictures
        self._user = user
        self._parts_of = ledger_view.newest_parts_of(person_ids)
        self._qualities: dict[TrackId, dict[int, float]] = {}
        self._ranked: dict[int, list[TrackPart]] = {}

    def of_track(self, track_id: TrackId) -> TrackPart | None:
        """Return the part of a track with the best picture; None if there is no picture."""
        parts = [TrackPart(track_id, part) for part in self._of(track_id)]
        now = self._ledger_view.persons_at(parts)
        best = self._best([part for part, shown in zip(parts, now, strict=True) if shown != NOBODY])
        return None if best is None else best[1]

    def of_person(self, person_id: int, *, other_than: TrackId | None = None) -> TrackPart | None:
        """Return the part of the newest ones of a person with the best picture; None if there is no picture.

        Args:
            person_id: The person.
            other_than: A track that is left out.
        """
        if person_id not in self._ranked:
            of_track: dict[TrackId, list[TrackPart]] = {}
            for part in self._parts_of.get(person_id, ()):
                of_track.setdefault(part.track_id, []).append(part)
            best = [found for parts in of_track.values() if (found := self._best(parts)) is not None]
            self._ranked[person_id] = [part for _, part in sorted(best, reverse=True)]
        return next((part for part in self._ranked[person_id] if part.track_id != other_than), None)

    def _best(self, parts: Collection[TrackPart]) -> tuple[float, TrackPart] | None:
        seen = ((self._of(part.track_id).get(part.part), part) for part in parts)
        return max(((quality, part) for quality, part in seen if quality is not None), default=None)

    def _of(self, track_id: TrackId) -> dict[int, float]:
        if track_id not in self._qualities:
            can_see = self._user.sees(track_id.camera_id)
            self._qualities[track_id] = self._pictures.qualities(track_id) if can_see else {}
        return self._qualities[track_id]
