"""Training crops for re-ID: a few people at a time, each from as many cameras as saw them."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.distortions import cover, distort_colour, distort_detail, swap_background
from models.training.pictures import Image, Pictures, spread
from models.training.worlds import CROP_MARGIN, World
from pipeline.core.errors import ConfigError

_MAX_INSET = 0.14
_CUT_SHARE = 0.12
_FRAMES_PER_WORLD = 8
_LEAST_BACKGROUND = 0.2
"""Least height of what is put behind a person, as a part of the height of a frame."""


class ReidSamples:
    """Crops of worlds with identities.

    Args:
        worlds: To draw from.
        crop_hw: Height and width of the network's input, pixels.
        outfits: same: a person is one identity whatever they wear; apart: each outfit is one of its own.
        min_visible: Crops that show less of the person are left out.
        max_bytes: Of decoded crops.
        colour: How strongly colours are distorted; 1 as by other cameras, 0 not at all.
        background: In [0, 1]: share of drawn crops that have a part of any frame behind the person, by the masks of the
            renderer.

    Raises:
        ConfigError: If ``outfits`` is neither, ``background`` is no share, or nothing is left.
        DataError: If a world is damaged, or has no masks and ``background`` needs them.
    """

    def __init__(
        self,
        worlds: Sequence[World],
        *,
        crop_hw: tuple[int, int],
        outfits: str,
        min_visible: float,
        max_bytes: int,
        colour: float = 1.0,
        background: float = 0.0,
    ) -> None:
        if not 0 <= background <= 1:
            raise ConfigError(f"background: expected a share in [0, 1], got {background}")
        if outfits not in ("same", "apart"):
            raise ConfigError(f"outfits: expected same or apart, got {outfits!r}")
        self._crop_hw = crop_hw
        self._colour = colour
        self._background = background
        # Kept a little larger than needed, for what is cut off the edges.
        self._pictures = Pictures(worlds, "crop", max_bytes=max_bytes, fit=self._fit)
        swapped = worlds if background else ()
        self._masks = Pictures(
            swapped, "mask", max_bytes=max_bytes // 4, fit=lambda mask: self._fit(mask)[..., 0].copy()
        )
        self._places = [place for world in swapped for place in _frames(world)]
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
        return np.stack([self._distort(self._before(row, rng), rng) for row in rows]), self.identities[rows]

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

    def _before(self, row: int, rng: np.random.Generator) -> Image:
        """Return a crop, perhaps before another background."""
        image = self._pictures[row]
        if not self._background or rng.random() >= self._background:
            return image
        frame = self._places[rng.integers(len(self._places))]
        height = round(len(frame) * rng.uniform(_LEAST_BACKGROUND, 1))
        width = min(height * image.shape[1] // image.shape[0], frame.shape[1])
        top, left = rng.integers(len(frame) - height + 1), rng.integers(frame.shape[1] - width + 1)
        other = self._fit(frame[top : top + height, left : left + width])
        return swap_background(image, self._masks[row], other)

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


def _frames(world: World) -> list[Image]:
    """Return a few frames of a world."""
    encoded = world.encoded("frame")
    return [world.decode(encoded[row]) for row in spread(np.arange(len(encoded)), _FRAMES_PER_WORLD)]
