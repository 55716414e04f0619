"""Crops with the pose that is known of them: as tracklets of the pipeline, and as heat-maps."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.training.pictures import Image
from pipeline.core import FrameStamp, Tracklet
from pipeline.core.records.track import TrackId, TrackPath

_STRIDE = 16
_CELL_SIGMA = 0.75


def make_tracklet(number: int, images: Image, keypoints: NDArray[np.float32] | None) -> Tracklet:
    """Return crops as a tracklet that fills its frames.

    Args:
        number: Of the track, from 0; it has no other name.
        images: Shape ``(T, h, w, 3)``, uint8, RGB.
        keypoints: Shape ``(T, 17, 3)``: x, y in [0, 1] of the crop, score; heat-maps are drawn of them. None, or
            scores of 0, if nothing is known.
    """
    length, height, width = images.shape[:3]
    boxes = np.tile(np.array([0, 0, width, height], np.float32), (length, 1))
    ones, at = np.ones(length, np.float32), np.arange(length)
    heatmaps = None
    if keypoints is not None and keypoints[..., 2].any():
        keypoints = keypoints.astype(np.float32)
        heatmaps = draw_heatmaps(torch.from_numpy(keypoints), grid_of((height, width))).float().numpy()
    return Tracklet(
        track_id=TrackId("known", 0, number + 1),
        part=0,
        stamps=tuple(FrameStamp("known", int(one), float(one)) for one in at),
        boxes_xyxy=boxes,
        scores=ones,
        crops=np.ascontiguousarray(images),
        qualities=ones.copy(),
        path=TrackPath(at, at.astype(np.float64), boxes.copy(), ones.copy(), (height, width)),
        completed_at=float(length),
        is_last=True,
        keypoints=None if heatmaps is None else keypoints,
        heatmaps=heatmaps,
    )


def grid_of(crop_hw: tuple[int, int]) -> tuple[int, int]:
    """Return the rows and columns of the maps that networks of clips compare."""
    height, width = crop_hw
    return -(-height // _STRIDE), -(-width // _STRIDE)


def draw_heatmaps(keypoints_K3: Tensor, grid_hw: tuple[int, int]) -> Tensor:
    """Return a bump on a grid for each keypoint, as high as its score: ``(…, 17, h, w)``.

    Args:
        keypoints_K3: Shape ``(…, 17, 3)``: x, y in [0, 1] of the crop, score.
        grid_hw: Rows and columns.
    """
    x, y, score = (part[..., None, None] for part in keypoints_K3.unbind(-1))
    rows, columns = (torch.arange(size, device=x.device) + 0.5 for size in grid_hw)
    squared = (columns - x * grid_hw[1]).square() + (rows[:, None] - y * grid_hw[0]).square()
    return score * torch.exp(-squared / (2 * _CELL_SIGMA**2))
