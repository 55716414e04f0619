"""Routes of what the run has learned of its site: proposals with their evidence, to accept or to reject."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query

from connectors.console.api.permissions import Administrator, check_sees_all
from connectors.console.api.rules import OF_ALL, RuleRoutes, finite
from connectors.console.app_state import AppState
from connectors.console.site_editing.learned import LearnedSite
from pipeline.association.proposals import Proposal
from pipeline.core.errors import DataError

Key = Annotated[str, Query(min_length=1, max_length=300)]
Reason = Annotated[str, Query(max_length=500)]


class LearnedRoutes:
    """Routes of what is learned. They need an administrator who sees all cameras.

    Args:
        state: State of the page.
        rules: Saves edits.
    """

    def __init__(self, state: AppState, rules: RuleRoutes) -> None:
        self._state = state
        self._rules = rules
        self._learned = LearnedSite(state.settings.output_dir, state.rules)

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api/learned", tags=["learned"])
        add = router.add_api_route
        add("", self.learned, methods=["GET"], summary="Get what the run has learned of its site, with the evidence")
        add("/accept", self.accept, methods=["POST"], summary="Accept a proposal: it becomes a version of the edits")
        add("/reject", self.reject, methods=["POST"], summary="Reject a proposal until the evidence changes")
        return router

    def learned(self, user: Administrator) -> list[dict[str, Any]]:
        """Offsets of clocks, overlaps and transit times that are worth accepting, with the evidence."""
        check_sees_all(user, OF_ALL)
        try:
            return [finite({**asdict(each), "key": each.key}) for each in self._learned.proposals()]
        except DataError as error:
            raise HTTPException(404, str(error)) from error

    def accept(self, user: Administrator, key: Key, reason: Reason = "") -> dict[str, Any]:
        """Save the site with a proposal; 409 if it is not proposed any more, or somebody else saved meanwhile."""
        check_sees_all(user, OF_ALL)
        proposal = self._proposal(key)
        base = self._state.rules().newest()
        text = self._learned.with_accepted(proposal, self._rules.whole())
        why = f"learned: {proposal.key}{': ' if reason else ''}{reason}"
        return self._rules.saved(user, text, why, base)

    def reject(self, user: Administrator, key: Key) -> dict[str, str]:
        """Reject a proposal; 409 if it is not proposed any more."""
        check_sees_all(user, OF_ALL)
        self._learned.reject(self._proposal(key), by=user.name)
        self._state.notes.audit(user.name, "proposal rejected", key)
        return {"key": key}

    def _proposal(self, key: str) -> Proposal:
        try:
            return self._learned.proposal(key)
        except DataError as error:
            raise HTTPException(409, str(error)) from error
