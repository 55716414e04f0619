import numpy as np
import pytest
from factories import make_path
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import TrackPath
from pipeline.evaluation.naive import (
    Track,
    best_threshold,
    cluster_offline,
    link_by_truth,
    mean_vector,
    naive_online,
    to_tables,
)
from pipeline.evaluation.track_table import TrackTable
from pipeline.evaluation.tracking import score_tracks


def make_track(
    angle: float,
    number: int = 1,
    captured_at: float = 0.0,
    camera_id: str = "east",
    path: TrackPath | None = None,
) -> Track:
    """A track whose vector is a direction in the plane, degrees."""
    vector = np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))], np.float32)
    return Track(camera_id, number, captured_at, vector, path or make_path())


def distance_of(angle: float) -> float:
    return 1 - float(np.cos(np.deg2rad(angle)))


def test_a_mean_vector_has_unit_norm_and_uses_at_most_eight_crops() -> None:
    vectors = np.eye(20, dtype=np.float32)
    mean = mean_vector(vectors)
    assert np.linalg.norm(mean) == pytest.approx(1)
    assert np.count_nonzero(mean) == 8
    assert mean[0] > 0
    assert mean[19] > 0


def test_a_near_track_is_the_same_person_and_a_far_one_is_new() -> None:
    tracks = [make_track(0, 1, 0.0), make_track(10, 2, 1.0), make_track(90, 3, 2.0)]
    assert naive_online(tracks, max_distance=distance_of(20)) == [1, 1, 2]


def test_the_nearest_person_wins() -> None:
    tracks = [make_track(0, 1, 0.0), make_track(60, 2, 1.0), make_track(40, 3, 2.0)]
    assert naive_online(tracks, max_distance=distance_of(45)) == [1, 2, 2]


def test_a_person_is_the_mean_of_the_tracks_so_far() -> None:
    # The third track, at 35 degrees, is near the second one, at 20, and far from the mean, at 10.
    tracks = [make_track(0, 1, 0.0), make_track(20, 2, 1.0), make_track(35, 3, 2.0)]
    assert naive_online(tracks, max_distance=distance_of(22)) == [1, 1, 2]


def test_tracks_are_processed_in_order_of_appearance() -> None:
    tracks = [make_track(90, 3, 2.0), make_track(0, 1, 0.0), make_track(10, 2, 1.0)]
    assert naive_online(tracks, max_distance=distance_of(20)) == [2, 1, 1]


def test_opposite_tracks_whose_mean_is_zero_are_still_a_person() -> None:
    tracks = [make_track(0, 1, 0.0), make_track(180, 2, 1.0), make_track(0, 3, 2.0)]
    assert naive_online(tracks, max_distance=2.0) == [1, 1, 1]


def test_clusters_are_cut_at_the_mean_distance() -> None:
    tracks = [make_track(a, i, float(i)) for i, a in enumerate([90, 0, 5, 95])]
    assert cluster_offline(tracks, max_distance=distance_of(20)) == [1, 2, 2, 1]
    assert cluster_offline(tracks, max_distance=2.0) == [1, 1, 1, 1]


@pytest.mark.parametrize("angles", [[], [30.0]], ids=["no track", "one track"])
def test_few_tracks_need_no_clustering(angles: list[float]) -> None:
    tracks = [make_track(angle) for angle in angles]
    assert cluster_offline(tracks, max_distance=0.1) == [1] * len(angles)
    assert naive_online(tracks, max_distance=0.1) == [1] * len(angles)


def test_the_best_threshold_is_the_lowest_with_the_highest_score() -> None:
    tracks = [make_track(0, 1, 0.0), make_track(10, 2, 1.0), make_track(90, 3, 2.0)]
    found = best_threshold(
        lambda threshold: naive_online(tracks, max_distance=threshold),
        lambda people: float(people == [1, 1, 2]),
        [2.0, distance_of(30), distance_of(11), 0.0],
    )
    assert found == distance_of(11)


def make_truth(person: int, path: TrackPath) -> TrackTable:
    return TrackTable(path.indices, np.full(len(path), person, np.int64), path.boxes_xyxy)


def test_a_track_gets_the_true_person_of_most_of_its_frames() -> None:
    path = make_path(length=5)
    early, late = make_path(length=2), make_path(first=2, length=3)
    truth = {
        "east": TrackTable(
            path.indices,
            np.array([4, 4, 6, 6, 6]),
            np.concatenate([early.boxes_xyxy, late.boxes_xyxy]),
        )
    }
    assert link_by_truth([make_track(0, path=path)], truth) == [6]


def test_a_track_without_a_true_person_is_a_new_person() -> None:
    path = make_path()
    elsewhere = make_path(box=(100, 10, 130, 90))
    tracks = [
        make_track(0, 1, path=elsewhere),
        make_track(0, 2, path=path),
        make_track(0, 1, camera_id="west"),
    ]
    assert link_by_truth(tracks, {"east": make_truth(7, path)}) == [8, 7, 9]


def test_correct_tracks_linked_by_the_truth_score_one() -> None:
    paths = {"east": make_path(), "west": make_path(first=50, length=8)}
    truth = {camera_id: make_truth(3, path) for camera_id, path in paths.items()}
    tracks = [make_track(0, 1, camera_id=camera_id, path=path) for camera_id, path in paths.items()]
    result = to_tables(tracks, link_by_truth(tracks, truth))
    assert score_tracks(truth, result).idf1 == 1.0


@given(st.lists(st.floats(0, 180), max_size=10), st.floats(0, 2))
def test_people_are_numbered_without_gaps(angles: list[float], max_distance: float) -> None:
    tracks = [make_track(angle, i, float(i)) for i, angle in enumerate(angles)]
    for link in (naive_online, cluster_offline):
        people = link(tracks, max_distance=max_distance)
        assert list(dict.fromkeys(people)) == list(range(1, len(set(people)) + 1))
