"""One test a rule of the tracking stage: without the rule, the decision that the test names is another one."""

from collections.abc import Sequence

import numpy as np
import pytest
from tracks import BEHIND_LEFT, FPS, LEFT, MIDDLE, RIGHT, busy_image, flat_image, make_stage, spans, step, steps

from pipeline.camera.crops import BORDER_QUALITY
from pipeline.camera.tracking import HIDDEN_S, MAX_LOW_SCORE_S, TrackingStage
from pipeline.core import Tracklet

Box = Sequence[float]


def shifted(box: Box, right_px: float) -> Box:
    return (box[0] + right_px, box[1], box[2] + right_px, box[3])


def of_track(tracklets: Sequence[Tracklet], number: int) -> list[Tracklet]:
    return [t for t in tracklets if t.track_id.number == number]


def first_indices(tracklets: Sequence[Tracklet]) -> list[int]:
    return [int(t.path.indices[0]) for t in tracklets]


# Cuts: contact


@pytest.mark.parametrize(
    ("right_px", "is_cut"), [(18.0, True), (24.0, False)], ids=["40 % covered", "20 % covered, the limit is 30 %"]
)
def test_two_people_touch_from_the_stated_coverage_on(right_px: float, is_cut: bool) -> None:
    stage = make_stage()
    tracklets = steps(stage, range(15), [LEFT, RIGHT], image=busy_image)
    tracklets += steps(stage, range(15, 20), [LEFT, shifted(LEFT, right_px)], image=busy_image)
    tracklets += [*steps(stage, range(20, 25), [LEFT, RIGHT], image=busy_image), *stage.flush()]
    assert first_indices(of_track(tracklets, 1)) == ([0, 9, 20] if is_cut else [0, 9])


def test_the_cut_after_a_contact_spares_the_tracks_that_nobody_touched() -> None:
    stage = make_stage()
    tracklets = steps(stage, range(15), [LEFT, BEHIND_LEFT, RIGHT], image=busy_image)
    tracklets += [*steps(stage, range(15, 20), [LEFT, MIDDLE, RIGHT], image=busy_image), *stage.flush()]
    assert {n: [t.is_continuous for t in of_track(tracklets, n)] for n in (1, 2, 3)} == {
        1: [True, False],
        2: [True, False],
        3: [True, True],
    }


def test_a_part_that_is_due_waits_for_the_end_of_a_contact() -> None:
    stage = make_stage()
    assert steps(stage, range(20), [LEFT, BEHIND_LEFT], image=busy_image) == []
    assert spans(step(stage, 20, [LEFT, RIGHT], image=busy_image)) == [(1, 0, 0, 19), (2, 0, 0, 19)]


def test_a_part_that_follows_one_of_a_long_contact_is_not_continuous() -> None:
    stage = make_stage()
    tracklets = steps(stage, range(250), [LEFT, BEHIND_LEFT], image=busy_image)
    assert [t.is_continuous for t in of_track(tracklets, 1)] == [True, False]


# Cuts: the detector lost the track


@pytest.mark.parametrize(("low", "is_cut"), [(0.45, True), (0.5, False)], ids=["low", "just high enough"])
def test_a_track_is_lost_while_its_scores_are_low(low: float, is_cut: bool) -> None:
    stage = make_stage()
    tracklets = steps(stage, range(15), [LEFT], image=busy_image)
    tracklets += steps(stage, range(15, 21), [LEFT], score=low, image=busy_image)
    tracklets += [*steps(stage, range(21, 25), [LEFT], image=busy_image), *stage.flush()]
    assert first_indices(tracklets) == ([0, 9, 21] if is_cut else [0, 9])


@pytest.mark.parametrize(("extra", "is_cut"), [(0, False), (1, True)], ids=["at the limit", "a frame longer"])
def test_low_scores_cut_a_track_only_after_the_limit(extra: int, is_cut: bool) -> None:
    back = 15 + round(MAX_LOW_SCORE_S * FPS) + extra - 1  # the last high score is that of frame 14
    stage = make_stage()
    steps(stage, range(15), [LEFT], image=busy_image)
    steps(stage, range(15, back), [LEFT], score=0.3, image=busy_image)
    tracklets = step(stage, back, [LEFT], image=busy_image)
    assert spans(tracklets) == ([(1, 1, 9, back - 1)] if is_cut else [])


def test_a_track_whose_score_stays_low_is_not_cut_before_the_score_rises_again() -> None:
    stage = make_stage()
    steps(stage, range(15), [LEFT], image=busy_image)
    assert steps(stage, range(15, 30), [LEFT], score=0.3, image=busy_image) == []
    assert spans(step(stage, 30, [LEFT], image=busy_image)) == [(1, 1, 9, 29)]
    assert steps(stage, range(31, 40), [LEFT], image=busy_image) == []


