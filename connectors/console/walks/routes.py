"""Routes of the page of the floor plan: where people walked on the ground, camera by camera."""

from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query

from connectors.console.api.permissions import Viewer
from connectors.console.store.ledger_view import LedgerView
from connectors.console.store.notes import NotesStore
from connectors.console.store.recent_events import Span
from connectors.console.store.site import SiteReader

Moment = Annotated[float, Query(ge=-1e15, le=1e15)]

MAX_S = 3600.0
"""Seconds of walks in one answer; more make it slower."""

MAX_TRACKS = 5000
"""Tracks in one answer, the newest. More make the page slow."""


class WalkRoutes:
    """Routes of walks on the ground.

    Args:
        ledger_view: The ledger.
        site: Says where the ground lies in the pictures.
        notes: Writes the audit.
    """

    def __init__(self, ledger_view: LedgerView, site: SiteReader, notes: NotesStore) -> None:
        self._ledger_view = ledger_view
        self._site = site
        self._notes = notes

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api/floor", tags=["walks"])
        add = router.add_api_route
        add("", self.cameras, methods=["GET"], summary="Get the cameras whose ground is known, and when")
        add("/walks", self.walks, methods=["GET"], summary="List where people walked on the ground")
        return router

    def cameras(self, user: Viewer) -> dict[str, Any]:
        """The cameras with and without a ground plane, the ground that each saw, and when somebody walked there."""
        ground = self._site.site().ground
        seen = [camera_id for camera_id in self._site.site().cameras if user.sees(camera_id)]
        known = [camera_id for camera_id in seen if camera_id in ground]
        extent = self._ledger_view.extent_of_tracks(set(known))
        areas = self._ledger_view.areas() if known else {}
        return {
            "cameras": known,
            "without_ground": [camera_id for camera_id in seen if camera_id not in ground],
            "areas": {camera_id: areas[camera_id] for camera_id in known if camera_id in areas},
            "extent": extent,
        }

    def walks(self, user: Viewer, since: Moment, until: Moment) -> dict[str, Any]:
        """Each track that was seen between two moments of event time: whom it shows, and ``[at, x, y]``, in metres.

        A place is that of the last box of each part of a track: every few seconds.
        """
        if not 0 < until - since <= MAX_S:
            got = f"{until - since:g} s"
            raise HTTPException(422, f"until: expected a time after since, by at most {MAX_S:g} s, got {got}")
        site = self._site.site()
        cameras = {camera_id for camera_id in site.ground if user.sees(camera_id)}
        found = list(islice(self._ledger_view.tracks_between(cameras, since, until), MAX_TRACKS + 1))
        self._notes.audit_look(user.name, "the floor plan of cameras", sorted(cameras))
        walks = [walk for spans in found[:MAX_TRACKS] for walk in self._walks_of(spans)]
        numbers = {walk["person"] for walk in walks}
        people = {person_id: self._ledger_view.person_for(person_id, user) for person_id in numbers}
        return {
            "walks": walks,
            "names": {person_id: person.name for person_id, person in people.items() if person and person.name},
            "is_cut": len(found) > MAX_TRACKS,
        }

    def _walks_of(self, spans: list[tuple[Span, int]]) -> list[dict[str, Any]]:
        """Return the walks of one track: one, or several if it was split between people."""
        walks: list[dict[str, Any]] = []
        for span, person_id in spans:
            track_id = span.part.track_id
            place = self._site.site().place(track_id.camera_id, span.box_xyxy)
            if place is None:
                continue
            if not walks or walks[-1]["person"] != person_id:
                about = {"track": str(track_id), "camera": track_id.camera_id, "person": person_id}
                walks.append({**about, "from": span.first_at, "places": []})
            walks[-1]["places"].append([span.last_at, *place])
        return walks
