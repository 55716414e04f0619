"""Routes of search by picture: an uploaded picture, or the picture of a sighting."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, HTTPException, Query, Request
from numpy.typing import NDArray

from connectors.console.api.people import PartNumber, TrackName, asked_part, shown_person
from connectors.console.api.permissions import Operator, Viewer
from connectors.console.api.upload import ACCEPTED, UPLOADED, read_upload
from connectors.console.app_state import AppState
from connectors.console.search.network_answers import as_text, from_networks
from connectors.console.search.networks import BLANK, is_blank
from connectors.console.search.similarity import SimilarPerson, decoded
from connectors.console.store.accounts import User
from pipeline.core import TrackId

Limit = Annotated[int, Query(ge=1, le=100)]


MAX_FOUND = 6
"""People in an uploaded picture that are searched for, the largest; more make the search slower."""

MIN_WIDTH_PX, MIN_HEIGHT_PX = 8, 16
"""Smallest cut-out of a person, pixels; smaller ones are hard to recognise."""


class SearchRoutes:
    """Routes of search by picture.

    Args:
        state: State of the page.
    """

    def __init__(self, state: AppState) -> None:
        self._state = state

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api/search", tags=["search"])
        add = router.add_api_route
        upload = f"Search for the people in a picture: {ACCEPTED}"
        add("/sighting", self.by_sighting, methods=["GET"], summary="Search for the person of a sighting by picture")
        add("/picture", self.by_picture, methods=["POST"], summary=upload, openapi_extra={"requestBody": UPLOADED})
        return router

    async def by_sighting(self, user: Viewer, track: TrackName, part: PartNumber, limit: Limit = 24) -> dict[str, Any]:
        """People similar to the person of a sighting, the most probable first; its own track is left out."""
        return await self._state.turns.take(self._by_sighting, user, track, part, limit)

    def _by_sighting(self, user: User, track: str, part: int, limit: int) -> dict[str, Any]:
        which = asked_part(track, part)
        picture = self._state.pictures.get(which) if user.sees(which.track_id.camera_id) else None
        if picture is None:
            raise HTTPException(404, "there is no picture of this part of a track")
        self._state.notes.audit(user.name, "search", f"by the picture of {which}")
        return self._ranked(decoded(picture.jpeg), user, limit, other_than=which.track_id)

    async def by_picture(self, user: Operator, request: Request, limit: Limit = 24) -> dict[str, Any]:
        """People similar to each person in a picture. The picture is re-encoded, searched for, and not kept."""
        return await self._state.turns.take(self._by_picture, user, await request.body(), limit)

    def _by_picture(self, user: User, data: bytes, limit: int) -> dict[str, Any]:
        image = read_upload(data)
        if is_blank(image):
            raise HTTPException(422, BLANK)
        boxes = [
            box
            for box in from_networks("search by picture", lambda: self._state.networks.people_in(image))
            if box[2] - box[0] >= MIN_WIDTH_PX and box[3] - box[1] >= MIN_HEIGHT_PX
        ][:MAX_FOUND]
        height, width = image.shape[:2]
        self._state.notes.audit(user.name, "search", f"by a picture of {width}x{height} with {len(boxes)} people")
        crops = [image[top:bottom, left:right] for left, top, right, bottom in boxes] or [image]
        return {
            "is_whole": not boxes,
            "people": [{"picture": as_text(crop), **self._ranked(crop, user, limit)} for crop in crops],
        }

    def _ranked(
        self, image: NDArray[np.uint8], user: User, limit: int, *, other_than: TrackId | None = None
    ) -> dict[str, Any]:
        found, num_compared = from_networks(
            "search by picture", lambda: self._state.similarity.rank(image, user, limit=limit, other_than=other_than)
        )
        return {"num_compared": num_compared, "found": self._shown(found, user)}

    def _shown(self, found: Sequence[SimilarPerson], user: User) -> list[dict[str, Any]]:
        people = {person.person_id: person for person in self._state.ledger_view.people(user)}
        return [
            {
                **shown_person(people[each.person_id]),
                "probability": round(each.probability, 4),
                "picture": {"track": str(each.part.track_id), "part": each.part.part},
            }
            for each in found
            if each.person_id in people
        ]
