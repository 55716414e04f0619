"""Routes of people: where and when each person was seen, and why the pipeline decided so."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query
from fastapi.responses import Response

from connectors.console.api.permissions import Viewer
from connectors.console.store.accounts import User
from connectors.console.store.best_parts import BestParts
from connectors.console.store.ledger_view import GOES_ON, LedgerView
from connectors.console.store.notes import NotesStore
from connectors.console.store.pictures import PictureStore
from connectors.console.store.recent_events import probability, runner_up
from pipeline.core import TrackId, TrackPart
from pipeline.ledger import NOBODY, Person

PersonId = Annotated[int, Path(ge=1, le=2**62)]
TrackName = Annotated[str, Query(min_length=5, max_length=300)]
PartNumber = Annotated[int, Query(ge=0, le=2**31)]
Moment = Annotated[float | None, Query(ge=-1e15, le=1e15)]

MAX_CANDIDATES = 12
"""Other people listed whom a person may be; more clutter the page with improbable ones."""


class PeopleRoutes:
    """Routes of people.

    Args:
        ledger_view: The ledger.
        pictures: Pictures of sightings.
        notes: Writes the audit.
    """

    def __init__(self, ledger_view: LedgerView, pictures: PictureStore, notes: NotesStore) -> None:
        self._ledger_view = ledger_view
        self._pictures = pictures
        self._notes = notes

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api", tags=["people"])
        add = router.add_api_route
        about_person = "Get a person: sightings, corrections, and others whom the person may be"
        add("/people", self.people, methods=["GET"], summary="Search people by number, camera and time")
        add("/people/{person_id}", self.person, methods=["GET"], summary=about_person)
        about_preview = "Get a person's picture and where the person was seen"
        add("/people/{person_id}/preview", self.preview, methods=["GET"], summary=about_preview)
        add("/why", self.why, methods=["GET"], summary="Explain why a part of a track was given its person")
        picture = "Get the picture of a part of a track"
        add("/picture", self.picture, methods=["GET"], summary=picture, response_class=Response)
        return router

    def people(
        self,
        user: Viewer,
        number: Annotated[int | None, Query(ge=1, le=2**62)] = None,
        name: Annotated[str | None, Query(max_length=100)] = None,
        camera: Annotated[str | None, Query(max_length=200)] = None,
        since: Moment = None,
        until: Moment = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 60,
        offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
    ) -> dict[str, Any]:
        """People who fit all filters, the newest first; times are Unix seconds of event time."""
        if asked := _asked(number, name, camera, since, until):
            self._notes.audit(user.name, "search", asked)
        found = self._ledger_view.people(user)
        if number is not None:
            number = self._ledger_view.current_id(number)
            found = [person for person in found if person.person_id == number]
        if name:
            found = [person for person in found if name.casefold() in person.name.casefold()]
        if camera is not None or since is not None or until is not None:
            cameras = [name for name in self._ledger_view.cameras() if camera in (None, name) and user.sees(name)]
            there = self._ledger_view.seen(cameras, since, until)
            found = [person for person in found if person.person_id in there]
        page = found[offset : offset + limit]
        return {"people": self._with_faces(page, user), "num": len(found)}

    def preview(self, user: Viewer, person_id: PersonId) -> dict[str, Any]:
        """One person without sightings: what is looked at before a merge. The audit calls it a look, not a search."""
        person = self._visible(self._ledger_view.current_id(person_id), user)
        self._notes.audit_look(user.name, "person", person.person_id)
        return self._with_faces([person], user)[0]

    def person(self, user: Viewer, person_id: PersonId) -> dict[str, Any]:
        """One person; the number of a merged person leads to the person that was kept."""
        person = self._visible(self._ledger_view.current_id(person_id), user)
        self._notes.audit_look(user.name, "person", person.person_id)
        sightings = self._ledger_view.sightings_of(person.person_id, user)
        return {
            **shown_person(person),
            "asked_for": person_id,
            "sightings": self._with_pictures(sightings),
            "corrections": self._ledger_view.corrections_of(person.person_id, user),
            "candidates": self._candidates(person.person_id, user),
        }

    def why(self, user: Viewer, track: TrackName, part: PartNumber) -> dict[str, Any]:
        """Why a part of a track has its person: the sighting, and pictures of the person and of the runner-up."""
        which = asked_part(track, part)
        event = self._ledger_view.sighting(which)
        if event is None or not user.sees(which.track_id.camera_id):
            raise HTTPException(404, "there is no such sighting")
        shown = self._ledger_view.shown(event, user)
        if shown["runner_up"] is not None and not self._is_visible(shown["runner_up"], user):
            shown["runner_up"] = None
        if shown["gates"] == [GOES_ON]:
            shown["linked_by"] = self._linking(which, user)
        others = [person_id for person_id in (shown["person"], shown["runner_up"]) if person_id not in (None, NOBODY)]
        faces = self._best_parts(others, user, other_than=which.track_id)
        return {
            **self._with_pictures([shown])[0],
            "person_picture": faces.get(shown["person"]),
            "runner_up_picture": faces.get(shown["runner_up"]),
        }

    def picture(self, user: Viewer, track: TrackName, part: PartNumber) -> Response:
        """The best picture of a part of a track, a JPEG."""
        which = asked_part(track, part)
        picture = self._pictures.get(which) if user.sees(which.track_id.camera_id) else None
        if picture is None:
            raise HTTPException(404, "there is no picture of this part of a track")
        return Response(picture.jpeg, media_type="image/jpeg", headers={"cache-control": "private, max-age=60"})

    def _linking(self, part: TrackPart, user: User) -> dict[str, Any] | None:
        """Return the decision that linked the track segment of a part to its person; None if it is gone."""
        for number in range(part.part - 1, -1, -1):
            event = self._ledger_view.sighting(TrackPart(part.track_id, number))
            if event is None:
                return None
            shown = self._ledger_view.shown(event, user)
            if shown["gates"] != [GOES_ON]:
                if shown["runner_up"] is not None and not self._is_visible(shown["runner_up"], user):
                    shown["runner_up"] = None
                return shown
        return None

    def _is_visible(self, person_id: int, user: User) -> bool:
        return self._ledger_view.person_for(person_id, user) is not None

    def _visible(self, person_id: int, user: User) -> Person:
        person = self._ledger_view.person_for(person_id, user)
        if person is None:
            raise HTTPException(404, "there is no such person")
        return person

    def _with_pictures(self, sightings: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return sightings with the quality of the picture of each; None where there is no picture."""
        by_track = {track: self._pictures.qualities(TrackId.parse(track)) for track in {s["track"] for s in sightings}}
        return [{**shown, "quality": by_track[shown["track"]].get(shown["part"])} for shown in sightings]

    def _with_faces(self, people: Sequence[Person], user: User) -> list[dict[str, Any]]:
        """Return people as JSON objects, each with its best picture."""
        faces = self._best_parts([person.person_id for person in people], user)
        return [{**shown_person(person), "picture": faces.get(person.person_id)} for person in people]

    def _best_parts(
        self, person_ids: Sequence[int], user: User, *, other_than: TrackId | None = None
    ) -> dict[int, dict[str, Any]]:
        """Return the part of a track with the best picture of each person; from ``other_than`` only if need be."""
        best = BestParts(self._ledger_view, self._pictures, user, set(person_ids))
        faces = {each: best.of_person(each, other_than=other_than) or best.of_person(each) for each in person_ids}
        return {
            each: {"track": str(part.track_id), "part": part.part} for each, part in faces.items() if part is not None
        }

    def _candidates(self, person_id: int, user: User) -> list[dict[str, Any]]:
        """Return others whom this person may be, ranked by the probability that the pipeline gave them."""
        chances: dict[int, float] = {}
        for event in self._ledger_view.uncertain():
            assert event.part is not None
            owner, other = (
                self._ledger_view.person_of(event.part),
                self._ledger_view.current_id(runner_up(event) or NOBODY),
            )
            if NOBODY in (owner, other) or owner == other or person_id not in (owner, other):
                continue
            candidate = other if owner == person_id else owner
            chances[candidate] = max(chances.get(candidate, 0.0), 1.0 - probability(event))
        ranked = sorted(chances, key=lambda each: -chances[each])[:MAX_CANDIDATES]
        faces = self._best_parts(ranked, user)
        return [
            {"person": each, "probability": round(chances[each], 4), "picture": faces[each]}
            for each in ranked
            if each in faces
        ]


def shown_person(person: Person) -> dict[str, Any]:
    """Return a person as a JSON object."""
    return {
        "person": person.person_id,
        "name": person.name,
        "num_sightings": person.num_sightings,
        "first_seen_at": person.first_seen_at,
        "last_seen_at": person.last_seen_at,
        "cameras": person.camera_ids,
    }


def _asked(number: int | None, name: str | None, camera: str | None, since: float | None, until: float | None) -> str:
    """Return in words what people are searched by, for the audit; empty if by nothing. Times are of events."""
    parts = (
        None if number is None else f"number {number}",
        f"name {name}" if name else None,
        None if camera is None else f"camera {camera}",
        None if since is None else f"from {since:.3f}",
        None if until is None else f"until {until:.3f}",
    )
    return "; ".join(part for part in parts if part is not None)


def asked_part(track: str, part: int) -> TrackPart:
    """Return the part of a track that a request names; 422 if the track is malformed."""
    try:
        return TrackPart(TrackId.parse(track), part)
    except ValueError as error:
        raise HTTPException(422, "track: expected camera/session/number") from error
