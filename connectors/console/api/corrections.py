"""Routes of corrections: commands of operators, applied by the pipeline, or at once after the run has ended."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path
from pydantic import Field

from connectors.console.api.people import asked_part
from connectors.console.api.permissions import Operator, Viewer
from connectors.console.app_state import AppState
from connectors.console.store.accounts import User
from connectors.console.store.ledger_view import may_correct
from pipeline.core import CommandKind, CorrectionCommand, TrackPart
from pipeline.core.errors import ConfigError
from pipeline.ledger import NOBODY, SubmittedCommand

PersonId = Annotated[int, Field(ge=1, le=2**62)]
CommandNumber = Annotated[int, Path(ge=1, le=2**62)]
MAX_PARTS = 5000
"""Parts of tracks in one command, more than a person has in a day."""

MAX_SHOWN = 200
"""Commands listed, the newest."""


@dataclass(frozen=True, slots=True)
class PartRequest:
    """A part of a track."""

    track: Annotated[str, Field(min_length=5, max_length=300)]
    part: Annotated[int, Field(ge=0, le=2**31)]

    def track_part(self) -> TrackPart:
        """Return the part as the ledger names it; 422 if the track is malformed."""
        return asked_part(self.track, self.part)


@dataclass(frozen=True, slots=True)
class CorrectionRequest:
    """A correction that an operator asks for; see ``pipeline.core.correction_command``."""

    kind: CommandKind
    person_ids: Annotated[tuple[PersonId, ...], Field(min_length=1, max_length=2)]
    parts: Annotated[tuple[PartRequest, ...], Field(max_length=MAX_PARTS)] = ()
    name: Annotated[str, Field(max_length=100)] = ""
    reason: Annotated[str, Field(max_length=500)] = ""


class CorrectionRoutes:
    """Routes of corrections.

    Args:
        state: State of the page.
    """

    def __init__(self, state: AppState) -> None:
        self._state = state

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api/corrections", tags=["corrections"])
        add = router.add_api_route
        add("", self.commands, methods=["GET"], summary="List corrections, newest first")
        add("", self.submit, methods=["POST"], status_code=202, summary="Merge, split, confirm, reject or name")
        add("/{number}", self.command, methods=["GET"], summary="Get the state of a correction")
        add("/{number}/undo", self.undo, methods=["POST"], status_code=202, summary="Undo a merge or a split")
        return router

    def commands(self, user: Viewer) -> list[dict[str, Any]]:
        """The newest corrections that operators asked for, newest first."""
        return [self._shown(submitted) for submitted in reversed(self._state.ledger_view.commands()[-MAX_SHOWN:])]

    def command(self, user: Viewer, number: CommandNumber) -> dict[str, Any]:
        """A correction and its state: pending, done or refused."""
        return self._shown(self._submitted(number))

    def submit(self, user: Operator, asked: CorrectionRequest) -> dict[str, Any]:
        """Submit a correction. It is applied when its state is ``done``."""
        if asked.kind is CommandKind.ERASE:
            raise HTTPException(422, "kind: expected POST /api/people/{person_id}/erase for this, got erase")
        parts = tuple(part.track_part() for part in asked.parts)
        return self._submit(user, asked.kind, asked.person_ids, parts, asked.name, asked.reason)

    def undo(self, user: Operator, number: CommandNumber) -> dict[str, Any]:
        """Undo a merge by a split, and a split by a merge."""
        submitted = self._submitted(number)
        ledger_view, command = self._state.ledger_view, submitted.command
        if submitted.state != "done" or command.kind not in (CommandKind.MERGE, CommandKind.SPLIT):
            raise HTTPException(
                409, f"expected a merge or a split that is done, got a {command.kind} {submitted.state}"
            )
        parts = self._state.notes.moved_parts(number)
        if command.kind is CommandKind.MERGE:
            kept = ledger_view.current_id(command.person_ids[0])
            parts = tuple(part for part in parts if ledger_view.person_of(part) == kept)
            if not parts:
                raise HTTPException(409, "nothing of that merge is left to undo")
            return self._submit(user, CommandKind.SPLIT, (kept,), parts, "", f"undoes correction {number}")
        now = {ledger_view.person_of(part) for part in parts} - {NOBODY}
        before = ledger_view.current_id(command.person_ids[0])
        if len(now) != 1 or before in now:
            raise HTTPException(409, "nothing of that split is left to undo")
        return self._submit(user, CommandKind.MERGE, (before, *now), (), "", f"undoes correction {number}")

    def _submit(
        self,
        user: User,
        kind: CommandKind,
        person_ids: Sequence[int],
        parts: tuple[TrackPart, ...],
        name: str,
        reason: str,
    ) -> dict[str, Any]:
        ledger_view = self._state.ledger_view
        people = tuple(ledger_view.current_id(person_id) for person_id in person_ids)
        found = {person_id: ledger_view.person(person_id) for person_id in people}
        if not may_correct(user, found):
            raise HTTPException(404, "there is no such person, or you may not see all of their cameras")
        if not all(user.sees(part.track_id.camera_id) for part in parts):
            raise HTTPException(403, "you may not see all of these cameras")
        try:
            number = self._state.submit(CorrectionCommand(kind, people, user.name, time.time(), parts, name, reason))
        except ConfigError as error:
            raise HTTPException(422, str(error)) from error
        return self._shown(self._submitted(number))

    def _submitted(self, number: int) -> SubmittedCommand:
        for submitted in reversed(self._state.ledger_view.commands()):
            if submitted.number == number:
                return submitted
        raise HTTPException(404, "there is no such correction")

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
