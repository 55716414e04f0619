"""Rendered worlds: frames of several cameras with boxes and keypoints of all people, and cut-outs of people.

One world is one file, ``DIR/worlds/NNNN.npz``: numpy arrays, no pickles. Reading is lazy: an array is read when it
is asked for, so that a task reads the frames or the crops and never both.
"""

import zipfile
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from pipeline.core.arrays import check_array
from pipeline.core.errors import ConfigError, DataError

CROP_MARGIN = 0.1 / 1.2
"""Part of a crop's side that lies beyond the person's box, at either end."""
_LAYOUT: dict[str, tuple[str | None, tuple[str | int, ...]]] = {
    "frame_jpeg": ("uint8", ("bytes of frames",)),
    "frame_offset": ("int64", ("F+1",)),
    "frame_camera": ("int16", ("F",)),
    "frame_time": ("float64", ("F",)),
    "box_frame": ("int32", ("B",)),
    "box_person": ("int32", ("B",)),
    "box_outfit": ("int16", ("B",)),
    "full_xyxy": ("float32", ("B", 4)),
    "visible_xyxy": ("float32", ("B", 4)),
    "visibility": ("float32", ("B",)),
    "truncation": ("float32", ("B",)),
    "keypoints": ("float32", ("B", 17, 3)),
    "heading": ("float32", ("B",)),
    "speed": ("float32", ("B",)),
    "crop_jpeg": ("uint8", ("bytes of crops",)),
    "crop_offset": ("int64", ("C+1",)),
    "mask_png": ("uint8", ("bytes of masks",)),
    "mask_offset": ("int64", ("C+1",)),
    "crop_box": ("int32", ("C",)),
    "crop_xyxy": ("float32", ("C", 4)),
    "person_id": ("int32", ("P",)),
    "person_outfit": ("int16", ("P",)),
    "attribute_names": (None, ("K",)),
    "attributes": ("int16", ("P", "K")),
    "size_hw": ("int32", (2,)),
    "camera_names": (None, ("cameras",)),
}


class World:
    """One rendered world.

    Args:
        path: Its file; opened when something is read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, *names: str) -> dict[str, NDArray[Any]]:
        """Return arrays by name, their shapes in agreement with each other.

        Raises:
            DataError: If the file is damaged, or lacks one; it names the file.
        """
        try:
            with self.path.open("rb") as file, NpzFile(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in names}
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            raise self._broken(f"arrays {', '.join(names)}", f"{type(error).__name__}: {error}") from error
        sizes: dict[str, int] = {}
        for name, array in arrays.items():
            dtype, axes = _LAYOUT[name]
            shape = tuple(axis if isinstance(axis, int) else sizes.get(axis) for axis in axes)
            try:
                check_array(name, array, shape, array.dtype if dtype is None else np.dtype(dtype))
            except DataError as error:
                raise self._broken("arrays that fit together", str(error)) from error
            for axis, size in zip(axes, array.shape, strict=True):
                if isinstance(axis, str):
                    sizes[axis] = size
                    # Offsets have one entry more than there are pictures.
                    sizes |= {axis[:-2]: size - 1} if axis.endswith("+1") else {f"{axis}+1": size + 1}
        return arrays

    def encoded(self, kind: str) -> list[NDArray[np.uint8]]:
        """Return the encoded pictures.

        Args:
            kind: frame, crop, or mask: white where a pixel of the crop shows the person.

        Raises:
            DataError: If the file is damaged, or older than its masks; it names the file.
        """
        coded = f"{kind}_{'png' if kind == 'mask' else 'jpeg'}"
        read = self.read(coded, f"{kind}_offset")
        data, offsets = read[coded], read[f"{kind}_offset"]
        if len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != len(data) or (np.diff(offsets) <= 0).any():
            raise self._broken(f"{kind}_offset that ascends from 0 to {len(data)}", f"{offsets[:3]} … {offsets[-3:]}")
        return [data[start:stop] for start, stop in pairwise(offsets)]

    def decode(self, encoded: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a picture, ``(H, W, 3)``, BGR.

        Raises:
            DataError: If the bytes are none; it names the file.
        """
        image = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        if image is None:
            raise self._broken("encoded pictures", f"{len(encoded)} bytes that are none")
        return np.asarray(image, np.uint8)

    def _broken(self, expected: str, got: str) -> DataError:
        return DataError(f"{self.path}: expected {expected}, got {got}; render this world again")


def split_worlds(folder: Path, *, held_out: float) -> tuple[list[World], list[World]]:
    """Return the worlds to learn from and those to score with: the last ones by name.

    Args:
        folder: The one that has ``worlds/``.
        held_out: Part of the worlds, in [0, 1), at least one if above 0.

    Raises:
        ConfigError: If there are too few.
    """
    worlds = [World(path) for path in sorted((folder / "worlds").glob("*.npz"))]
    num_held = int(np.ceil(held_out * len(worlds)))
    if not 0 <= held_out < 1 or num_held >= len(worlds):
        raise ConfigError(
            f"data: expected more worlds in {folder / 'worlds'} than the {num_held} held out (held_out={held_out}), "
            f"got {len(worlds)}; render some there"
        )
    return worlds[: len(worlds) - num_held], worlds[len(worlds) - num_held :]
