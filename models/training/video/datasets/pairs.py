"""iLIDS-VID and PRID-2011: people in two cameras, one sequence each, halves of the people to learn from.

Both are scored ten times, on ten splits, by the part of the people who are found at once or among the first few.

Reference:
    Wang et al., "Person Re-identification by Video Ranking", ECCV 2014. Hirzer et al., "Person Re-identification by
    Descriptive and Discriminative Classification", SCIA 2011.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from models.training.video.datasets.benchmark import (
    Benchmark,
    TrackletFiles,
    last_number,
    list_frames,
    number_people,
    require,
)
from pipeline.core.errors import ConfigError, DataError

ILIDS_LAYOUT = """ilids-vid/
  i-LIDS-VID/sequences/cam1/person001/cam1_person001_00317.png   cam2 likewise; 300 people, numbers to 319
  train-test people splits/train_test_splits_ilidsvid.mat"""
ILIDS_SOURCE = "given by Queen Mary University of London for research"
PRID_LAYOUT = """prid2011/
  prid_2011/multi_shot/cam_a/person_0001/0001.png   cam_b likewise; people 1 to 200 are in both
  splits_prid2011.json   optional: [{"train": [folder names], "test": [folder names]}, ...]"""
PRID_SOURCE = "given by Graz University of Technology for research"
NUM_SPLITS = 10


def load_ilids(root: Path, *, split: int, first_half: str = "test") -> Benchmark:
    """Return one split of iLIDS-VID.

    Args:
        root: The folder that has ``i-LIDS-VID``.
        split: 0 to 9.
        first_half: test: the first half of a row of the split file is tested with, as originally; or train.

    Raises:
        ConfigError: If there is no such split, or something of the data set is not there.
        DataError: If the split file is damaged or of other people.
    """
    if first_half not in ("test", "train"):
        raise ConfigError(f"first_half: expected test or train, got {first_half!r}")
    folder = require(root / "i-LIDS-VID" / "sequences", layout=ILIDS_LAYOUT, source=ILIDS_SOURCE)
    path = root / "train-test people splits" / "train_test_splits_ilidsvid.mat"
    require(path, layout=ILIDS_LAYOUT, source=ILIDS_SOURCE)
    try:
        splits = np.asarray(loadmat(path)["ls_set"], np.int64)
    except (KeyError, ValueError, TypeError, NotImplementedError, OSError, MatReadError) as error:
        raise DataError(f"{path}: expected a MATLAB file with ls_set, got: {error}; copy it again") from error
    # Numbers in the file count folders in their order; they are no folder's name.
    people = sorted(person.name for person in (folder / "cam1").iterdir() if person.is_dir())
    if splits.ndim != 2 or splits.shape[1] != len(people) or set(splits[0]) != set(range(1, len(people) + 1)):
        raise DataError(f"{path}: expected splits of the {len(people)} people in {folder}, got {splits.shape}")
    _check_split(split, len(splits))
    row = [people[number - 1] for number in splits[split]]
    halves = {"test": row[: len(row) // 2], "train": row[len(row) // 2 :]}
    if first_half == "train":
        halves = {"test": halves["train"], "train": halves["test"]}
    return _benchmark("iLIDS-VID", folder, ("cam1", "cam2"), halves["train"], halves["test"], split)


def load_prid(root: Path, *, split: int, min_frames: int = 27, has_file: bool = True) -> Benchmark:
    """Return one split of PRID-2011, of the split file where there is one.

    Args:
        root: The folder that has ``prid_2011``.
        split: 0 to 9.
        min_frames: Without a split file: people with more frames than that in both cameras count, 178 of 200 with
            27; 0 takes all, as RAPA's "first 200" does.
        has_file: False leaves a split file that is there unread.

    Raises:
        ConfigError: If there is no such split, or something of the data set is not there.
        DataError: If the split file is damaged.
    """
    folder = require(root / "prid_2011" / "multi_shot", layout=PRID_LAYOUT, source=PRID_SOURCE)
    cameras = ("cam_a", "cam_b")
    path = root / "splits_prid2011.json"
    if has_file and path.exists():
        try:
            splits = json.loads(path.read_text(encoding="utf-8"))
            _check_split(split, len(splits))
            halves = {half: list(splits[split][half]) for half in ("train", "test")}
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: expected a list of train and test, got: {error!r}; copy it again") from error
    else:
        _check_split(split, NUM_SPLITS)
        both = sorted(
            person.name
            for person in (folder / cameras[0]).iterdir()
            if all(_num_frames(folder / camera / person.name) > min_frames for camera in cameras)
        )
        order = [both[place] for place in np.random.default_rng(split).permutation(len(both))]
        halves = {"train": order[: len(order) // 2], "test": order[len(order) // 2 :]}
    return _benchmark("PRID-2011", folder, cameras, halves["train"], halves["test"], split)


def _num_frames(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0


def _check_split(split: int, count: int) -> None:
    if not 0 <= split < count:
        raise ConfigError(f"split: expected 0 to {count - 1}, got {split}")


def _benchmark(
    name: str, folder: Path, cameras: Sequence[str], train: Sequence[str], test: Sequence[str], split: int
) -> Benchmark:
    def tracklets(people: Sequence[str], camera: int) -> list[TrackletFiles]:
        return [
            TrackletFiles(
                list_frames(folder / cameras[camera] / person, number=last_number),
                last_number(Path(person)),
                camera,
                f"{cameras[camera]}/{person}",
            )
            for person in sorted(people)
        ]

    return Benchmark(
        name=name,
        protocol=f"{name}, split {split} of {NUM_SPLITS}: one camera is looked for in the other",
        train=number_people(tracklets(train, 0) + tracklets(train, 1)),
        query=tuple(tracklets(test, 0)),
        gallery=tuple(tracklets(test, 1)),
    )
