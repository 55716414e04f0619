"""LS-VID: 3,772 people in fifteen cameras, in and out of doors, over four days.

Reference:
    Li et al., "Global-Local Temporal Representations for Video Person Re-Identification", ICCV 2019. The sentence of
    LSTRL that calls it "4,832 sequences from 1,812 identities" describes DukeMTMC-VideoReID.
"""

from pathlib import Path

import numpy as np

from models.training.video.datasets.benchmark import (
    Benchmark,
    TrackletFiles,
    last_number,
    list_frames,
    number_people,
    require,
)
from pipeline.core.errors import ConfigError, DataError

LAYOUT = """LS-VID/
  list_sequence/list_seq_train.txt  list_sequence/list_seq_test.txt   a tracklet a line: how its frames' paths begin,
                                                                      a space, the person
  test/query.npy   which lines of list_seq_test.txt are queries, from 1. Of a copy that has test/data/info_test.mat
                   (HDF5) in its place:
                   python -c "import h5py, numpy; numpy.save('query.npy', h5py.File('info_test.mat')['query'][:])"
  tracklet_train/...  tracklet_test/..."""
SOURCE = "given by Peking University for research"


def load_lsvid(root: Path, *, protocol: str) -> Benchmark:
    """Return LS-VID.

    Args:
        root: The folder that has ``list_sequence``.
        protocol: mixing: gallery with the queries, as public loaders do; usual: without.

    Raises:
        ConfigError: If there is no such protocol, or something of the data set is not there.
        DataError: If a list is damaged or a tracklet is empty.
    """
    if protocol not in ("usual", "mixing"):
        raise ConfigError(f"protocol: expected usual or mixing, got {protocol!r}")
    train, test = (_tracklets(root, split) for split in ("train", "test"))
    path = require(root / "test" / "query.npy", layout=LAYOUT, source=SOURCE)
    try:
        rows = np.load(path, allow_pickle=False).astype(np.int64).ravel() - 1
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path}: expected the numbers of lines, got: {error}; make it again") from error
    if rows.min(initial=0) < 0 or rows.max(initial=0) >= len(test):
        raise DataError(f"{path}: expected lines 1 to {len(test)}, got others; make it again")
    chosen = set(rows.tolist())
    return Benchmark(
        name="LS-VID",
        protocol=f"LS-VID, {protocol}: gallery with{'' if protocol == 'mixing' else 'out'} the queries",
        train=number_people(train),
        query=tuple(test[row] for row in rows),
        gallery=tuple(t for row, t in enumerate(test) if protocol == "mixing" or row not in chosen),
    )


def _tracklets(root: Path, split: str) -> list[TrackletFiles]:
    path = require(root / "list_sequence" / f"list_seq_{split}.txt", layout=LAYOUT, source=SOURCE)
    tracklets = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        prefix, _, person = line.strip().rpartition(" ")
        begin = root / prefix.lstrip("./")
        fields = begin.name.split("_")
        if not person.lstrip("-").isdigit() or len(fields) < 3 or not fields[2].isdigit():
            raise DataError(f"{path}, line {number}: expected a path with a camera and a person, got {line!r}")
        frames = list_frames(begin.parent, pattern=f"{begin.name}*", number=last_number)
        tracklets.append(TrackletFiles(frames, int(person), int(fields[2]) - 1, prefix))
    return tracklets
