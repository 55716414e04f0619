"""What is known of rendered people, in the terms and the order of the MARS attribute table."""

import numpy as np
from numpy.typing import NDArray

from models.training.worlds import World
from pipeline.core.errors import DataError

_CLASSES = {"top_colour": 9, "bottom_colour": 10, "age": 4} | dict.fromkeys(
    ("long_sleeves", "long_bottom", "shoulder_bag", "backpack", "hat", "handbag", "long_hair", "female", "skirt"), 2
)
NUM_RELEVANT, NUM_IRRELEVANT = sum(_CLASSES.values()), 11
_STANDING, _WALKING, _RUNNING, _VARIOUS_MOTION, _NUM_MOTIONS = 1, 0, 2, 4, 5
_WALKS_M_S, _RUNS_M_S = 0.3, 2.2
_VARIOUS_POSE, _NUM_POSES = 5, 6
_POSE_BORDERS = np.deg2rad([22.5, 67.5, 112.5, 157.5])
"""Of frontal, lateral-frontal, lateral, lateral-back and back."""
_MOSTLY = 0.6


def relevant_of(world: World) -> dict[tuple[int, int], NDArray[np.float32]]:
    """Return what belongs to a person in an outfit, 41 numbers, one of each attribute's classes 1.

    Raises:
        DataError: If the world is damaged or does not say.
    """
    read = world.read("person_id", "person_outfit", "attribute_names", "attributes")
    names = [str(name) for name in read["attribute_names"]]
    values = read["attributes"]
    if missing := sorted(_CLASSES.keys() - set(names)):
        raise DataError(f"{world.path}: expected the attributes {', '.join(missing)}, got none; render it again")
    blocks = []
    for name, count in _CLASSES.items():
        column = values[:, names.index(name)]
        if len(column) and not 0 <= column.min() <= column.max() < count:
            raise DataError(f"{world.path}: expected {name} in [0, {count}), got others; render it again")
        blocks.append(np.eye(count, dtype=np.float32)[column])
    encoded = np.concatenate(blocks, axis=1)
    keys = zip(read["person_id"].tolist(), read["person_outfit"].tolist(), strict=True)
    return dict(zip(keys, encoded, strict=True))


def irrelevant_of(facing_N: NDArray[np.float32], speed_N: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the prevailing motion and pose over a tracklet, ``(11,)``: one of 5 and one of 6 classes 1.

    Args:
        facing_N: Radians, 0 towards the camera.
        speed_N: Metres a second.
    """
    motion_N = np.select([speed_N > _RUNS_M_S, speed_N > _WALKS_M_S], [_RUNNING, _WALKING], _STANDING)
    turned_N = np.abs((facing_N + np.pi) % (2 * np.pi) - np.pi)
    encoded = np.zeros(_NUM_MOTIONS + _NUM_POSES, np.float32)
    encoded[_mostly(motion_N, _VARIOUS_MOTION)] = 1
    encoded[_NUM_MOTIONS + _mostly(np.digitize(turned_N, _POSE_BORDERS), _VARIOUS_POSE)] = 1
    return encoded


def _mostly(classes_N: NDArray[np.int64], various: int) -> int:
    """Return the class of most of them, or ``various``."""
    counts = np.bincount(classes_N)
    return int(counts.argmax()) if counts.max() >= _MOSTLY * len(classes_N) else various
