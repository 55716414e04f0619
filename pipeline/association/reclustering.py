"""Late insight: the last minutes clustered anew, and how that differs from what was said."""

from collections.abc import Sequence

from pipeline.association.calibration.likelihood_ratio import Calibration
from pipeline.association.calibration.self_supervised_labels import learn_walks
from pipeline.association.clustering import cluster
from pipeline.association.cues import Rules
from pipeline.association.identity_store import Roster
from pipeline.association.track_segment import Segment
from pipeline.core import Correction, CorrectionKind

MAX_REVIEWED = 600
"""Segments that are clustered in one look back, the latest: its time and memory grow with their square."""
DISPELLED = -3.0
"""What looks say, in log-odds, when it is no longer to be expected that two numbers are one person."""
BY_REVIEW = "review"
"""Who signs the corrections that later insight makes."""


def look_back(
    roster: Roster, calibration: Calibration, rules: Rules, *, now: float, window_s: float, max_false_match_rate: float
) -> list[Correction]:
    """Change the roster as what is known by now says, and return what that corrects.

    Args:
        roster: Who is who so far.
        calibration: Distance to evidence, thresholds proven.
        rules: What rules a link out; walks that are settled teach its topology.
        now: Event time, Unix seconds.
        window_s: What is older than this is settled.
        max_false_match_rate: As in ``MatchStage``.
    """
    since = now - window_s
    segments: list[Segment] = []
    before: list[int] = []
    unsettled = roster.unsettled()
    for person in unsettled:
        learn_walks(person.segments, since, rules.topology)
        roster.settle(person, since)
    for person in sorted(unsettled, key=lambda person: (-person.looks.latest.last.at, person.person_id)):
        if person.looks.latest.last.at < since or len(segments) + len(person.segments) > MAX_REVIEWED:
            break
        segments += person.segments
        before += [person.person_id] * len(person.segments)
    groups = cluster(
        segments,
        appearance=calibration.evidence_of,
        needed=calibration.evidence_needed_between(max_false_match_rate, [s.camera_id for s in segments]),
        rules=rules,
    )
    moved = _renumber(roster, segments, before, groups, now)
    return [*moved, *_settle_doubts(roster, calibration, moved, now, since)]


def _renumber(
    roster: Roster, segments: Sequence[Segment], before: Sequence[int], groups: Sequence[Sequence[int]], now: float
) -> list[Correction]:
    """Give every group the number that most of its boxes have already; each number to one group."""
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
            number_of[group_index] = roster.new_person().person_id
    moves: dict[tuple[int, int], list[Segment]] = {}
    for group_index, group in enumerate(groups):
        for index in group:
            if number_of[group_index] != before[index]:
                moves.setdefault((before[index], number_of[group_index]), []).append(segments[index])
    return [_move(roster, source, target, moved, now) for (source, target), moved in sorted(moves.items())]


def _move(roster: Roster, source_id: int, target_id: int, moved: Sequence[Segment], now: float) -> Correction:
    source, target = roster.people[source_id], roster.people[target_id]
    roster.move(source, target, moved)
    if source.segments:
        return Correction(
            CorrectionKind.SPLIT,
            (source_id, target_id),
            by=BY_REVIEW,
            at=now,
            parts=tuple(sorted(part for segment in moved for part in segment.parts)),
            reason="seen with what came later, these tracks fit the other person better",
        )
    return Correction(
        CorrectionKind.MERGED,
        (target_id, source_id),
        by=BY_REVIEW,
        at=now,
        reason="seen with what came later, both numbers are one person",
    )


def _settle_doubts(
    roster: Roster, calibration: Calibration, moved: Sequence[Correction], now: float, since: float
) -> list[Correction]:
    """Return who, given a number for now, is somebody else for good; whoever was merged was told of by that."""
    for correction in moved:
        if correction.kind is CorrectionKind.MERGED:
            kept, absorbed = correction.person_ids
            roster.doubts = {one: kept if two == absorbed else two for one, two in roster.doubts.items()}
            if roster.doubts.get(kept) == kept:
                del roster.doubts[kept]
    settled = []
    for person_id, perhaps_id in sorted(roster.doubts.items()):
        person, perhaps = roster.people[person_id], roster.people.get(perhaps_id)
        if perhaps is None or person.looks.latest.last.at < since:
            reason = f"nothing that came later showed this to be person {perhaps_id}"
        elif (
            calibration.evidence(person.distance_to(perhaps), person.looks.clarity * perhaps.looks.clarity) > DISPELLED
        ):
            continue
        else:
            reason = f"seen with what came later, this is not person {perhaps_id}"
        del roster.doubts[person_id]
        settled.append(Correction(CorrectionKind.CONFIRMED, (person_id,), by=BY_REVIEW, at=now, reason=reason))
    return settled
