"""Where training clips come from: tracklets of rendered worlds, and tracklets of pictures on disk."""

import logging
import os
from collections.abc import Callable, Sequence
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from models.reid.networks.attribute_groups import IRRELEVANT, RELEVANT
from models.training.pictures import Image, Pictures
from models.training.video.attributes import Targets
from models.training.video.datasets.benchmark import TrackletFiles, labels_of
from models.training.video.posed import make_tracklet
from models.training.video.world_attributes import irrelevant_of, relevant_of
from models.training.worlds import CROP_MARGIN, World
from pipeline.core import PoseEstimator
from pipeline.core.errors import ConfigError, DataError

logger = logging.getLogger(__name__)

Keypoints = NDArray[np.float32]
"""Shape ``(T, 17, 3)``: x, y in [0, 1] of the crop, score in [0, 1]."""


class ClipSource(Protocol):
    """Tracklets of known people."""

    people: NDArray[np.int64]
    """Shape ``(N,)``: whose each tracklet is, 0, 1, 2 …"""
    cameras: NDArray[np.int64]
    """Shape ``(N,)``."""
    lengths: NDArray[np.int64]
    """Shape ``(N,)``: frames, at least 1."""

    def clip(self, row: int, indices: NDArray[np.int64]) -> tuple[Image, Keypoints]:
        """Return frames of a tracklet, ``(T, h, w, 3)``, RGB, and where the keypoints are; scores 0 if unknown."""
        ...


class WorldTracklets:
    """A person's crops in one camera of a world and one outfit, in order of time.

    Args:
        worlds: To draw from.
        crop_hw: Height and width that crops are brought to, pixels.
        min_visible: Crops that show less of the person are left out.
        max_bytes: Of decoded crops.

    Raises:
        ConfigError: If nothing is left.
        DataError: If a world is damaged.
    """

    def __init__(
        self, worlds: Sequence[World], *, crop_hw: tuple[int, int], min_visible: float, max_bytes: int
    ) -> None:
        self._crop_hw = crop_hw
        self._pictures = Pictures(worlds, "crop", max_bytes=max_bytes, fit=self._fit)
        keys, keypoints, times, usable, facing, speed = [], [], [], [], [], []
        for number, world in enumerate(worlds):
            read = world.read(
                *("frame_camera", "frame_time", "box_frame", "box_person", "box_outfit", "visibility", "keypoints"),
                *("crop_box", "crop_xyxy", "heading", "speed"),
            )
            box, cut = read["crop_box"], read["crop_xyxy"]
            frame = read["box_frame"][box]
            camera = 1000 * number + read["frame_camera"][frame].astype(np.int64)
            worn = read["box_outfit"][box].astype(np.int64)
            keys.append(np.stack([read["box_person"][box].astype(np.int64), camera, worn], axis=1))
            times.append(read["frame_time"][frame])
            points = read["keypoints"][box].copy()
            points[..., :2] = (points[..., :2] - cut[:, None, :2]) / (cut[:, 2:] - cut[:, :2])[:, None]
            points[..., :2] = (points[..., :2] - CROP_MARGIN) / (1 - 2 * CROP_MARGIN)
            points[..., 2] = points[..., 2] > 0
            keypoints.append(points)
            usable.append(read["visibility"][box] >= min_visible)
            facing.append(read["heading"][box])
            speed.append(read["speed"][box])
        self._facing, self._speed = (np.concatenate([*parts, np.empty(0, np.float32)]) for parts in (facing, speed))
        self._keypoints = np.concatenate([*keypoints, np.empty((0, 17, 3), np.float32)])
        rows = np.flatnonzero(np.concatenate(usable)) if usable else np.empty(0, np.intp)
        if worlds and not len(rows):
            raise ConfigError(f"data: expected crops with a visibility of {min_visible}, got none; lower min_visible")
        key = np.concatenate([*keys, np.empty((0, 3), np.int64)])
        time = np.concatenate([*times, np.empty(0)])
        names, of_row = np.unique(key[rows], axis=0, return_inverse=True)
        order = np.lexsort((time[rows], of_row.ravel()))
        self.lengths = np.bincount(of_row.ravel(), minlength=len(names)).astype(np.int64)
        self._rows = np.split(rows[order], np.cumsum(self.lengths)[:-1]) if len(names) else []
        self.people = np.unique(names[:, 0], return_inverse=True)[1].ravel().astype(np.int64)
        self.cameras = names[:, 1]
        self._worlds, self._outfits = tuple(worlds), [(int(person), int(worn)) for person, _, worn in names]

    def attributes(self) -> Targets:
        """Return what is known of the person and of pose and motion, ``(N, 41)`` and ``(N, 11)``.

        Raises:
            DataError: If a world does not say.
        """
        known: dict[tuple[int, int], NDArray[np.float32]] = {}
        for world in self._worlds:
            known |= relevant_of(world)
        relevant = np.stack([known[outfit] for outfit in self._outfits])
        irrelevant = np.stack([irrelevant_of(self._facing[rows], self._speed[rows]) for rows in self._rows])
        return {RELEVANT: relevant, IRRELEVANT: irrelevant}

    def clip(self, row: int, indices: NDArray[np.int64]) -> tuple[Image, Keypoints]:
        """Return frames of a tracklet and their keypoints."""
        chosen = self._rows[row][indices]
        return np.stack([self._pictures[one] for one in chosen])[..., ::-1], self._keypoints[chosen]

    def _fit(self, image: Image) -> Image:
        """Return the person's box alone, as the pipeline would have cut it."""
        rows, columns = (round(CROP_MARGIN * side) for side in image.shape[:2])
        image = image[rows : image.shape[0] - rows, columns : image.shape[1] - columns]
        return resize(image, self._crop_hw)


