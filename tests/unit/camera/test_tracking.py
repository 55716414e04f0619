import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracks import (
    BEHIND_LEFT,
    CLIP_LEN,
    CROP_HW,
    FPS,
    HW,
    LEFT,
    MIDDLE,
    PART_S,
    RIGHT,
    busy_image,
    make_stage,
    spans,
    step,
    steps,
)

from pipeline.camera.tracking import MAX_CONTACT_PARTS
from pipeline.core import UNCONFIRMED, FrameStamp


def test_the_first_tracklet_comes_soon_and_further_ones_later() -> None:
    stage = make_stage()
    tracklets = steps(stage, range(80), [LEFT])
    assert spans(tracklets) == [(1, 0, 0, 8), (1, 1, 9, 33), (1, 2, 34, 58)]
    assert not any(t.is_last for t in tracklets)
    assert [t.completed_at for t in tracklets] == [1.0, 33 / FPS, 58 / FPS]


def test_the_last_part_comes_when_the_track_ends() -> None:
    stage = make_stage(ended={20: [1]})
    steps(stage, range(15), [LEFT])
    steps(stage, range(15, 20), [])
    (last,) = step(stage, 20, [])
    assert spans([last]) == [(1, 1, 9, 14)]
    assert (last.is_last, last.completed_at) == (True, 20 / FPS)
    assert stage.num_open == 0


def test_a_track_that_ends_with_nothing_new_gives_no_empty_tracklet() -> None:
    stage = make_stage(ended={9: [1]})
    assert len(steps(stage, range(9), [LEFT])) == 1
    assert step(stage, 9, []) == []


def test_flush_gives_the_last_part_of_every_track() -> None:
    stage = make_stage()
    steps(stage, range(5), [LEFT, RIGHT])
    tracklets = stage.flush()
    assert spans(tracklets) == [(1, 0, 0, 4), (2, 0, 0, 4)]
    assert all(t.is_last for t in tracklets)
    assert stage.flush() == []


def test_a_track_is_named_by_camera_session_and_number() -> None:
    stage = make_stage(numbers={index: [7] for index in range(800, 900)})
    (tracklet,) = steps(stage, range(800, 815), [LEFT])
    assert str(tracklet.track_id) == "east/100/7"


def test_detections_without_a_track_are_left_out() -> None:
    stage = make_stage(numbers={index: [UNCONFIRMED, 4] for index in range(9)})
    (tracklet,) = steps(stage, range(9), [LEFT, RIGHT])
    assert tracklet.track_id.number == 4
    np.testing.assert_array_equal(tracklet.path.boxes_xyxy, np.tile(np.float32(RIGHT), (9, 1)))


@given(st.lists(st.permutations([1, 2, 3]), min_size=20, max_size=20))
def test_boxes_and_crops_stay_with_their_track_in_whatever_order_they_come(orders) -> None:
    home = {1: LEFT, 2: MIDDLE, 3: RIGHT}
    image = np.zeros((*HW, 3), np.uint8)
    for number, (left, top, right, bottom) in home.items():
        image[int(top) : int(bottom), int(left) : int(right)] = 50 * number
    stage = make_stage(numbers=dict(enumerate(orders)))
    tracklets = [
        t
        for index, order in enumerate(orders)
        for t in step(stage, index, [home[number] for number in order], image=lambda _: image)
    ]
    for tracklet in [*tracklets, *stage.flush()]:
        number = tracklet.track_id.number
        assert (tracklet.path.boxes_xyxy == np.float32(home[number])).all()
        assert (tracklet.crops == 50 * number).all()
        assert len(tracklet) == len(tracklet.stamps) == len(tracklet.qualities) == len(tracklet.boxes_xyxy)


def test_crops_are_few_spread_over_time_and_of_the_size_asked_for() -> None:
    tracklets = steps(make_stage(), range(80), [LEFT])
    for tracklet in tracklets:
        assert tracklet.crops.shape == (CLIP_LEN, *CROP_HW, 3) or len(tracklet) < CLIP_LEN
        times = np.array([stamp.captured_at for stamp in tracklet.stamps])
        length_s = np.ptp(tracklet.path.captured_at)
        assert len(tracklet) >= 2
        assert np.ptp(times) >= length_s / 2
        assert {stamp.index for stamp in tracklet.stamps} <= set(tracklet.path.indices.tolist())


def test_parts_of_a_track_are_whole_and_disjoint() -> None:
    stage = make_stage()
    tracklets = [*steps(stage, range(95), [LEFT]), *stage.flush()]
    assert np.concatenate([t.path.indices for t in tracklets]).tolist() == list(range(95))
    assert [t.part for t in tracklets] == list(range(len(tracklets)))


