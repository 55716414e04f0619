"""Head, body and leg as cells of a map, from keypoints.

RAPA's authors drew their boxes off-line and do not say how; this rule is a choice made here. Shape suffixes: F frames,
K keypoints, P parts (head, body, leg), H and W rows and columns.
"""

import torch
from torch import Tensor

NUM_PARTS = 3
_FACE, _SHOULDERS, _TRUNK = slice(0, 5), slice(5, 7), slice(5, 13)
_HIPS, _KNEES, _ANKLES, _LEGS = slice(11, 13), slice(13, 15), slice(15, 17), slice(11, 17)
_ABOVE_FACE, _BELOW_ANKLES, _BELOW_KNEES, _ASIDE = 0.06, 0.04, 0.22, 0.08
"""Parts of the crop's height, and of its width."""


def part_masks(keypoints_FK3: Tensor, grid_hw: tuple[int, int], *, min_score: float) -> tuple[Tensor, Tensor]:
    """Return the cells of each part, and which parts were not found.

    The head reaches from above the face to the shoulders, the body to the hips, the leg to below the ankles. A part
    whose upper or lower end is unknown, or that is flatter than half a row, is a third of the map instead.

    Args:
        keypoints_FK3: COCO order: x, y in [0, 1] of the crop, score.
        grid_hw: Rows and columns of the maps.
        min_score: Keypoints below it are not seen.

    Returns:
        Bool ``(F, 3, H, W)``, at least a cell each, and bool ``(F, 3)``: True where it is a third of the map.
    """
    rows, columns = (int(size) for size in grid_hw)
    x_FK, y_FK, score_FK = keypoints_FK3.float().unbind(-1)
    seen_FK = score_FK >= min_score
    shoulders, hips = (_mean(y_FK[:, points], seen_FK[:, points]) for points in (_SHOULDERS, _HIPS))
    top = (_least(y_FK[:, _FACE], seen_FK[:, _FACE]) - _ABOVE_FACE).clamp(min=0)
    bottom = _greatest(y_FK[:, _KNEES], seen_FK[:, _KNEES]) + _BELOW_KNEES
    bottom = torch.where(bottom.isfinite(), bottom, 1.0)
    ankles = _greatest(y_FK[:, _ANKLES], seen_FK[:, _ANKLES]) + _BELOW_ANKLES
    bottom = torch.where(ankles.isfinite(), ankles, bottom).clamp(max=1)
    upper_FP = torch.stack([top, shoulders, hips], dim=1)
    lower_FP = torch.stack([shoulders, hips, bottom], dim=1)
    left_FP = torch.stack([_least(x_FK[:, p], seen_FK[:, p]) for p in (_FACE, _TRUNK, _LEGS)], dim=1) - _ASIDE
    right_FP = torch.stack([_greatest(x_FK[:, p], seen_FK[:, p]) for p in (_FACE, _TRUNK, _LEGS)], dim=1) + _ASIDE
    # Infinite differences, and those of what is not there, are no number or negative.
    height_FP = lower_FP - upper_FP
    is_third_FP = ~(height_FP.isfinite() & (height_FP >= 1 / (2 * rows)))
    row_masks_FPH = _cells(upper_FP, lower_FP, rows)
    # Of nothing seen the least is +inf and the greatest -inf: then the part is as wide as the crop.
    column_masks_FPW = _cells(left_FP.clamp(max=1), right_FP.clamp(min=0), columns)
    column_masks_FPW = column_masks_FPW | (left_FP > right_FP)[..., None]
    masks = row_masks_FPH[..., None] & column_masks_FPW[:, :, None]
    is_third = is_third_FP[..., None, None]
    return (is_third & thirds(grid_hw, like=masks)) | (~is_third & masks), is_third_FP


def thirds(grid_hw: tuple[int, int], *, like: Tensor) -> Tensor:
    """Return head, body and leg as thirds of a map, bool ``(3, H, W)``, on the device of a tensor."""
    rows, columns = (int(size) for size in grid_hw)
    borders = [round(part * rows / NUM_PARTS) for part in range(NUM_PARTS + 1)]
    number = torch.arange(rows, device=like.device)
    # Maps of fewer than three rows have parts in common.
    starts = [min(start, rows - 1) for start in borders[:-1]]
    parts = [(number >= start) & (number < max(end, start + 1)) for start, end in zip(starts, borders[1:], strict=True)]
    return torch.stack(parts)[..., None].expand(NUM_PARTS, rows, columns)


def _cells(start_FP: Tensor, end_FP: Tensor, count: int) -> Tensor:
    """Return which of ``count`` cells along an axis a span from start to end in [0, 1] touches; at least one."""
    first = (start_FP * count).floor().clamp(0, count - 1)
    last = torch.maximum((end_FP * count).ceil().clamp(max=count) - 1, first)
    number = torch.arange(count, device=start_FP.device)
    return (number >= first[..., None]) & (number <= last[..., None])


def _least(values: Tensor, is_seen: Tensor) -> Tensor:
    return values.masked_fill(~is_seen, torch.inf).amin(1)


def _greatest(values: Tensor, is_seen: Tensor) -> Tensor:
    return values.masked_fill(~is_seen, -torch.inf).amax(1)


def _mean(values: Tensor, is_seen: Tensor) -> Tensor:
    """Return the mean of what is seen; no number where nothing is."""
    return (values * is_seen).sum(1) / is_seen.sum(1)
