"""Who a new track segment may show: known people, by appearance and by the spatio-temporal cue.

Re-ranking the candidates by the neighbours that they share (k-reciprocal encoding: Zhong et al., "Re-ranking Person
Re-identification with k-reciprocal Encoding", CVPR 2017, among the 20 or so candidates) was tried and left out. Over
the demo, the real halves and three other rendered places, 35 of 444 immediate links were false, and 62 of 498 known
people were missed. Re-ranked with k1 = 10 and 30 % of the distance it was 33 of 441 and 63; with k1 = 6, 28 to 30 and
68 to 78. It trades one error for the other, as the stated false-match rate does; the final result was the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pipeline.association.adaptation.projection import IDENTITY, Projection
from pipeline.association.calibration.likelihood_ratio import Calibration
from pipeline.association.chain import last_sighting
from pipeline.association.constraints import LinkConstraints, are_two_people, impossible_transit
from pipeline.association.cues import MAX_CUE_LLR, co_location_llr, motion_llr
from pipeline.association.person import Person
from pipeline.association.track_segment import TrackSegment
from pipeline.core import Evidence


@dataclass(frozen=True, slots=True)
class Candidate:
    """A known person whom a new track segment may show.

    Attributes:
        person_id: Who.
        distance: Cosine distance, in [0, 2].
        llr: Log-likelihood ratio of appearance and spatio-temporal cue together.
        motion: The part of ``llr`` that the spatio-temporal cue contributes.
        needed: LLR above which the segment may be given to this person.
        gate: Why it cannot be this person; None if it can.
    """

    person_id: int
    distance: float
    llr: float
    motion: float
    needed: float
    gate: str | None

    def evidence(self, quality: float) -> Evidence:
        """Return the parts of the decision, for a ``Sighting``.

        Args:
            quality: Of the segment's pictures, in (0, 1].
        """
        return ("looks", self.llr - self.motion), ("way", self.motion), ("needed", self.needed), ("quality", quality)


def compare(
    segment: TrackSegment,
    people: Iterable[Person],
    *,
    calibration: Calibration,
    constraints: LinkConstraints,
    max_false_match_rate: float,
    projection: Projection = IDENTITY,
) -> list[Candidate]:
    """Return how well each of some people fits a new track segment; highest LLR first.

    Args:
        segment: The new one.
        people: Known people; each with at least one segment.
        calibration: Distance to LLR, and the LLR that is needed.
        constraints: What rules a link out.
        max_false_match_rate: As in ``Matcher``.
        projection: How embeddings are read; of the people too.
    """
    known = sorted(people, key=lambda person: person.person_id)
    if not known:
        return []
    appearance = [person.appearance for person in known]
    vector_sum = projection.project(segment.vector_sum, segment.weight, segment.camera_id)
    cosines = [1 - one.vector_sum @ vector_sum / (one.weight * segment.weight) for one in appearance]
    distances = projection.distances(np.array(cosines)).tolist()
    reliability = segment.reliability_sum / segment.weight
    llrs = calibration.llrs(np.array(distances), np.array([one.reliability * reliability for one in appearance]))
    needed = calibration.threshold(max_false_match_rate)
    found = [
        _candidate(person, segment, distance, llr, needed, constraints)
        for person, distance, llr in zip(known, distances, llrs.tolist(), strict=True)
    ]
    return sorted(found, key=lambda candidate: (-candidate.llr, candidate.person_id))


def _candidate(
    person: Person, segment: TrackSegment, distance: float, llr: float, needed: float, constraints: LinkConstraints
) -> Candidate:
    if llr + MAX_CUE_LLR <= 0:
        return Candidate(person.person_id, distance, llr, 0.0, needed, None)  # no cue can outweigh this appearance
    chain = [*person.segments, segment]
    is_other = any(are_two_people(segment, other, constraints) for other in person.segments)
    gate = "seen elsewhere at that time" if is_other else impossible_transit(chain, constraints)
    before = last_sighting(chain, len(chain) - 1)
    motion = 0.0
    if before is not None:
        motion = motion_llr(chain[before[0]], segment, constraints.topology, is_in_sight=before[1])
    motion += sum(co_location_llr(segment, other) for other in person.segments)
    motion = min(MAX_CUE_LLR, max(-MAX_CUE_LLR, motion))
    return Candidate(person.person_id, distance, llr + motion, motion, needed, gate)
