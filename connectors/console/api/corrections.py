"""Routes of corrections: commands of operators, applied by the pipeline, or at once after the run has ended."""

import time
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import Field

from connectors.console.api.people import asked_part
from connectors.console.api.permissions import Operator, Viewer
from connectors.console.app_state import AppState
from connectors.console.store.accounts import User
from connectors.console.store.ledger_view import may_correct
from pipeline.core import CommandKind, CorrectionCommand, TrackPart
from pipeline.core.errors import ConfigError
from pipeline.ledger import SubmittedCommand
from pipeline.ledger.corrections.resolve import together_text

PersonId = Annotated[int, Field(ge=1, le=2**62)]
CommandNumber = Annotated[int, Path(ge=1, le=2**62)]
Person = Annotated[int, Query(ge=1, le=2**62)]
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
    """A correction that an operator asks for; see ``pipeline.core.records.correction_command``."""

    kind: CommandKind
    person_ids: Annotated[tuple[PersonId, ...], Field(min_length=1, max_length=2)]
    parts: Annotated[tuple[PartRequest, ...], Field(max_length=MAX_PARTS)] = ()
    name: Annotated[str, Field(max_length=100)] = ""
    reason: Annotated[str, Field(max_length=500)] = ""
    force: bool = False


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
        add("/together", self.together, methods=["GET"], summary="Tell whether two people were seen at the same time")
        add("/{number}", self.command, methods=["GET"], summary="Get the state of a correction")
        add("/{number}/undo", self.undo, methods=["POST"], status_code=202, summary="Undo a correction")
        return router

    def commands(self, user: Viewer) -> list[dict[str, Any]]:
        """The newest corrections that operators asked for, newest first."""
        newest = self._state.ledger_view.newest_commands(MAX_SHOWN)
        return [self._shown(submitted) for submitted in newest if self._sees(user, submitted)]

    def command(self, user: Viewer, number: CommandNumber) -> dict[str, Any]:
        """A correction and its state: pending, done or refused."""
        return self._shown(self._visible(self._submitted(number), user))

    def submit(self, user: Operator, asked: CorrectionRequest) -> dict[str, Any]:
        """Submit a correction. It is applied when its state is ``done``."""
        if asked.kind is CommandKind.ERASE:
            raise HTTPException(422, "kind: expected POST /api/people/{person_id}/erase for this, got erase")
        if asked.kind is CommandKind.UNDO:
            raise HTTPException(422, "kind: expected POST /api/corrections/{number}/undo for this, got undo")
        parts = tuple(part.track_part() for part in asked.parts)
        return self._submit(user, asked, parts)

    def undo(self, user: Operator, number: CommandNumber) -> dict[str, Any]:
        """Make a correction as if it had never been given: numbers, names, alerts and labels are those of before."""
        submitted = self._visible(self._submitted(number), user)
        if number not in self._state.ledger_view.undoable():
            raise HTTPException(409, f"expected a correction that is done and not undone, got a {submitted.state} one")
        command = CorrectionCommand(CommandKind.UNDO, (), user.name, time.time(), undoes=number)
        undo = self._state.submit(command)
        self._state.follow()  # after a run it is applied by now; a label that led to it is taken back
        return self._shown(self._submitted(undo))

    def together(self, user: Operator, one: Person, two: Person) -> dict[str, Any]:
        """Where and when two people were seen at the same time; such a merge needs ``force``."""
        ledger_view = self._state.ledger_view
        people = ledger_view.current_id(one), ledger_view.current_id(two)
        if not may_correct(user, {person_id: ledger_view.person(person_id) for person_id in people}):
            raise HTTPException(404, "there is no such person, or you may not see all of their cameras")
        found = ledger_view.seen_together(*people)
        return {"num": len(found), "text": together_text(found) if found else ""}

    def _submit(
        self,
        user: User,
        asked: CorrectionRequest,
        parts: tuple[TrackPart, ...],
    ) -> dict[str, Any]:
        ledger_view = self._state.ledger_view
        people = tuple(ledger_view.current_id(person_id) for person_id in asked.person_ids)
        found = {person_id: ledger_view.person(person_id) for person_id in people}
        if not may_correct(user, found):
            raise HTTPException(404, "there is no such person, or you may not see all of their cameras")
        if not all(user.sees(part.track_id.camera_id) for part in parts):
            raise HTTPException(403, "you may not see all of these cameras")
        try:
            command = CorrectionCommand(
                asked.kind, people, user.name, time.time(), parts, asked.name, asked.reason, force=asked.force
            )
            number = self._state.submit(command)
        except ConfigError as error:
            raise HTTPException(422, str(error)) from error
        return self._shown(self._submitted(number))

    def _submitted(self, number: int) -> SubmittedCommand:
        submitted = self._state.ledger_view.command(number)
        if submitted is None:
            raise HTTPException(404, "there is no such correction")
        return submitted

    def _visible(self, submitted: SubmittedCommand, user: User) -> SubmittedCommand:
        if not self._sees(user, submitted):
            raise HTTPException(404, "there is no such correction")
        return submitted

    def _sees(self, user: User, submitted: SubmittedCommand) -> bool:
        """Return whether a user may read a correction: own ones, and those about people whom they see everywhere."""
        command, ledger_view = submitted.command, self._state.ledger_view
        if user.cameras is None or command.by == user.name:
            return True
        people = {one: ledger_view.person(ledger_view.current_id(one)) for one in command.person_ids}
        return bool(people) and may_correct(user, people)

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
            "undoes": command.undoes or None,
            "can_undo": submitted.number in self._state.ledger_view.undoable(),
        }
