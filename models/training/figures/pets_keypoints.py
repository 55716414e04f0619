"""Skeletons of real people as keypoint networks find them, one row per network.

    python -m models.training skeletons                                      # for the card: on plain ground
    python -m models.training skeletons ground=crops out=/a/folder           # on the pictures themselves
    python -m models.training skeletons pose=passerby,mmpose pose.weights=/a/own.onnx out=/a/folder

The footage is looked for in ``$PASSERBY_PETS09`` and may not be given on, so what is shipped shows no pixel of it. How
far the other networks are from the first is printed: of keypoints that both are sure of, in heights of the person.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.candidates import Candidates, print_rows, read_options
from models.training.figures.card_figures import MIN_KEYPOINT_SCORE, draw_skeleton, find_keypoints, save
from models.training.figures.image_grid import INK, join
from models.training.pictures import Image
from models.training.scoring.pets import HalfCrops, read_half_crops
from models.training.scoring.score_pets import locate_footage
from models.training.scoring.world_people import TrueCrop
from models.weights.store import SHIPPED
from pipeline.core.errors import ConfigError

_NETWORK = "passerby_keypoints"
_SHOWN = 12
_CAPTION = (
    "Real people of PETS 2009, on plain ground because the footage may not be given on: first row passerby, second row "
    "MoveNet on the same crops. Green: left limbs. Blue: right limbs. `python -m models.training skeletons "
    "ground=crops out=DIR` draws them on the pictures."
)


@dataclass
class PetsOptions:
    """What is shown, as ``key=value``.

    Attributes:
        pose: Plug-ins, a row each.
        ground: plain or crops.
        out: Folder of the picture.
        seed: Seed of the sampling.
    """

    pose: str = "passerby,movenet"
    ground: str = "plain"
    out: str = str(SHIPPED)
    seed: int = 0


def to_true_crops(people: HalfCrops) -> list[TrueCrop]:
    """Return the crops in the shape they have in the frame, without true keypoints."""
    nowhere = np.zeros((17, 3), np.float32)
    sizes = np.maximum(1, np.round(people.boxes_xyxy[:, 2:] - people.boxes_xyxy[:, :2]).astype(int)).tolist()
    return [
        TrueCrop(np.asarray(cv2.resize(crop, size), np.uint8), box, people.frame_hw, int(person), 0, int(half), nowhere)
        for crop, size, box, person, half in zip(
            people.crops, sizes, people.boxes_xyxy, people.person_ids, people.halves, strict=True
        )
    ]


def choose(people: HalfCrops, *, count: int, seed: int) -> NDArray[np.intp]:
    """Return rows of people drawn at random, at most one per person and half."""
    rows = np.random.default_rng(seed).permutation(len(people.crops))
    _, first = np.unique(np.stack([people.person_ids, people.halves], axis=1)[rows], axis=0, return_index=True)
    return rows[np.sort(first)][:count]


def compare(found: NDArray[np.float32], other: NDArray[np.float32], crops: list[TrueCrop]) -> tuple[float, float, int]:
    """Return the median distance in heights, the part of keypoints nearer than 0.1, and how many there are.

    Args:
        found: x and y in parts of the crop, and score, shape ``(N, 17, 3)``.
        other: The same of another network.
        crops: N of them.
    """
    sides = np.array([crop.image.shape[1::-1] for crop in crops], np.float32)
    apart = np.linalg.norm((found - other)[..., :2] * (sides / sides[:, 1:])[:, None], axis=-1)
    sure = np.minimum(found[..., 2], other[..., 2]) >= MIN_KEYPOINT_SCORE
    return float(np.median(apart[sure])), float((apart[sure] < 0.1).mean()), int(sure.sum())


def main(arguments: list[str]) -> None:
    """Write the picture, print the distances, and say where the picture is."""
    options, overrides = read_options(arguments, PetsOptions)
    if options.ground not in ("plain", "crops"):
        raise ConfigError(f"ground: expected plain or crops, got {options.ground!r}")
    if options.ground == "crops" and Path(options.out).resolve().is_relative_to(SHIPPED.parents[1]):
        raise ConfigError(f"out: expected a folder outside the project for pictures of real people, got {options.out}")
    footage = locate_footage([])
    people = read_half_crops(footage.video, footage.truth)
    crops, shown = to_true_crops(people), choose(people, count=_SHOWN, seed=options.seed)
    candidates = Candidates({"pose": options.pose.split(",")}, overrides)
    found = candidates.score("pose", lambda it: find_keypoints(it, crops), site="pets")
    cells = [
        draw_skeleton(_ground(crops[row].image, options.ground), keys[row]) for keys in found.values() for row in shown
    ]
    first, *others = found
    print_rows(
        (f"median distance to {first}", "within .1", "keypoints"),
        {name: compare(found[first], found[name], crops) for name in others},
    )
    path = Path(options.out) / f"{_NETWORK}_pets.jpg"
    print(save(join(cells, columns=len(shown)), path, caption=_CAPTION, network=_NETWORK))


def _ground(image: Image, ground: str) -> Image:
    return image if ground == "crops" else np.full_like(image, INK)
