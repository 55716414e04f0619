"""The naive pipeline, a baseline: one mean vector per track, the nearest neighbour, one threshold.

It uses no topology, no calibration, and not the fact that a person is in one place at a time; the match stage is
compared with it to show their worth. ``cluster_offline`` is the offline form, and ``link_by_truth`` the upper bound of
linking these tracks.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from pipeline.core.arrays import check_array, freeze
from pipeline.core.boxes import iou_matrix
from pipeline.core.distance import cosine_distances
from pipeline.core.records.track import TrackPath
from pipeline.evaluation.track_table import CameraTables, TrackTable
from pipeline.evaluation.tracking import match_boxes

MAX_CROPS = 8
"""Most crops in the mean vector of a track. More cost time."""


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A whole track with its mean appearance vector.

    Attributes:
        camera_id: Camera of the track.
        number: Number of the track in that camera.
        captured_at: Time of its first frame, Unix seconds.
        vector: Shape ``(D,)``, float32, L2 norm 1; see ``mean_vector``.
        path: All its boxes.
    """

    camera_id: str
    number: int
    captured_at: float
    vector: NDArray[np.float32]
    path: TrackPath

    def __post_init__(self) -> None:
        check_array("vector", self.vector, (None,), np.float32)
        freeze(self.vector)


def mean_vector(vectors: NDArray[np.float32], *, max_crops: int = MAX_CROPS) -> NDArray[np.float32]:
    """Return the mean of up to ``max_crops`` vectors, evenly spread over time, as L2 norm 1, shape ``(D,)``.

    Args:
        vectors: Shape ``(N, D)``, N at least 1, ascending in time.
        max_crops: At least 1.
    """
    chosen = np.linspace(0, len(vectors) - 1, min(max_crops, len(vectors))).round().astype(int)
    return _unit(vectors[chosen].mean(axis=0))


def naive_online(tracks: Sequence[Track], *, max_distance: float) -> list[int]:
    """Return a person for each track: the nearest known person within ``max_distance``, or a new one.

    Tracks are processed in order of appearance. A known person is the mean vector of the earlier tracks.

    Args:
        tracks: In any order.
        max_distance: Cosine distance in [0, 2].

    Returns:
        People 1, 2, 3 …, row-aligned with ``tracks``.
    """
    people = [0] * len(tracks)
    sums: list[NDArray[np.float32]] = []
    for i in sorted(range(len(tracks)), key=lambda i: _appearance(tracks[i])):
        vector = tracks[i].vector
        nearest = len(sums)
        if sums:
            distances = cosine_distances(vector[None], np.stack([_unit(total) for total in sums]))[0]
            if distances.min() <= max_distance:
                nearest = int(distances.argmin())
        if nearest == len(sums):
            sums.append(np.zeros_like(vector))
        sums[nearest] = sums[nearest] + vector
        people[i] = nearest + 1
    return people


def cluster_offline(tracks: Sequence[Track], *, max_distance: float) -> list[int]:
    """Return a person for each track by average linkage of all tracks at once, cut at ``max_distance``.

    Args:
        tracks: In any order.
        max_distance: Largest mean cosine distance, in [0, 2], of two groups that are one person.

    Returns:
        People 1, 2, 3 … in the order in which they appear, row-aligned with ``tracks``.
    """
    if len(tracks) < 2:
        return [1] * len(tracks)
    vectors = np.stack([track.vector for track in tracks])
    above_diagonal = np.triu_indices(len(tracks), 1)
    tree = linkage(cosine_distances(vectors, vectors)[above_diagonal].astype(np.float64), "average")
    groups = fcluster(tree, max_distance, "distance").tolist()
    order = sorted(range(len(tracks)), key=lambda i: _appearance(tracks[i]))
    numbers = {group: n for n, group in enumerate(dict.fromkeys(groups[i] for i in order), start=1)}
    return [numbers[group] for group in groups]


def link_by_truth(tracks: Sequence[Track], truth: CameraTables) -> list[int]:
    """Return a person for each track: the true person in most of its frames, or a new one.

    Args:
        tracks: In any order.
        truth: True boxes; frames are the ``indices`` of the paths.

    Returns:
        True identities, row-aligned with ``tracks``; a track without a true person gets a number above all of them.
    """
    true_rows = {camera_id: table.rows_by_frame() for camera_id, table in truth.items()}
    next_own = 1 + max((int(table.ids.max()) for table in truth.values() if len(table)), default=0)
    people = []
    for track in tracks:
        frames: Counter[int] = Counter()
        for index, box_xyxy in zip(track.path.indices.tolist(), track.path.boxes_xyxy, strict=True):
            rows = true_rows.get(track.camera_id, {}).get(index)
            if rows is not None:
                table = truth[track.camera_id]
                shown = match_boxes(iou_matrix(table.boxes_xyxy[rows], box_xyxy[None]))[0]
                frames.update(table.ids[rows[shown]].tolist())
        if frames:
            people.append(min(frames, key=lambda identity: (-frames[identity], identity)))
        else:
            people.append(next_own)
            next_own += 1
    return people


def best_threshold(
    link: Callable[[float], list[int]], score: Callable[[list[int]], float], thresholds: Sequence[float]
) -> float:
    """Return the threshold with the highest score; the lowest of equals.

    It is chosen with the ground truth, in hindsight: an upper bound for the naive pipeline.

    Args:
        link: People for a threshold, for instance by ``naive_online``.
        score: Score of these people, higher is better.
        thresholds: Candidates, at least one.
    """
    return max(sorted(thresholds), key=lambda threshold: score(link(threshold)))


def to_tables(tracks: Sequence[Track], people: Sequence[int]) -> dict[str, TrackTable]:
    """Return tracks and their people as tables for ``score_tracks``, one per camera."""
    rows = defaultdict(list)
    for track, person in zip(tracks, people, strict=True):
        rows[track.camera_id].append((track.path, person))
    return {
        camera_id: TrackTable(
            np.concatenate([path.indices for path, _ in paths]),
            np.concatenate([np.full(len(path), person, np.int64) for path, person in paths]),
            np.concatenate([path.boxes_xyxy for path, _ in paths]),
        )
        for camera_id, paths in rows.items()
    }


def _appearance(track: Track) -> tuple[float, str, int]:
    return track.captured_at, track.camera_id, track.number


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    # Opposite vectors cancel out: the mean is near zero and, as intended, far from each person.
    unit: NDArray[np.float32] = vector / max(float(np.linalg.norm(vector)), 1e-12)
    return unit
