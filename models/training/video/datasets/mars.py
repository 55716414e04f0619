"""MARS: 1,261 people in six cameras of a campus, tracklets cut by a detector and a tracker.

Reference:
    Zheng et al., "MARS: A Video Benchmark for Large-Scale Person Re-Identification", ECCV 2016.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from models.training.video.datasets.benchmark import JUNK, Benchmark, TrackletFiles, number_people, require
from pipeline.core.errors import ConfigError, DataError

LAYOUT = """mars/
  bbox_train/0001/0001C1T0001F001.jpg   person, camera, tracklet, frame; bbox_test likewise, 00-1 and 0000 too
  info/train_name.txt  info/test_name.txt   a file name a line
  info/tracks_train_info.mat  info/tracks_test_info.mat  info/query_IDX.mat"""
SOURCE = "given by its authors, Tsinghua University and UTSA, for research; the index: liangzheng06/MARS-evaluation"

Rows = NDArray[np.int64]
"""First and last line of the name file, from 1 and both included; person; camera from 1: ``(N, 4)``."""


def load_mars(root: Path, *, protocol: str) -> Benchmark:
    """Return MARS.

    Args:
        root: The folder that has ``info``.
        protocol: usual: query and gallery have no tracklet in common, and 140 queries have no match; mixing:
            the gallery has the queries too, as in the official evaluation, and each has a match.

    Raises:
        ConfigError: If there is no such protocol, or something of the data set is not there.
        DataError: If the index is damaged.
    """
    if protocol not in ("usual", "mixing"):
        raise ConfigError(f"protocol: expected usual or mixing, got {protocol!r}")
    train = _tracklets(root, "train", _index(root, "tracks_train_info", "track_train_info"))
    rows = _index(root, "tracks_test_info", "track_test_info")
    test = _tracklets(root, "test", rows)
    chosen = _index(root, "query_IDX", "query_IDX").ravel() - 1
    if chosen.min(initial=0) < 0 or chosen.max(initial=0) >= len(test):
        raise DataError(f"{root / 'info' / 'query_IDX.mat'}: expected rows 1 to {len(test)}, got others; copy it again")
    is_query = np.isin(np.arange(len(test)), chosen)
    return Benchmark(
        name="MARS",
        protocol=f"MARS, {protocol}: gallery with{'' if protocol == 'mixing' else 'out'} the queries",
        train=number_people(train),
        query=tuple(test[row] for row in chosen),
        # Distractors stay: they are wrong answers.
        gallery=tuple(
            tracklet
            for tracklet, is_one in zip(test, is_query, strict=True)
            if tracklet.person_id != JUNK and (protocol == "mixing" or not is_one)
        ),
    )


def _index(root: Path, file: str, key: str) -> Rows:
    path = require(root / "info" / f"{file}.mat", layout=LAYOUT, source=SOURCE)
    try:
        return np.asarray(loadmat(path)[key], np.int64)
    except (KeyError, ValueError, TypeError, NotImplementedError, OSError, MatReadError) as error:
        raise DataError(f"{path}: expected a MATLAB file with {key}, got: {error}; copy it again") from error


def _tracklets(root: Path, split: str, rows: Rows) -> list[TrackletFiles]:
    path = require(root / "info" / f"{split}_name.txt", layout=LAYOUT, source=SOURCE)
    names = path.read_text(encoding="ascii").split()
    folder = root / f"bbox_{split}"
    if rows.ndim != 2 or rows.shape[1] != 4 or (rows[:, :2] < 1).any() or (rows[:, :2] > len(names)).any():
        raise DataError(
            f"{path}: expected the lines that the index names, got {len(names)}; both must be of one version"
        )
    tracklets = []
    for number, (first, last, person, camera) in enumerate(rows.tolist()):
        # The folder is how the name begins: 00-1 for junk.
        paths = tuple(folder / name[:4] / name for name in names[first - 1 : last])
        if not paths:
            raise DataError(f"{path}: expected frames in row {number + 1} of the index, got none; copy it again")
        tracklets.append(TrackletFiles(paths, person, camera - 1, f"{split}/{number}"))
    return tracklets
