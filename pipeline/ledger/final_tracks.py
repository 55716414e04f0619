"""Final identities: the person of each part of a track after all sightings and corrections."""

from array import array
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.core import Correction, CorrectionKind, TrackId, TrackPart
from pipeline.core.records.moves import moves_of

NOBODY = -1
"""Person of a part that was erased, or never seen."""


class Finals(NamedTuple):
    """Final identities, by slot.

    Attributes:
        person_ids: Shape ``(S,)``, int64; ``NOBODY`` where the part was erased.
        track_numbers: Shape ``(S,)``, int64: the same for all parts of a track.
    """

    person_ids: NDArray[np.int64]
    track_numbers: NDArray[np.int64]


class Before(NamedTuple):
    """What a command changed, so that it can be undone exactly.

    Attributes:
        num_slots: Parts that were known then.
        groups: Groups that a merge moved.
        slots: Slots that a split moved, each with its group of before.
        aliases: Numbers that stood for the absorbed person.
    """

    num_slots: int
    groups: tuple[int, ...]
    slots: tuple[tuple[int, int], ...]
    aliases: tuple[int, ...]


class FinalTracks:
    """Maps parts of tracks to people, and applies corrections to the map.

    A part belongs to the person of its newest sighting. MERGED gives all parts of the absorbed person to the kept
    one, and so later sightings under the absorbed number. SPLIT gives the listed parts to a person; if that number
    was absorbed before, it is in use again. ERASED is final: the parts of the person belong to ``NOBODY``, and the
    number never comes back. UNDONE restores what its command changed; parts that followed go along.

    Parts are in groups, and groups belong to people, so a merge changes a few groups and not every part. Memory is
    about a hundred bytes a part.
    """

    def __init__(self) -> None:
        self._slots: dict[TrackId, dict[int, int]] = {}
        self._tracks: list[TrackId] = []
        self._track_of_slot = array("q")
        self._part_of_slot = array("q")
        self._group_of_slot = array("q")
        self._person_of_group = array("q", [NOBODY])
        self._groups_of: dict[int, list[int]] = {}
        # Absorbed number -> kept number; never a chain.
        self._kept_for: dict[int, int] = {}
        self._erased: set[int] = set()
        self._track_numbers: dict[TrackId, int] = {}
        self._before: dict[int, Before] = {}

    def see(self, part: TrackPart, person_id: int) -> tuple[int, bool]:
        """Give a part to the person of its newest sighting.

        Returns:
            The slot of the part (0, 1, 2 … by first sighting), and whether this is its first sighting.
        """
        slots = self._slots.get(part.track_id)
        if slots is None:
            slots = self._slots[part.track_id] = {}
            self._track_numbers[part.track_id] = len(self._tracks)
            self._tracks.append(part.track_id)
        slot = slots.get(part.part)
        group = self._group(self.current_id(person_id))
        if slot is not None:
            self._group_of_slot[slot] = group
            return slot, False
        slot = slots[part.part] = len(self._group_of_slot)
        self._group_of_slot.append(group)
        self._track_of_slot.append(self._track_numbers[part.track_id])
        self._part_of_slot.append(part.part)
        return slot, True

    def correct(self, correction: Correction) -> None:
        """Apply a correction; kinds that move no part are ignored."""
        if correction.kind is CorrectionKind.UNDONE:
            self._undo(correction)
            return
        if correction.command:
            self._note(correction)
        for move in moves_of(correction):
            if move.target is None:
                self._erase(move.source)
            elif move.parts is None:
                self._merge(move.target, move.source)
            else:
                self._split(move.target, move.parts)

    def person_of(self, part: TrackPart) -> int:
        """Return the person of a part; ``NOBODY`` if it was erased or never seen."""
        slot = self._slot(part)
        return NOBODY if slot is None else self._person_of_group[self._group_of_slot[slot]]

    def parts(self) -> list[TrackPart]:
        """Return all parts, by slot."""
        return self.parts_at(range(len(self._part_of_slot)))

    def parts_at(self, slots: Iterable[int]) -> list[TrackPart]:
        """Return the parts of some slots."""
        return [TrackPart(self._tracks[self._track_of_slot[slot]], self._part_of_slot[slot]) for slot in slots]

    def parts_of(self, person_id: int) -> list[TrackPart]:
        """Return the parts that show a person now, by slot."""
        return self.parts_at(np.flatnonzero(self.finals().person_ids == person_id).tolist())

    def current_id(self, person_id: int) -> int:
        """Return the number of the person who absorbed this one; the same number if it was not absorbed."""
        return self._kept_for.get(person_id, person_id)

    def aliases_of(self, person_id: int) -> list[int]:
        """Return the number and the numbers it absorbed, sorted."""
        return sorted({person_id, *(old for old, kept in self._kept_for.items() if kept == person_id)})

    def before(self, command: int) -> Before | None:
        """Return what an operator's command changed; None if it moved nothing, or was undone."""
        return self._before.get(command)

    def parts_moved_by(self, command: int) -> list[TrackPart]:
        """Return the parts that an operator's command moved, and those that have followed on the same tracks."""
        before = self._before.get(command)
        if before is None:
            return []
        groups = set(before.groups)
        moved = {slot for slot, _ in before.slots}
        moved |= {slot for slot, group in enumerate(self._group_of_slot) if group in groups}
        found = []
        for track_id, slots in self._slots.items():
            follows = False
            for part, slot in sorted(slots.items()):
                follows = slot in moved or (follows and slot >= before.num_slots)
                if follows and self._person_of_group[self._group_of_slot[slot]] != NOBODY:
                    found.append(TrackPart(track_id, part))
        return found

    def finals(self) -> Finals:
        """Return the final identity of every part, by slot."""
        groups = np.array(self._group_of_slot, np.int64)
        return Finals(np.array(self._person_of_group, np.int64)[groups], np.array(self._track_of_slot, np.int64))

    def fates(self) -> list[tuple[int, int]]:
        """Return what corrections did to numbers: (absorbed number, kept number), (erased number, ``NOBODY``)."""
        return [*self._kept_for.items(), *((number, NOBODY) for number in self._erased)]

    def follow(self, fates: Iterable[tuple[int, int]]) -> None:
        """Take over the fates of numbers from an earlier process; before the first ``see``."""
        for number, kept in fates:
            if kept == NOBODY:
                self._erased.add(number)
            else:
                self._kept_for[number] = kept

    def _slot(self, part: TrackPart) -> int | None:
        return self._slots.get(part.track_id, {}).get(part.part)

    def _group(self, person_id: int) -> int:
        """Return a group of this person; group 0 belongs to ``NOBODY``."""
        if person_id in self._erased:
            return 0
        groups = self._groups_of.get(person_id)
        if groups is None:
            groups = self._groups_of[person_id] = [len(self._person_of_group)]
            self._person_of_group.append(person_id)
        return groups[0]

    def _note(self, correction: Correction) -> None:
        """Keep what a command is about to change."""
        groups: list[int] = []
        aliases: list[int] = []
        slots: list[tuple[int, int]] = []
        for move in moves_of(correction):
            if move.target is None:
                return
            if move.parts is None:
                groups += self._groups_of.get(move.source, [])
                aliases += [number for number in self.aliases_of(move.source) if number != move.source]
            else:
                found = [slot for part in sorted(move.parts) if (slot := self._slot(part)) is not None]
                slots += [(slot, self._group_of_slot[slot]) for slot in found]
        self._before[correction.command] = Before(len(self._group_of_slot), tuple(groups), tuple(slots), tuple(aliases))

    def _undo(self, correction: Correction) -> None:
        """Give groups, parts and numbers back to the person who had them."""
        before = self._before.pop(correction.undoes, None)
        if len(correction.person_ids) < 2:
            return
        _, target, *aliases = correction.person_ids
        self._kept_for.pop(target, None)
        self._kept_for.update(dict.fromkeys(aliases, target))
        for group in () if before is None else before.groups:
            owner = self._person_of_group[group]
            if owner not in (NOBODY, target):
                self._groups_of[owner].remove(group)
                self._groups_of.setdefault(target, []).append(group)
                self._person_of_group[group] = target
        for slot, group in () if before is None else before.slots:
            if self._person_of_group[self._group_of_slot[slot]] != NOBODY:
                self._group_of_slot[slot] = group
        for part in correction.parts:
            found = self._slot(part)
            if found is not None and self._person_of_group[self._group_of_slot[found]] not in (NOBODY, target):
                self._group_of_slot[found] = self._group(target)

    def _split(self, to: int, parts: Iterable[TrackPart]) -> None:
        """Give the known ones of these parts to a person."""
        self._kept_for.pop(to, None)
        for part in parts:
            slot = self._slot(part)
            if slot is not None:
                self._group_of_slot[slot] = self._group(to)

    def _merge(self, kept: int, absorbed: int) -> None:
        """Give all parts of one person to another."""
        kept = self.current_id(kept)
        absorbed = self.current_id(absorbed)
        if kept == absorbed or absorbed in self._erased:
            return
        self._kept_for.update({number: kept for number, person_id in self._kept_for.items() if person_id == absorbed})
        self._kept_for[absorbed] = kept
        self._move(absorbed, NOBODY if kept in self._erased else kept)

    def _erase(self, person_id: int) -> None:
        """Give all parts of a person to ``NOBODY``, for good."""
        root = self.current_id(person_id)
        self._erased.update((person_id, root))
        self._move(root, NOBODY)

    def _move(self, person_id: int, to: int) -> None:
        """Give all groups of a person to another, or to ``NOBODY``."""
        groups = self._groups_of.pop(person_id, [])
        for group in groups:
            self._person_of_group[group] = to
        if to != NOBODY and groups:
            self._groups_of.setdefault(to, []).extend(groups)
