"""Routes of privacy: what is kept, the audit, and export and erasure of a person."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response
from pydantic import Field

from connectors.console.api.people import PersonId
from connectors.console.api.permissions import Administrator, Operator, Viewer, check_sees_all
from connectors.console.app_state import AppState
from connectors.console.store.accounts import User
from connectors.console.store.export import record_zip
from connectors.console.store.ledger_view import may_correct
from pipeline.core import CommandKind, CorrectionCommand, TrackPart

ERASE_TIMEOUT_S = 120.0
"""Seconds that the pipeline may take to erase a person; the answer says "pending" then.

A busy run takes half a minute. A larger value occupies one of the threads that answer requests for longer.
"""

POLL_S = 0.2
"""Seconds between two looks at the state of the erasure."""

MAX_AUDIT = 500
"""Entries of the audit that are listed, the newest."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a person is erased, and the number once more, so that nobody erases by mistake."""

    number: Annotated[int, Field(ge=1, le=2**62)]

    reason: Annotated[str, Field(max_length=500)] = ""


class PrivacyRoutes:
    """Routes of privacy.

    Args:
        state: State of the page.
    """

    def __init__(self, state: AppState) -> None:
        self._state = state

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api", tags=["privacy"])
        add = router.add_api_route
        add("/privacy", self.privacy, methods=["GET"], summary="Get what is kept, and for how long")
        add("/audit", self.audit, methods=["GET"], summary="List who did what, newest first")
        export, erase = "/people/{person_id}/export.zip", "/people/{person_id}/erase"
        add("/people/{person_id}/erase", self.would_erase, methods=["GET"], summary="Tell what an erasure would delete")
        add(export, self.export, methods=["GET"], summary="Export all data of a person", response_class=Response)
        add(erase, self.erase, methods=["POST"], summary="Erase a person, and show what is left")
        return router

    def privacy(self, user: Viewer) -> dict[str, Any]:
        """What is kept of the cameras that the user may see, and for how long."""
        settings = self._state.settings
        num_pictures, num_clips, num_bytes = self._state.pictures.held(user.sees)
        return {
            "keep_pictures_s": settings.keep_pictures_s,
            "max_picture_bytes": settings.max_picture_bytes,
            "num_pictures": num_pictures,
            "num_clips": num_clips,
            "num_bytes": num_bytes,
            "blurs_live_heads": self._state.site_file.site().blur_heads,
            "is_live": self._state.is_live,
        }

    def audit(self, user: Administrator) -> list[dict[str, Any]]:
        """Who did what: the audit of the ledger, newest first. Needs a user who sees all cameras."""
        check_sees_all(user, "the audit is of all cameras")
        return [
            {
                "number": entry.number,
                "at": entry.at,
                "by": entry.by,
                "what": entry.action,
                "about": "; ".join(filter(None, (entry.subject, entry.reason))),
                "subject": entry.subject,
                "reason": entry.reason,
            }
            for entry in reversed(self._state.ledger_view.audit()[-MAX_AUDIT:])
        ]

    def export(self, user: Operator, person_id: PersonId) -> Response:
        """All data of a person, as a zip; heads of others are made unrecognisable in pictures and films."""
        person_id = self._correctable(person_id, user)
        ledger_view = self._state.ledger_view
        record = {
            "person": person_id,
            "sightings": ledger_view.sightings_of(person_id, user),
            "corrections": ledger_view.corrections_of(person_id, user),
            "alerts": [
                {"key": alert.key, "at": alert.raised_at, "message": alert.message}
                for alert in ledger_view.alerts()
                if ledger_view.current_id(alert.person_id) == person_id
            ],
        }
        parts = [event.part for event in ledger_view.events_of(person_id) if event.part is not None]
        archive = record_zip(person_id, parts, record, self._state.pictures, by=user.name)
        self._state.notes.audit(user.name, "export", f"person {person_id}")
        name = f"person-{person_id}.zip"
        return Response(
            archive,
            media_type="application/zip",
            headers={"content-disposition": f'attachment; filename="{name}"'},
        )

    def would_erase(self, user: Operator, person_id: PersonId) -> dict[str, Any]:
        """What an erasure of a person would delete, and which films it would write again."""
        person_id = self._correctable(person_id, user)
        ledger_view, pictures = self._state.ledger_view, self._state.pictures
        parts = [event.part for event in ledger_view.events_of(person_id) if event.part is not None]
        alerts = [alert for alert in ledger_view.alerts() if ledger_view.current_id(alert.person_id) == person_id]
        return {
            "person": person_id,
            "sightings": len(parts),
            "pictures": sum(pictures.get(part) is not None for part in parts),
            "enrolled": sum(
                self._state.enrolled.count(part)
                for each in ledger_view.listed()
                if each.person_id == person_id
                for part in each.parts
            ),
            "alerts": len(alerts),
            "films": [film.name for film in self._state.films()],
            "video_s": self._video_s(parts),
        }

    def erase(self, user: Operator, person_id: PersonId, why: Reason) -> dict[str, Any]:
        """Erase a person's events, pictures and notes; the answer says what was there and what is left."""
        if why.number != person_id:
            raise HTTPException(422, "number: expected the number of the person to erase, typed once more")
        person_id = self._correctable(person_id, user)
        ledger_view, pictures = self._state.ledger_view, self._state.pictures
        parts = [event.part for event in ledger_view.events_of(person_id) if event.part is not None]
        keys = [alert.key for alert in ledger_view.alerts() if ledger_view.current_id(alert.person_id) == person_id]
        num_rows = ledger_view.num_rows(parts)
        films = self._state.films()
        num_pictures = sum(pictures.get(part) is not None for part in parts)
        video_s = self._video_s(parts)
        number = self._state.submit(
            CorrectionCommand(CommandKind.ERASE, (person_id,), user.name, time.time(), reason=why.reason)
        )
        state, outcome = self._outcome(number)
        films_now = self._state.write_films_again(films) if state == "done" else ""
        if state == "done":
            # Pictures that arrived while the pipeline applied the command are deleted too.
            self._state.follow()
            pictures.drop(parts)
            self._state.notes.forget_parts(parts)
            self._state.notes.forget_alerts(keys)
            ledger_view.forget(parts)
        return {
            "person": person_id,
            "correction": number,
            "state": state,
            "outcome": outcome,
            "films": films_now,
            "was_there": {
                "sightings": len(parts),
                "rows": num_rows,
                "pictures": num_pictures,
                "alerts": len(keys),
                "video_s": video_s,
            },
            "is_left": {
                "sightings": len(ledger_view.events_of(person_id)),
                "pictures": sum(pictures.get(part) is not None for part in parts),
                "people": int(ledger_view.person(person_id) is not None),
                "rows": ledger_view.num_rows(parts),
                "video_s": self._video_s(parts),
            },
            "not_touched": "data that left the system: Kafka topics, webhooks, and earlier exports",
        }

    def _video_s(self, parts: Sequence[TrackPart]) -> float:
        """Return the seconds of recorded video that show some parts of tracks, in whole segments."""
        recording = self._state.recording()
        return 0.0 if recording is None else recording.seconds_with(parts)

    def _outcome(self, number: int) -> tuple[str, str]:
        """Wait for a command to be applied; return its state and its outcome."""
        give_up_at = time.monotonic() + ERASE_TIMEOUT_S
        while True:
            submitted = self._state.ledger_view.command(number)
            assert submitted is not None
            if submitted.state != "pending" or time.monotonic() > give_up_at:
                return submitted.state, submitted.outcome
            time.sleep(POLL_S)

    def _correctable(self, person_id: int, user: User) -> int:
        """Return the person's current ID; 404 unless the user may see all of the person's cameras."""
        person_id = self._state.ledger_view.current_id(person_id)
        is_listed = any(each.person_id == person_id for each in self._state.ledger_view.listed())
        is_unseen = is_listed and self._state.ledger_view.person(person_id) is None
        if not (is_unseen and user.cameras is None) and not may_correct(
            user, {person_id: self._state.ledger_view.person(person_id)}
        ):
            raise HTTPException(404, "there is no such person, or you may not see all of their cameras")
        return person_id