def test_a_track_that_begins_with_low_scores_is_cut_when_the_first_high_score_comes_late() -> None:
    stage = make_stage()
    steps(stage, range(6), [LEFT], score=0.3, image=busy_image)
    assert spans(step(stage, 6, [LEFT], image=busy_image)) == [(1, 0, 0, 5)]


# Cuts: two people were hidden in one box


def newcomer(stage: TrackingStage, path: Sequence[Box], box: Box) -> list[Tracklet]:
    """Let a track follow ``path``, begin a second track in the last frame, and return what the next frame completes."""
    tracklets: list[Tracklet] = []
    for index, place in enumerate(path):
        boxes = [place, box] if index == len(path) - 1 else [place]
        tracklets += step(stage, index, boxes, image=busy_image)
    return step(stage, len(path), [path[-1], box], image=busy_image)


@pytest.mark.parametrize(
    ("box", "is_cut"),
    [
        ((10.0, 10.0, 40.0, 90.0), True),
        (shifted(LEFT, 9.0), True),
        (shifted(LEFT, 15.0), False),
        ((15.0, 15.0, 25.0, 35.0), True),
        ((0.0, 0.0, 80.0, 110.0), False),
    ],
    ids=["its whole box", "70 % inside", "50 % inside", "small and inside", "large and around it"],
)
def test_a_person_who_appears_inside_the_recent_box_of_a_track_cuts_it(box: Box, is_cut: bool) -> None:
    tracklets = newcomer(make_stage(), [LEFT] * 15 + [RIGHT], box)
    assert spans(tracklets) == ([(1, 1, 9, 15)] if is_cut else [])


@pytest.mark.parametrize(("extra", "is_cut"), [(0, True), (1, False)], ids=["at the limit", "a frame longer"])
def test_a_box_may_have_hidden_a_second_person_for_a_limited_time(extra: int, is_cut: bool) -> None:
    num_since = round(HIDDEN_S * FPS) + extra
    tracklets = newcomer(make_stage(), [LEFT] * 12 + [RIGHT] * num_since, LEFT)
    assert spans(tracklets) == ([(1, 1, 9, 11 + num_since)] if is_cut else [])


def test_a_person_who_appears_where_a_track_arrives_in_that_frame_does_not_cut_it() -> None:
    assert newcomer(make_stage(), [RIGHT] * 15 + [LEFT], BEHIND_LEFT) == []


def test_of_several_tracks_only_the_one_that_hid_the_newcomer_is_cut() -> None:
    stage = make_stage()
    steps(stage, range(15), [LEFT, RIGHT], image=busy_image)
    step(stage, 15, [MIDDLE, RIGHT, LEFT], image=busy_image)
    tracklets = step(stage, 16, [MIDDLE, RIGHT, LEFT], image=busy_image)
    assert spans(tracklets) == [(1, 1, 9, 15)]


def test_a_second_newcomer_from_elsewhere_does_not_undo_the_cut() -> None:
    stage = make_stage(numbers={15: [2, 3, 1], 16: [2, 3, 1]})
    steps(stage, range(15), [LEFT], image=busy_image)
    tracklets = step(stage, 15, [LEFT, RIGHT, MIDDLE], image=busy_image)
    assert spans(tracklets) == [(1, 1, 9, 14)]
    assert step(stage, 16, [LEFT, RIGHT, MIDDLE], image=busy_image) == []


# Parts that are dropped


@pytest.mark.parametrize(
    ("score", "num_static"), [(0.59, 1), (0.61, 0)], ids=["below the limit", "above the limit of 0.6"]
)
def test_a_track_that_does_not_move_is_dropped_below_the_stated_mean_score(score: float, num_static: int) -> None:
    stage = make_stage()
    steps(stage, range(34), [LEFT], score=score)
    assert stage.num_static == num_static


@pytest.mark.parametrize(
    ("score", "num_static"), [(0.79, 1), (0.81, 0)], ids=["below the limit", "above the limit of 0.8"]
)
def test_the_second_part_that_does_not_move_needs_a_score_half_way_to_one(score: float, num_static: int) -> None:
    stage = make_stage()
    steps(stage, range(59), [LEFT], score=score)
    assert stage.num_static == num_static


@pytest.mark.parametrize(
    ("low", "high", "num_static"), [(0.45, 0.9, 0), (0.3, 0.8, 1)], ids=["a mean of 0.675", "a mean of 0.55"]
)
def test_the_mean_score_decides_about_a_track_that_does_not_move(low: float, high: float, num_static: int) -> None:
    stage = make_stage()
    for index in range(34):
        step(stage, index, [LEFT], score=low if index % 2 else high)
    assert stage.num_static == num_static


def test_a_track_is_not_static_before_it_was_watched_for_the_length_of_a_part() -> None:
    stage = make_stage()
    assert spans(steps(stage, range(9), [LEFT], score=0.4)) == [(1, 0, 0, 8)]


