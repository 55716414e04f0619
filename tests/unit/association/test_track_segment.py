"""Segments, the ways between them, and what a place allows."""

from math import inf

import numpy as np
import pytest
from factories import make_embedding, make_path
from hypothesis import given
from hypothesis import strategies as st
from people import AT_THE_BORDER, see

from pipeline.association.cues import (
    MAX_CUE_LLR,
    MAX_MOTION,
    MIN_MOTION,
    SLACK_S,
    Rules,
    are_two_people,
    camera_transitions,
    impossible_transit,
    motion_llr,
)
from pipeline.association.geometry.topology import Topology, TransitBounds
from pipeline.association.track_segment import TrackSegment, turns
from pipeline.core import TrackId, TrackPart

ANYWHERE = Rules(Topology(), inf)
CAMERAS = st.sampled_from(["east", "north", "west"])


def segment(camera_id: str = "east", start: float = 0.0, stop: float = 1.0, **options) -> TrackSegment:
    return TrackSegment.begin(see(camera_id, start=start, stop=stop, **options))


def walking(box, velocity=(0.0, 0.0), first=0, length=10) -> TrackSegment:
    return TrackSegment.begin(make_embedding(path=make_path(first=first, length=length, box=box, velocity=velocity)))


def test_a_segment_is_what_its_parts_are_together() -> None:
    whole = segment(stop=1.0, quality=0.5)
    whole.extend(see(start=1.1, stop=2.0, part=1, quality=0.25))
    assert whole.parts == [TrackPart(TrackId("east", 0, 1), part) for part in (0, 1)]
    assert (whole.first.at, whole.last.at, whole.spans) == (0.0, 2.0, [(0.0, 2.0)])
    assert (whole.num_frames, whole.weight) == (21, 0.75)
    np.testing.assert_allclose(whole.vector_sum[0], 0.75)


def test_what_was_absorbed_is_still_known_to_be_two_stays() -> None:
    whole = segment(start=0.0, stop=1.0)
    whole.absorb(segment(start=10.0, stop=12.0))
    assert whole.spans == [(0.0, 1.0), (10.0, 12.0)]
    assert whole.shared_s(segment("west", start=4.0, stop=6.0)) < 0
    assert whole.shared_s(segment("west", start=11.0, stop=20.0)) == pytest.approx(1.0)


SPANS = st.lists(st.integers(1, 20), min_size=2, max_size=12).map(
    lambda steps: [(float(a), float(b)) for a, b in zip(*[iter(np.cumsum(steps))] * 2, strict=False)]
)


@given(SPANS, SPANS)
def test_shared_time_is_that_of_the_stays_that_share_most(mine, theirs) -> None:
    one, two = segment(), segment()
    one.spans, two.spans = mine, theirs
    expected = max(min(b, d) - max(a, c) for a, b in mine for c, d in theirs)
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
    ids=["middle", "left", "right", "lower", "upper", "walks out later", "walks out now"],
)
def test_who_is_leaving_is_seen_by_place_and_velocity(box, velocity, is_leaving: bool) -> None:
    assert walking(box, velocity).last.is_leaving is is_leaving


def test_turns_keep_the_order_of_every_track() -> None:
    batch = [see(number=number, part=part) for number, part in [(1, 0), (2, 0), (1, 1), (2, 1), (1, 2), (3, 0)]]
    names = [[(e.track_id.number, e.part) for e in turn] for turn in turns(batch)]
    assert names == [[(1, 0), (2, 0), (3, 0)], [(1, 1), (2, 1)], [(1, 2)]]


def test_a_person_walks_on_as_before() -> None:
    before = walking((40.0, 20.0, 70.0, 90.0), (2.0, 0.0))
    on = walking((62.0, 20.0, 92.0, 90.0), first=11)
    back = walking((18.0, 20.0, 48.0, 90.0), first=11)
    assert motion_llr(before, on, Topology()) > motion_llr(before, back, Topology())


