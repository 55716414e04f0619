"""Which places of the network answer for which person, and what they are taught.

Reference:
    SimOTA: Ge et al., "YOLOX: Exceeding YOLO Series in 2021", arXiv:2107.08430, section 2.1; dynamic k: Ge et
    al., "OTA: Optimal Transport Assignment for Object Detection", arXiv:2103.14259.
"""

import torch
from torch import Tensor
from torch.nn import functional

_RADIUS = 2.5
_NEAREST = 10
_IOU_WEIGHT = 3.0
_FAR = 1e5
_NEVER = 1e9


def decode(rows: Tensor, cells_xy: Tensor, strides: Tensor) -> Tensor:
    """Return boxes in pixels, ``(N, A, 4)`` x1 y1 x2 y2, of the first four values of the rows."""
    centres = (rows[..., :2] + cells_xy) * strides
    halves = rows[..., 2:4].clamp(max=8).exp() * strides / 2
    return torch.cat([centres - halves, centres + halves], dim=-1)


def pairwise_iou(people: Tensor, boxes: Tensor) -> Tensor:
    """Return ``(N, G, A)`` of people ``(N, G, 4)`` and boxes ``(N, A, 4)``."""
    # Coordinate by coordinate: reductions over two or four values are slow on a processor.
    left, top, right, bottom = people[..., None].unbind(2)
    other_left, other_top, other_right, other_bottom = boxes[:, None].unbind(3)
    widths = (torch.minimum(right, other_right) - torch.maximum(left, other_left)).clamp_(min=0)
    heights = (torch.minimum(bottom, other_bottom) - torch.maximum(top, other_top)).clamp_(min=0)
    overlap = widths * heights
    areas = (right - left) * (bottom - top) + (other_right - other_left) * (other_bottom - other_top)
    return overlap / (areas - overlap).clamp_(min=1e-6)


def find_inside(points_xy: Tensor, boxes: Tensor) -> Tensor:
    """Return which points ``(A, 2)`` lie in which boxes ``(N, G, 4)``: ``(N, G, A)``."""
    x, y = points_xy.unbind(1)
    left, top, right, bottom = boxes[..., None].unbind(2)
    return (x > left) & (x < right) & (y > top) & (y < bottom)


@torch.no_grad()
def assign(
    people: Tensor, is_person: Tensor, boxes: Tensor, scores: Tensor, cells_xy: Tensor, strides: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Match places to people: each person gets as many as fit it well, at the least cost.

    Args:
        people: ``(N, G, 4)``, pixels; rows that are no person are padding.
        is_person: ``(N, G)``, bool.
        boxes: What the network says, ``(N, A, 4)``, pixels.
        scores: Likewise, ``(N, A)``, in [0, 1]: the root of objectness times class.
        cells_xy: ``(A, 2)``.
        strides: ``(A, 1)``, pixels.

    Returns:
        Which places answer, ``(N, A)`` bool; for which person, ``(N, A)`` int64; with which IoU, ``(N, A)``.
    """
    centres = (cells_xy + 0.5) * strides
    inside = find_inside(centres, people)
    middle_x, middle_y = ((people[..., :2] + people[..., 2:])[..., None] / 2).unbind(2)
    reach = _RADIUS * strides[:, 0]
    near = ((centres[:, 0] - middle_x).abs() < reach) & ((centres[:, 1] - middle_y).abs() < reach)
    possible = (inside | near) & is_person[..., None]
    iou = pairwise_iou(people, boxes) * possible
    wrong_class = functional.binary_cross_entropy(scores, torch.ones_like(scores), reduction="none")
    cost = wrong_class[:, None] - _IOU_WEIGHT * (iou + 1e-8).log() + _FAR * ~(inside & near)
    cost = cost.masked_fill(~possible, _NEVER)
    most = min(_NEAREST, cost.shape[-1])
    num_places = iou.topk(most, dim=-1).values.sum(-1).int().clamp(min=1)
    cheapest, places = cost.topk(most, dim=-1, largest=False)
    rank = torch.arange(most, device=cost.device)
    chosen = (rank < num_places[..., None]) & (cheapest < _NEVER)
    matches = torch.zeros_like(cost, dtype=torch.bool).scatter_(-1, places, chosen)
    # A place that several people want goes to the one it costs least.
    owner = cost.masked_fill(~matches, 2 * _NEVER).argmin(1)
    answers = matches.any(1)
    return answers, owner, iou.gather(1, owner[:, None])[:, 0]
