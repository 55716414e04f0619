"""Training of the person detector."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from models.detection.nms import suppress
from models.training.detector.assignment import decode
from models.training.detector.loss import YoloxLoss
from models.training.detector.network import YoloxSmall
from models.training.detector.samples import IGNORED, PERSON, DetectorSamples, Labelled
from models.training.engine import MAX_NORM, Batch, make_adamw
from models.training.worlds import World
from pipeline.camera.detection import letterbox
from pipeline.core import Frame, FrameStamp
from pipeline.core.boxes import iou_matrix
from pipeline.evaluation.detection import find_hits

_MIN_SCORE = 0.3
_MIN_IOU = 0.5
_NMS_IOU = 0.45
_MAX_SCORED = 400


class DetectorTask:
    """Finds people in frames.

    Args:
        worlds: Training worlds.
        held_out: Worlds to score with.
        seed: Seed of the sampling.
        device: Device of the loss.
        max_bytes: Of decoded frames.
        input_hw: Height and width of the network's input, pixels.
        batch_size: Pictures a step.
        learning_rate: The highest of the schedule.
        weight_decay: Of AdamW.
        false_boxes: File that ``hard-examples`` wrote, of these worlds; None for views around people and at random
            alone.
    """

    def __init__(
        self,
        worlds: Sequence[World],
        held_out: Sequence[World],
        *,
        seed: int,
        device: torch.device,
        max_bytes: int,
        input_hw: tuple[int, int] = (320, 416),
        batch_size: int = 16,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.03,
        false_boxes: str | None = None,
    ) -> None:
        self.learning_rate = learning_rate
        self.max_norm: float | None = MAX_NORM
        self._weight_decay = weight_decay
        self.input_hw = (input_hw[0], input_hw[1])
        self._seed = seed
        self._batch_size = batch_size
        self._device = device
        self._samples = DetectorSamples(
            worlds,
            input_hw=self.input_hw,
            max_bytes=max_bytes,
            false_boxes=None if false_boxes is None else np.load(false_boxes, allow_pickle=False),
        )
        self._held_out = DetectorSamples(held_out, input_hw=self.input_hw, max_bytes=0)
        self._loss = YoloxLoss(self.input_hw, device)

    def make_network(self) -> YoloxSmall:
        """Return a network that knows nothing."""
        return YoloxSmall()

    def optimisers(self, network: nn.Module) -> list[torch.optim.Optimizer]:
        """Return what moves the weights."""
        return [make_adamw(network, rate=self.learning_rate, decay=self._weight_decay)]

    def draw(self, step: int) -> Batch:
        """Return the pictures ``(N, 3, H, W)`` of a step and their boxes."""
        rng = np.random.default_rng([self._seed, step])
        drawn = [self._samples.draw(rng) for _ in range(self._batch_size)]
        most = max(1, *(len(one.kinds) for one in drawn))
        boxes = np.zeros((len(drawn), most, 4), np.float32)
        kinds = np.zeros((len(drawn), most), np.int64)
        for row, one in enumerate(drawn):
            boxes[row, : len(one.kinds)] = one.boxes_xyxy
            kinds[row, : len(one.kinds)] = one.kinds
        pixels = np.stack([one.image for one in drawn]).transpose(0, 3, 1, 2)
        return {"pixels": pixels, "boxes_xyxy": boxes, "kinds": kinds}

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the loss and its parts."""
        rows = network(batch["pixels"].float().contiguous(memory_format=torch.channels_last))
        with torch.autocast(self._device.type, enabled=False):
            return self._loss(rows.float(), batch["boxes_xyxy"], batch["kinds"])

    @torch.no_grad()
    def score(self, network: nn.Module) -> dict[str, float]:
        """Return precision and recall on frames held out, at score 0.3 and IoU 0.5; unsure people count neither way."""
        hits = num_found = num_true = 0
        every = max(1, len(self._held_out) // _MAX_SCORED)
        for row in range(0, len(self._held_out), every):
            truth = self._fit(self._held_out.frame(row))
            found = self.find(network, truth.image)
            people = truth.boxes_xyxy[truth.kinds == PERSON]
            unsure = truth.boxes_xyxy[truth.kinds == IGNORED]
            hit = find_hits(found, people, min_iou=_MIN_IOU)
            excused = (iou_matrix(found, unsure) >= _MIN_IOU).any(1) & ~hit
            hits += int(hit.sum())
            num_found += len(found) - int(excused.sum())
            num_true += len(people)
        if not num_true:
            return {}
        return {"precision": hits / max(num_found, 1), "recall": hits / num_true}

    def find(self, network: nn.Module, image: np.ndarray) -> np.ndarray:
        """Return the boxes, ``(N, 4)`` float32, that a network finds in a letter-boxed BGR picture, best first."""
        pixels = torch.from_numpy(image.transpose(2, 0, 1)[None].copy()).float().to(self._device)
        rows = network(pixels)
        boxes = decode(rows, self._loss.cells_xy, self._loss.strides)[0].cpu().numpy()
        scores = rows[0, :, 4:].sigmoid().prod(-1).cpu().numpy()
        found = scores >= _MIN_SCORE
        boxes, scores = boxes[found], scores[found]
        return np.asarray(boxes[suppress(boxes, scores, max_iou=_NMS_IOU)], np.float32)

    def _fit(self, frame: Labelled) -> Labelled:
        """Letter-box a frame into the top left corner."""
        fitted = letterbox(Frame(FrameStamp("held_out", 0, 0.0), frame.image), self.input_hw)
        return Labelled(fitted.image, frame.boxes_xyxy * np.float32(fitted.scale), frame.kinds)
