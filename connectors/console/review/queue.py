"""The review queue: uncertain sightings that an operator decides from two pictures."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.console.store.accounts import User
from connectors.console.store.ledger_view import LedgerView
from connectors.console.store.notes import Label, NotesStore
from connectors.console.store.pictures import PictureStore
from connectors.console.store.recent_events import probability, runner_up
from pipeline.core import CommandKind, CorrectionCommand, Outcome, TrackId, TrackPart
from pipeline.ledger import NOBODY, Event

QUEUE, AUDIT = "queue", "audit"
"""Purposes of a label: it decides an uncertain sighting, or it measures precision and recall."""

NUM_BINS = 5
"""Bins of probability in [0, 1] in which answers are counted; more bins need more answers."""


@dataclass(frozen=True, slots=True)
class Question:
    """Whether two parts of tracks show one person.

    Attributes:
        first: The part with the best picture of the uncertain track.
        second: The part with the best picture of the person it may show.
        probability: Probability that the pipeline gave to "same", in [0, 1].
        gates: What the matcher noted on the decision.
    """

    first: TrackPart
    second: TrackPart
    probability: float
    gates: Sequence[str]


@dataclass(frozen=True, slots=True)
class AnswerBin:
    """Answers to questions whose probability lies in one interval.

    Attributes:
        low: Lower end of the interval.
        high: Upper end of the interval.
        num: Number of answers.
        num_same: How many of them were "same".
    """

    low: float
    high: float
    num: int
    num_same: int


class ReviewQueue:
    """Chooses what to ask, and turns an answer into a correction.

    Args:
        ledger_view: The ledger.
        pictures: Pictures of sightings.
        notes: Labels that operators gave.
    """

    def __init__(self, ledger_view: LedgerView, pictures: PictureStore, notes: NotesStore) -> None:
        self._ledger_view = ledger_view
        self._pictures = pictures
        self._notes = notes

    def questions(self, user: User) -> list[Question]:
        """Return the questions that no label answers yet, the most uncertain first; one for each pair of tracks."""
        labelled = {frozenset((label.first.track_id, label.second.track_id)) for label in self._notes.labels()}
        best, of_person = self._best(user)
        found: dict[frozenset[TrackId], Question] = {}
        for event in self._ledger_view.uncertain():
            question = self._question(event, best, of_person)
            if question is None:
                continue
            pair = frozenset((question.first.track_id, question.second.track_id))
            if pair not in labelled:
                found.setdefault(pair, question)
        return sorted(found.values(), key=lambda question: abs(question.probability - 0.5))

    def command(self, first: TrackPart, second: TrackPart, *, is_same: bool, by: str) -> CorrectionCommand:
        """Return the command that follows from an answer: it confirms or corrects the pipeline's decision."""
        owner, other = self._ledger_view.person_of(first), self._ledger_view.person_of(second)
        of_track = tuple(
            event.part
            for event in self._ledger_view.events_of(owner)
            if event.part is not None and event.part.track_id == first.track_id
        )
        reason = "decided from two pictures"
        if is_same and owner != other:
            return CorrectionCommand(CommandKind.MERGE, (other, owner), by, time.time(), reason=reason)
        if not is_same and owner == other:
            return CorrectionCommand(CommandKind.REJECT, (owner,), by, time.time(), of_track, reason=reason)
        person_ids = (owner,) if is_same or other == NOBODY else (owner, other)
        return CorrectionCommand(CommandKind.CONFIRM, person_ids, by, time.time(), of_track, reason=reason)

    def best_of_tracks(self, user: User) -> dict[TrackId, TrackPart]:
        """Return the part with the best picture of each of the newest tracks that a user may see."""
        return self._best(user)[0]

    def _best(self, user: User) -> tuple[dict[TrackId, TrackPart], dict[int, list[TrackPart]]]:
        """Return the best part of each track, and of each person those of two tracks; in one pass."""
        qualities = self._pictures.all_qualities()
        best: dict[TrackId, tuple[float, TrackPart, int]] = {}
        for span, person_id in self._ledger_view.spans():
            track_id = span.part.track_id
            quality = qualities.get(str(track_id), {}).get(span.part.part)
            if quality is None or not user.sees(track_id.camera_id):
                continue
            if track_id not in best or quality > best[track_id][0]:
                best[track_id] = (quality, span.part, person_id)
        of_person: dict[int, list[TrackPart]] = {}
        for _, part, person_id in sorted(best.values(), reverse=True):
            if len(mine := of_person.setdefault(person_id, [])) < 2:
                mine.append(part)
        return {track_id: part for track_id, (_, part, _) in best.items()}, of_person

    def uncertain_pairs(self) -> set[frozenset[int]]:
        """Return the pairs of persons of which one was the runner-up of an uncertain sighting of the other."""
        return {
            frozenset(
                (self._ledger_view.person_of(event.part), self._ledger_view.current_id(runner_up(event) or NOBODY))
            )
            for event in self._ledger_view.uncertain()
            if event.part is not None
        }

    def _question(
        self, event: Event, best: Mapping[TrackId, TrackPart], of_person: Mapping[int, Sequence[TrackPart]]
    ) -> Question | None:
        """Return the question of an uncertain sighting; None if there is nothing left to ask."""
        assert event.part is not None
        owner = self._ledger_view.person_of(event.part)
        track_id = event.part.track_id
        if owner == NOBODY or track_id not in best:
            return None
        candidate = owner
        if event.body["outcome"] == Outcome.TENTATIVE:
            candidate = self._ledger_view.current_id(runner_up(event) or NOBODY)
            if candidate in (owner, NOBODY):
                return None
        other = next((part for part in of_person.get(candidate, ()) if part.track_id != track_id), None)
        if other is None:
            return None
        gates = event.body["gates"]
        assert isinstance(gates, list)
        return Question(best[track_id], other, probability_of_same(event), gates)


def probability_of_same(event: Event) -> float:
    """Return the probability that a sighting shows the person an operator is asked about, in [0, 1].

    A tentative sighting got a person of its own, so the question is about its runner-up.
    """
    is_tentative = event.body["outcome"] == Outcome.TENTATIVE
    return 1 - probability(event) if is_tentative else probability(event)


def answer_bins(labels: Sequence[Label]) -> list[AnswerBin]:
    """Return how often operators said "same", by the probability that the pipeline gave."""
    bins: list[list[bool]] = [[] for _ in range(NUM_BINS)]
    for label in labels:
        bins[min(int(label.probability * NUM_BINS), NUM_BINS - 1)].append(label.is_same)
    return [
        AnswerBin(index / NUM_BINS, (index + 1) / NUM_BINS, len(given), sum(given)) for index, given in enumerate(bins)
    ]
