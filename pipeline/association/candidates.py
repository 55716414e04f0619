"""Who somebody may be: known people and a new segment, by looks and by ways.

Re-ranking the candidates by the neighbours that they share (k-reciprocal encoding: Zhong et al., "Re-ranking Person
Re-identification with k-reciprocal Encoding", CVPR 2017, among the 20 or so candidates) was tried, and left out. Over
the demo, the real halves and three other rendered places, of 444 links told at once 35 were false, and of 498 people
known 62 were missed; re-ranked (k1 = 10, 30 % of the distance) it was 33 of 441 and 63, with k1 = 6 28 to 30, and 68 to
78. So it trades one error for the other, as the stated rate does; what was said in the end was the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pipeline.association.calibration.likelihood_ratio import Calibration
from pipeline.association.cues import (
    MAX_WAY,
    Rules,
    are_two_people,
    broken_walk,
    hand_overs,
    together_evidence,
    way_evidence,
)
from pipeline.association.person import Person
from pipeline.association.track_segment import Segment
from pipeline.core import Evidence


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person whom a new segment may show; matched only above ``needed``; ``gate`` says what rules it out."""

    person_id: int
    distance: float
    evidence: float
    way: float
    needed: float
    gate: str | None

    def explained(self, quality: float) -> Evidence:
        """Return what the evidence is made of; ``quality`` is that of the segment's pictures."""
        return ("looks", self.evidence - self.way), ("way", self.way), ("needed", self.needed), ("quality", quality)


def compare(
    segment: Segment,
    people: Iterable[Person],
    *,
    calibration: Calibration,
    rules: Rules,
    max_false_match_rate: float,
) -> list[Candidate]:
    """Return what speaks for and against each of some people being who a new segment shows; strongest first."""
    known = sorted(people, key=lambda person: person.person_id)
    if not known:
        return []
    looks = [person.looks for person in known]
    distances = [float(1 - one.vector_sum @ segment.vector_sum / (one.weight * segment.weight)) for one in looks]
    clarity = segment.clarity_sum / segment.weight
    by_looks = calibration.evidence_of(np.array(distances), np.array([one.clarity * clarity for one in looks]))
    pairs = [_sorted_pair(one.latest.camera_id, segment.camera_id) for one in looks]
    needed = calibration.evidence_needed_of(max_false_match_rate, pairs)
    found = [
        _candidate(person, segment, distance, evidence, enough, rules)
        for person, distance, evidence, enough in zip(known, distances, by_looks.tolist(), needed.tolist(), strict=True)
    ]
    return sorted(found, key=lambda candidate: (-candidate.evidence, candidate.person_id))


def _candidate(
    person: Person, segment: Segment, distance: float, evidence: float, needed: float, rules: Rules
) -> Candidate:
    if evidence + MAX_WAY <= 0:
        return Candidate(person.person_id, distance, evidence, 0.0, needed, None)  # no way makes up for the looks
    walk = [*person.segments, segment]
    is_two = any(are_two_people(segment, other, rules) for other in person.segments)
    gate = "seen elsewhere at that time" if is_two else broken_walk(walk, rules)
    before = next((walk[one] for one, two in hand_overs(walk) if walk[two] is segment), None)
    way = 0.0 if before is None else way_evidence(before, segment, rules.topology)
    way += sum(together_evidence(segment, other) for other in person.segments)
    way = min(MAX_WAY, max(-MAX_WAY, way))
    return Candidate(person.person_id, distance, evidence + way, way, needed, gate)


def _sorted_pair(one: str, two: str) -> tuple[str, str]:
    return (one, two) if one <= two else (two, one)
