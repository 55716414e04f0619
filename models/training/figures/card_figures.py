"""Model-card figures: what the networks find in rendered worlds held out of their training.

    python -m models.training figures data=/a/rendered
    python -m models.training figures data=/a/rendered of=pose pose.weights=/a/own.onnx out=/elsewhere

Each figure is written beside its network and named after it, and the card gets a line that shows it. Further
``key=value`` are passed on to the configuration. Nothing is picked by hand: crops and queries are sampled by seed, and
so are the frames, of which the ones with the most people are shown.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import MISSING

from models.training.candidates import Candidates, read_options
from models.training.figures.image_grid import (
    BLUE,
    GREEN,
    GREY,
    INK,
    RED,
    WHITE,
    draw_box,
    draw_line,
    fit,
    frame_cell,
    join,
    write_jpeg,
)
from models.training.pictures import Image
from models.training.scoring.score_worlds import (
    POSE_CROP_HW,
    count_people,
    embed_crops,
    mean_vectors,
    name_crops,
    sure_boxes,
)
from models.training.scoring.single_crops import to_tracklet
from models.training.scoring.world_people import TrueCrop, TrueFrame, read_true_crops, read_true_frames
from models.training.worlds import World, split_worlds
from models.weights.store import SHIPPED
from pipeline.camera.detection import letterbox
from pipeline.core import Detector, Embedder, PoseEstimator
from pipeline.core.errors import ConfigError, DataError
from pipeline.evaluation.detection import find_matches

MAX_BYTES = 150_000

_FOUND = "Rendered worlds held out of the training. Green: found. Red: wrong. White: missed, as far as to be seen."
_POSED = "Rendered people held out of the training. Green: left limbs. Blue: right limbs."
_AGAIN = (
    "Rendered people held out of the training, seen by one camera, and the five most alike by any other with their "
    "cosines. Green: right. Red: wrong. Grey: wrong, with no right answer left."
)

_LEFT_LIMBS = ((5, 7, 9), (11, 13, 15), (5, 11))
_RIGHT_LIMBS = ((6, 8, 10), (12, 14, 16), (6, 12))
_MIDDLE_LIMBS = ((3, 1, 0, 2, 4), (5, 6), (11, 12))
MIN_KEYPOINT_SCORE = 0.2
_NUM_QUERIES, _NUM_ANSWERS = 8, 5


@dataclass
class CardOptions:
    """What is shown, as ``key=value``.

    Attributes:
        data: Folder that has ``worlds/``.
        held_out: Part of the worlds, the last ones, that the networks did not learn from, as in training; 0: all.
        of: Which networks: detector, pose, embedder.
        out: Folder of the pictures.
        seed: Seed of the sampling.
    """

    data: str = MISSING
    held_out: float = 0.1
    of: str = "detector,pose,embedder"
    out: str = str(SHIPPED)
    seed: int = 0


def picture_detections(detector: Detector, frames: Sequence[TrueFrame]) -> Image:
    """Return frames, two in a row: people found green, wrong boxes red, people missed in thin white."""
    cells = []
    for true in frames:
        (found,) = detector.detect([letterbox(true.frame, detector.input_hw)])
        boxes = sure_boxes(found)
        matches = find_matches(boxes, true.boxes_xyxy)
        missed = count_people(true)
        missed[matches[matches >= 0]] = False
        cell, scale, _ = fit(true.frame.image, (round(560 * true.frame.size_hw[0] / true.frame.size_hw[1]), 560))
        for box in true.boxes_xyxy[missed]:
            draw_box(cell, box * scale, WHITE, thickness=1)
        for box, match in zip(boxes, matches, strict=True):
            draw_box(cell, box * scale, GREEN if match >= 0 else RED)
        cells.append(cell)
    return join(cells, columns=2)


def picture_keypoints(estimator: PoseEstimator, crops: Sequence[TrueCrop]) -> Image:
    """Return crops, eight in a row: left limbs green, right limbs blue, the rest white."""
    found = find_keypoints(estimator, crops)
    return join([draw_skeleton(crop.image, points) for crop, points in zip(crops, found, strict=True)], columns=8)


def find_keypoints(estimator: PoseEstimator, crops: Sequence[TrueCrop]) -> NDArray[np.float32]:
    """Return x and y in parts of the crop, and score, shape ``(N, 17, 3)``."""
    posed = estimator.estimate(
        [to_tracklet(it.image, it.box_xyxy, frame_hw=it.frame_hw, size_hw=POSE_CROP_HW) for it in crops]
    )
    found = [tracklet.keypoints for tracklet in posed if tracklet.keypoints is not None]
    return np.concatenate(found)


def draw_skeleton(image: Image, keypoints: NDArray[np.float32]) -> Image:
    """Return a cell of the picture with the limbs whose ends are sure."""
    cell, scale, corner = fit(image, (256, 128))
    points = keypoints[:, :2] * np.array(image.shape[1::-1], np.float32) * scale + corner
    sure = keypoints[:, 2] >= MIN_KEYPOINT_SCORE
    for limbs, colour in ((_MIDDLE_LIMBS, WHITE), (_RIGHT_LIMBS, BLUE), (_LEFT_LIMBS, GREEN)):
        for limb in limbs:
            for bone in pairwise(limb):
                if sure[list(bone)].all():
                    draw_line(cell, points[list(bone)], colour)
    return cell


def picture_retrievals(embedder: Embedder, crops: Sequence[TrueCrop], *, seed: int) -> Image:
    """Return people as ``picture_answers`` does; a tracklet is the mean of a person in an outfit in a camera.

    Raises:
        DataError: If no person is seen by two cameras.
    """
    means, names, rows = mean_vectors(embed_crops(embedder, crops), name_crops(crops))
    heights = np.array([crop.image.shape[0] for crop in crops])
    shown = [crops[int(np.argmax(np.where(rows == name, heights, -1)))].image for name in range(len(names))]
    return picture_answers(means, names, shown, seed=seed)


def picture_answers(
    vectors: NDArray[np.float32], names: NDArray[np.int64], shown: Sequence[Image], *, seed: int
) -> Image:
    """Return people as one camera saw them, each with the five nearest of all other cameras.

    Right ones are green; wrong ones red, or grey where no right answer is left.

    Args:
        vectors: Shape ``(N, D)``, L2 norm 1: of tracklets.
        names: Shape ``(N, 3)``: person, outfit and camera of each.
        shown: A picture of each.
        seed: Of who is asked for.

    Raises:
        DataError: If no person is seen by two cameras.
    """
    pairs = (names[:, None, :2] == names[None, :, :2]).all(axis=2) & (names[:, None, 2] != names[None, :, 2])
    asked = np.random.default_rng(seed).permutation(np.flatnonzero(pairs.any(axis=1)))[:_NUM_QUERIES]
    if not len(asked):
        raise DataError("data: expected people whom two cameras see, got none; render longer worlds")
    panels = [_answers(int(query), names, vectors, shown, pairs) for query in asked]
    return join(panels, columns=2)


def _answers(
    query: int,
    names: NDArray[np.int64],
    vectors: NDArray[np.float32],
    shown: Sequence[Image],
    pairs: NDArray[np.bool_],
) -> Image:
    size_hw = (144, 72)
    near = vectors @ vectors[query]
    others = np.flatnonzero(names[:, 2] != names[query, 2])
    ranked = others[np.argsort(-near[others], kind="stable")][:_NUM_ANSWERS]
    cells = [frame_cell(fit(shown[query], size_hw)[0], INK, note="query")]
    num_left = int(pairs[query].sum())
    for row in ranked:
        colour = GREEN if pairs[query, row] else RED if num_left else GREY
        num_left -= int(pairs[query, row])
        cells.append(frame_cell(fit(shown[row], size_hw)[0], colour, note=f"{near[row]:.2f}"))
    return join(cells, columns=1 + _NUM_ANSWERS)


def choose_frames(worlds: Sequence[World], *, count: int, seed: int) -> list[TrueFrame]:
    """Return frames of different worlds as far as there are, each with the most people of those drawn from it."""
    best: dict[str, TrueFrame] = {}
    for true in read_true_frames(worlds, max_frames=20 * len(worlds), seed=seed):
        world = true.frame.stamp.camera_id.split("/")[0] if len(worlds) >= count else true.frame.stamp.camera_id
        if world not in best or count_people(true).sum() > count_people(best[world]).sum():
            best[world] = true
    return list(best.values())[:count]


def choose_crops(worlds: Sequence[World], *, count: int, seed: int) -> list[TrueCrop]:
    """Return crops of fully visible people, at most one per person and camera."""
    crops = read_true_crops(worlds, min_visibility=0.9, min_height_px=64, max_crops=count * 20, seed=seed)
    each = {(crop.person_id, crop.outfit, crop.camera): crop for crop in crops}
    chosen = np.random.default_rng(seed).permutation(len(each))[:count]
    return [list(each.values())[row] for row in chosen]


def save(image: Image, path: Path, *, caption: str, network: str = "") -> Path:
    """Write a picture, and show it in the card beside it, of its own name or of the network's, if there is one."""
    write_jpeg(path, image, max_bytes=MAX_BYTES)
    card = path.with_name(f"{network or path.stem}.md")
    if card.exists() and path.name not in (text := card.read_text(encoding="utf-8")):
        card.write_text(f"{text.rstrip()}\n\n![{path.stem}]({path.name})\n\n{caption}\n", encoding="utf-8")
    return path