@given(
    st.tuples(st.floats(0, 120), st.floats(0, 30)),
    st.tuples(st.floats(0, 120), st.floats(0, 30)),
    st.integers(10, 400),
)
def test_a_way_in_one_camera_never_says_more_than_allowed(here, there, first: int) -> None:
    one, two = (walking((x, y, x + 30, y + 80), first=index) for (x, y), index in ((here, 0), (there, first)))
    assert MIN_MOTION <= motion_llr(one, two, Topology()) <= MAX_MOTION


@given(CAMERAS, CAMERAS, st.floats(0, 10_000))
def test_a_walk_never_says_more_than_allowed(one: str, two: str, gap_s: float) -> None:
    stated = Topology({("east", "west"): TransitBounds(5.0, 60.0)})
    assert abs(stated.transit_llr(one, two, gap_s)) <= MAX_CUE_LLR


@given(st.floats(0, 1000), st.floats(0, 1000))
def test_a_longer_walk_that_nobody_stated_never_says_more(one: float, two: float) -> None:
    place = Topology()
    assert place.transit_llr("east", "west", min(one, two)) >= place.transit_llr("east", "west", max(one, two))


@given(CAMERAS, CAMERAS, st.floats(0, 100))
def test_walking_times_and_overlaps_hold_both_ways(one: str, two: str, gap_s: float) -> None:
    place = Topology({("east", "west"): TransitBounds(5.0, 60.0)}, frozenset({("east", "north")}))
    assert place.can_transit(one, two, gap_s) == place.can_transit(two, one, gap_s)
    assert place.may_coincide(one, two) == place.may_coincide(two, one)
    assert place.transit_llr(one, two, gap_s) == place.transit_llr(two, one, gap_s)


def test_nobody_is_twice_in_one_camera_even_if_nobody_stated_overlaps() -> None:
    assert not Topology().may_coincide("east", "east")
    assert Topology().may_coincide("east", "west")


@pytest.mark.parametrize(("begin", "two"), [(0.5, True), (1.0 - SLACK_S / 2, False), (3.0, False)])
def test_who_shares_more_time_than_a_tracker_takes_to_notice_is_two_people(begin: float, two: bool) -> None:
    later = segment(start=begin, stop=begin + 5.0, number=2)
    later.spans = [(begin, begin + 5.0)]
    later.sampled_boxes[0, 0] = begin
    assert are_two_people(segment(stop=1.0), later, ANYWHERE) is two


def test_two_boxes_in_one_place_may_be_drawn_on_one_person() -> None:
    assert not are_two_people(segment(stop=3.0), segment(start=1.0, stop=4.0, box=(12, 10, 40, 70)), ANYWHERE)
    assert are_two_people(segment(stop=3.0), segment(start=1.0, stop=4.0, box=(35, 10, 65, 90)), ANYWHERE)


def test_a_segment_follows_the_one_that_ended_last_before_it() -> None:
    walk = [segment("east", 0.0, 4.0), segment("west", 1.0, 3.0), segment("north", 5.0, 6.0), segment("east", 8.0, 9.0)]
    assert list(camera_transitions(walk)) == [(0, 2), (2, 3)]


@given(st.permutations(range(4)))
def test_who_follows_whom_does_not_depend_on_the_order_of_the_list(order) -> None:
    walk = [segment("east", 0.0, 4.0), segment("west", 1.0, 3.0), segment("north", 5.0, 6.0), segment("east", 8.0, 9.0)]
    pairs = {(order[one], order[two]) for one, two in camera_transitions([walk[index] for index in order])}
    assert pairs == set(camera_transitions(walk))


def test_a_walk_that_somebody_can_walk_is_not_broken() -> None:
    rules = Rules(Topology({("east", "west"): TransitBounds(1.0, 10.0)}), 2.0)
    assert impossible_transit([segment("east"), segment("west", 4.0, 5.0)], rules) is None
    assert (
        impossible_transit([segment("east"), segment("west", 1.5, 5.0)], rules)
        == "cannot walk from east to west in 0.5 s"
    )
