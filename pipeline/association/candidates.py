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
    MAX_CUE_LLR,
    Rules,
    are_two_people,
    camera_transitions,
    co_location_llr,
    impossible_transit,
    motion_llr,
)
from pipeline.association.person import Person
from pipeline.association.track_segment import TrackSegment
from pipeline.core import Evidence


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person whom a new segment may show; matched only above ``needed``; ``gate`` says what rules it out."""

    person_id: int
    distance: float
    llr: float
    motion: float
    needed: float
    gate: str | None

    def explained(self, quality: float) -> Evidence:
        """Return what the evidence is made of; ``quality`` is that of the segment's pictures."""
        return ("looks", self.llr - self.motion), ("way", self.motion), ("needed", self.needed), ("quality", quality)


def compare(
    segment: TrackSegment,
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
    appearance = [person.appearance for person in known]
    distances = [float(1 - one.vector_sum @ segment.vector_sum / (one.weight * segment.weight)) for one in appearance]
    reliability = segment.reliability_sum / segment.weight
    by_appearance = calibration.llrs(
        np.array(distances), np.array([one.reliability * reliability for one in appearance])
    )
    pairs = [_sorted_pair(one.latest.camera_id, segment.camera_id) for one in appearance]
    needed = calibration.thresholds_of(max_false_match_rate, pairs)
    found = [
        _candidate(person, segment, distance, llr, enough, rules)
        for person, distance, llr, enough in zip(known, distances, by_appearance.tolist(), needed.tolist(), strict=True)
    ]
    return sorted(found, key=lambda candidate: (-candidate.llr, candidate.person_id))


def _candidate(
    person: Person, segment: TrackSegment, distance: float, llr: float, needed: float, rules: Rules
) -> Candidate:
    if llr + MAX_CUE_LLR <= 0:
        return Candidate(person.person_id, distance, llr, 0.0, needed, None)  # no way makes up for the looks
    chain = [*person.segments, segment]
    is_two = any(are_two_people(segment, other, rules) for other in person.segments)
    gate = "seen elsewhere at that time" if is_two else impossible_transit(chain, rules)
    before = next((chain[one] for one, two in camera_transitions(chain) if chain[two] is segment), None)
    motion = 0.0 if before is None else motion_llr(before, segment, rules.topology)
    motion += sum(co_location_llr(segment, other) for other in person.segments)
    motion = min(MAX_CUE_LLR, max(-MAX_CUE_LLR, motion))
    return Candidate(person.person_id, distance, llr + motion, motion, needed, gate)


def _sorted_pair(one: str, two: str) -> tuple[str, str]:
    return (one, two) if one <= two else (two, one)
