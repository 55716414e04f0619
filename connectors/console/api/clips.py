"""Routes of clips: a few small frames of each part of a track, to be played one after the other."""

import json
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

from connectors.console.api.people import PartNumber, TrackName, asked_part
from connectors.console.api.permissions import Viewer
from connectors.console.store.pictures import PictureStore

TIMES_HEADER = "x-captured-at"
"""Header of a clip: a JSON array with the Unix seconds of each frame."""


class ClipRoutes:
    """Routes of clips.

    Args:
        pictures: Pictures and clips of sightings.
    """

    def __init__(self, pictures: PictureStore) -> None:
        self._pictures = pictures

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api", tags=["clips"])
        add = router.add_api_route
        add("/clips", self.clips, methods=["GET"], summary="List the parts of a track that have a clip")
        clip = "Get a clip: the frames side by side in one JPEG, their times in a header"
        add("/clip", self.clip, methods=["GET"], summary=clip, response_class=Response)
        return router

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
