"""What is kept of people, handing it out, and forgetting it."""

import time
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response
from pydantic import Field

from connectors.console.api.people import PersonId
from connectors.console.api.permissions import Administrator, Operator, Viewer
from connectors.console.app_state import AppState
from connectors.console.store.accounts import User
from connectors.console.store.export import record_zip
from connectors.console.store.ledger_view import may_correct
from pipeline.core import CommandKind, CorrectionCommand

ERASE_PATIENCE_S = 20.0
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Reason:
    """Why somebody is to be forgotten."""

    reason: Annotated[str, Field(max_length=500)] = ""


class PrivacyRoutes:
    """Routes of privacy.

    Args:
        state: What the page works with.
    """

    def __init__(self, state: AppState) -> None:
        self._state = state

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api", tags=["privacy"])
        add = router.add_api_route
        add("/privacy", self.privacy, methods=["GET"], summary="What is kept, and for how long")
        add("/audit", self.audit, methods=["GET"], summary="Who did what, newest first")
        export, erase = "/people/{person_id}/export.zip", "/people/{person_id}/erase"
        add(export, self.export, methods=["GET"], summary="All that is kept of a person", response_class=Response)
        add(erase, self.erase, methods=["POST"], summary="Forget a person, and prove it")
        return router

    def privacy(self, user: Viewer) -> dict[str, Any]:
        """What is kept, and for how long."""
        settings, pictures = self._state.settings, self._state.pictures
        return {
            "keep_pictures_s": settings.keep_pictures_s,
            "max_picture_bytes": settings.max_picture_bytes,
            "num_pictures": pictures.num_pictures(),
            "num_clips": pictures.num_clips(),
            "num_bytes": pictures.num_bytes(),
            "blurs_heads_on_wall": self._state.site_file.site().blur_heads,
            "is_live": self._state.is_live,
        }

    def audit(self, user: Administrator) -> list[dict[str, Any]]:
        """Who did what: the audit of the ledger, newest first."""
        return [
            {
                "number": entry.number,
                "at": entry.at,
                "by": entry.by,
                "what": entry.action,
                "about": "; ".join(filter(None, (entry.subject, entry.reason))),
            }
            for entry in reversed(self._state.ledger_view.audit()[-500:])
        ]

    def export(self, user: Operator, person_id: PersonId) -> Response:
        """All that is kept of a person, as a zip; heads of others are made unrecognisable in pictures and films."""
        person_id = self._correctable(person_id, user)
        ledger_view = self._state.ledger_view
        record = {
            "person": person_id,
            "sightings": ledger_view.sightings_of(person_id, user),
            "corrections": ledger_view.corrections_of(person_id),
            "alerts": [
                {"key": alert.key, "at": alert.raised_at, "message": alert.message}
                for alert in ledger_view.alerts()
                if ledger_view.kept_for(alert.person_id) == person_id
            ],
        }
        parts = [event.part for event in ledger_view.events_of(person_id) if event.part is not None]
        archive = record_zip(person_id, parts, record, self._state.pictures, by=user.name)
        self._state.notes.note(user.name, "export", f"person {person_id}")
        name = f"person-{person_id}.zip"
        return Response(
            archive,
            media_type="application/zip",
            headers={"content-disposition": f'attachment; filename="{name}"'},
        )

    def erase(self, user: Operator, person_id: PersonId, why: Reason) -> dict[str, Any]:
        """Forget a person: events, pictures and notes; returns what was there and what is left."""
        person_id = self._correctable(person_id, user)
        ledger_view, pictures = self._state.ledger_view, self._state.pictures
        parts = [event.part for event in ledger_view.events_of(person_id) if event.part is not None]
        keys = [alert.key for alert in ledger_view.alerts() if ledger_view.kept_for(alert.person_id) == person_id]
        num_rows = ledger_view.num_rows(parts)
        num_pictures = sum(pictures.get(part) is not None for part in parts)
        number = self._state.place(
            CorrectionCommand(CommandKind.ERASE, (person_id,), user.name, time.time(), reason=why.reason)
        )
        state, outcome = self._outcome(number)
        if state == "done":
            # Pictures that came while the line carried the order out go as well.
            self._state.follow()
            pictures.drop(parts)
            self._state.notes.forget_parts(parts)
            self._state.notes.forget_alerts(keys)
            ledger_view.forget(parts)
        return {
            "person": person_id,
            "order": number,
            "state": state,
            "outcome": outcome,
            "was_there": {"sightings": len(parts), "rows": num_rows, "pictures": num_pictures, "alerts": len(keys)},
            "is_left": {
                "sightings": len(ledger_view.events_of(person_id)),
                "pictures": sum(pictures.get(part) is not None for part in parts),
                "people": int(ledger_view.person(person_id) is not None),
                "rows": ledger_view.num_rows(parts),
            },
            "not_touched": "what was sent away: Kafka topics, webhooks, and copies that were handed out before",
        }

    def _outcome(self, number: int) -> tuple[str, str]:
        """Wait for an order to be carried out; return its state and what came of it."""
        give_up_at = time.monotonic() + ERASE_PATIENCE_S
        while True:
            placed = next(each for each in reversed(self._state.ledger_view.commands()) if each.number == number)
            if placed.state != "pending" or time.monotonic() > give_up_at:
                return placed.state, placed.outcome
            time.sleep(POLL_S)

    def _correctable(self, person_id: int, user: User) -> int:
        """Return the number that somebody has now; 404 unless the user sees all of them."""
        person_id = self._state.ledger_view.kept_for(person_id)
        if not may_correct(user, {person_id: self._state.ledger_view.person(person_id)}):
            raise HTTPException(404, "there is no such person, or not all of their cameras are yours")
        return person_id
