"""Correction commands: what an operator wants changed about identities."""

from dataclasses import dataclass
from enum import StrEnum

from pipeline.core.records.embedding import Embedding
from pipeline.core.records.identity import Listing
from pipeline.core.records.track import TrackPart


class CommandKind(StrEnum):
    """What a correction command does."""

    MERGE = "merge"
    SPLIT = "split"
    CONFIRM = "confirm"
    REJECT = "reject"
    NAME = "name"
    ENROL = "enrol"
    UNLIST = "unlist"
    ERASE = "erase"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class CorrectionCommand:
    """An operator's decision. Later re-clustering never undoes it.

    Attributes:
        kind: MERGE: ``person_ids`` are (kept, absorbed). SPLIT: ``parts`` of (person,) show another, new person.
            CONFIRM: ``parts`` of (person,), or all of them if empty, do show that person; with (person, other), the
            other is a different person besides. REJECT: ``parts`` do not show (person,) but an unknown person. NAME:
            (person,) is called ``name`` and is on the watch-list; an empty name takes the person off. ENROL: the
            pictures that ``embedding`` was made of show (person,), or somebody new if no person is named, who is called
            ``name`` and is on the watch-list. UNLIST: (person,) is off the watch-list, and the pictures by which they
            were enrolled are forgotten. ERASE: forget everything about (person,). UNDO: make command ``undoes`` as if
            it had never been given; names no person.
        person_ids: The people it concerns.
        by: The operator's name.
        at: Unix seconds by the wall clock: when it was given.
        parts: The parts of tracks it concerns.
        name: What the person is called; NAME and ENROL only.
        reason: Why, in words.
        undoes: Number of the command to undo; UNDO only.
        force: Merge although the two were seen at the same time; MERGE only.
        listing: How the person is on the watch-list; None: as before. NAME and ENROL only.
        embedding: What the pictures come to; ENROL only. Its track is one of the camera ``ENROLLED``.
    """

    kind: CommandKind
    person_ids: tuple[int, ...]
    by: str
    at: float
    parts: tuple[TrackPart, ...] = ()
    name: str = ""
    reason: str = ""
    undoes: int = 0
    force: bool = False
    listing: Listing | None = None
    embedding: Embedding | None = None
