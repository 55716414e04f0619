"""DukeMTMC-VideoReID, which its authors withdrew.

DukeMTMC and all that was made of it were taken off-line by their creators in 2019, because the people in it had not
agreed. Nothing here downloads it or needs it; the loader is for those who hold it rightfully.

Reference:
    Wu et al., "Exploit the Unknown Gradually: One-Shot Video-Based Person Re-Identification by Stepwise Learning",
    CVPR 2018.
"""

import re
from pathlib import Path

from models.training.video.datasets.benchmark import Benchmark, TrackletFiles, list_frames, number_people, require
from pipeline.core.errors import DataError

LAYOUT = """duke/
  train/0001/0001/0001_C6_F0099_X30823.jpg   split, person, tracklet; older names: 0001C6F0099X30823.jpg
  query/...  gallery/..."""
SOURCE = "withdrawn by its authors (2019); it is no longer distributed"

_NAME = re.compile(r"^\d+_?C(\d)_?F(\d+)")


def load_duke(root: Path) -> Benchmark:
    """Return DukeMTMC-VideoReID, the gallery with the queries.

    Args:
        root: The folder that has ``train``.

    Raises:
        ConfigError: If something of the data set is not there.
        DataError: If a tracklet is empty or a name is none of the data set's.
    """
    train, query, gallery = (_tracklets(root, split) for split in ("train", "query", "gallery"))
    # Some copies list the queries in the gallery too.
    both = {(tracklet.person_id, tracklet.name): tracklet for tracklet in [*query, *gallery]}
    return Benchmark(
        name="DukeMTMC-VideoReID",
        protocol="DukeMTMC-VideoReID: gallery with the queries",
        train=number_people(train),
        query=tuple(query),
        gallery=tuple(both.values()),
    )


def _tracklets(root: Path, split: str) -> list[TrackletFiles]:
    folder = require(root / split, layout=LAYOUT, source=SOURCE)
    tracklets = []
    for person in sorted(path for path in folder.iterdir() if path.is_dir()):
        for tracklet in sorted(path for path in person.iterdir() if path.is_dir()):
            paths = list_frames(tracklet, number=lambda path: int(_fields(path)[1]))
            camera = int(_fields(paths[0])[0])
            tracklets.append(TrackletFiles(paths, int(person.name), camera - 1, f"{person.name}/{tracklet.name}"))
    return tracklets


def _fields(path: Path) -> tuple[str, str]:
    """Return camera and frame of a picture's name."""
    found = _NAME.match(path.name)
    if found is None:
        raise DataError(f"{path}: expected a name like 0001_C6_F0099_X30823.jpg; name it as the data set does")
    return found[1], found[2]
