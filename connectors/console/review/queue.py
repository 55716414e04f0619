"""The review queue: uncertain sightings that an operator decides from two pictures."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.console.store.accounts import User
from connectors.console.store.best_parts import BestParts
from connectors.console.store.ledger_view import LedgerView, noted
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
        gates: What the matcher noted on the decision, as far as the user may see it.
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
        asked = [(event, *self._asked(event)) for event in self._ledger_view.uncertain()]
        best = BestParts(self._ledger_view, self._pictures, user, {candidate for _, _, candidate in asked})
        found: dict[frozenset[TrackId], Question] = {}
        for event, owner, candidate in asked:
            question = None if NOBODY in (owner, candidate) else _question(event, candidate, best, user)
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

    def best_of_tracks(self, user: User, num: int) -> dict[TrackId, TrackPart]:
        """Return the part with the best picture of each of the newest tracks that a user may see."""
        best = BestParts(self._ledger_view, self._pictures, user, ())
        tracks = (spans[0][0].part.track_id for spans in self._ledger_view.newest_tracks(num))
        return {track_id: part for track_id in tracks if (part := best.of_track(track_id)) is not None}

    def uncertain_pairs(self) -> set[frozenset[int]]:
        """Return the pairs of persons of which one was the runner-up of an uncertain sighting of the other."""
        return {
            frozenset(
                (self._ledger_view.person_of(event.part), self._ledger_view.current_id(runner_up(event) or NOBODY))
            )
            for event in self._ledger_view.uncertain()
            if event.part is not None
        }

    def _asked(self, event: Event) -> tuple[int, int]:
        """Return who an uncertain sighting shows now, and who it may show; two ``NOBODY`` if nothing is to be asked."""
        assert event.part is not None
        owner = self._ledger_view.person_of(event.part)
        if event.body["outcome"] != Outcome.TENTATIVE:
            return owner, owner
        candidate = self._ledger_view.current_id(runner_up(event) or NOBODY)
        return (NOBODY, NOBODY) if candidate == owner else (owner, candidate)


def _question(event: Event, candidate: int, best: BestParts, user: User) -> Question | None:
    """Return the question of an uncertain sighting; None if a picture is missing."""
    assert event.part is not None
    first = best.of_track(event.part.track_id)
    second = None if first is None else best.of_person(candidate, other_than=event.part.track_id)
    if first is None or second is None:
        return None
    return Question(first, second, probability_of_same(event), noted(event, user))


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