def test_a_part_is_cut_where_two_people_separate() -> None:
    stage = make_stage()
    tracklets = steps(stage, range(20), [LEFT, RIGHT])
    tracklets += steps(stage, range(20, 30), [LEFT, BEHIND_LEFT])
    tracklets += steps(stage, range(30, 35), [LEFT, RIGHT])
    tracklets += stage.flush()
    first = [t for t in tracklets if t.track_id.number == 1]
    assert spans(first) == [(1, 0, 0, 8), (1, 1, 9, 29), (1, 2, 30, 34)]
    assert [t.is_continuous for t in first] == [True, True, False]


def test_people_side_by_side_are_not_in_contact() -> None:
    stage = make_stage()
    tracklets = [*steps(stage, range(20), [LEFT, (35.0, 10.0, 65.0, 90.0)]), *stage.flush()]
    assert all(t.is_continuous for t in tracklets)


def test_a_track_that_comes_out_of_a_contact_alone_is_cut_too() -> None:
    stage = make_stage(numbers={index: [1] for index in range(15, 30)})
    steps(stage, range(12), [LEFT, BEHIND_LEFT])
    tracklets = [*steps(stage, range(15, 20), [LEFT]), *stage.flush()]
    assert [(t.part, t.is_continuous) for t in tracklets if t.track_id.number == 1] == [(0, True), (1, False)]


def test_people_in_contact_for_long_take_bounded_memory() -> None:
    stage = make_stage()
    tracklets = steps(stage, range(1000), [LEFT, BEHIND_LEFT])
    longest_s = MAX_CONTACT_PARTS * PART_S
    assert max(np.ptp(t.path.captured_at) for t in tracklets) <= longest_s + 1 / FPS
    needed = stage.oldest_needed()
    assert needed is not None
    assert needed.captured_at >= 999 / FPS - longest_s


def test_a_long_track_takes_bounded_memory() -> None:
    stage = make_stage()
    tracklets = steps(stage, range(1000), [LEFT])
    assert max(len(t.path) for t in tracklets) <= PART_S * FPS + 1
    assert max(len(t) for t in tracklets) <= CLIP_LEN


def test_no_more_tracks_are_open_than_allowed_and_the_oldest_end() -> None:
    stage = make_stage(numbers={index: [index + 1] for index in range(10)}, max_open_tracks=3)
    tracklets = []
    for index in range(10):
        tracklets += step(stage, index, [LEFT])
        assert stage.num_open <= 3
    assert [t.track_id.number for t in tracklets] == [1, 2, 3, 4, 5, 6, 7]
    assert all(t.is_last for t in tracklets)


def test_a_track_that_comes_back_after_it_was_ended_for_want_of_room_has_a_name_of_its_own() -> None:
    stage = make_stage(numbers={index: [1, 2] if index % 2 else [1] for index in range(6)}, max_open_tracks=1)
    tracklets = [each for index in range(6) for each in step(stage, index, [LEFT, RIGHT][: 1 + index % 2])]
    names = [f"{tracklet.track_id}:{tracklet.part}" for tracklet in tracklets]
    assert len(names) > 2
    assert len(set(names)) == len(names)


def test_a_static_false_positive_is_dropped() -> None:
    stage = make_stage()
    tracklets = steps(stage, range(80), [LEFT], score=0.4)
    assert [t.part for t in tracklets] == [0]  # the first part is emitted before movement is checked
    assert stage.num_static == 2


def test_a_person_with_a_low_score_who_moves_is_kept() -> None:
    stage = make_stage()
    tracklets = steps(stage, range(80), [LEFT], score=0.4, image=busy_image)
    assert [t.part for t in tracklets] == [0, 1, 2]
    assert stage.num_static == 0


def test_a_static_track_needs_a_higher_score_from_the_second_part_on() -> None:
    stage = make_stage()
    tracklets = steps(stage, range(160), [LEFT], score=0.7)
    assert [t.part for t in tracklets] == [0, 1]
    assert stage.num_static > 2


def test_a_person_with_a_high_score_who_stands_still_is_kept() -> None:
    stage = make_stage()
    assert len(steps(stage, range(80), [LEFT], score=0.9)) == 3
    assert stage.num_static == 0


def test_the_part_after_a_dropped_part_is_as_continuous_as_that_one_was() -> None:
    stage = make_stage()
    steps(stage, range(20), [LEFT, BEHIND_LEFT])
    tracklets = steps(stage, range(20, 50), [LEFT, RIGHT], score=0.55)
    assert stage.num_static == 2
    assert {t.is_continuous for t in tracklets} == {True}
    assert [t.is_continuous for t in steps(stage, range(50, 75), [LEFT, RIGHT], image=busy_image)] == [False, False]


def test_a_static_false_positive_that_is_often_lost_is_dropped_too() -> None:
    stage = make_stage()
    tracklets = []
    for start in range(0, 96, 16):  # too short for a part of its own
        tracklets += steps(stage, range(start, start + 8), [LEFT], score=0.55)
        tracklets += steps(stage, range(start + 8, start + 16), [LEFT], score=0.2)
    assert max(t.path.captured_at[-1] for t in tracklets) <= PART_S + 1
    assert stage.num_static > 2


