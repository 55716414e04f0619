"""One vector for a tracklet out of one vector a crop: what all networks of single images share."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from models.backends.network import shared_calls
from pipeline.core import Embedding, FrameStamp, Tracklet
from pipeline.core.errors import DataError, ShapeError

Crops = NDArray[np.uint8]
Vectors = NDArray[np.float32]


class CropAverage:
    """Embeds the crops of a tracklet one by one and averages them, better crops counting more.

    Every crop's vector is brought to L2 norm 1, so that all crops have the same scale; then they are averaged with the
    weights ``quality ** quality_exponent``, and the average is brought to norm 1.

    Args:
        embed_crops: The network: uint8 RGB ``(N, h, w, 3)`` to float32 ``(N, D)``, for any N.
        space: Model and weights, for instance ``omz_0288@56df7b``.
        crop_size_hw: Height and width of the crops, pixels.
        quality_exponent: 0 lets all crops count the same.
        flip: Every crop is embedded a second time, mirrored, and counts with both.
        reproducible: True: each tracklet is a call of its own. Libraries choose their kernels by the size of a batch,
            so the last bits of a vector depend on who else happens to be there where tracklets share one.
    """

    def __init__(
        self,
        embed_crops: Callable[[Crops], Vectors],
        *,
        space: str,
        crop_size_hw: tuple[int, int],
        quality_exponent: float,
        flip: bool,
        reproducible: bool = True,
    ) -> None:
        self._embed_crops = embed_crops
        self._space = space
        self._crop_size_hw = crop_size_hw
        self._quality_exponent = quality_exponent
        self._flip = flip
        self._reproducible = reproducible

    def embed(self, tracklets: Sequence[Tracklet]) -> list[Embedding]:
        """Return one embedding a tracklet, in the same order.

        Raises:
            ShapeError: If a tracklet has no crops or crops of another size.
            DataError: If the network returns nothing that has a direction.
        """
        for tracklet in tracklets:
            check_crop_size(tracklet, self._crop_size_hw)
        shown = [self._shown(tracklet.crops) for tracklet in tracklets]
        found = shared_calls(lambda crops: [self._embed_crops(crops)], shown, reproducible=self._reproducible)
        return [
            assemble(tracklet, self._average(tracklet, vectors), self._space)
            for tracklet, (vectors,) in zip(tracklets, found, strict=True)
        ]

    def _shown(self, crops: Crops) -> Crops:
        return np.concatenate([crops, crops[:, :, ::-1]]) if self._flip else crops

    def _average(self, tracklet: Tracklet, found: Vectors) -> Vectors:
        weights = tracklet.qualities.astype(np.float64) ** self._quality_exponent
        if self._flip:
            weights = np.concatenate([weights, weights])
        vectors = normalise(found.astype(np.float64))
        average = np.sum(vectors * weights[:, None], axis=0)
        vector: Vectors = normalise(average[None])[0].astype(np.float32)
        return vector


def check_crop_size(tracklet: Tracklet, crop_size_hw: tuple[int, int]) -> None:
    """Raise unless a tracklet has crops, of the size that the network takes.

    Raises:
        ShapeError: If not.
    """
    height, width = tracklet.crops.shape[1:3]
    if len(tracklet) == 0 or (height, width) != crop_size_hw:
        raise ShapeError(
            f"crops of {tracklet.track_id}: expected some of {crop_size_hw[0]}x{crop_size_hw[1]} pixels, "
            f"got {len(tracklet)} of {height}x{width}; cut them to the embedder's crop_size_hw"
        )


def normalise(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rows with L2 norm 1, shape ``(N, D)``.

    Raises:
        DataError: If a row is zero or not finite.

    Example:
        >>> normalise(np.array([[3.0, 4.0]]))
        array([[0.6, 0.8]])
    """
    norms: NDArray[np.float64] = np.sqrt(np.sum(vectors * vectors, axis=1, keepdims=True))
    if not (np.isfinite(norms).all() and (norms > 0).all()):
        raise DataError("vector of a crop: expected finite numbers, not all 0, got none; check the weights")
    unit: NDArray[np.float64] = vectors / norms
    return unit


def assemble(tracklet: Tracklet, vector: Vectors, space: str) -> Embedding:
    """Return the embedding of a tracklet whose vector is known; first, last and box come from its path."""
    path, camera_id = tracklet.path, tracklet.track_id.camera_id
    first, last = (FrameStamp(camera_id, int(path.indices[i]), float(path.captured_at[i])) for i in (0, -1))
    return Embedding(
        track_id=tracklet.track_id,
        part=tracklet.part,
        first=first,
        last=last,
        box_xyxy=path.boxes_xyxy[-1].copy(),
        space=space,
        vector=vector,
        quality=float(np.mean(tracklet.qualities, dtype=np.float64)),
        path=path,
        completed_at=tracklet.completed_at,
        is_last=tracklet.is_last,
        is_continuous=tracklet.is_continuous,
    )
