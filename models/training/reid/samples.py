"""Training crops for re-ID: a few people at a time, each from as many cameras as saw them."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.distortions import cover, distort_colour, distort_detail
from models.training.pictures import Image, Pictures
from models.training.worlds import CROP_MARGIN, World
from pipeline.core.errors import ConfigError

_MAX_INSET = 0.14
_CUT_SHARE = 0.12


class ReidSamples:
    """Crops of worlds with identities.

    Args:
        worlds: To draw from.
        crop_hw: Height and width of the network's input, pixels.
        outfits: same: a person is one identity whatever they wear; apart: each outfit is one of its own.
        min_visible: Crops that show less of the person are left out.
        colour: How strongly colours are distorted; 1 as by other cameras, 0 not at all.
        max_bytes: Of decoded crops.

    Raises:
        ConfigError: If ``outfits`` is neither, or nothing is left.
    """

    def __init__(
        self,
        worlds: Sequence[World],
        *,
        crop_hw: tuple[int, int],
        outfits: str,
        min_visible: float,
        colour: float,
        max_bytes: int,
    ) -> None:
        if outfits not in ("same", "apart"):
            raise ConfigError(f"outfits: expected same or apart, got {outfits!r}")
        self._crop_hw = crop_hw
        self._colour = colour
        # Kept a little larger than needed, for what is cut off the edges.
        self._pictures = Pictures(worlds, "crop", max_bytes=max_bytes, fit=self._fit)
        names, cameras, usable = [], [], []
        for number, world in enumerate(worlds):
            read = world.read("frame_camera", "box_frame", "box_person", "box_outfit", "visibility", "crop_box")
            box = read["crop_box"]
            outfit = read["box_outfit"][box] if outfits == "apart" else np.zeros(len(box))
            names.append(np.stack([read["box_person"][box], outfit], axis=1).astype(np.int64))
            cameras.append(1000 * number + read["frame_camera"][read["box_frame"][box]].astype(np.int64))
            usable.append(read["visibility"][box] >= min_visible)
        self.rows = np.flatnonzero(np.concatenate(usable)) if usable else np.empty(0, np.intp)
        if worlds and not len(self.rows):
            raise ConfigError(f"data: expected crops with a visibility of {min_visible}, got none; lower min_visible")
        names_of_all = np.concatenate([*names, np.empty((0, 2), np.int64)])
        _, identities = np.unique(names_of_all, axis=0, return_inverse=True)
        self.identities: NDArray[np.int64] = np.full(len(names_of_all), -1, np.int64)
        # Numbered without gaps among those in use.
        _, self.identities[self.rows] = np.unique(identities.ravel()[self.rows], return_inverse=True)
        self.cameras = np.concatenate([*cameras, np.empty(0, np.int64)])
        order = self.rows[np.argsort(self.identities[self.rows], kind="stable")]
        starts = np.flatnonzero(np.diff(self.identities[order], prepend=-1))
        self._rows_of = np.split(order, starts[1:])

    @property
    def num_identities(self) -> int:
        """How many people, or people in an outfit, there are."""
        return len(self._rows_of) if len(self.rows) else 0

    def draw(self, rng: np.random.Generator, *, num_people: int, crops_each: int) -> tuple[Image, NDArray[np.int64]]:
        """Return distorted crops ``(P * K, h, w, 3)`` and their identities; a person's crops lie together."""
        people = rng.choice(self.num_identities, num_people, replace=num_people > self.num_identities)
        rows = np.concatenate([self._views(self._rows_of[person], crops_each, rng) for person in people])
        return np.stack([self._distort(self._pictures[row], rng) for row in rows]), self.identities[rows]

    def plain(self, row: int) -> Image:
        """Return a crop as a perfect detector would have cut it, ``(h, w, 3)``."""
        image = self._pictures[row]
        inset_y, inset_x = (round(CROP_MARGIN * side) for side in image.shape[:2])
        return self._resize(image[inset_y : image.shape[0] - inset_y, inset_x : image.shape[1] - inset_x])

    def _views(self, rows: NDArray[np.intp], count: int, rng: np.random.Generator) -> NDArray[np.intp]:
        """Return ``count`` of the rows, camera by camera in turn, each as seldom as possible."""
        rows = rng.permutation(rows)
        cameras = self.cameras[rows]
        # How many of the same camera come before each.
        turn = np.array([np.count_nonzero(cameras[:place] == camera) for place, camera in enumerate(cameras)])
        return np.resize(rows[np.argsort(turn, kind="stable")], count)

    def _distort(self, image: Image, rng: np.random.Generator) -> Image:
        height, width = image.shape[:2]
        top, bottom = (int(height * part) for part in rng.uniform(0, _MAX_INSET, 2))
        left, right = (int(width * part) for part in rng.uniform(0, _MAX_INSET, 2))
        if rng.random() < _CUT_SHARE:
            bottom = int(height * rng.uniform(0.2, 0.45))
        image = self._resize(image[top : height - bottom, left : width - right])
        if rng.random() < 0.5:
            image = np.ascontiguousarray(image[:, ::-1])
        image = distort_detail(distort_colour(image, rng, strength=self._colour), rng)
        return cover(image, rng, share=(0.15, 0.5)) if rng.random() < 0.4 else image

    def _fit(self, image: Image) -> Image:
        height, width = self._crop_hw
        return np.asarray(cv2.resize(image, (width * 5 // 4, height * 5 // 4), interpolation=cv2.INTER_AREA), np.uint8)

    def _resize(self, image: Image) -> Image:
        return np.asarray(cv2.resize(image, self._crop_hw[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)