def test_a_place_that_changed_once_is_compared_with_its_new_picture() -> None:
    stage = make_stage()
    tracklets = steps(
        stage, range(120), [LEFT], score=0.4, image=lambda index: flat_image(index) + np.uint8(50 * (index >= 40))
    )
    assert [(t.part, int(t.path.indices[-1])) for t in tracklets] == [(0, 8), (1, 58)]
    assert stage.num_static == 3


def test_a_track_that_went_elsewhere_is_watched_where_it_is() -> None:
    def flickers_on_the_left(index: int) -> np.ndarray:
        image = flat_image(index)
        image[:, :50] += np.uint8(50 * (index % 2))
        return image

    stage = make_stage()
    steps(stage, range(40), [LEFT], score=0.4, image=flickers_on_the_left)
    tracklets = steps(stage, range(40, 120), [RIGHT], score=0.4, image=flickers_on_the_left)
    assert stage.num_static >= 2
    assert max(int(t.path.indices[-1]) for t in tracklets) < 70


@pytest.mark.parametrize(("score", "num_parts"), [(0.75, 2), (0.74, 0)], ids=["at the limit", "below the limit"])
def test_a_part_needs_a_score_of_the_stated_height(score: float, num_parts: int) -> None:
    stage = make_stage(min_peak_score=0.75)
    tracklets = [*steps(stage, range(15), [LEFT], score=score, image=busy_image), *stage.flush()]
    assert (len(tracklets), stage.num_low_score) == (num_parts, 2 - num_parts)


# Crops


@pytest.mark.parametrize(
    ("poor", "score"),
    [
        ([(0.0, 10.0, 30.0, 90.0)], 0.9),
        ([(60.0, 0.0, 90.0, 80.0)], 0.9),
        ([(130.0, 10.0, 159.0, 90.0)], 0.9),
        ([(60.0, 39.0, 90.0, 119.0)], 0.9),
        ([MIDDLE, shifted(MIDDLE, 24.0)], 0.9),
        ([(60.0, 10.0, 90.0, 70.0)], 0.9),
        ([MIDDLE], 0.8),
    ],
    ids=["left border", "upper border", "right border", "lower border", "covered", "small", "low score"],
)
def test_of_two_crops_the_one_that_shows_more_of_a_person_is_kept(poor: list[Box], score: float) -> None:
    stage = make_stage()
    step(stage, 0, poor, score=score)  # the first two frames share a span, and an equal crop does not replace the first
    step(stage, 1, [MIDDLE], score=0.9)
    (tracklet,) = of_track(stage.flush(), 1)
    assert [stamp.index for stamp in tracklet.stamps] == [1]


def test_the_qualities_of_a_tracklet_are_those_of_its_crops() -> None:
    stage = make_stage()
    step(stage, 0, [MIDDLE])
    step(stage, 2, [(0.0, 10.0, 30.0, 90.0)])
    step(stage, 4, [MIDDLE, shifted(MIDDLE, 24.0)])
    (tracklet,) = of_track(stage.flush(), 1)
    whole = 0.9 * np.sqrt(80 / 128)
    np.testing.assert_allclose(tracklet.qualities, [whole, BORDER_QUALITY * whole, 0.8**2 * whole], rtol=1e-5)


# Open tracks


@pytest.mark.parametrize(
    ("max_open_tracks", "ended"), [(2, [1]), (3, [])], ids=["one too many", "as many as are allowed"]
)
def test_the_oldest_of_too_many_tracks_ends(max_open_tracks: int, ended: list[int]) -> None:
    stage = make_stage(max_open_tracks=max_open_tracks)
    tracklets = step(stage, 0, [LEFT, MIDDLE, RIGHT])
    assert [(t.track_id.number, t.is_last) for t in tracklets] == [(number, True) for number in ended]
    assert stage.num_open == 3 - len(ended)


def test_the_people_of_now_are_those_with_a_box_in_the_newest_frame() -> None:
    stage = make_stage()
    assert stage.people_now() == {}
    steps(stage, range(3), [LEFT, RIGHT])
    people = {str(track_id): box.tolist() for track_id, box in stage.people_now().items()}
    assert people == {"east/0/1": list(LEFT), "east/0/2": list(RIGHT)}
    step(stage, 3, [MIDDLE])
    assert {str(track_id): box.tolist() for track_id, box in stage.people_now().items()} == {"east/0/1": list(MIDDLE)}
    assert stage.num_open == 2
    step(stage, 4, [])
    assert stage.people_now() == {}


def test_people_are_there_in_the_frame_that_completes_their_tracklet() -> None:
    stage = make_stage()
    assert len(steps(stage, range(9), [LEFT])) == 1
    assert [box.tolist() for box in stage.people_now().values()] == [list(LEFT)]


def test_people_whose_track_ended_are_not_there() -> None:
    stage = make_stage(max_open_tracks=1)
    step(stage, 0, [LEFT, RIGHT])
    assert [track_id.number for track_id in stage.people_now()] == [2]
    stage.flush()
    assert stage.people_now() == {}