def main(arguments: list[str]) -> None:
    """Write the pictures, and say where."""
    options, overrides = read_options(arguments, CardOptions)
    learned_from, held_out = split_worlds(Path(options.data), held_out=options.held_out)
    worlds, seed, out = held_out or learned_from, options.seed, Path(options.out)

    def draw_detector(detector: Detector) -> Path:
        frames = choose_frames(worlds, count=4, seed=seed)
        return save(picture_detections(detector, frames), out / "passerby_detector.jpg", caption=_FOUND)

    def draw_pose(estimator: PoseEstimator) -> Path:
        crops = choose_crops(worlds, count=16, seed=seed)
        return save(picture_keypoints(estimator, crops), out / "passerby_keypoints.jpg", caption=_POSED)

    def draw_embedder(embedder: Embedder) -> Path:
        crops = read_true_crops(worlds, min_visibility=0.6, min_height_px=48, max_crops=1500, seed=seed)
        return save(picture_retrievals(embedder, crops, seed=seed), out / "passerby_reid.jpg", caption=_AGAIN)

    drawn: dict[str, Callable[[Any], Path]] = {
        "detector": draw_detector,
        "pose": draw_pose,
        "embedder": draw_embedder,
    }
    for group in options.of.split(","):
        if group not in drawn:
            raise ConfigError(f"of: expected some of {', '.join(drawn)}, got {group!r}")
        candidates = Candidates({group: ["passerby"]}, overrides)
        print(candidates.score(group, drawn[group], site="empty")["passerby"])
