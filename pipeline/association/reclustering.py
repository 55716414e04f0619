"""Re-clustering: the track segments of the last minutes are clustered again, and differences become corrections."""

from collections.abc import Sequence
from functools import partial

from pipeline.association.calibration.likelihood_ratio import Calibration
from pipeline.association.calibration.self_supervised_labels import learn_transits
from pipeline.association.clustering import cluster
from pipeline.association.constraints import LinkConstraints
from pipeline.association.identity_store import IdentityStore
from pipeline.association.track_segment import TrackSegment
from pipeline.core import Correction, CorrectionKind

MAX_RECLUSTERED = 600
"""Track segments of one re-clustering, the latest ones: its time and memory grow with their square."""
REJECTED_LLR = -3.0
"""LLR of appearance at or below which a pending match is settled as two people.

Larger, that is closer to 0: it is settled sooner, and wrong more often.
"""
BY_RECLUSTERING = "review"
"""The author of the corrections that re-clustering makes; the value is part of events."""


def recluster(
    store: IdentityStore,
    calibration: Calibration,
    constraints: LinkConstraints,
    *,
    now: float,
    window_s: float,
    max_false_match_rate: float,
) -> list[Correction]:
    """Cluster the last minutes again, change the identity store accordingly, and return the corrections.

    Args:
        store: The people so far.
        calibration: Distance to LLR.
        constraints: What rules a link out. Its topology learns the transits that are settled.
        now: Event time, Unix seconds.
        window_s: Seconds; what is older is settled and no longer changes.
        max_false_match_rate: As in ``Matcher``.
    """
    since = now - window_s
    segments: list[TrackSegment] = []
    before: list[int] = []
    going_on = store.going_on()
    unsettled = store.unsettled()
    for person in unsettled:
        learn_transits(person.segments, since, constraints.topology)
        store.settle(person, since, going_on.get(person.person_id, ()))
    for person in sorted(unsettled, key=lambda person: (-person.appearance.latest.last.at, person.person_id)):
        if person.appearance.latest.last.at < since or len(segments) + len(person.segments) > MAX_RECLUSTERED:
            break
        segments += person.segments
        before += [person.person_id] * len(person.segments)
    groups = cluster(
        segments,
        appearance=calibration.llrs,
        needed=partial(calibration.needed_among, max_false_match_rate),
        constraints=constraints,
        projection=store.projection,
    )
    moved = _renumber(store, segments, before, groups, now)
    return [*moved, *_settle_pending(store, calibration, moved, now, since)]


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


def _settle_pending(
    store: IdentityStore, calibration: Calibration, moved: Sequence[Correction], now: float, since: float
) -> list[Correction]:
    """Settle pending matches, and return the corrections that confirm a new number for good.

    A merge settles a pending match too; its correction is in ``moved`` already.
    """
    for correction in moved:
        if correction.kind is CorrectionKind.MERGED:
            kept, absorbed = correction.person_ids
            store.pending = {one: kept if two == absorbed else two for one, two in store.pending.items()}
            if store.pending.get(kept) == kept:
                del store.pending[kept]
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
