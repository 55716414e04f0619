"""Corrections by operators: orders in the ledger, carried out by the line, or at once where it has ended."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path
from pydantic import Field

from connectors.console.api.permissions import Operator, Viewer
from connectors.console.app_state import Desk
from connectors.console.store.accounts import User
from connectors.console.store.ledger_view import may_correct
from connectors.console.store.recent_events import part_of
from pipeline.core import Order, OrderKind, TrackPart
from pipeline.core.errors import ConfigError
from pipeline.ledger import PlacedOrder

PersonId = Annotated[int, Field(ge=1, le=2**62)]
OrderNumber = Annotated[int, Path(ge=1, le=2**62)]
MAX_PARTS = 5000


@dataclass(frozen=True, slots=True)
class AskedPart:
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
class AskedOrder:
    """What an operator wants; see ``pipeline.core.correction_command``."""

    kind: OrderKind
    person_ids: Annotated[tuple[PersonId, ...], Field(min_length=1, max_length=2)]
    parts: Annotated[tuple[AskedPart, ...], Field(max_length=MAX_PARTS)] = ()
    name: Annotated[str, Field(max_length=100)] = ""
    reason: Annotated[str, Field(max_length=500)] = ""


class OrderRoutes:
    """Routes of corrections.

    Args:
        desk: What the page works with.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api/orders", tags=["corrections"])
        add = router.add_api_route
        add("", self.orders, methods=["GET"], summary="What operators ordered, newest first")
        add("", self.place, methods=["POST"], status_code=202, summary="Merge, split, confirm, reject or name")
        add("/{number}", self.order, methods=["GET"], summary="What came of an order")
        add("/{number}/undo", self.undo, methods=["POST"], status_code=202, summary="Undo a merge or a split")
        return router

    def orders(self, user: Viewer) -> list[dict[str, Any]]:
        """What operators ordered, newest first."""
        return [self._shown(placed) for placed in reversed(self._desk.story.orders()[-200:])]

    def order(self, user: Viewer, number: OrderNumber) -> dict[str, Any]:
        """What came of an order: pending, done or refused."""
        return self._shown(self._placed(number))

    def place(self, user: Operator, asked: AskedOrder) -> dict[str, Any]:
        """Order a correction. It is done when its state says so."""
        if asked.kind is OrderKind.ERASE:
            raise HTTPException(422, "kind: expected POST /api/people/{person_id}/erase for this, got erase")
        parts = tuple(part.track_part() for part in asked.parts)
        return self._place(user, asked.kind, asked.person_ids, parts, asked.name, asked.reason)

    def undo(self, user: Operator, number: OrderNumber) -> dict[str, Any]:
        """Undo a merge by a split, and a split by a merge."""
        placed = self._placed(number)
        story, order = self._desk.story, placed.order
        if placed.state != "done" or order.kind not in (OrderKind.MERGE, OrderKind.SPLIT):
            raise HTTPException(409, "expected a merge or a split that was done")
        parts = self._desk.journal.moved_parts(number)
        if order.kind is OrderKind.MERGE:
            kept = story.kept_for(order.person_ids[0])
            parts = tuple(part for part in parts if story.person_of(part) == kept)
            if not parts:
                raise HTTPException(409, "nothing of that merge is left to undo")
            return self._place(user, OrderKind.SPLIT, (kept,), parts, "", f"undoes order {number}")
        now = {story.person_of(part) for part in parts} - {-1}
        before = story.kept_for(order.person_ids[0])
        if len(now) != 1 or before in now:
            raise HTTPException(409, "nothing of that split is left to undo")
        return self._place(user, OrderKind.MERGE, (before, *now), (), "", f"undoes order {number}")

    def _place(
        self,
        user: User,
        kind: OrderKind,
        person_ids: Sequence[int],
        parts: tuple[TrackPart, ...],
        name: str,
        reason: str,
    ) -> dict[str, Any]:
        story = self._desk.story
        people = tuple(story.kept_for(person_id) for person_id in person_ids)
        found = {person_id: story.person(person_id) for person_id in people}
        if not may_correct(user, found):
            raise HTTPException(404, "there is no such person, or not all of their cameras are yours")
        if not all(user.sees(part.track_id.camera_id) for part in parts):
            raise HTTPException(403, "not all of these cameras are yours")
        try:
            number = self._desk.place(Order(kind, people, user.name, time.time(), parts, name, reason))
        except ConfigError as error:
            raise HTTPException(422, str(error)) from error
        return self._shown(self._placed(number))

    def _placed(self, number: int) -> PlacedOrder:
        for placed in reversed(self._desk.story.orders()):
            if placed.number == number:
                return placed
        raise HTTPException(404, "there is no such order")

    def _shown(self, placed: PlacedOrder) -> dict[str, Any]:
        order = placed.order
        return {
            "number": placed.number,
            "kind": order.kind,
            "person_ids": order.person_ids,
            "by": order.by,
            "at": order.at,
            "reason": order.reason,
            "state": placed.state,
            "outcome": placed.outcome,
            "name": order.name,
            "can_undo": placed.state == "done" and order.kind in (OrderKind.MERGE, OrderKind.SPLIT),
        }
