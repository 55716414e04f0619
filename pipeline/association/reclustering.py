"""Re-clustering: the track segments of the last minutes are clustered again, and differences become corrections.

Up to ``MAX_AT_ONCE`` segments are clustered together, every few seconds. Where the last minutes have more, this would
take ever longer: then only people whose segments changed are clustered again, each with the nearest others of the last
minutes, a few in every window of event time. So the cost goes by what changed, and no window takes long.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from pipeline.association.adaptation.projection import Vector
from pipeline.association.calibration.likelihood_ratio import Calibration
from pipeline.association.calibration.self_supervised_labels import learn_transits
from pipeline.association.clustering import NeededLlr, cluster
from pipeline.association.constraints import LinkConstraints
from pipeline.association.cues import MAX_CUE_LLR
from pipeline.association.identity_store import IdentityStore
from pipeline.association.person import Person
from pipeline.association.track_segment import TrackSegment
from pipeline.core import Correction, CorrectionKind
from pipeline.core.records.track import ENROLLED

MAX_AT_ONCE = 200
"""Track segments that are clustered together, at most: its time and memory grow with their square.

Larger: windows take longer at a large site, and a small one may be larger. 200 take about a tenth of a second.
"""
NUM_NEAREST = 4
"""People that each changed person is clustered with, at most, the nearest. Larger: slower; fewer links are missed."""
MAX_PER_WINDOW = 100
"""Track segments after which the people who changed wait for the next window of event time.

Larger: windows take longer, and at a busy site each person is looked at more often.
"""
REJECTED_LLR = -3.0
"""LLR of appearance at or below which a pending match is settled as two people.

