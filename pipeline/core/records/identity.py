"""Identities: who is known, who was seen, and what was corrected."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.core.arrays import check_array, freeze
from pipeline.core.records.embedding import Embedding
from pipeline.core.records.frame import FrameStamp
from pipeline.core.records.track import TrackId, TrackPart, TrackPath


@dataclass(frozen=True, slots=True)
class Match:
    """A candidate from the gallery.

    Attributes:
        person_id: The candidate.
        distance: Cosine distance in [0, 2], lower is closer.
    """

    person_id: int
    distance: float


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """One known person.

    Attributes:
        person_id: A number that stays: 1, 2, 3 …
        space: Embedding space of the prototypes.
        prototypes: Shape ``(K, D)``, float32, L2 norm 1 per row: the person from several views.
        first_seen_at: Unix seconds.
        last_seen_at: Unix seconds.
        camera_ids: Where the person was seen, sorted.
    """

    person_id: int
    space: str
    prototypes: NDArray[np.float32]
    first_seen_at: float
    last_seen_at: float
    camera_ids: tuple[str, ...]

    def __post_init__(self) -> None:
        check_array("prototypes", self.prototypes, (None, None), np.float32)
        freeze(self.prototypes)


class Outcome(StrEnum):
    """How certain a sighting is."""

    MATCHED = "matched"
    NEW = "new"
    TENTATIVE = "tentative"


Evidence = tuple[tuple[str, float], ...]
"""What a match was decided from, as (name, value), in this order.

``looks`` is the log-likelihood ratio (LLR) of appearance, ``way`` that of the spatio-temporal cue, ``needed`` the LLR
that acceptance required; all in natural logarithms. ``quality`` in (0, 1] is that of the crops.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """A part of a track shows a person.

    Attributes:
        person_id: The person.
        track_id: The track.
        part: Which part of it: 0, 1, 2 …
        first: First frame of the path.
        last: Last frame of the path.
        box_xyxy: Shape ``(4,)``, float32, pixels; the box in ``last``.
        outcome: MATCHED a known person, NEW, or TENTATIVE: new for now, perhaps ``runner_up``.
        distance: Cosine distance to the person in [0, 2]; None if new.
        probability: Calibrated probability that ``person_id`` is right, in [0, 1].
        runner_up: The best other candidate.
        gates: Why other candidates were ruled out, in words.
        path: Every box of the track since the previous part.
        is_last: The track has ended.
        evidence: See ``Evidence``; about the person or, if new, about the runner-up. Empty if there was no candidate.
    """

    person_id: int
    track_id: TrackId
    part: int
    first: FrameStamp
    last: FrameStamp
    box_xyxy: NDArray[np.float32]
    outcome: Outcome
    distance: float | None
    probability: float
    runner_up: Match | None
    gates: tuple[str, ...]
    path: TrackPath
    is_last: bool
    evidence: Evidence = ()

    def __post_init__(self) -> None:
        check_array("box_xyxy", self.box_xyxy, (4,), np.float32)
        freeze(self.box_xyxy)

    @classmethod
    def of(
        cls,
        embedding: Embedding,
        person_id: int,
        outcome: Outcome,
        *,
        distance: float | None,
        probability: float,
        gates: tuple[str, ...],
        runner_up: Match | None = None,
        evidence: Evidence = (),
    ) -> Self:
        """Return the sighting of a person by an embedding."""
        return cls(
            person_id=person_id,
            track_id=embedding.track_id,
            part=embedding.part,
            first=embedding.first,
            last=embedding.last,
            box_xyxy=embedding.box_xyxy,
            outcome=outcome,
            distance=distance,
            probability=probability,
            runner_up=runner_up,
            gates=gates,
            path=embedding.path,
            is_last=embedding.is_last,
            evidence=evidence,
        )


class CorrectionKind(StrEnum):
    """What a correction does."""

    MERGED = "merged"
    SPLIT = "split"
    CONFIRMED = "confirmed"
    NAMED = "named"
    ERASED = "erased"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Listing:
    """How a person is on the watch-list, besides their name.

    Attributes:
        severity: info, warning or critical: how urgent alerts about this person are, and so which sinks send them;
            empty: as urgent as the rule.
        expires_at: Unix seconds by the wall clock from which on the person is not on the list any more; None: for good.
    """

    severity: str = ""
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Correction:
    """An earlier decision was wrong, or is certain by now.

    Attributes:
        kind: MERGED: ``person_ids`` are (kept, absorbed). SPLIT: (from, to); ``parts`` belong to *to* from now on.
            CONFIRMED: ``parts``, or all of them if empty, do show (person,); with (person, other), the other is a
            different person. NAMED: (person,) is called ``name`` and is on the watch-list; an empty name takes the
            person off. With ``parts``, these are enrolled pictures: they come with a name, and go for good without one.
            ERASED: the people are forgotten, under every number they had. UNDONE: command ``undoes`` is as
            if it had never been given: with (from, to, …), ``parts`` go from the first person back to the second, for
            whom the second number and the rest stand again; ``names`` are those of before.
        person_ids: The people it concerns.
        by: The operator's name, or the rule that found it.
        at: Unix seconds, event time.
        parts: The sightings that move to another person; empty where ``kind`` implies them.
        reason: Why, in words.
        name: What the person is called from now on; NAMED only.
        command: Number of the operator's command that led to it; 0 if the pipeline found it.
        undoes: Number of the command that is undone; UNDONE only.
        names: What these people are called from now on, as (person, name); an empty name is none. UNDONE only.
        listings: How these people are on the watch-list from now on, as (person, listing). NAMED and UNDONE only.
    """

    kind: CorrectionKind
    person_ids: tuple[int, ...]
    by: str
    at: float
    parts: tuple[TrackPart, ...] = field(default=())
    reason: str = ""
    name: str = ""
    command: int = 0
    undoes: int = 0
    names: tuple[tuple[int, str], ...] = ()
    listings: tuple[tuple[int, Listing], ...] = ()
