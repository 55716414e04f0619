from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people import see

from pipeline.association.chain import last_sighting
from pipeline.association.cues import MAX_CUE_LLR, co_location_llr, motion_llr
from pipeline.association.geometry.topology import Topology, TransitBounds
from pipeline.association.group_cues import GroupCues
from pipeline.association.track_segment import TrackSegment

TOPOLOGY = Topology({("east", "west"): TransitBounds(1.0, 20.0)}, frozenset())
SIGHTINGS = st.lists(
    st.tuples(st.sampled_from(["east", "north", "west"]), st.integers(0, 60), st.integers(1, 30), st.floats(0.0, 9.0)),
    min_size=2,
    max_size=12,
)


def segments_of(sightings: list[tuple[str, int, int, float]]) -> list[TrackSegment]:
    """Return segments in order of their beginning; each walks on the ground from its own place."""
    segments = []
    for number, (camera_id, start, length, place_m) in enumerate(sightings):
        segment = TrackSegment.begin(see(camera_id, number, start / 10, (start + length) / 10, person=0))
        at = np.arange(start / 10, (start + length) / 10 + 0.05, 0.1)
        rows = [(each, place_m + each - start / 10, place_m, 0.5, 0.0, 0.5) for each in at]
        segment.trajectory = np.array(rows) if place_m else segment.trajectory
        segments.append(segment)
    return sorted(segments, key=lambda segment: (segment.first.at, segment.parts[0]))


def expected(segments: list[TrackSegment], one: list[int], two: list[int]) -> float:
    """Return the cue of two chains as it is defined, pair by pair."""

    def motion(chain: list[int]) -> float:
        members = [segments[index] for index in chain]
        found = [(two, last_sighting(members, two)) for two in range(len(members))]
        return sum(
            motion_llr(members[before[0]], members[two], TOPOLOGY, is_in_sight=before[1])
            for two, before in found
            if before is not None
        )

    llr = motion(sorted(one + two)) - motion(one) - motion(two)
    llr += sum(co_location_llr(segments[min(i, j)], segments[max(i, j)]) for i in one for j in two)
    return min(MAX_CUE_LLR, max(-MAX_CUE_LLR, llr))


@settings(deadline=None)
@given(SIGHTINGS, st.randoms(use_true_random=False))
def test_the_cue_for_all_groups_at_once_is_that_of_each_pair(sightings, random) -> None:
    segments = segments_of(sightings)
    overlapping = [[i, j] for i in range(len(segments)) for j in range(i) if segments[i].shared_s(segments[j]) > 0]
    cues = GroupCues(segments, overlapping, TOPOLOGY)
    chains = {index: [index] for index in range(len(segments))}
    while len(chains) > 1:
        one, *others = random.sample(sorted(chains), len(chains))
        others = others[: random.randint(1, len(others))]
        found = cues.llrs_of_joining(one, np.array(others))
        assert found == pytest.approx([expected(segments, chains[one], chains[other]) for other in others])
        chains[one] = sorted(chains[one] + chains.pop(others[0]))
        cues.join(one, others[0])


def test_a_group_has_no_cue_with_nobody() -> None:
    segments = segments_of([("east", 0, 10, 0.0), ("west", 30, 10, 0.0)])
    assert GroupCues(segments, [], TOPOLOGY).llrs_of_joining(0, np.array([], np.intp)).shape == (0,)


def test_a_longer_chain_is_joined_where_it_leads_to() -> None:
    segments = segments_of([("east", start, 10, 0.0) for start in (0, 12, 24)])
    cues = GroupCues(segments, [], TOPOLOGY)
    cues.join(0, 1)
    (llr,) = cues.llrs_of_joining(0, np.array([2]))
    (step, _) = [motion_llr(one, two, TOPOLOGY) for one, two in pairwise(segments)][::-1]
    assert llr == pytest.approx(step)
