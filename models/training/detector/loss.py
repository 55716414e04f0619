"""The loss of the detector."""

import torch
from torch import Tensor
from torch.nn import functional

from models.training.detector.assignment import assign, decode, find_inside
from models.training.detector.network import STRIDES

_BOX_WEIGHT = 5.0


class YoloxLoss:
    """Objectness and class by binary cross-entropy, boxes by ``1 - IoU²``, summed over the matched places.

    Args:
        input_hw: Height and width of the pictures, pixels.
        device: Of the rows.
    """

    def __init__(self, input_hw: tuple[int, int], device: torch.device) -> None:
        cells, strides = [], []
        for stride in STRIDES:
            rows, columns = torch.meshgrid(
                torch.arange(input_hw[0] // stride), torch.arange(input_hw[1] // stride), indexing="ij"
            )
            cells.append(torch.stack([columns.flatten(), rows.flatten()], dim=1))
            strides.append(torch.full((rows.numel(), 1), float(stride)))
        self.cells_xy = torch.cat(cells).float().to(device)
        self.strides = torch.cat(strides).to(device)

    def __call__(self, rows: Tensor, boxes_xyxy: Tensor, kinds: Tensor) -> dict[str, Tensor]:
        """Return the parts of the loss and, under ``loss``, their sum.

        Args:
            rows: ``(N, A, 6)`` of the network, float32.
            boxes_xyxy: ``(N, G, 4)``, pixels.
            kinds: ``(N, G)``: 1 a person, -1 to be ignored, 0 padding.
        """
        boxes = decode(rows, self.cells_xy, self.strides)
        objectness, person = rows[..., 4], rows[..., 5]
        root = (objectness.detach().sigmoid() * person.detach().sigmoid()).sqrt()
        answers, owner, iou = assign(boxes_xyxy, kinds > 0, boxes.detach(), root, self.cells_xy, self.strides)
        num_answers = answers.sum().clamp(min=1)
        targets = boxes_xyxy.gather(1, owner[..., None].expand(-1, -1, 4))[answers]
        parts = {
            "box": _BOX_WEIGHT * (1 - paired_iou(boxes[answers], targets) ** 2).sum() / num_answers,
            "object": (
                functional.binary_cross_entropy_with_logits(objectness, answers.float(), reduction="none")
                * (answers | ~self._ignored(boxes_xyxy, kinds))
            ).sum()
            / num_answers,
            "person": functional.binary_cross_entropy_with_logits(person[answers], iou[answers], reduction="sum")
            / num_answers,
        }
        return parts | {"loss": torch.stack(list(parts.values())).sum()}

    def _ignored(self, boxes_xyxy: Tensor, kinds: Tensor) -> Tensor:
        """Return the places in the middle of boxes that count neither way, ``(N, A)``."""
        centres = (self.cells_xy + 0.5) * self.strides
        return (find_inside(centres, boxes_xyxy) & (kinds < 0)[..., None]).any(1)


def paired_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Return the IoU of each row with the same row of the others, ``(M,)``."""
    shared = torch.minimum(boxes[:, 2:], others[:, 2:]) - torch.maximum(boxes[:, :2], others[:, :2])
    overlap = shared.clamp(min=0).prod(-1)
    areas = [(box[:, 2:] - box[:, :2]).clamp(min=0).prod(-1) for box in (boxes, others)]
    return overlap / (areas[0] + areas[1] - overlap).clamp(min=1e-6)
