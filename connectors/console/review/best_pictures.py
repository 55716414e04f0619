"""The best picture of a track, and of a person."""

from collections.abc import Collection

from connectors.console.store.accounts import User
from connectors.console.store.ledger_view import LedgerView
from connectors.console.store.pictures import PictureStore
from pipeline.core import TrackId, TrackPart
from pipeline.ledger import NOBODY


class BestPictures:
    """Looks up the best pictures that a user may see, each track and person once.

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
        self._of_track: dict[TrackId, tuple[float, TrackPart] | None] = {}
        self._of_person: dict[int, list[TrackPart]] = {}

    def of_track(self, track_id: TrackId) -> TrackPart | None:
        """Return the part of a track with the best picture; None if there is no picture."""
        found = self._track(track_id)
        return None if found is None else found[1]

    def of_person(self, person_id: int, *, other_than: TrackId) -> TrackPart | None:
        """Return the part with the best picture of a person, from any other of the newest tracks; None if none is."""
        if person_id not in self._of_person:
            tracks = dict.fromkeys(part.track_id for part in self._parts_of.get(person_id, ()))
            ranked = sorted((each for each in map(self._track, tracks) if each is not None), reverse=True)
            now = self._ledger_view.persons_at([part for _, part in ranked])
            mine = [part for (_, part), shown in zip(ranked, now, strict=True) if shown == person_id]
            self._of_person[person_id] = mine[:2]
        return next((part for part in self._of_person[person_id] if part.track_id != other_than), None)

    def _track(self, track_id: TrackId) -> tuple[float, TrackPart] | None:
        if track_id not in self._of_track:
            qualities = self._pictures.qualities(track_id) if self._user.sees(track_id.camera_id) else {}
            parts = [TrackPart(track_id, part) for part in qualities]
            now = self._ledger_view.persons_at(parts)
            known = [(qualities[part.part], part) for part, shown in zip(parts, now, strict=True) if shown != NOBODY]
            self._of_track[track_id] = max(known, default=None)
        return self._of_track[track_id]
