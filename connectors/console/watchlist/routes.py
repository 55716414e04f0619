"""Routes of the watch-list: enrol people by pictures or by a sighting, change how they are listed, take them off."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, HTTPException, Path, Request
from fastapi.responses import Response
from pydantic import Field

from connectors.console.api.permissions import Operator, Viewer, check_sees_all
from connectors.console.api.upload import ACCEPTED, UPLOADED, read_upload
from connectors.console.app_state import AppState
from connectors.console.camera.best_pictures import encoded
from connectors.console.search.network_answers import QUALITY, as_text, from_networks
from connectors.console.store.accounts import User
from connectors.console.store.ledger_view import may_correct
from connectors.console.watchlist.listed import Listed, told_by
from connectors.console.watchlist.pictures import Image
from pipeline.core import CommandKind, CorrectionCommand, Listing, TrackId, TrackPart
from pipeline.core.errors import ConfigError
from pipeline.core.records.track import ENROLLED
from pipeline.embedding.enrolment import judge

MAX_PICTURES = 12
"""Pictures by which a person is enrolled at once. More make the embedding slower and hardly better."""

MAX_SIMILAR = 3
"""People shown who may be the one in a picture; more clutter the page with improbable ones."""

LONGEST_S = 10 * 366 * 86400.0
"""Seconds that somebody is listed at most if an end is given. A larger value lets a slip of the keyboard pass."""

BY_ALL = "who is enrolled by pictures is looked for by all cameras"
"""Why who enrols by pictures sees all cameras."""

PersonNumber = Annotated[int, Field(ge=1, le=2**62)]
PersonPath = Annotated[int, Path(ge=1, le=2**62)]
PicturePath = Annotated[int, Path(ge=0, le=10_000)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Reason = Annotated[str, Field(max_length=500)]


@dataclass(frozen=True, slots=True)
class Entry:
    """How somebody is on the watch-list."""

    name: Name
    reason: Reason = ""
    expires_at: float | None = None
    severity: Literal["", "info", "warning", "critical"] = ""

    def listing(self) -> Listing:
        """Return the listing; 422 if it is over already, or the name cannot be read."""
        if not self.name.strip() or not self.name.isprintable():
            raise HTTPException(422, "name: expected text that can be read, got blanks or signs that are not shown")
        now = time.time()
        if self.expires_at is not None and not now < self.expires_at < now + LONGEST_S:
            raise HTTPException(422, "expires_at: expected a moment to come, within ten years; choose a later day")
        return Listing(self.severity, self.expires_at)


@dataclass(frozen=True, slots=True)
class NewEntry(Entry):
    """Somebody to put on the watch-list: by judged pictures, by their number, or by both."""

    pictures: Annotated[tuple[Annotated[str, Field(max_length=100)], ...], Field(max_length=MAX_PICTURES)] = ()
    person: PersonNumber | None = None


@dataclass(frozen=True, slots=True)
class Removal:
    """Why somebody is taken off the watch-list."""

    reason: Reason = ""


class WatchlistRoutes:
    """Routes of the watch-list.

    Args:
        state: State of the page.
    """

    def __init__(self, state: AppState) -> None:
        self._state = state

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api/watchlist", tags=["watch-list"])
        add = router.add_api_route
        judged = f"Judge a picture of a person: {ACCEPTED}"
        taken = "Take a person off the watch-list, and forget the pictures by which they were enrolled"
        add("", self.people, methods=["GET"], summary="List the people on the watch-list, and who is told of them")
        add("", self.enrol, methods=["POST"], status_code=202, summary="Put a person on the watch-list")
        add("/picture", self.judge, methods=["POST"], summary=judged, openapi_extra={"requestBody": UPLOADED})
        add("/{person_id}", self.change, methods=["PUT"], status_code=202, summary="Change how a person is listed")
        add("/{person_id}/remove", self.remove, methods=["POST"], status_code=202, summary=taken)
        picture = "Get a picture by which a person was enrolled"
        add("/{person_id}/{number}", self.picture, methods=["GET"], summary=picture, response_class=Response)
        return router

    def people(self, user: Viewer) -> dict[str, Any]:
        """The people on the list whom the user may see, by name, and which sinks send alerts of each severity."""
        shown = [self._shown(each) for each in self._state.ledger_view.listed() if self._may_see(user, each)]
        known = {each["person"] for each in shown}
        fixed = self._state.site_file.site().listed if user.cameras is None else {}
        shown += [
            {"person": number, "name": name, "is_fixed": True, "by": "configuration", "pictures": 0}
            for name, number in fixed.items()
            if number not in known
        ]
        return {
            "people": sorted(shown, key=lambda each: str(each["name"]).lower()),
            "told": told_by(self._state.site_file.site().sinks),
            "may_enrol": user.cameras is None,
        }

    async def judge(self, user: Operator, request: Request) -> dict[str, Any]:
        """What is wrong with a picture, the part of it that would be used, and who in the run looks like that."""
        check_sees_all(user, BY_ALL)
        return await self._state.turns.take(self._judge, user, await request.body())

    def enrol(self, user: Operator, new: NewEntry) -> dict[str, Any]:
        """Put somebody on the list. It holds when the state of the correction is ``done``."""
        listing = new.listing()
        person = None if new.person is None else self._correctable(new.person, user)
        if not new.pictures:
            if person is None:
                raise HTTPException(422, "pictures: expected pictures, or the number of a person who was seen")
            return self._submit(user, CommandKind.NAME, (person,), name=new.name, reason=new.reason, listing=listing)
        check_sees_all(user, BY_ALL)
        images = self._state.uploads.find(new.pictures, user.name)
        if images is None:
            raise HTTPException(410, "pictures: expected pictures judged in the last minutes; choose them again")
        track_id = TrackId(ENROLLED, int(time.time()), 1 + secrets.randbelow(2**31))
        embedding = from_networks("enrolment by pictures", lambda: self._state.networks.enrolment(images, track_id))
        part = TrackPart(track_id, embedding.part)
        submitted = self._submit(
            user,
            CommandKind.ENROL,
            () if person is None else (person,),
            parts=(part,),
            name=new.name,
            reason=new.reason,
            listing=listing,
            embedding=embedding,
        )
        self._state.enrolled.put(part, [encoded(np.ascontiguousarray(image), QUALITY) for image in images])
        self._state.uploads.drop(new.pictures)
        return submitted

    def change(self, user: Operator, person_id: PersonPath, entry: Entry) -> dict[str, Any]:
        """Change name, reason, end and severity of somebody on the list."""
        listed = self._listed(person_id, user)
        values = {"name": entry.name, "reason": entry.reason, "listing": entry.listing()}
        return self._submit(user, CommandKind.NAME, (listed.person_id,), **values)

    def remove(self, user: Operator, person_id: PersonPath, why: Removal) -> dict[str, Any]:
        """Take somebody off the list; their sightings stay."""
        return self._submit(user, CommandKind.UNLIST, (self._listed(person_id, user).person_id,), reason=why.reason)

    def picture(self, user: Viewer, person_id: PersonPath, number: PicturePath) -> Response:
        """A picture by which a person was enrolled, a JPEG."""
        listed = self._listed(person_id, user)
        self._state.notes.audit_look(user.name, "pictures on the watch-list of person", str(listed.person_id))
        for part in listed.parts:
            count = self._state.enrolled.count(part)
            if number < count and (jpeg := self._state.enrolled.get(part, number)) is not None:
                return Response(jpeg, media_type="image/jpeg", headers={"cache-control": "no-store"})
            number -= count
        raise HTTPException(404, "there is no such picture")

    def _judge(self, user: User, data: bytes) -> dict[str, Any]:
        image = read_upload(data)
        found = judge(image, from_networks("enrolment by pictures", lambda: self._state.networks.people_in(image)))
        self._state.notes.audit(
            user.name,
            "watch-list",
            f"judged a picture: {', '.join(found.faults)}" if found.faults else "judged a picture: good",
        )
        if found.box_xyxy is None:
            return {"upload": None, "picture": as_text(image), "faults": found.faults, "similar": []}
        left, top, right, bottom = found.box_xyxy
        crop = np.ascontiguousarray(image[top:bottom, left:right])
        return {
            "upload": self._state.uploads.hold(crop, user.name),
            "picture": as_text(crop),
            "faults": found.faults,
            "similar": self._similar(crop, user),
        }

    def _similar(self, crop: Image, user: User) -> list[dict[str, Any]]:
        """Return who in the run looks like the person in a picture, the most probable first."""
        ranked, _ = from_networks(
            "enrolment by pictures", lambda: self._state.similarity.rank(crop, user, limit=MAX_SIMILAR)
        )
        return [
            {
                "person": each.person_id,
                "probability": round(each.probability, 4),
                "picture": {"track": str(each.part.track_id), "part": each.part.part},
            }
            for each in ranked
        ]

    def _shown(self, listed: Listed) -> dict[str, Any]:
        person = self._state.ledger_view.person(listed.person_id)
        best = next(iter(self._state.ledger_view.newest_parts_of([listed.person_id]).get(listed.person_id, ())), None)
        return {
            "person": listed.person_id,
            "name": listed.name,
            "is_fixed": False,
            "by": listed.by,
            "at": listed.at,
            "reason": listed.reason,
            "severity": listed.listing.severity,
            "expires_at": listed.listing.expires_at,
            "pictures": sum(map(self._state.enrolled.count, listed.parts)),
            "last_seen_at": None if person is None else person.last_seen_at,
            "picture": None if best is None else {"track": str(best.track_id), "part": best.part},
        }

    def _listed(self, person: int, user: User) -> Listed:
        number = self._state.ledger_view.current_id(person)
        found = next((each for each in self._state.ledger_view.listed() if each.person_id == number), None)
        if found is None or not self._may_see(user, found):
            raise HTTPException(404, "nobody of this number is on the watch-list, or you may not see all their cameras")
        return found

    def _may_see(self, user: User, listed: Listed) -> bool:
        """Return whether a user may see an entry: those who see some cameras see whom only these have seen."""
        person = self._state.ledger_view.person(listed.person_id)
        return user.cameras is None or may_correct(user, {listed.person_id: person})

    def _correctable(self, person: int, user: User) -> int:
        number = self._state.ledger_view.current_id(person)
        if not may_correct(user, {number: self._state.ledger_view.person(number)}):
            raise HTTPException(404, "there is no such person, or you may not see all of their cameras")
        return number

    def _submit(self, user: User, kind: CommandKind, people: Sequence[int], **values: Any) -> dict[str, Any]:
        try:
            command = CorrectionCommand(kind, tuple(people), user.name, time.time(), **values)
            number = self._state.submit(command)
        except ConfigError as error:
            raise HTTPException(422, str(error)) from error
        self._state.follow()
        submitted = self._state.ledger_view.command(number)
        assert submitted is not None
        return {"number": number, "state": submitted.state, "outcome": submitted.outcome}