Larger, that is closer to 0: it is settled sooner, and wrong more often.
"""
BY_RECLUSTERING = "review"
"""The author of the corrections that re-clustering makes; the value is part of events."""


@dataclass(frozen=True, slots=True)
class Reclustering:
    """What a re-clustering needs.

    Attributes:
        store: The people so far; they are changed.
        calibration: Distance to LLR.
        constraints: What rules a link out. Its topology learns the transits that are settled.
        every_s: Seconds of event time between two re-clusterings of a person.
        window_s: Seconds; what is older is settled and no longer changes.
        max_false_match_rate: As in ``Matcher``.
    """

    store: IdentityStore
    calibration: Calibration
    constraints: LinkConstraints
    every_s: float
    window_s: float
    max_false_match_rate: float

    def recluster(self, now: float) -> list[Correction]:
        """Settle what is old, cluster the last minutes again if they are few, and return the corrections.

        Args:
            now: Event time, Unix seconds.
        """
        since = now - self.window_s
        going_on = self.store.going_on()
        unsettled = self.store.unsettled()
        for person in unsettled:
            learn_transits(person.segments, since, self.constraints.topology)
            self.store.settle(person, since, going_on.get(person.person_id, ()))
        moved: list[Correction] = []
        recent = self._recent(unsettled, since)
        if sum(len(person.segments) for person in recent) <= MAX_AT_ONCE:
            needed = partial(self.calibration.needed_among, self.max_false_match_rate)
            moved = self._cluster(recent, now, needed)
            self.store.touched.clear()
        return [*moved, *_settle_pending(self.store, self.calibration, now, since)]

    def recluster_touched(self, now: float, *, is_last: bool = False) -> list[Correction]:
        """Cluster the people again who changed ``every_s`` ago, each with the nearest others; return the corrections.

        Nobody is left to it where ``recluster`` takes all. What is too much for one window waits for the next.

        Args:
            now: Event time, Unix seconds.
            is_last: All who changed are taken.
        """
        store, since = self.store, now - self.window_s
        store.touched = {each: now if at is None else at for each, at in store.touched.items()}
        due = [each for each, at in store.touched.items() if is_last or (at is not None and now - at >= self.every_s)]
        if not due:
            return []
        recent = self._recent(store.unsettled(), since)
        near = _Nearest(recent, self.calibration, store)
        # As many as can be confused: those of the last minutes, not the few that are clustered.
        among = len(recent), sum(len(person.segments) for person in recent)
        needed = self.calibration.needed_among(self.max_false_match_rate, *among)
        corrections: list[Correction] = []
        num_segments = 0
        for person_id in due:
            if num_segments >= MAX_PER_WINDOW and not is_last:
                break
            person = store.people.get(person_id)
            is_recent = person is not None and self._is_recent(person, since)
            store.touched.pop(person_id, None)
            if person is None or not is_recent:
                continue  # went to another one meanwhile, or is settled
            people = self._within(near.to(person, needed))
            num_segments += sum(len(each.segments) for each in people)
            corrections += self._cluster(people, now, lambda num_people, num_segments: needed)
        return corrections

    def _recent(self, people: Iterable[Person], since: float) -> list[Person]:
        """Return those who were seen lately, the latest first, and those who were enrolled lately."""
        recent = [person for person in people if self._is_recent(person, since)]
        return sorted(recent, key=lambda person: (-person.appearance.latest.last.at, person.person_id))

    def _is_recent(self, person: Person, since: float) -> bool:
        """Return whether a person was seen since a time, or has come by pictures alone: they may be somebody seen."""
        latest = person.appearance.latest
        return latest.last.at >= since or (latest.camera_id == ENROLLED and person.person_id in self.store.touched)

    def _within(self, people: Iterable[Person]) -> list[Person]:
        """Return the first of these people, and those after it up to ``MAX_AT_ONCE`` segments together."""
        found: list[Person] = []
        count = 0
        for person in people:
            count += len(person.segments)
            if found and count > MAX_AT_ONCE:
                break
            found.append(person)
        return found

    def _cluster(self, people: Iterable[Person], now: float, needed: NeededLlr) -> list[Correction]:
        """Cluster the segments of some people, change the identity store accordingly, and return the corrections."""
        segments: list[TrackSegment] = []
        before: list[int] = []
        vectors: list[Vector] = []
        settled: list[list[int]] = []
        for person in people:
            # As one segment a camera they have lost what linked them to each other: where each followed which.
            old = [index for index, segment in enumerate(person.segments) if segment.last.at < now - self.window_s]
            settled += [[len(segments) + index for index in old]] if old else []
            segments += person.segments
            before += [person.person_id] * len(person.segments)
            vectors += [person.read(segment) for segment in person.segments]
        groups = cluster(
            segments,
            appearance=self.calibration.llrs,
            needed=needed,
            constraints=self.constraints,
            projection=self.store.projection,
            vectors=vectors,
            settled=settled,
        )
        moved = _renumber(self.store, segments, before, groups, now)
        _follow_merges(self.store, moved)
        return moved


class _Nearest:
    """Finds the people who look most like one, among some.

    Args:
        people: These.
        calibration: Distance to LLR.
        store: Who of them is known still.
    """

    def __init__(self, people: Sequence[Person], calibration: Calibration, store: IdentityStore) -> None:
        self._calibration, self._store = calibration, store
        self._person_ids = [person.person_id for person in people]
        appearances = [person.appearance for person in people]
        self._means = np.array([one.vector_sum / one.weight for one in appearances])
        self._reliability = np.array([one.reliability for one in appearances])

    def to(self, person: Person, needed: float) -> list[Person]:
        """Return a person and the nearest others who may be the same, nearest first, ``NUM_NEAREST`` at most."""
        one = person.appearance
        distances = self._store.projection.distances(1 - self._means @ (one.vector_sum / one.weight))
        llrs = self._calibration.llrs(distances, self._reliability * one.reliability)
        hopeful = np.flatnonzero(llrs + MAX_CUE_LLR > needed)  # no cue outweighs the appearance of the others
        nearest = hopeful[np.argsort(distances[hopeful], kind="stable")].tolist()
        found = [person]
        for index in nearest:
            other = self._store.people.get(self._person_ids[index])
            if other is not None and other is not person:
                found.append(other)
            if len(found) > NUM_NEAREST:
                break
        return found


def _renumber(
    store: IdentityStore,
    segments: Sequence[TrackSegment],
    before: Sequence[int],
    groups: Sequence[Sequence[int]],
    now: float,
) -> list[Correction]:
    """Give each group the number that most of its boxes have already; each number goes to one group."""
    shares: dict[tuple[int, int], int] = {}
    for group_index, group in enumerate(groups):
        for index in group:
            key = (group_index, before[index])
            shares[key] = shares.get(key, 0) + segments[index].num_frames
    number_of: dict[int, int] = {}
    taken: set[int] = set()
    for group_index, person_id in sorted(shares, key=lambda key: (-shares[key], key[1], key[0])):
        if group_index not in number_of and person_id not in taken:
            number_of[group_index] = person_id
            taken.add(person_id)
    for group_index in range(len(groups)):
        if group_index not in number_of:
            number_of[group_index] = store.new_person().person_id
    moves: dict[tuple[int, int], list[TrackSegment]] = {}
    for group_index, group in enumerate(groups):
        for index in group:
            if number_of[group_index] != before[index]:
                moves.setdefault((before[index], number_of[group_index]), []).append(segments[index])
    return [_move(store, source, target, moved, now) for (source, target), moved in sorted(moves.items())]


def _move(
    store: IdentityStore, source_id: int, target_id: int, moved: Sequence[TrackSegment], now: float
) -> Correction:
    source, target = store.people[source_id], store.people[target_id]
    store.move(source, target, moved)
    if source.segments:
        return Correction(
            CorrectionKind.SPLIT,
            (source_id, target_id),
            by=BY_RECLUSTERING,
            at=now,
            parts=tuple(sorted(part for segment in moved for part in segment.parts)),
            reason="seen with what came later, these tracks fit the other person better",
        )
    return Correction(
        CorrectionKind.MERGED,
        (target_id, source_id),
        by=BY_RECLUSTERING,
        at=now,
        reason="seen with what came later, both numbers are one person",
    )


def confirm_pending(store: IdentityStore, now: float) -> list[Correction]:
    """Settle the pending matches that the end of the stream leaves: what was not linked is a person of its own."""
    settled = [
        _confirmed(person_id, now, f"the stream ended, and nothing had shown this to be person {candidate_id}")
        for person_id, candidate_id in sorted(store.pending.items())
    ]
    store.pending.clear()
    return settled


def _confirmed(person_id: int, now: float, reason: str) -> Correction:
    return Correction(CorrectionKind.CONFIRMED, (person_id,), by=BY_RECLUSTERING, at=now, reason=reason)


def _follow_merges(store: IdentityStore, moved: Sequence[Correction]) -> None:
    """Let pending matches name those who are there after merges; a merge of the two settles a pending match."""
    for correction in moved:
        if correction.kind is CorrectionKind.MERGED:
            kept, absorbed = correction.person_ids
            store.pending = {one: kept if two == absorbed else two for one, two in store.pending.items()}
            if store.pending.get(kept) == kept:
                del store.pending[kept]


def _settle_pending(store: IdentityStore, calibration: Calibration, now: float, since: float) -> list[Correction]:
    """Settle pending matches, and return the corrections that confirm a new number for good."""
    settled = []
    for person_id, candidate_id in sorted(store.pending.items()):
        person, candidate = store.people[person_id], store.people.get(candidate_id)
        if candidate is None or person.appearance.latest.last.at < since:
            reason = f"nothing that came later showed this to be person {candidate_id}"
        else:
            reliability = person.appearance.reliability * candidate.appearance.reliability
            if calibration.llr(person.distance_to(candidate), reliability) > REJECTED_LLR:
                continue
            reason = f"seen with what came later, this is not person {candidate_id}"
        del store.pending[person_id]
        settled.append(_confirmed(person_id, now, reason))
    return settled
