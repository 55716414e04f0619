"""What an operator can decide better: doubtful sightings, and a sample of pairs that tells how good the line is."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from pydantic import Field

from connectors.console.api.corrections import PartRequest
from connectors.console.api.permissions import Operator, Viewer
from connectors.console.app_state import AppState
from connectors.console.search.pair_audit import Stratum, pairs, precision_and_recall, sample
from connectors.console.store.accounts import User
from connectors.console.store.ledger_view import may_correct
from connectors.console.store.notes import Label
from connectors.console.store.recent_events import Span, probability, runner_up
from pipeline.core import CommandKind, CorrectionCommand, Outcome, TrackId, TrackPart
from pipeline.core.errors import ConfigError
from pipeline.ledger import NOBODY, Event

SAMPLE = 200
QUEUE, AUDIT = "queue", "audit"
NUM_BINS = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether two parts of tracks show the same person, and what the question was for."""

    first: PartRequest
    second: PartRequest
    is_same: bool
    purpose: Annotated[str, Field(pattern=f"^({QUEUE}|{AUDIT})$")]


class ReviewRoutes:
    """Routes of decisions.

    Args:
        state: What the page works with.
    """

    def __init__(self, state: AppState) -> None:
        self._state = state

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api", tags=["decisions"])
        add = router.add_api_route
        add("/decide", self.queue, methods=["GET"], summary="Doubtful sightings: same or different?")
        add("/decide", self.answer, methods=["POST"], summary="Say whether two pictures show the same person")
        add("/audit-sample", self.audit_sample, methods=["GET"], summary="Pairs to label, and what the labels say")
        return router

    def queue(self, user: Viewer, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> dict[str, Any]:
        """Doubtful sightings with a picture of each side, the most doubtful first."""
        labelled = {frozenset((label.first.track_id, label.second.track_id)) for label in self._state.notes.labels()}
        best = self._best_of_tracks(user)
        asked: set[frozenset[TrackId]] = set()
        found = []
        for event in self._state.ledger_view.unsure():
            question = self._question(event, best, user)
            if question is None:
                continue
            pair = frozenset((question[0].track_id, question[1].track_id))
            if pair in labelled or pair in asked:
                continue
            asked.add(pair)
            found.append((question, event))
        found.sort(key=lambda each: abs(self._probability_of_same(each[1]) - 0.5))
        return {
            "num": len(found),
            "questions": [
                {
                    **_shown_pair(*question),
                    "probability": round(self._probability_of_same(event), 4),
                    "persons": [self._state.ledger_view.person_of(part) for part in question],
                    "gates": event.body["gates"],
                }
                for question, event in found[:limit]
            ],
            "calibration": answers(self._state.notes.labels(QUEUE)),
        }

    def answer(self, user: Operator, answer: Answer) -> dict[str, Any]:
        """Write down what an operator says; of a doubtful sighting, order the correction that follows of it."""
        ledger_view = self._state.ledger_view
        first, second = answer.first.track_part(), answer.second.track_part()
        persons = (ledger_view.person_of(first), ledger_view.person_of(second))
        found = {person_id: ledger_view.person(person_id) for person_id in persons}
        if not may_correct(user, found):
            raise HTTPException(404, "there is nobody in one of these pictures, or not all of their cameras are yours")
        says_same = persons[0] == persons[1]
        event = ledger_view.sighting(first)
        sure = 1.0 if event is None else self._probability_of_same(event)
        self._state.notes.label(Label(first, second, answer.is_same, says_same, sure, answer.purpose, user.name))
        self._state.notes.note(user.name, "label", f"{first.track_id} and {second.track_id}: same={answer.is_same}")
        number = None
        if answer.purpose == QUEUE:
            try:
                number = self._state.place(self._order(first, second, is_same=answer.is_same, by=user.name))
            except ConfigError as error:
                raise HTTPException(409, str(error)) from error
        return {"says_same": says_same, "is_same": answer.is_same, "order": number}

    def _order(self, first: TrackPart, second: TrackPart, *, is_same: bool, by: str) -> CorrectionCommand:
        """Return what follows of an answer: the line is confirmed, or corrected."""
        ledger_view = self._state.ledger_view
        owner, other = ledger_view.person_of(first), ledger_view.person_of(second)
        of_track = tuple(
            event.part
            for event in ledger_view.events_of(owner)
            if event.part is not None and event.part.track_id == first.track_id
        )
        reason = "decided from two pictures"
        if is_same and owner != other:
            return CorrectionCommand(CommandKind.MERGE, (other, owner), by, time.time(), reason=reason)
        if not is_same and owner == other:
            return CorrectionCommand(CommandKind.REJECT, (owner,), by, time.time(), of_track, reason=reason)
        who = (owner,) if is_same or other == NOBODY else (owner, other)
        return CorrectionCommand(CommandKind.CONFIRM, who, by, time.time(), of_track, reason=reason)

    def audit_sample(self, user: Viewer) -> dict[str, Any]:
        """Pairs to label, half of which the line says are one person; precision and recall with 95 % intervals."""
        best = self._best_of_tracks(user)
        persons = {track_id: self._state.ledger_view.person_of(part) for track_id, part in best.items()}
        population = pairs(
            {track_id: person_id for track_id, person_id in persons.items() if person_id != NOBODY}, self._doubted()
        )
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
            "pairs": [_shown_pair(best[pair.first], best[pair.second]) for pair in waiting[:20]],
        }

    def _question(
        self, event: Event, best: Mapping[TrackId, TrackPart], user: User
    ) -> tuple[TrackPart, TrackPart] | None:
        """Return the two parts that a doubtful sighting is about; None if there is nothing to ask any more."""
        ledger_view = self._state.ledger_view
        assert event.part is not None
        owner = ledger_view.person_of(event.part)
        track_id = event.part.track_id
        if owner == NOBODY or track_id not in best:
            return None
        if event.body["outcome"] == Outcome.TENTATIVE:
            them = ledger_view.kept_for(runner_up(event) or NOBODY)
            if them in (owner, NOBODY):
                return None
        else:
            them = owner
        other = self._face_of(them, best, track_id)
        return None if other is None else (best[track_id], other)

    def _face_of(self, person_id: int, best: Mapping[TrackId, TrackPart], other_than: TrackId) -> TrackPart | None:
        """Return the best picture of a person in another track."""
        of_person = [
            (self._state.pictures.qualities(track_id).get(part.part, 0.0), part)
            for track_id, part in best.items()
            if track_id != other_than and self._state.ledger_view.person_of(part) == person_id
        ]
        return max(of_person)[1] if of_person else None

    def _best_of_tracks(self, user: User) -> dict[TrackId, TrackPart]:
        """Return the part with the best picture of each of the newest tracks that a user may see."""
        spans: dict[TrackId, list[Span]] = {}
        for span, _ in self._state.ledger_view.spans():
            if user.sees(span.part.track_id.camera_id):
                spans.setdefault(span.part.track_id, []).append(span)
        best = {}
        for track_id, parts in spans.items():
            qualities = self._state.pictures.qualities(track_id)
            pictured = [span.part for span in parts if span.part.part in qualities]
            if pictured:
                best[track_id] = max(pictured, key=lambda part: qualities[part.part])
        return best

    def _doubted(self) -> set[frozenset[int]]:
        ledger_view = self._state.ledger_view
        return {
            frozenset((ledger_view.person_of(event.part), ledger_view.kept_for(runner_up(event) or NOBODY)))
            for event in ledger_view.unsure()
            if event.part is not None
        }

    def _probability_of_same(self, event: Event) -> float:
        """Return how sure the line was that a sighting shows whom an operator is asked about."""
        is_tentative = event.body["outcome"] == Outcome.TENTATIVE
        return 1 - probability(event) if is_tentative else probability(event)


def answers(labels: Sequence[Label]) -> list[dict[str, Any]]:
    """Return how often operators say *same* where the line was how sure of it."""
    bins: list[list[bool]] = [[] for _ in range(NUM_BINS)]
    for label in labels:
        bins[min(int(label.probability * NUM_BINS), NUM_BINS - 1)].append(label.is_same)
    return [
        {"from": index / NUM_BINS, "to": (index + 1) / NUM_BINS, "num": len(given), "same": sum(given)}
        for index, given in enumerate(bins)
    ]


def _shown_pair(first: TrackPart, second: TrackPart) -> dict[str, Any]:
    return {
        "first": {"track": str(first.track_id), "part": first.part, "camera": first.track_id.camera_id},
        "second": {"track": str(second.track_id), "part": second.part, "camera": second.track_id.camera_id},
    }
