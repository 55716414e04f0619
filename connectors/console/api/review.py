"""Routes of review: uncertain sightings to decide, and a sample of pairs that measures precision and recall."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from pydantic import Field

from connectors.console.api.corrections import PartRequest
from connectors.console.api.permissions import Operator, Viewer
from connectors.console.app_state import AppState
from connectors.console.review.pair_audit import MAX_TRACKS, Stratum, pairs, precision_and_recall, sample
from connectors.console.review.queue import AUDIT, QUEUE, ReviewQueue, answer_bins, probability_of_same
from connectors.console.store.ledger_view import may_correct
from connectors.console.store.notes import Label
from pipeline.core import TrackPart
from pipeline.core.errors import ConfigError
from pipeline.ledger import NOBODY

SAMPLE = 200
"""Pairs in the sample of the audit; more narrow the intervals and take an operator longer."""

MAX_PAIRS_SHOWN = 20
"""Pairs of the sample in one answer; the page asks again after each label."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether two parts of tracks show the same person, and the purpose of the question."""

    first: PartRequest
    second: PartRequest
    is_same: bool
    purpose: Annotated[str, Field(pattern=f"^({QUEUE}|{AUDIT})$")]


class ReviewRoutes:
    """Routes of review.

    Args:
        state: State of the page.
    """

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._queue = ReviewQueue(state.ledger_view, state.pictures, state.notes)

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api", tags=["review"])
        add = router.add_api_route
        add("/review", self.queue, methods=["GET"], summary="List uncertain sightings: same or different?")
        add("/review", self.answer, methods=["POST"], summary="Say whether two pictures show the same person")
        add("/audit-sample", self.audit_sample, methods=["GET"], summary="Get pairs to label, and precision and recall")
        return router

    def queue(self, user: Viewer, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> dict[str, Any]:
        """Uncertain sightings with a picture of each side, the most uncertain first."""
        found = self._queue.questions(user)
        return {
            "num": len(found),
            "questions": [
                {
                    **_shown_pair(question.first, question.second),
                    "probability": round(question.probability, 4),
                    "persons": [self._state.ledger_view.person_of(part) for part in (question.first, question.second)],
                    "gates": question.gates,
                }
                for question in found[:limit]
            ],
            "calibration": [asdict(each) for each in answer_bins(self._state.notes.labels(QUEUE))],
        }

    def answer(self, user: Operator, answer: Answer) -> dict[str, Any]:
        """Store an operator's answer; if it decides an uncertain sighting, submit the correction that follows."""
        ledger_view = self._state.ledger_view
        first, second = answer.first.track_part(), answer.second.track_part()
        persons = (ledger_view.person_of(first), ledger_view.person_of(second))
        if not may_correct(user, {person_id: ledger_view.person(person_id) for person_id in persons}):
            raise HTTPException(404, "one of these pictures shows no person, or you may not see all of their cameras")
        says_same = persons[0] == persons[1]
        event = ledger_view.sighting(first)
        probability = 1.0 if event is None else probability_of_same(event)
        self._state.notes.label(Label(first, second, answer.is_same, says_same, probability, answer.purpose, user.name))
        tracks = f"{first.track_id}, {second.track_id}"
        self._state.notes.audit(
            user.name, "label", f"{tracks}: the same person" if answer.is_same else f"{tracks}: two people"
        )
        number = None
        if answer.purpose == QUEUE:
            try:
                command = self._queue.command(first, second, is_same=answer.is_same, by=user.name)
                number = self._state.submit(command)
                self._state.notes.remember_answer(number, first, second)
            except ConfigError as error:
                raise HTTPException(409, str(error)) from error
        return {"says_same": says_same, "is_same": answer.is_same, "correction": number}

    def audit_sample(self, user: Viewer) -> dict[str, Any]:
        """A random sample of pairs to label; precision and recall with 95 % intervals from the labels so far."""
        best = self._queue.best_of_tracks(user, MAX_TRACKS)
        persons = {track_id: self._state.ledger_view.person_of(part) for track_id, part in best.items()}
        known = {track_id: person_id for track_id, person_id in persons.items() if person_id != NOBODY}
        population = pairs(known, self._queue.uncertain_pairs())
        labels = {
            frozenset((label.first.track_id, label.second.track_id)): label.is_same
            for label in self._state.notes.labels(AUDIT)
        }
        chosen = sample(population, SAMPLE)
        by_stratum: dict[Stratum, list[bool]] = {}
        for pair in chosen:
            if (is_same := labels.get(frozenset((pair.first, pair.second)))) is not None:
                by_stratum.setdefault(pair.stratum, []).append(is_same)
        sizes = {stratum: sum(pair.stratum is stratum for pair in population) for stratum in Stratum}
        precision, recall = precision_and_recall(sizes, by_stratum)
        waiting = [pair for pair in chosen if frozenset((pair.first, pair.second)) not in labels]
        return {
            "num": len(chosen),
            "num_labelled": len(chosen) - len(waiting),
            "precision": precision and asdict(precision),
            "recall": recall and asdict(recall),
            "pairs": [_shown_pair(best[pair.first], best[pair.second]) for pair in waiting[:MAX_PAIRS_SHOWN]],
        }


def _shown_pair(first: TrackPart, second: TrackPart) -> dict[str, Any]:
    return {
        "first": {"track": str(first.track_id), "part": first.part, "camera": first.track_id.camera_id},
        "second": {"track": str(second.track_id), "part": second.part, "camera": second.track_id.camera_id},
    }
