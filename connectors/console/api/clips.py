"""Routes of clips: a few small frames of each part of a track, to be played one after the other."""

import json
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

from connectors.console.api.people import PartNumber, PersonId, TrackName, asked_part
from connectors.console.api.permissions import Operator, Viewer
from connectors.console.store.journey import journey_film
from connectors.console.store.ledger_view import LedgerView
from connectors.console.store.notes import NotesStore
from connectors.console.store.pictures import PictureStore

TIMES_HEADER = "x-captured-at"
"""Header of a clip: a JSON array with the Unix seconds of each frame."""


class ClipRoutes:
    """Routes of clips.

    Args:
        ledger_view: The ledger.
        pictures: Pictures and clips of sightings.
        notes: Writes the audit.
    """

    def __init__(self, ledger_view: LedgerView, pictures: PictureStore, notes: NotesStore) -> None:
        self._ledger_view = ledger_view
        self._pictures = pictures
        self._notes = notes

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api", tags=["clips"])
        add = router.add_api_route
        add("/clips", self.clips, methods=["GET"], summary="List the parts of a track that have a clip")
        clip = "Get a clip: the frames side by side in one JPEG, their times in a header"
        add("/clip", self.clip, methods=["GET"], summary=clip, response_class=Response)
        journey = "Get the journey of a person as one film: the clips of all cameras in order of time"
        film = "/people/{person_id}/journey.mp4"
        add(film, self.journey, methods=["GET"], summary=journey, response_class=Response)
        return router

    def journey(self, user: Operator, person_id: PersonId) -> Response:
        """The journey of a person in the cameras that the user may see, an MP4; heads of others are unrecognisable."""
        number = self._ledger_view.current_id(person_id)
        parts = [event.part for event in self._ledger_view.events_of(number) if user.sees(event.camera_id or "")]
        clips = [clip for part in parts if part is not None and (clip := self._pictures.clip(part)) is not None]
        if not clips:
            raise HTTPException(404, "no clip of this person is kept")
        film = journey_film(clips)
        self._notes.audit(user.name, "export", f"journey of person {number}")
        headers = {"content-disposition": f'attachment; filename="journey-{number}.mp4"'}
        return Response(film, media_type="video/mp4", headers=headers)

    def clips(self, user: Viewer, track: TrackName) -> list[dict[str, Any]]:
        """The parts of a track that have a clip, in order."""
        track_id = asked_part(track, 0).track_id
        if not user.sees(track_id.camera_id):
            raise HTTPException(404, "there is no such track")
        return [{"track": track, "part": part} for part in self._pictures.parts_with_clip(track_id)]

    def clip(self, user: Viewer, track: TrackName, part: PartNumber) -> Response:
        """The frames of a part of a track, all of one width."""
        which = asked_part(track, part)
        clip = self._pictures.clip(which) if user.sees(which.track_id.camera_id) else None
        if clip is None:
            raise HTTPException(404, "there is no clip of this part of a track")
        headers = {"cache-control": "private, max-age=60", TIMES_HEADER: json.dumps(clip.captured_at)}
        return Response(clip.jpeg, media_type="image/jpeg", headers=headers)
