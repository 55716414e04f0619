"""Corrections by operators: orders in the ledger, carried out by the line, or at once where it has ended."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path
from pydantic import Field

from connectors.console.api.permissions import Operator, Viewer
from connectors.console.app_state import AppState
from connectors.console.store.accounts import User
from connectors.console.store.ledger_view import may_correct
from connectors.console.store.recent_events import part_of
from pipeline.core import CommandKind, CorrectionCommand, TrackPart
from pipeline.core.errors import ConfigError
from pipeline.ledger import SubmittedCommand

PersonId = Annotated[int, Field(ge=1, le=2**62)]
CommandNumber = Annotated[int, Path(ge=1, le=2**62)]
MAX_PARTS = 5000


@dataclass(frozen=True, slots=True)
class PartRequest:
    """A part of a track."""

    track: Annotated[str, Field(min_length=5, max_length=300)]
    part: Annotated[int, Field(ge=0, le=2**31)]

    def track_part(self) -> TrackPart:
        """Return it as the ledger names it; 422 if it is none."""
        try:
            return part_of(self.track, self.part)
        except ValueError as error:
            raise HTTPException(422, "track: expected camera/session/number") from error


@dataclass(frozen=True, slots=True)
class CorrectionRequest:
    """What an operator wants; see ``pipeline.core.correction_command``."""

    kind: CommandKind
    person_ids: Annotated[tuple[PersonId, ...], Field(min_length=1, max_length=2)]
    parts: Annotated[tuple[PartRequest, ...], Field(max_length=MAX_PARTS)] = ()
    name: Annotated[str, Field(max_length=100)] = ""
    reason: Annotated[str, Field(max_length=500)] = ""


class CorrectionRoutes:
    """Routes of corrections.

    Args:
        state: What the page works with.
    """

    def __init__(self, state: AppState) -> None:
        self._state = state

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api/orders", tags=["corrections"])
        add = router.add_api_route
        add("", self.commands, methods=["GET"], summary="What operators ordered, newest first")
        add("", self.place, methods=["POST"], status_code=202, summary="Merge, split, confirm, reject or name")
        add("/{number}", self.command, methods=["GET"], summary="What came of an order")
        add("/{number}/undo", self.undo, methods=["POST"], status_code=202, summary="Undo a merge or a split")
        return router

    def commands(self, user: Viewer) -> list[dict[str, Any]]:
        """What operators ordered, newest first."""
        return [self._shown(submitted) for submitted in reversed(self._state.ledger_view.commands()[-200:])]

    def command(self, user: Viewer, number: CommandNumber) -> dict[str, Any]:
        """What came of an order: pending, done or refused."""
        return self._shown(self._placed(number))

    def place(self, user: Operator, asked: CorrectionRequest) -> dict[str, Any]:
        """Order a correction. It is done when its state says so."""
        if asked.kind is CommandKind.ERASE:
            raise HTTPException(422, "kind: expected POST /api/people/{person_id}/erase for this, got erase")
        parts = tuple(part.track_part() for part in asked.parts)
        return self._place(user, asked.kind, asked.person_ids, parts, asked.name, asked.reason)

    def undo(self, user: Operator, number: CommandNumber) -> dict[str, Any]:
        """Undo a merge by a split, and a split by a merge."""
        submitted = self._placed(number)
        ledger_view, command = self._state.ledger_view, submitted.command
        if submitted.state != "done" or command.kind not in (CommandKind.MERGE, CommandKind.SPLIT):
            raise HTTPException(409, "expected a merge or a split that was done")
        parts = self._state.notes.moved_parts(number)
        if command.kind is CommandKind.MERGE:
            kept = ledger_view.kept_for(command.person_ids[0])
            parts = tuple(part for part in parts if ledger_view.person_of(part) == kept)
            if not parts:
                raise HTTPException(409, "nothing of that merge is left to undo")
            return self._place(user, CommandKind.SPLIT, (kept,), parts, "", f"undoes order {number}")
        now = {ledger_view.person_of(part) for part in parts} - {-1}
        before = ledger_view.kept_for(command.person_ids[0])
        if len(now) != 1 or before in now:
            raise HTTPException(409, "nothing of that split is left to undo")
        return self._place(user, CommandKind.MERGE, (before, *now), (), "", f"undoes order {number}")

    def _place(
        self,
        user: User,
        kind: CommandKind,
        person_ids: Sequence[int],
        parts: tuple[TrackPart, ...],
        name: str,
        reason: str,
    ) -> dict[str, Any]:
        ledger_view = self._state.ledger_view
        people = tuple(ledger_view.kept_for(person_id) for person_id in person_ids)
        found = {person_id: ledger_view.person(person_id) for person_id in people}
        if not may_correct(user, found):
            raise HTTPException(404, "there is no such person, or not all of their cameras are yours")
        if not all(user.sees(part.track_id.camera_id) for part in parts):
            raise HTTPException(403, "not all of these cameras are yours")
        try:
            number = self._state.place(CorrectionCommand(kind, people, user.name, time.time(), parts, name, reason))
        except ConfigError as error:
            raise HTTPException(422, str(error)) from error
        return self._shown(self._placed(number))

    def _placed(self, number: int) -> SubmittedCommand:
        for submitted in reversed(self._state.ledger_view.commands()):
            if submitted.number == number:
                return submitted
        raise HTTPException(404, "there is no such order")

    def _shown(self, submitted: SubmittedCommand) -> dict[str, Any]:
        command = submitted.command
        return {
            "number": submitted.number,
            "kind": command.kind,
            "person_ids": command.person_ids,
            "by": command.by,
            "at": command.at,
            "reason": command.reason,
            "state": submitted.state,
            "outcome": submitted.outcome,
            "name": command.name,
            "can_undo": submitted.state == "done" and command.kind in (CommandKind.MERGE, CommandKind.SPLIT),
        }
