"""One vector for a tracklet out of one vector a clip: what all networks of clips share."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from models.backends.network import neighbours
from models.backends.pixels import PixelScaling
from models.reid.averaging import assemble, check_crop_size, normalise
from models.reid.clips import clip_scheme
from pipeline.core import Embedding, PoseNeed, Tracklet
from pipeline.core.errors import ConfigError, DataError

Values = NDArray[np.float32]
ClipNetwork = Callable[[Values, Values | None], Values]
"""Scaled pixels ``(B, T, 3, h, w)``, and the keypoints or heat-maps that are needed, to vectors ``(B, D)``."""


MAX_SHARED_CLIPS = 8
"""Clips in one call, of several tracklets: 64 crops of clips of 8. More take more memory."""


class ClipOptions(TypedDict):
    """How tracklets are cut into clips and scaled.

    Attributes:
        clip_len: Crops of a clip.
        crop_size_hw: Height and width of the crops, pixels.
        needs: nothing, keypoints or heatmaps: what the network asks of the pose stage.
        clip_scheme: dense, interleaved, rrs_first or evenly: how clips are cut.
        max_clips: Of a tracklet, spread over all of them.
        mean: Of red, green and blue, in the range [0, 255]; subtracted.
        std: Likewise; divided by.
    """

    clip_len: int
    crop_size_hw: Sequence[int]
    needs: str
    clip_scheme: str
    max_clips: int
    mean: Sequence[float]
    std: Sequence[float]


def check_clips(clips: Mapping[str, Any]) -> None:
    """Check the values of ``ClipOptions``; other keys are ignored.

    Raises:
        ConfigError: If clips cannot be cut or scaled so.
    """
    clip_scheme(clips["clip_scheme"])
    PixelScaling(colour_order="rgb", mean=clips["mean"], std=clips["std"])
    size_hw = list(clips["crop_size_hw"])
    if clips["clip_len"] < 1 or clips["max_clips"] < 1:
        raise ConfigError(f"clip_len, max_clips: expected 1 or more, got {clips['clip_len']} and {clips['max_clips']}")
    if len(size_hw) != 2 or min(size_hw) < 1:
        raise ConfigError(f"crop_size_hw: expected height and width, got {size_hw}")
    if clips["needs"] not in set(PoseNeed):
        raise ConfigError(f"needs: expected one of {', '.join(PoseNeed)}, got {clips['needs']!r}")


class ClipAverage:
    """Cuts tracklets into clips, embeds these and averages; the mean is brought to norm 1.

    Args:
        embed_clips: The network, for any B.
        space: Model and weights.
        clips: How clips are cut.
        reproducible: True: each tracklet is a call of its own, as in ``CropAverage``.

    Raises:
        ConfigError: If clips cannot be cut or scaled so.
    """

    def __init__(self, embed_clips: ClipNetwork, *, space: str, clips: ClipOptions, reproducible: bool) -> None:
        check_clips(clips)
        height, width = clips["crop_size_hw"]
        self.crop_size_hw, self.needs, self.space = (height, width), PoseNeed(clips["needs"]), space
        self._embed_clips, self._reproducible = embed_clips, reproducible
        self._clip_len, self._max_clips = clips["clip_len"], clips["max_clips"]
        self._cut = clip_scheme(clips["clip_scheme"])
        self._scaling = PixelScaling(colour_order="rgb", mean=clips["mean"], std=clips["std"])

    def embed(self, tracklets: Sequence[Tracklet]) -> list[Embedding]:
        """Return one embedding a tracklet, in the same order.

        Raises:
            ShapeError: If a tracklet has no crops or crops of another size.
            DataError: If keypoints or heat-maps are missing, or the network returns nothing that has a direction.
        """
        for tracklet in tracklets:
            check_crop_size(tracklet, self.crop_size_hw)
            self._pose(tracklet)
        found = self._vectors([self._clips(tracklet) for tracklet in tracklets])
        return [
            assemble(tracklet, vector, self.space)
            for tracklet, vector in zip(tracklets, map(_mean, found), strict=True)
        ]

    def _vectors(self, clips: Sequence[tuple[Values, Values | None]]) -> Iterator[Values]:
        """Yield the vectors of the clips of each tracklet, ``(B, D)``."""
        for first, last in neighbours(
            [len(pixels) for pixels, _ in clips], 1 if self._reproducible else MAX_SHARED_CLIPS
        ):
            together = clips[first:last]
            poses = [pose for _, pose in together if pose is not None]
            vectors_BD = self._embed_clips(
                np.concatenate([pixels for pixels, _ in together]), np.concatenate(poses) if poses else None
            )
            yield from np.split(vectors_BD, np.cumsum([len(pixels) for pixels, _ in together])[:-1])

    def _clips(self, tracklet: Tracklet) -> tuple[Values, Values | None]:
        """Return the scaled clips of a tracklet, ``(B, T, 3, h, w)``, and their pose."""
        indices = self._cut(len(tracklet), self._clip_len)
        spread = np.linspace(0, len(indices) - 1, min(self._max_clips, len(indices))).round().astype(np.intp)
        indices, pose = indices[spread], self._pose(tracklet)
        return self._scaling(tracklet.crops)[indices], None if pose is None else pose[indices]

    def _pose(self, tracklet: Tracklet) -> Values | None:
        if self.needs is PoseNeed.NOTHING:
            return None
        pose = tracklet.keypoints if self.needs is PoseNeed.KEYPOINTS else tracklet.heatmaps
        if pose is None:
            raise DataError(f"{tracklet.track_id}: expected {self.needs}, as {self.space} needs, got none; set a pose")
        return pose


def _mean(vectors_BD: Values) -> Values:
    vector: Values = normalise(vectors_BD.mean(axis=0, dtype=np.float64, keepdims=True))[0].astype(np.float32)
    return vector
