"""Enrolled people: known by pictures before any camera sees them."""

import cv2
import numpy as np
import pytest
from factories import make_embedding, make_frame, make_path, make_vector

from models.gallery.exact import ExactGallery
from pipeline.association.calibration.likelihood_ratio import Calibration, DistanceModel
from pipeline.association.constraints import LinkConstraints
from pipeline.association.geometry.topology import Topology
from pipeline.association.matcher import Matcher
from pipeline.core import Embedding, Frame, Outcome, Sighting, TrackId
from pipeline.core.errors import ConfigError
from pipeline.embedding.enrolment import LONG_AGO, Judgement, blank_pictures, enrolment_tracklet, framed, judge


def match_stage(forget_after_s: float = 60.0) -> Matcher:
    return Matcher(
        ExactGallery(),
        Calibration(DistanceModel(0.3, 0.1, 0.9, 0.1), caution=1.0, max_llr=6.0),
        LinkConstraints(Topology(overlaps=frozenset()), leave_after_s=2.0),
        max_false_match_rate=0.01,
        recluster_every_s=10.0,
        recluster_window_s=60.0,
        forget_after_s=forget_after_s,
        max_identities=100,
        max_prototypes=4,
    )


def seen_with(vector: np.ndarray, first: int = 0) -> Embedding:
    return make_embedding(TrackId("east", 0, first + 1), path=make_path(first=first, length=10), vector=vector)


def enrol(stage: Matcher, number: int, vector: np.ndarray) -> None:
    tracklet = enrolment_tracklet("ann", number, [make_frame(), make_frame()], (64, 32))
    path = tracklet.path
    stage.enrol(number, make_embedding(tracklet.track_id, path=path, vector=vector))


def test_pictures_become_a_tracklet_of_no_camera_long_ago() -> None:
    tracklet = enrolment_tracklet("ann", 3, [make_frame(), make_frame(hw=(50, 20))], (64, 32))
    assert tracklet.crops.shape == (2, 64, 32, 3)
    assert tracklet.completed_at == LONG_AGO + 1


def test_no_picture_is_an_error_that_names_the_person() -> None:
    with pytest.raises(ConfigError, match=r"enrol\.lost child"):
        enrolment_tracklet("lost child", 1, [], (64, 32))


def test_a_person_who_matches_the_pictures_gets_that_number_and_others_do_not() -> None:
    stage = match_stage()
    enrol(stage, 1, make_vector(7))
    stranger, listed = stage.process([seen_with(make_vector(8), 0), seen_with(make_vector(7), 100)])
    assert (stranger.person_id, stranger.outcome) == (2, Outcome.NEW)
    assert (listed.person_id, listed.outcome) == (1, Outcome.MATCHED)


def test_enrolled_people_are_not_forgotten_and_keep_their_number_in_re_clustering() -> None:
    stage = match_stage(forget_after_s=5.0)
    enrol(stage, 1, make_vector(7))
    stage.process([seen_with(make_vector(8), 0)])
    stage.process([seen_with(make_vector(9), 500)])
    (listed,) = [r for r in stage.process([seen_with(make_vector(7), 1000)]) if isinstance(r, Sighting)]
    assert listed.person_id == 1
    assert all(1 not in correction.person_ids for correction in stage.flush())


def test_pictures_of_one_colour_are_refused_and_one_among_others_is_not() -> None:
    black = Frame(make_frame().stamp, np.zeros((50, 20, 3), np.uint8))
    with pytest.raises(ConfigError, match=r"enrol\.ann: .* 2 of one colour"):
        enrolment_tracklet("ann", 1, [black, black], (64, 32))
    assert blank_pictures([make_frame(), black]) == [1]
    assert len(enrolment_tracklet("ann", 1, [make_frame(), black], (64, 32)).crops) == 2


def test_a_picture_is_looked_at_with_space_around_it() -> None:
    frame = framed(make_frame(hw=(50, 20)))
    assert frame.size_hw == (100, 100)
    assert (frame.image[25:75, 40:60] == make_frame(hw=(50, 20)).image).all()
    assert (frame.image[:25] == 114).all()


def test_who_is_enrolled_and_not_seen_is_no_visitor() -> None:
    stage = match_stage()
    enrol(stage, 1, make_vector(1))
    assert stage.num_identities == 0
    stage.process([seen_with(make_vector(1))])
    assert stage.num_identities == 1


SHARP = np.random.default_rng(1).integers(0, 256, (400, 300, 3), np.uint8)
WHOLE = (100.0, 50.0, 200.0, 350.0)


def test_a_sharp_picture_of_one_whole_person_is_good_and_says_where_the_person_is() -> None:
    assert judge(SHARP, [WHOLE, (0.0, 0.0, 20.0, 60.0)]) == Judgement((100, 50, 200, 350), ())


@pytest.mark.parametrize(
    ("boxes", "fault"),
    [
        ([], "no person is found"),
        ([WHOLE, (210.0, 60.0, 290.0, 340.0)], "2 people are in it; cut out one"),
        ([(10.0, 10.0, 30.0, 60.0)], "too small, 50 pixels high; 64 are needed"),
        ([(50.0, 50.0, 250.0, 250.0)], "a part of a person"),
    ],
)
def test_what_is_wrong_with_a_picture_is_said(boxes: list[tuple[float, ...]], fault: str) -> None:
    (said,) = judge(SHARP, boxes).faults
    assert fault in said


def test_a_blurred_picture_is_recognised_however_much_contrast_it_has() -> None:
    for contrast in (1.0, 0.2):
        faint = np.asarray(128 + contrast * (SHARP.astype(np.float64) - 128), np.uint8)
        assert judge(faint, [WHOLE]).faults == ()
        assert judge(np.asarray(cv2.GaussianBlur(faint, (0, 0), 9), np.uint8), [WHOLE]).faults == ("it is blurred",)
