"""What an operator wants changed about who is who."""

from dataclasses import dataclass
from enum import StrEnum

from pipeline.core.track import TrackPart


class CommandKind(StrEnum):
    """What an order does."""

    MERGE = "merge"
    SPLIT = "split"
    CONFIRM = "confirm"
    REJECT = "reject"
    NAME = "name"
    ERASE = "erase"


@dataclass(frozen=True, slots=True)
class CorrectionCommand:
    """An operator's decision; no later insight undoes it.

    Attributes:
        kind: MERGE: ``person_ids`` are (kept, absorbed). SPLIT: ``parts`` of (person,) show another, new person.
            CONFIRM: ``parts`` of (person,), or all of them if empty, do show that person; of (person, other), and the
            other is somebody else. REJECT: ``parts`` do not show (person,), whoever else they show. NAME: (person,) is
            called ``name`` and on the watch-list; an empty name takes them off. ERASE: everything about (person,) is
            to be forgotten.
        person_ids: Whom it concerns.
        by: The operator's name.
        at: Unix seconds by the wall clock: when it was given.
        parts: Which parts of tracks it concerns.
        name: What a person is called; only of NAME.
        reason: In words.
    """

    kind: CommandKind
    person_ids: tuple[int, ...]
    by: str
    at: float
    parts: tuple[TrackPart, ...] = ()
    name: str = ""
    reason: str = ""