def test_a_track_without_a_peak_score_gives_no_tracklet() -> None:
    stage = make_stage(min_peak_score=0.6)
    tracklets = [*steps(stage, range(80), [LEFT], score=0.55, image=busy_image), *stage.flush()]
    assert tracklets == []
    assert stage.num_low_score == 9  # each after FIRST_AFTER_S


def test_one_box_with_a_peak_score_is_enough_for_a_part() -> None:
    stage = make_stage(min_peak_score=0.6)
    steps(stage, range(30), [LEFT], score=0.55, image=busy_image)
    step(stage, 30, [LEFT], score=0.65, image=busy_image)
    tracklets = [*steps(stage, range(31, 50), [LEFT], score=0.2, image=busy_image), *stage.flush()]
    assert [(t.part, 30 in t.path.indices, t.is_last) for t in tracklets] == [(0, True, False)]


def test_a_track_is_cut_when_a_new_person_comes_out_of_its_box() -> None:
    stage = make_stage()
    steps(stage, range(20), [LEFT], image=busy_image)
    tracklets = steps(stage, range(20, 60), [MIDDLE, LEFT], image=busy_image)
    first = [t for t in tracklets if t.track_id.number == 1]
    assert [(int(t.path.indices[-1]), t.is_continuous) for t in first][:2] == [(20, True), (45, False)]


def test_a_track_is_not_cut_when_a_new_person_comes_from_elsewhere() -> None:
    stage = make_stage()
    steps(stage, range(20), [LEFT], image=busy_image)
    tracklets = steps(stage, range(20, 60), [LEFT, RIGHT], image=busy_image)
    assert all(t.is_continuous for t in tracklets)


@pytest.mark.parametrize(("num_lost", "is_cut"), [(2, False), (8, True)], ids=["for a moment", "for long"])
@pytest.mark.parametrize("score", [None, 0.3], ids=["no box", "low scores"])
def test_a_track_is_cut_after_the_detector_lost_it_for_long(num_lost: int, is_cut: bool, score: float | None) -> None:
    stage = make_stage()
    steps(stage, range(15), [LEFT], image=busy_image)
    boxes = [LEFT] if score is not None else []
    tracklets = steps(stage, range(15, 15 + num_lost), boxes, score=score or 0.9, image=busy_image)
    tracklets += steps(stage, range(15 + num_lost, 40), [LEFT], image=busy_image)
    tracklets += stage.flush()
    assert (False in [t.is_continuous for t in tracklets]) is is_cut


def test_no_frame_is_needed_while_no_track_is_open() -> None:
    stage = make_stage()
    assert stage.oldest_needed() is None
    step(stage, 0, [])
    assert stage.oldest_needed() is None


def test_the_oldest_frame_needed_is_the_first_of_the_oldest_open_part() -> None:
    stage = make_stage()
    steps(stage, range(5), [LEFT])
    steps(stage, range(5, 8), [LEFT, RIGHT])
    assert stage.oldest_needed() == FrameStamp("east", 0, 0.0)
    steps(stage, range(8, 9), [LEFT, RIGHT])
    assert stage.oldest_needed() == FrameStamp("east", 5, 5 / FPS)


@given(
    st.lists(
        st.tuples(st.sets(st.integers(1, 3)), st.sampled_from([LEFT, BEHIND_LEFT, RIGHT])), min_size=1, max_size=60
    )
)
def test_every_box_of_a_track_is_in_one_tracklet_whatever_happens(frames) -> None:
    stage = make_stage(numbers={index: sorted(there) for index, (there, _) in enumerate(frames)})
    places = {1: LEFT, 3: MIDDLE}
    tracklets = [
        t
        for index, (there, wanderer) in enumerate(frames)
        for t in step(stage, index, [places.get(number, wanderer) for number in sorted(there)])
    ]
    tracklets += stage.flush()
    for number in (1, 2, 3):
        of_track = [t for t in tracklets if t.track_id.number == number]
        boxes = [index for t in of_track for index in t.path.indices.tolist()]
        assert boxes == [index for index, (there, _) in enumerate(frames) if number in there]
        assert [t.part for t in of_track] == list(range(len(of_track)))
        assert not any(t.is_last for t in of_track[:-1])


def test_an_empty_batch_gives_nothing() -> None:
    assert make_stage().process([]) == []


@pytest.mark.parametrize("index", [0, 5])
def test_a_camera_may_begin_at_any_frame(index: int) -> None:
    stage = make_stage()
    step(stage, index, [LEFT])
    (tracklet,) = stage.flush()
    assert tracklet.path.indices.tolist() == [index]
