"""Track segments, the motion between them, and what the site allows."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from factories import BOX, make_embedding, make_path
from hypothesis import given
from hypothesis import strategies as st
from people import AT_THE_BORDER, MODEL, see

from pipeline.association.calibration.likelihood_ratio import Calibration
from pipeline.association.calibration.self_supervised_labels import learn_labels
from pipeline.association.chain import MAX_SHARED_S, OWN_CAMERA_S, camera_transitions, last_sighting
from pipeline.association.constraints import (
    MIN_SEPARATED_S,
    LinkConstraints,
    are_two_people,
    impossible_transit,
)
from pipeline.association.cues import MAX_CUE_LLR, MAX_MOTION, MIN_MOTION, co_location_llr, motion_llr
from pipeline.association.geometry.sampled_boxes import EVERY_S
from pipeline.association.geometry.topology import Topology, TransitBounds
from pipeline.association.track_segment import NO_GROUND, TrackSegment, turns
from pipeline.core import TrackId, TrackPart

ANYWHERE = LinkConstraints(Topology(), inf)
CAMERAS = st.sampled_from(["east", "north", "west"])


def segment(camera_id: str = "east", start: float = 0.0, stop: float = 1.0, **options) -> TrackSegment:
    return TrackSegment.begin(see(camera_id, start=start, stop=stop, **options))


def moving(box, velocity=(0.0, 0.0), first=0, length=10) -> TrackSegment:
    return TrackSegment.begin(make_embedding(path=make_path(first=first, length=length, box=box, velocity=velocity)))


def test_a_segment_is_what_its_parts_are_together() -> None:
    whole = segment(stop=1.0, quality=0.5)
    whole.extend(see(start=1.1, stop=2.0, part=1, quality=0.25))
    assert whole.parts == [TrackPart(TrackId("east", 0, 1), part) for part in (0, 1)]
    assert (whole.first.at, whole.last.at, whole.spans) == (0.0, 2.0, [(0.0, 2.0)])
    assert (whole.num_frames, whole.weight) == (21, 0.75)
    np.testing.assert_allclose(whole.vector_sum[0], 0.75)


def test_an_absorbed_segment_keeps_a_span_of_its_own() -> None:
    whole = segment(start=0.0, stop=1.0)
    whole.absorb(segment(start=10.0, stop=12.0))
    assert whole.spans == [(0.0, 1.0), (10.0, 12.0)]
    assert whole.shared_s(segment("west", start=4.0, stop=6.0)) < 0
    assert whole.shared_s(segment("west", start=11.0, stop=20.0)) == pytest.approx(1.0)


SPANS = st.lists(st.integers(1, 20), min_size=2, max_size=12).map(
    lambda steps: [(float(a), float(b)) for a, b in zip(*[iter(np.cumsum(steps))] * 2, strict=False)]
)


@given(SPANS, SPANS)
def test_shared_time_is_that_of_the_spans_that_share_most(spans, other_spans) -> None:
    one, two = segment(), segment()
    one.spans, two.spans = spans, other_spans
    expected = max(min(b, d) - max(a, c) for a, b in spans for c, d in other_spans)
    assert one.shared_s(two) == two.shared_s(one)
    assert max(one.shared_s(two), 0) == max(expected, 0)


@pytest.mark.parametrize(
    ("box", "velocity", "is_leaving"),
    [
        ((60.0, 20.0, 90.0, 90.0), (0.0, 0.0), False),
        (AT_THE_BORDER, (0.0, 0.0), True),
        ((130.0, 20.0, 158.0, 90.0), (0.0, 0.0), True),
        ((60.0, 40.0, 90.0, 118.0), (0.0, 0.0), True),
        ((60.0, 0.0, 90.0, 80.0), (0.0, 0.0), False),  # far away, at the upper border
        ((30.0, 20.0, 60.0, 90.0), (-2.0, 0.0), False),
        ((30.0, 20.0, 60.0, 90.0), (-2.5, 0.0), True),  # 25 px a second
    ],
    ids=["middle", "left", "right", "lower", "upper", "leaves later", "leaves now"],
)
def test_leaving_follows_from_place_and_velocity(box, velocity, is_leaving: bool) -> None:
    assert moving(box, velocity).last.is_leaving is is_leaving


def test_turns_keep_the_order_of_every_track() -> None:
    batch = [see(number=number, part=part) for number, part in [(1, 0), (2, 0), (1, 1), (2, 1), (1, 2), (3, 0)]]
    names = [[(e.track_id.number, e.part) for e in turn] for turn in turns(batch)]
    assert names == [[(1, 0), (2, 0), (3, 0)], [(1, 1), (2, 1)], [(1, 2)]]


def test_a_person_is_expected_where_their_velocity_leads() -> None:
    before = moving(
        (40.0, 20.0, 70.0, 90.0), (2.0, 0.0)
    )  # stands at 73 px in its last frame, 20 px a second to the right
    ahead, behind = (moving((58.0 + shift, 20.0, 88.0 + shift, 90.0), first=19) for shift in (20.0, -20.0))
    assert motion_llr(before, ahead, Topology()) > motion_llr(before, behind, Topology())


def test_a_velocity_is_extrapolated_for_one_second_at_most() -> None:
    before = moving((20.0, 20.0, 50.0, 90.0), (2.0, 0.0))
    after_one_second, after_two = (moving((38.0 + shift, 20.0, 68.0 + shift, 90.0), first=29) for shift in (20.0, 40.0))
    assert motion_llr(before, after_one_second, Topology()) > motion_llr(before, after_two, Topology())


def test_a_person_who_stands_still_is_expected_at_the_same_place() -> None:
    before = moving((58.0, 20.0, 88.0, 90.0))
    ahead, behind = (moving((58.0 + shift, 20.0, 88.0 + shift, 90.0), first=19) for shift in (20.0, -20.0))
    assert motion_llr(before, ahead, Topology()) == pytest.approx(motion_llr(before, behind, Topology()))


@given(
    st.tuples(st.floats(0, 120), st.floats(0, 30)),
    st.tuples(st.floats(0, 120), st.floats(0, 30)),
    st.integers(10, 400),
)
def test_the_llr_of_motion_in_one_camera_stays_within_its_limits(here, there, first: int) -> None:
    one, two = (moving((x, y, x + 30, y + 80), first=index) for (x, y), index in ((here, 0), (there, first)))
    assert MIN_MOTION <= motion_llr(one, two, Topology()) <= MAX_MOTION


@given(CAMERAS, CAMERAS, st.floats(0, 10_000))
def test_the_llr_of_a_transit_stays_within_its_limits(one: str, two: str, gap_s: float) -> None:
    stated = Topology({("east", "west"): TransitBounds(5.0, 60.0)})
    assert abs(stated.transit_llr(one, two, gap_s)) <= MAX_CUE_LLR


@given(st.floats(0, 1000), st.floats(0, 1000))
def test_without_stated_times_a_longer_transit_never_has_a_higher_llr(one: float, two: float) -> None:
    topology = Topology()
    assert topology.transit_llr("east", "west", min(one, two)) >= topology.transit_llr("east", "west", max(one, two))


@given(CAMERAS, CAMERAS, st.floats(0, 100))
def test_transit_times_and_overlaps_hold_in_both_directions(one: str, two: str, gap_s: float) -> None:
    topology = Topology({("east", "west"): TransitBounds(5.0, 60.0)}, frozenset({("east", "north")}))
    assert topology.can_transit(one, two, gap_s) == topology.can_transit(two, one, gap_s)
    assert topology.may_coincide(one, two) == topology.may_coincide(two, one)
    assert topology.transit_llr(one, two, gap_s) == topology.transit_llr(two, one, gap_s)


def test_one_camera_never_shows_a_person_twice_even_without_stated_overlaps() -> None:
    assert not Topology().may_coincide("east", "east")
    assert Topology().may_coincide("east", "west")


@pytest.mark.parametrize(("begin", "two"), [(0.5, True), (1.0 - MAX_SHARED_S / 2, False), (3.0, False)])
def test_two_tracks_that_share_more_time_than_a_tracker_needs_to_notice_a_change_are_two_people(
    begin: float, two: bool
) -> None:
    later = segment(start=begin, stop=begin + 5.0, number=2)
    later.spans = [(begin, begin + 5.0)]
    later.sampled_boxes[0, 0] = begin
    assert are_two_people(segment(stop=1.0), later, ANYWHERE) is two


@pytest.mark.parametrize(("meets_s", "two"), [(0.2, False), (0.4, True)])
def test_a_calibration_learns_exactly_the_pairs_that_the_matcher_keeps_apart(meets_s: float, two: bool) -> None:
    first, second = see(number=1, stop=2.0), see(number=3, start=2.0 - meets_s, stop=4.0)
    calibration = Calibration(MODEL, caution=1.0, max_llr=6.0)
    learn_labels([first, second], calibration, ANYWHERE, NO_GROUND)
    assert are_two_people(TrackSegment.begin(first), TrackSegment.begin(second), ANYWHERE) is two
    assert calibration.status.num_labels == two


def test_boxes_that_separate_for_longer_than_the_limit_are_two_people_between_any_two_samples() -> None:
    together, apart = [BOX] * 10, [(BOX[0] + 60, BOX[1], BOX[2] + 60, BOX[3])] * 10
    for at in range(10):
        boxes = np.array([*together[:at], *apart[:4], *together[at:]], np.float32)[:14]
        path = make_path(length=14)
        moved = replace(path, boxes_xyxy=boxes)
        one, two = (
            TrackSegment.begin(make_embedding(TrackId("east", 0, n), path=p)) for n, p in ((1, path), (2, moved))
        )
        assert are_two_people(one, two, ANYWHERE), at


def test_boxes_are_sampled_finer_than_the_times_that_they_are_compared_with() -> None:
    assert min(MAX_SHARED_S, MIN_SEPARATED_S) > EVERY_S


def test_two_boxes_at_one_place_may_show_one_person() -> None:
    assert not are_two_people(segment(stop=3.0), segment(start=1.0, stop=4.0, box=(12, 10, 40, 70)), ANYWHERE)
    assert are_two_people(segment(stop=3.0), segment(start=1.0, stop=4.0, box=(35, 10, 65, 90)), ANYWHERE)


def standing(camera_id: str, *stays: tuple[float, float, float]) -> TrackSegment:
    """Return an absorbed segment of a person who stands: first and last second, and metres on the ground, of each."""
    parts = []
    for first_at, last_at, place_m in stays:
        part = segment(camera_id, first_at, last_at)
        part.trajectory = np.array(
            [(at, place_m, 0.0, 0.1, 0.0, 0.1) for at in np.arange(first_at, last_at + 0.1, 0.5)]
        )
        parts.append(part)
    whole, *later = parts
    for part in later:
        whole.absorb(part)
    return whole


def test_where_a_settled_person_was_between_two_sightings_is_not_made_up() -> None:
    east = standing("east", (0, 2, 0.0), (5, 7, 20.0), (10, 12, 0.0))
    west = standing("west", (0, 2, 0.0), (10, 12, 0.0))  # who did not see how far the person went meanwhile
    assert not are_two_people(east, west, ANYWHERE)
    assert co_location_llr(east, west) > 0
    elsewhere = standing("west", (0, 2, 20.0), (10, 12, 20.0))
    assert are_two_people(east, elsewhere, ANYWHERE)
    assert co_location_llr(east, elsewhere) < 0


def test_two_boxes_of_a_settled_person_are_compared_only_when_both_were_there() -> None:
    first, second = segment(stop=2.0), segment(start=1.7, stop=2.5)
    assert not are_two_people(first, second, ANYWHERE)  # two boxes drawn on one person for .3 s
    second.absorb(segment(start=5.0, stop=7.0, box=(200, 10, 230, 90)))
    first.absorb(segment(start=10.0, stop=12.0))
    assert not are_two_people(first, second, ANYWHERE)
    second.absorb(segment(start=10.0, stop=12.0, box=(200, 10, 230, 90)))
    assert are_two_people(first, second, ANYWHERE)


@pytest.mark.parametrize(("clock_error_s", "two"), [(0.0, True), (1.0, False)])
def test_a_person_whom_a_late_camera_still_shows_is_no_second_one(clock_error_s: float, two: bool) -> None:
    apart = LinkConstraints(Topology(overlaps=frozenset()), inf, clock_error_s)
    assert are_two_people(segment("east", 0.0, 2.0), segment("west", 1.0, 4.0), apart) is two
    assert are_two_people(segment("east", 0.0, 3.0), segment("west", 1.0, 4.0), apart)
    assert are_two_people(segment("east", 0.0, 2.0), segment("east", 1.0, 4.0, box=(200, 10, 230, 90)), apart)


@pytest.mark.parametrize(("clock_error_s", "can"), [(0.0, False), (1.0, True)])
def test_a_transit_may_seem_too_fast_by_the_error_of_the_clocks(clock_error_s: float, can: bool) -> None:
    bounds = Topology({("east", "west"): TransitBounds(1.0, 10.0)})
    apart = LinkConstraints(bounds, inf, clock_error_s)
    assert (impossible_transit([segment("east"), segment("west", 1.5, 5.0)], apart) is None) is can
    assert (impossible_transit([segment("east"), segment("west", 11.5, 15.0)], apart) is None) is can
    assert impossible_transit([segment("east"), segment("west", 12.5, 15.0)], apart) is not None
    here, there = standing("east", (0, 2, 0.0)), standing("west", (2, 4, 5.0))
    assert (impossible_transit([here, there], replace(apart, topology=Topology())) is None) is can


def test_a_segment_follows_the_one_that_ended_last_before_it() -> None:
    chain = [
        segment("east", 0.0, 4.0),
        segment("west", 1.0, 3.0),
        segment("north", 5.0, 6.0),
        segment("east", 8.0, 9.0),
    ]
    assert list(camera_transitions(chain)) == [(0, 2), (2, 3)]


def test_a_segment_goes_on_from_the_one_just_before_it_in_its_camera_whatever_others_saw() -> None:
    chain = [segment("east", 0.0, 4.0), segment("west", 1.0, 5.0), segment("east", 6.0, 7.0)]
    assert [last_sighting(chain, later) for later in range(3)] == [None, None, (0, False)]
    later = segment("east", 4.0 + OWN_CAMERA_S + 0.1, 20.0)
    assert last_sighting([*chain[:2], later], 2) == (1, False)


def test_a_return_to_cameras_that_overlap_is_one_absence() -> None:
    chain = [segment("east", 0.0, 4.0), segment("west", 90.0, 99.0), segment("north", 91.0, 99.0)]
    assert [last_sighting(chain, later) for later in range(3)] == [None, (0, False), (0, True)]
    absent, present = (
        motion_llr(chain[0], chain[2], Topology(), is_in_sight=is_in_sight) for is_in_sight in (False, True)
    )
    assert absent < 0.0 == present


@given(st.lists(st.tuples(st.sampled_from(["east", "west"]), st.integers(0, 12), st.integers(0, 6)), max_size=12))
def test_transitions_are_those_of_the_definition(sightings) -> None:
    chain = [segment(camera_id, start / 2, (start + length) / 2) for camera_id, start, length in sightings]
    for later, each in enumerate(chain):
        before = [
            (other.last.at, index)
            for index, other in enumerate(chain)
            if other.first.at < each.first.at and other.last.at <= each.first.at + MAX_SHARED_S
        ]
        expected = [(max(before)[1], later)] if before else []
        assert [pair for pair in camera_transitions(chain) if pair[1] == later] == expected
        assert (last_sighting(chain, later) is None) == (not before)


@given(st.permutations(range(4)))
def test_transitions_do_not_depend_on_the_order_of_the_list(order) -> None:
    chain = [
        segment("east", 0.0, 4.0),
        segment("west", 1.0, 3.0),
        segment("north", 5.0, 6.0),
        segment("east", 8.0, 9.0),
    ]
    pairs = {(order[one], order[two]) for one, two in camera_transitions([chain[index] for index in order])}
    assert pairs == set(camera_transitions(chain))


def test_a_possible_transit_is_not_ruled_out() -> None:
    constraints = LinkConstraints(Topology({("east", "west"): TransitBounds(1.0, 10.0)}), 2.0)
    assert impossible_transit([segment("east"), segment("west", 4.0, 5.0)], constraints) is None
    assert (
        impossible_transit([segment("east"), segment("west", 1.5, 5.0)], constraints)
        == "cannot walk from east to west in 0.5 s"
    )
