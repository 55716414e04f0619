"""The common form of all tracklet data sets, and the error for a missing one."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import ConfigError, DataError

JUNK, DISTRACTOR = -1, 0
"""Person numbers of MARS for distractors, and for people who are in no query."""


@dataclass(frozen=True, slots=True)
class TrackletFiles:
    """One tracklet on disk.

    Attributes:
        paths: Of the frames, in order of time.
        person_id: While training 0, 1, 2 …; otherwise as the data set numbers people.
        camera: From 0.
        name: Unique in its split.
    """

    paths: tuple[Path, ...]
    person_id: int
    camera: int
    name: str


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A data set under one protocol.

    Attributes:
        name: Of the data set.
        protocol: How query and gallery are chosen; printed with every figure.
        train: To learn from.
        query: Whom to look for.
        gallery: Where to look.
    """

    name: str
    protocol: str
    train: tuple[TrackletFiles, ...]
    query: tuple[TrackletFiles, ...]
    gallery: tuple[TrackletFiles, ...]


def number_people(tracklets: Iterable[TrackletFiles]) -> tuple[TrackletFiles, ...]:
    """Return the tracklets with people numbered 0, 1, 2 … in the order of their numbers in the data set."""
    tracklets = tuple(tracklets)
    numbers = {person: number for number, person in enumerate(sorted({t.person_id for t in tracklets}))}
    return tuple(replace(tracklet, person_id=numbers[tracklet.person_id]) for tracklet in tracklets)


def labels_of(tracklets: Iterable[TrackletFiles]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the people and the cameras of tracklets, shape ``(N,)`` each."""
    pairs = [(tracklet.person_id, tracklet.camera) for tracklet in tracklets]
    people, cameras = np.array(pairs, np.int64).reshape(-1, 2).T
    return people, cameras


def require(path: Path, *, layout: str, source: str) -> Path:
    """Return a file or folder of a data set.

    Args:
        path: What is needed.
        layout: How the data set lies on disk.
        source: Where it is to be had.

    Raises:
        ConfigError: If it is not there; says how it should be.
    """
    if not path.exists():
        raise ConfigError(f"data set: expected {path}, got nothing there; it is laid out as\n{layout}\nand is {source}")
    return path


def list_frames(folder: Path, *, number: Callable[[Path], int], pattern: str = "*") -> tuple[Path, ...]:
    """Return the pictures of a folder in the order of their frame numbers, which may begin anywhere and have gaps.

    Raises:
        DataError: If there are none.
    """
    paths = [path for path in folder.glob(pattern) if path.suffix.lower() in (".jpg", ".jpeg", ".png")]
    if not paths:
        raise DataError(f"{folder / pattern}: expected pictures, got none; an empty tracklet cannot be learnt from")
    return tuple(sorted(paths, key=number))


def last_number(path: Path) -> int:
    """Return the last run of digits in a file's name.

    Raises:
        DataError: If it has none.
    """
    digits = re.findall(r"\d+", path.stem)
    if not digits:
        raise DataError(f"{path}: expected a frame number in its name, got none; name it like the others")
    return int(digits[-1])
