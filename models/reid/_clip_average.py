"""One vector for a tracklet out of one vector a clip: what all networks of clips share."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from models._pixels import PixelScaling
from models.reid._averaging import assemble, check_crop_size, normalise
from models.reid._clips import clip_scheme
from pipeline.core import Embedding, PoseNeed, Tracklet
from pipeline.core.errors import ConfigError, DataError

Values = NDArray[np.float32]
ClipNetwork = Callable[[Values, Values | None], Values]
"""Scaled pixels ``(B, T, 3, h, w)``, and the keypoints or heat-maps that are needed, to vectors ``(B, D)``."""


class ClipAverage:
    """Cuts tracklets into clips, embeds these and averages; the mean is brought to norm 1.

    Args:
        embed_clips: The network, for any B.
        space: Model and weights.
        clip_len: Crops of a clip.
        crop_size_hw: Height and width of the crops, pixels.
        needs: What the network asks of the pose stage.
        scheme: How clips are cut.
        max_clips: Of a tracklet, spread over all of them.
        mean: Of red, green and blue, in the range [0, 255]; subtracted.
        std: Likewise; divided by.

    Raises:
        ConfigError: If clips cannot be cut so.
    """

    def __init__(
        self,
        embed_clips: ClipNetwork,
        *,
        space: str,
        clip_len: int,
        crop_size_hw: Sequence[int],
        needs: str,
        scheme: str,
        max_clips: int,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        check_clips(
            clip_len=clip_len,
            crop_size_hw=crop_size_hw,
            needs=needs,
            scheme=scheme,
            max_clips=max_clips,
            mean=mean,
            std=std,
        )
        height, width = crop_size_hw
        self.clip_len, self.crop_size_hw, self.needs, self.space = clip_len, (height, width), PoseNeed(needs), space
        self._embed_clips, self._max_clips = embed_clips, max_clips
        self._cut = clip_scheme(scheme)
        self._scaling = PixelScaling(colour_order="rgb", mean=mean, std=std)

    def embed(self, tracklets: Sequence[Tracklet]) -> list[Embedding]:
        """Return one embedding a tracklet, in the same order.

        Raises:
            ShapeError: If a tracklet has no crops or crops of another size.
            DataError: If keypoints or heat-maps are missing, or the network returns nothing that has a direction.
        """
        for tracklet in tracklets:
            check_crop_size(tracklet, self.crop_size_hw)
            self._pose(tracklet)
        # Each tracklet is a batch of its own: in another batch the last bits of its vector might be others.
        return [assemble(tracklet, self._average(tracklet), self.space) for tracklet in tracklets]

    def _average(self, tracklet: Tracklet) -> Values:
        indices = self._cut(len(tracklet), self.clip_len)
        spread = np.linspace(0, len(indices) - 1, min(self._max_clips, len(indices))).round().astype(np.intp)
        indices, pose = indices[spread], self._pose(tracklet)
        vectors_BD = self._embed_clips(self._scaling(tracklet.crops)[indices], None if pose is None else pose[indices])
        vector: Values = normalise(vectors_BD.mean(axis=0, dtype=np.float64, keepdims=True))[0].astype(np.float32)
        return vector

    def _pose(self, tracklet: Tracklet) -> Values | None:
        if self.needs is PoseNeed.NOTHING:
            return None
        pose = tracklet.keypoints if self.needs is PoseNeed.KEYPOINTS else tracklet.heatmaps
        if pose is None:
            raise DataError(f"{tracklet.track_id}: expected {self.needs}, as {self.space} needs, got none; set a pose")
        return pose


def check_clips(
    *,
    clip_len: int,
    crop_size_hw: Sequence[int],
    needs: str,
    scheme: str,
    max_clips: int,
    mean: Sequence[float],
    std: Sequence[float],
) -> None:
    """Raise unless tracklets can be cut and scaled so.

    Raises:
        ConfigError: If not.
    """
    clip_scheme(scheme)
    PixelScaling(colour_order="rgb", mean=mean, std=std)
    if clip_len < 1 or max_clips < 1:
        raise ConfigError(f"clip_len, max_clips: expected 1 or more, got {clip_len} and {max_clips}")
    if len(crop_size_hw) != 2 or min(crop_size_hw) < 1:
        raise ConfigError(f"crop_size_hw: expected height and width, got {list(crop_size_hw)}")
    if needs not in set(PoseNeed):
        raise ConfigError(f"needs: expected one of {', '.join(PoseNeed)}, got {needs!r}")
