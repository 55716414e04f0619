"""Attributes of tracklets, for ASA-Net: clothes, age and gender, pose and motion.

A table has a row a tracklet: person, camera, tracklet, then the class of each attribute. Values are read by their
place, because the names differ from copy to copy. Each attribute becomes as many numbers as it has classes, one of
them 1.

Reference:
    Chen et al., "Attribute-driven feature disentangling and temporal aggregation for video person re-identification",
    CVPR 2019, for MARS and DukeMTMC-VideoReID; ASA-Net, Sec. III-A and IV-A.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.reid.networks.attribute_groups import IRRELEVANT, RELEVANT
from models.training.video.datasets.benchmark import TrackletFiles
from pipeline.core.errors import ConfigError, DataError

Key = tuple[int, int, int]
"""Person and camera as the data set numbers them, and the number of the tracklet."""
Targets = Mapping[str, NDArray[np.float32]]
"""By group, float32 ``(N, D)``: one class of each attribute 1; a group of which nothing is known is not there."""
_NUM_KEYS = 3
_POSE_AND_MOTION = (5, 6)
_FLAGS = 7


@dataclass(frozen=True, slots=True, eq=False)
class AttributeTable:
    """What is known of tracklets.

    Attributes:
        relevant: By tracklet, float32: attributes of a person, one of the classes of each 1.
        irrelevant: Likewise, of motion and pose; empty vectors where the table has none.
        num_relevant: Length of the former.
        num_irrelevant: Length of the latter.
    """

    relevant: Mapping[Key, NDArray[np.float32]]
    irrelevant: Mapping[Key, NDArray[np.float32]]
    num_relevant: int
    num_irrelevant: int

    def targets(self, tracklets: Sequence[TrackletFiles]) -> Targets:
        """Return what is to be predicted for tracklets; zeros for those that are not in the table."""
        keys = [key_of(tracklet) for tracklet in tracklets]
        groups = ((RELEVANT, self.relevant, self.num_relevant), (IRRELEVANT, self.irrelevant, self.num_irrelevant))
        return {
            name: np.stack([of.get(key, np.zeros(count, np.float32)) for key in keys])
            for name, of, count in groups
            if count
        }


def read_attributes(path: Path, dataset: str) -> AttributeTable:
    """Return the attributes of a data set.

    Args:
        path: Of the table; of MARS also the older one with fifteen columns, which lacks pose and motion.
        dataset: mars or duke.

    Raises:
        ConfigError: If there is no such table, or no attributes are known of such a data set.
        DataError: If a row is none of the table's.
    """
    if not path.is_file():
        raise ConfigError(f"attributes: expected the table {path}, got nothing there; its authors publish it")
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    classes, num_skipped = _layout(dataset, len(header) - _NUM_KEYS)
    num_motion = len(_POSE_AND_MOTION) if num_skipped else 0
    relevant, irrelevant = {}, {}
    for number, row in enumerate(rows, start=2):
        try:
            person, camera, tracklet, *values = (int(value) for value in row)
            encoded = [_one_hot(value, count) for value, count in zip(values, classes, strict=True)]
        except ValueError as error:
            raise DataError(f"{path}, line {number}: expected {len(header)} numbers of classes, got {row}") from error
        key = (person, camera, tracklet)
        irrelevant[key] = np.concatenate([*encoded[:num_motion], np.empty(0, np.float32)])
        relevant[key] = np.concatenate(encoded[num_motion + num_skipped :])
    motion, kept = classes[:num_motion], classes[num_motion + num_skipped :]
    return AttributeTable(relevant, irrelevant, sum(kept), sum(motion))


def _layout(dataset: str, num_values: int) -> tuple[list[int], int]:
    """Return how many classes each value has, and how many flags of the sequence's quality are not used."""
    flags = [2] * _FLAGS
    layouts = {
        ("mars", 21): ([*_POSE_AND_MOTION, *flags, 9, 10, 4, *[2] * 9], _FLAGS),
        ("mars", 12): ([9, 10, 4, *[2] * 9], 0),
        ("duke", 19): ([*_POSE_AND_MOTION, *flags, *[2] * 8, 8, 9], _FLAGS),
    }
    if (dataset, num_values) not in layouts:
        raise ConfigError(
            f"attributes: expected a table of mars (21 or 12 values) or duke (19), got {dataset} with {num_values}"
        )
    return layouts[dataset, num_values]


def _one_hot(value: int, count: int) -> NDArray[np.float32]:
    if not 0 <= value < count:
        raise ValueError(f"class {value} of {count}")
    encoded = np.zeros(count, np.float32)
    encoded[value] = 1
    return encoded


def key_of(tracklet: TrackletFiles) -> Key:
    """Return how tables name a tracklet: by its pictures of MARS, by its folders of DukeMTMC-VideoReID.

    Raises:
        DataError: If its pictures are named otherwise.
    """
    path = tracklet.paths[0]
    if mars := re.match(r"(\d{4})C(\d)T(\d{4})F", path.name):
        return int(mars[1]), int(mars[2]), int(mars[3])
    person, number = path.parent.parent.name, path.parent.name
    if not (person.isdigit() and number.isdigit()):
        raise DataError(
            f"{path}: expected a name of MARS or folders of DukeMTMC-VideoReID; other sets have no attributes"
        )
    return int(person), tracklet.camera + 1, int(number)
