"""People: who is known, who was seen, and what was corrected."""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from pipeline.core.arrays import check_array, freeze
from pipeline.core.frame import FrameStamp
from pipeline.core.track import TrackId, TrackPart, TrackPath


@dataclass(frozen=True, slots=True)
class Match:
    """A candidate from the gallery.

    Attributes:
        person_id: Who.
        distance: Cosine distance in [0, 2], lower is closer.
    """

    person_id: int
    distance: float


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """One known person.

    Attributes:
        person_id: The number that stays, 1, 2, 3 …
        space: Of the prototypes.
        prototypes: Shape ``(K, D)``, float32, L2 norm 1 per row: the person from several sides.
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
    """How sure a sighting is."""

    MATCHED = "matched"
    NEW = "new"
    TENTATIVE = "tentative"


Evidence = tuple[tuple[str, float], ...]
"""What spoke for one person or against, by name: ``looks``, ``way``, ``needed`` in natural log-odds, ``quality``."""


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """This piece of a track shows that person.

    Attributes:
        person_id: Who.
        track_id: The track.
        part: Which piece of it.
        first: First frame of the path.
        last: Last frame of the path.
        box_xyxy: Shape ``(4,)``, float32, pixels; the box in ``last``.
        outcome: MATCHED a known person, NEW, or TENTATIVE: new for now, perhaps ``runner_up``.
        distance: Cosine distance to the person in [0, 2]; None if new.
        probability: That the number is right, in [0, 1].
        runner_up: The best other candidate.
        gates: Why this person and not another, in words.
        path: Every box of the track since the part before.
        is_last: The track has ended.
        evidence: About the person, or if new about the runner-up: what looks and way say, how much was needed, and
            how good the pictures were; empty where nobody was compared.
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


class CorrectionKind(StrEnum):
    """What a correction does."""

    MERGED = "merged"
    SPLIT = "split"
    CONFIRMED = "confirmed"
    NAMED = "named"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Correction:
    """An earlier decision was wrong, or is now certain.

    Attributes:
        kind: MERGED: ``person_ids`` are (kept, absorbed). SPLIT: (from, to), and ``parts`` now belong to *to*.
            CONFIRMED: (person,) is who ``parts``, or all if empty, show, and a second one is not. NAMED: (person,) is
            called ``name`` and is on the watch-list, or is taken off it if that is empty. ERASED: (person,) is
            forgotten.
        person_ids: Whom it concerns.
        by: An operator's name, or the rule that found it.
        at: Unix seconds, event time.
        parts: The sightings that change their person; empty where the kind says it already.
        reason: In words.
        name: What a person is called from now on; only of NAMED.
    """

    kind: CorrectionKind
    person_ids: tuple[int, ...]
    by: str
    at: float
    parts: tuple[TrackPart, ...] = field(default=())
    reason: str = ""
    name: str = ""
