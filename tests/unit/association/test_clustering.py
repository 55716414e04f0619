from itertools import combinations
from math import inf

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from people import MODEL, see

from pipeline.association.calibration.likelihood_ratio import Calibration
from pipeline.association.clustering import cluster
from pipeline.association.constraints import LinkConstraints, are_two_people, impossible_transit
from pipeline.association.geometry.topology import Topology, TransitBounds
from pipeline.association.track_segment import TrackSegment

CALIBRATION = Calibration(MODEL, caution=1.0, max_llr=6.0)
PLACE = LinkConstraints(Topology({("east", "west"): TransitBounds(1.0, 20.0)}, frozenset({("east", "north")})), 2.0)
NEEDED = CALIBRATION.threshold(0.01)

SIGHTINGS = st.lists(
    st.tuples(
        st.sampled_from(["east", "north", "west"]),
        st.integers(0, 300),
        st.integers(3, 60),
        st.integers(0, 2),
        st.floats(0.0, 0.7),
    ),
    max_size=10,
)


def segments_of(sightings) -> list[TrackSegment]:
    return [
        TrackSegment.begin(see(camera_id, number, start / 10, (start + length) / 10, person, distance=distance))
        for number, (camera_id, start, length, person, distance) in enumerate(sightings)
    ]


def groups_of(
    segments: list[TrackSegment], constraints: LinkConstraints = PLACE, needed: float = NEEDED
) -> list[list[int]]:
    return cluster(segments, appearance=CALIBRATION.llrs, needed=lambda *_: needed, constraints=constraints)


def test_no_segments_give_no_groups() -> None:
    assert groups_of([]) == []


def test_one_appearance_in_two_cameras_is_one_person_and_another_is_not() -> None:
    segments = segments_of([("east", 0, 20, 0, 0.0), ("west", 60, 20, 0, 0.1), ("west", 61, 20, 1, 0.0)])
    assert sorted(map(sorted, groups_of(segments))) == [[0, 1], [2]]


def test_an_appearance_between_two_others_joins_them() -> None:
    segments = segments_of([("east", 0, 20, 0, 0.0), ("west", 60, 20, 0, 0.6), ("east", 100, 20, 0, 0.25)])
    constraints = LinkConstraints(Topology({("east", "west"): TransitBounds(1.0, 120.0)}, frozenset()), inf)
    assert [sorted(g) for g in groups_of(segments[:2], constraints)] == [[0], [1]]
    assert [sorted(g) for g in groups_of(segments, constraints)] == [[0, 1, 2]]


def test_what_is_settled_stays_together_whatever_speaks_against_it() -> None:
    segments = segments_of([("west", 60, 20, 1, 0.0), ("east", 0, 20, 0, 0.0), ("east", 100, 20, 2, 0.0)])
    options = {"appearance": CALIBRATION.llrs, "needed": lambda *_: NEEDED, "constraints": PLACE}
    assert len(cluster(segments, **options)) == 3
    assert sorted(map(sorted, cluster(segments, settled=[[0, 1]], **options))) == [[0, 1], [2]]


def test_a_link_needs_less_the_fewer_groups_are_left() -> None:
    segments = segments_of([("east", 0, 20, 0, 0.0), ("west", 60, 20, 0, 0.35), ("east", 100, 20, 0, 0.0)])
    asked: list[tuple[int, int]] = []

    def needed(num_people: int, num_segments: int) -> float:
        asked.append((num_people, num_segments))
        return 20.0 if num_people == 2 else 0.0

    groups = cluster(segments, appearance=CALIBRATION.llrs, needed=needed, constraints=PLACE)
    assert len(groups) == 2
    assert asked == [(3, 3), (2, 3)]


def test_a_return_to_cameras_that_overlap_is_no_more_doubtful_the_more_of_them_there_are() -> None:
    cameras = ("east", "gate", "north", "west")
    constraints = LinkConstraints(Topology(overlaps=frozenset(combinations(cameras, 2))), inf)
    segments = segments_of([(camera, at + n, 40, 0, 0.1) for at in (0, 1200) for n, camera in enumerate(cameras)])
    assert len(groups_of(segments, constraints)) == 1


@given(SIGHTINGS)
def test_every_segment_is_in_one_group(sightings) -> None:
    groups = groups_of(segments_of(sightings))
    assert sorted(index for group in groups for index in group) == list(range(len(sightings)))
    assert all(groups)


@given(SIGHTINGS, st.floats(0.0, 4.0))
def test_segments_that_are_ruled_out_are_never_joined(sightings, needed: float) -> None:
    segments = segments_of(sightings)
    for group in groups_of(segments, needed=needed):
        assert not any(are_two_people(segments[one], segments[two], PLACE) for one, two in combinations(group, 2))
        assert impossible_transit([segments[index] for index in group], PLACE) is None


@given(SIGHTINGS, st.randoms(use_true_random=False))
def test_groups_do_not_depend_on_the_order_of_the_input(sightings, random) -> None:
    segments = segments_of(sightings)
    order = list(range(len(segments)))
    random.shuffle(order)
    shuffled = groups_of([segments[index] for index in order])
    assert {frozenset(order[index] for index in g) for g in shuffled} == {frozenset(g) for g in groups_of(segments)}


@given(SIGHTINGS)
def test_needing_a_higher_llr_than_possible_joins_no_segments(sightings) -> None:
    assert all(len(group) == 1 for group in groups_of(segments_of(sightings), needed=13.0))


@given(SIGHTINGS)
def test_clustering_does_not_change_the_segments(sightings) -> None:
    segments = segments_of(sightings)
    before = [(s.weight, s.vector_sum.copy(), list(s.parts)) for s in segments]
    groups_of(segments)
    for segment, (weight, vector_sum, parts) in zip(segments, before, strict=True):
        assert (segment.weight, segment.parts) == (weight, parts)
        np.testing.assert_array_equal(segment.vector_sum, vector_sum)


@given(SIGHTINGS)
def test_a_person_far_from_all_others_changes_nothing_among_them(sightings) -> None:
    far = TrackSegment.begin(see("gate", 99, 1000.0, 1002.0, person=9))
    segments = segments_of(sightings)
    groups = {frozenset(group) for group in groups_of([*segments, far])}
    assert groups == {frozenset(group) for group in groups_of(segments)} | {frozenset([len(segments)])}