class FileTracklets:
    """Tracklets of a data set on disk.

    Args:
        tracklets: Of a benchmark.
        crop_hw: Height and width that pictures are brought to, pixels.
        skip_damaged: In the place of a picture that is absent or damaged take the next of its tracklet that is not,
            and say so in the log.
    """

    def __init__(
        self, tracklets: Sequence[TrackletFiles], *, crop_hw: tuple[int, int], skip_damaged: bool = False
    ) -> None:
        self._tracklets, self._crop_hw, self._skip_damaged = tuple(tracklets), crop_hw, skip_damaged
        self.people, self.cameras = labels_of(self._tracklets)
        self.lengths = np.array([len(tracklet.paths) for tracklet in self._tracklets], np.int64)

    def clip(self, row: int, indices: NDArray[np.int64]) -> tuple[Image, Keypoints]:
        """Return frames of a tracklet; keypoints have scores of 0.

        Raises:
            DataError: If a picture is absent or damaged, or all of the tracklet where these are skipped; it names it.
        """
        images = np.stack([self._read(row, int(index)) for index in indices])[..., ::-1]
        return images, np.zeros((len(images), 17, 3), np.float32)

    def _read(self, row: int, index: int) -> Image:
        paths = self._tracklets[row].paths
        for path in [*paths[index:], *paths[:index]] if self._skip_damaged else [paths[index]]:
            image = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if image is not None:
                return resize(np.asarray(image, np.uint8), self._crop_hw)
            if self._skip_damaged:
                logger.warning("%s: no picture that can be decoded; another of its tracklet is taken", path)
        raise DataError(
            f"{paths[index]}: expected a picture, got none that can be decoded; copy it again or set skip_damaged=true"
        )


class PosedClips:
    """Clips of another source with the keypoints that a pose network finds on them, whatever the source knows.

    So a network learns from keypoints of the kind that it is given in use: some are wrong, some are missing.

    Args:
        source: Of the clips.
        make_estimator: Makes what finds keypoints, once in every process that asks for clips.
    """

    def __init__(self, source: ClipSource, make_estimator: Callable[[], PoseEstimator]) -> None:
        self._source, self._make_estimator = source, make_estimator
        self._estimator: tuple[int, PoseEstimator] | None = None
        self.people, self.cameras, self.lengths = source.people, source.cameras, source.lengths

    def clip(self, row: int, indices: NDArray[np.int64]) -> tuple[Image, Keypoints]:
        """Return frames of a tracklet and the keypoints that are found on them."""
        images, _ = self._source.clip(row, indices)
        # Sessions do not survive a fork.
        if self._estimator is None or self._estimator[0] != os.getpid():
            self._estimator = (os.getpid(), self._make_estimator())
        (posed,) = self._estimator[1].estimate([make_tracklet(row, images, None)])
        assert posed.keypoints is not None
        # Tracklets of the pipeline cannot be changed; clips are.
        return images, posed.keypoints.copy()


def resize(image: Image, size_hw: tuple[int, int]) -> Image:
    """Return a picture of that height and width, distorted; as the pipeline does."""
    interpolation = cv2.INTER_AREA if image.shape[0] > size_hw[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size_hw[::-1], interpolation=interpolation), np.uint8)
