"""How detectors, embedders and pose estimators do on rendered worlds.

    python -m models.training score-worlds data=/a/rendered held_out=0.1 detector=passerby,yolox_onnx,openvino
    python -m models.training score-worlds data=/a/rendered embedder=passerby,omz_0288 pose=passerby,movenet

Any plug-in with a YAML can be named; ``Limits`` lists what else can be said, further ``key=value`` are passed on to
the configuration. True boxes are those of whole people, occluded or not; a detector that boxes the
visible part alone scores lower.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from omegaconf import MISSING

from models.training.candidates import print_rows, read_candidates, read_options
from models.training.keypoints.samples import VISIBLE
from models.training.scoring.single_crops import embed_each, histogram_vectors, search_across_cameras, to_tracklet
from models.training.scoring.world_people import (
    CAMERAS_PER_WORLD,
    TrueCrop,
    TrueFrame,
    read_true_crops,
    read_true_frames,
)
from models.training.worlds import split_worlds
from pipeline.camera.detection import letterbox
from pipeline.core import Detections, Detector, Embedder, PoseEstimator
from pipeline.core.boxes import iou_matrix
from pipeline.core.errors import ConfigError
from pipeline.evaluation.detection import find_matches

_MIN_SCORE = 0.3
_MIN_IOU = 0.5
_COUNTED_VISIBILITY = 0.2
_COUNTED_PX = 20.0
_RECALLED = ("over 60 px", "30 to 60 px", "occluded")
_SPREAD = ("same_mean", "same_std", "different_mean", "different_std", "same pairs", "different pairs")
_NEAR = 0.05
POSE_CROP_HW = (256, 128)
_AT_ONCE = 64


@dataclass
class Limits:
    """What is scored with, as ``key=value``.

    Attributes:
        data: Folder that has ``worlds/``.
        held_out: Part of the worlds, the last ones, as in training; 0: all.
        max_frames: For detectors, in all.
        max_crops: For the others, in all.
        seed: Seed of the sampling.
    """

    data: str = MISSING
    held_out: float = 0.0
    max_frames: int = 400
    max_crops: int = 1500
    seed: int = 0


def score_detector(detector: Detector, frames: Iterable[TrueFrame]) -> tuple[float, float, float, float, int]:
    """Return precision, the recall of three groups (``_RECALLED``), and how many people these are.

    At score 0.3 and IoU 0.5, greedy by score. Boxes on people who can hardly be seen are neither right nor wrong. The
    groups stand wholly in the frame; the first two are not occluded, of the third 35 to 90 % is visible.
    """
    num_right = num_wrong = 0
    num_recalled, num_people = np.zeros(3, int), np.zeros(3, int)
    for true in frames:
        (found,) = detector.detect([letterbox(true.frame, detector.input_hw)])
        boxes = sure_boxes(found)
        counts = count_people(true)
        matches = find_matches(boxes, true.boxes_xyxy[counts], min_iou=_MIN_IOU)
        on_others = iou_matrix(boxes[matches < 0], true.boxes_xyxy[~counts]).max(axis=1, initial=0)
        num_right += int((matches >= 0).sum())
        num_wrong += int((on_others < _MIN_IOU).sum())
        is_found = np.zeros(len(counts), np.bool_)
        is_found[np.flatnonzero(counts)[matches[matches >= 0]]] = True
        groups = _recall_groups(true) & counts
        num_people += groups.sum(axis=1)
        num_recalled += (groups & is_found).sum(axis=1)
    tall, small, occluded = (num_recalled / np.maximum(num_people, 1)).tolist()
    return num_right / max(num_right + num_wrong, 1), tall, small, occluded, int(num_people.sum())


def sure_boxes(found: Detections) -> NDArray[np.float32]:
    """Return the boxes that count as found, best first, shape ``(N, 4)``."""
    order = np.argsort(-found.scores, kind="stable")
    return found.boxes_xyxy[order[found.scores[order] >= _MIN_SCORE]]


def count_people(true: TrueFrame) -> NDArray[np.bool_]:
    """Return who can be seen well enough to be found, shape ``(N,)``."""
    return (true.visibility > _COUNTED_VISIBILITY) & (_heights(true) >= _COUNTED_PX)


def _heights(true: TrueFrame) -> NDArray[np.float32]:
    return true.boxes_xyxy[:, 3] - true.boxes_xyxy[:, 1]


def _recall_groups(true: TrueFrame) -> NDArray[np.bool_]:
    """Return who belongs to which group, shape ``(3, N)``."""
    heights = _heights(true)
    whole = true.truncation < 0.05
    clear = true.visibility > 0.9
    return np.stack(
        [
            whole & clear & (heights > 60),
            whole & clear & (heights > 30) & (heights <= 60),
            whole & ~clear & (true.visibility >= 0.35) & (heights > 30),
        ]
    )


def embed_crops(embedder: Embedder, crops: Sequence[TrueCrop]) -> NDArray[np.float32]:
    """Return one vector a crop, shape ``(N, D)``, L2 norm 1."""
    size_hw = embedder.crop_size_hw
    return embed_each(
        embedder, [to_tracklet(crop.image, crop.box_xyxy, frame_hw=crop.frame_hw, size_hw=size_hw) for crop in crops]
    )


def mean_vectors(
    vectors: NDArray[np.float32], names: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.intp]]:
    """Return the mean vector of each name, L2 norm 1, the names ``(M, 3)``, and which one each row has, ``(N,)``."""
    distinct, rows = np.unique(names, axis=0, return_inverse=True)
    sums = np.zeros((len(distinct), vectors.shape[1]), np.float32)
    np.add.at(sums, rows.ravel(), vectors)
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12), distinct, rows.ravel()


def name_crops(crops: Sequence[TrueCrop]) -> NDArray[np.int64]:
    """Return person, outfit and camera of each crop, shape ``(N, 3)``."""
    return np.array([(crop.person_id, crop.outfit, crop.camera) for crop in crops], np.int64)


def score_vectors(vectors: NDArray[np.float32], crops: Sequence[TrueCrop]) -> dict[str, tuple[float, float, int]]:
    """Return mAP, rank 1 and number of queries: of crops, of tracklets, and of people who changed their outer wear.

    A tracklet is the mean vector of a person in an outfit in a camera. What has no queries is left out.
    """
    names = name_crops(crops)
    means, seen, _ = mean_vectors(vectors, names)
    scores = {
        "crops": _score_named(vectors, names),
        "tracklets": _score_named(means, seen),
        "other outer wear": _score_named(vectors, names, change=True),
    }
    return {what: score for what, score in scores.items() if score[2]}


def _score_named(
    vectors: NDArray[np.float32], names: NDArray[np.int64], *, change: bool = False
) -> tuple[float, float, int]:
    people, outfits, cameras = np.ascontiguousarray(names.T)
    return search_across_cameras(vectors, people, cameras, outfits=outfits, change=change).score


def spread_distances(
    vectors: NDArray[np.float32], crops: Sequence[TrueCrop]
) -> tuple[float, float, float, float, int, int]:
    """Return what ``configs/calibration`` wants to know of an embedder.

    Mean and standard deviation of cosine distances between tracklets of one person in one outfit by two cameras, and
    between tracklets of two people of one world; and how many pairs of either there are.
    """
    means, names, _ = mean_vectors(vectors, name_crops(crops))
    first, second = np.triu_indices(len(names), 1)
    people, outfits, cameras = (names[first] == names[second]).T
    apart = 1.0 - np.sum(means[first] * means[second], axis=1)
    same = apart[people & outfits & ~cameras]
    world = names[:, 2] // CAMERAS_PER_WORLD
    different = apart[~people & (world[first] == world[second])]
    if not len(same) or not len(different):
        raise ConfigError("data: expected people whom two cameras see, and others, got none; render longer worlds")
    spread = (same.mean(), same.std(), different.mean(), different.std())
    return *(float(value) for value in spread), len(same), len(different)  # type: ignore[return-value]


def score_pose(estimator: PoseEstimator, crops: Sequence[TrueCrop]) -> tuple[float, float, int]:
    """Return the median error of visible keypoints, the part that is nearer than 0.05, and how many there are.

    Errors are in heights of the person's box.
    """
    errors = [np.empty(0)]
    for start in range(0, len(crops), _AT_ONCE):
        some = crops[start : start + _AT_ONCE]
        posed = estimator.estimate(
            [to_tracklet(it.image, it.box_xyxy, frame_hw=it.frame_hw, size_hw=POSE_CROP_HW) for it in some]
        )
        for true, tracklet in zip(some, posed, strict=True):
            assert tracklet.keypoints is not None
            sides_px = true.box_xyxy[2:] - true.box_xyxy[:2]
            apart_px = (tracklet.keypoints[0, :, :2] - true.keypoints[:, :2]) * sides_px
            errors.append((np.linalg.norm(apart_px, axis=1) / sides_px[1])[true.keypoints[:, 2] == VISIBLE])
    joined = np.concatenate(errors)
    if not len(joined):
        raise ConfigError("data: expected crops with visible keypoints, got none; render longer worlds")
    return float(np.median(joined)), float((joined < _NEAR).mean()), len(joined)


def main(arguments: list[str]) -> None:
    """Print a table for each kind of network."""
    limits, rest = read_options(arguments, Limits)
    if limits.max_frames < 1 or limits.max_crops < 1:
        raise ConfigError(
            f"max_frames, max_crops: expected at least 1, got {limits.max_frames}, {limits.max_crops}; raise them"
        )
    candidates = read_candidates(rest, ("detector", "embedder", "pose"))
    learned_from, held_out = split_worlds(Path(limits.data), held_out=limits.held_out)
    worlds = held_out or learned_from
    if candidates.names["detector"]:
        found = candidates.score(
            "detector",
            lambda it: score_detector(it, read_true_frames(worlds, max_frames=limits.max_frames, seed=limits.seed)),
            site="empty",
        )
        print_rows(("precision", *(f"recall {group}" for group in _RECALLED), "boxes"), found)
    if candidates.names["embedder"]:
        crops = read_true_crops(
            worlds, min_visibility=0.6, min_height_px=48, max_crops=limits.max_crops, seed=limits.seed
        )
        vectors = {
            "colour histogram": histogram_vectors([crop.image for crop in crops]),
            **candidates.score("embedder", lambda it: embed_crops(it, crops), site="empty"),
        }
        scores = {name: score_vectors(its, crops) for name, its in vectors.items()}
        rows = {f"{name}, {what}": figures for name, score in scores.items() for what, figures in score.items()}
        print_rows(("mAP", "rank 1", "queries"), rows)
        print_rows(_SPREAD, {name: spread_distances(its, crops) for name, its in vectors.items()})
    if candidates.names["pose"]:
        crops = read_true_crops(
            worlds, min_visibility=0.9, min_height_px=0, max_crops=limits.max_crops, seed=limits.seed
        )
        posed = candidates.score("pose", lambda it: score_pose(it, crops), site="empty")
        print_rows(("median error", "within .05", "keypoints"), posed)
