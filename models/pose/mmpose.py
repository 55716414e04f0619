"""Any top-down model of an installed MMPose: keypoints, and heat-maps where the model makes them.

Needs: what ``passerby doctor --install mmpose`` installs; in no extra, because its packages need a fixed order.
"""

import pickle
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from models.backends.import_settings import import_settings
from models.pose.crops import shown_sizes
from models.pose.mmpose_stand_ins import mmcv_operators, torchvision_operators
from models.weights.store import locate_weights
from pipeline.core import PoseNeed, Tracklet
from pipeline.core.errors import ConfigError, WeightsError

_OPERATORS = torchvision_operators()
with import_settings(sys.modules, **mmcv_operators()):
    from mmengine.dataset import Compose, pseudo_collate
    from mmengine.registry import init_default_scope
    from mmpose.apis import init_model

NUM_KEYPOINTS = 17
"""Of COCO; what the networks of clips take."""

_LOAD_ERRORS = (AttributeError, EOFError, ImportError, KeyError, OSError, RuntimeError, TypeError, ValueError)


class MmposeEstimator:
    """Finds keypoints with a model that MMPose builds, one tracklet a call of the network.

    Args:
        model_config: Path of MMPose's own configuration file of the model.
        weights: Name or path of the checkpoint. It is a pickle: loading runs code from it.
        weights_dir: Where weights are looked for first.
        sha256: Of the checkpoint, 64 hex digits.
        gives: keypoints, or heatmaps for both; models without heat-maps (plain regression) cannot.
        heatmap_hw: Rows and columns of the heat-maps over a crop.
        device: cpu or cuda.
        threads: Processor threads; torch has one number for the whole process.

    Raises:
        ConfigError: If the configuration is no top-down model of 17 keypoints, or there is no such device.
        WeightsError: If the checkpoint is absent, altered or does not fit.
    """

    def __init__(
        self,
        *,
        model_config: str,
        weights: str,
        weights_dir: str | Path | None,
        sha256: str | None,
        gives: str,
        heatmap_hw: Sequence[int],
        device: str,
        threads: int,
    ) -> None:
        self.preflight(
            model_config=model_config,
            weights=weights,
            weights_dir=weights_dir,
            sha256=sha256,
            gives=gives,
            device=device,
        )
        self.gives = PoseNeed(gives)
        rows, columns = heatmap_hw
        self._heatmap_hw = (rows, columns)
        torch.set_num_threads(threads)
        path = locate_weights(weights, weights_dir=weights_dir, sha256=sha256)
        options = {"model": {"test_cfg": {"output_heatmaps": self.gives is PoseNeed.HEATMAPS}}}
        try:
            self._model = init_model(model_config, None, device="cpu", cfg_options=options)
        except _LOAD_ERRORS as error:
            raise ConfigError(
                f"model_config: expected a model that MMPose builds, got: {_first_line(error)}; correct {model_config}"
            ) from error
        try:
            self._load(path)
        except (*_LOAD_ERRORS, pickle.UnpicklingError) as error:
            raise WeightsError(
                f"{weights}: expected a checkpoint of {model_config}, got: {_first_line(error)}"
            ) from error
        self._model.to(device)
        num_keypoints = self._model.dataset_meta["num_keypoints"]
        if num_keypoints != NUM_KEYPOINTS:
            raise ConfigError(f"model_config: expected a model of COCO's 17 keypoints, got one of {num_keypoints}")
        self._pipeline = Compose(self._model.cfg.test_dataloader.dataset.pipeline)

    @staticmethod
    def preflight(
        *,
        model_config: str,
        weights: str,
        weights_dir: str | Path | None,
        sha256: str | None,
        gives: str,
        device: str,
        **_: object,
    ) -> None:
        """Check, without loading anything, that the constructor will find what it needs.

        Raises:
            ConfigError: If there is no such configuration or device.
            WeightsError: If the weights are absent or altered.
        """
        if gives not in (PoseNeed.KEYPOINTS, PoseNeed.HEATMAPS):
            raise ConfigError(f"gives: expected keypoints or heatmaps, got {gives!r}")
        if not Path(model_config).is_file():
            raise ConfigError(f"model_config: expected a configuration file of MMPose, got {model_config}")
        if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
            raise ConfigError(f"device: expected one that torch finds here, got {device!r}; set device: cpu")
        locate_weights(weights, weights_dir=weights_dir, sha256=sha256)

    def _load(self, path: Path) -> None:
        """Take the numbers of a checkpoint, and what it says about its keypoints.

        Checkpoints hold numpy arrays and histories of training, which torch reads only from files that are trusted.
        The configuration states the sha256 of this one, and ``locate_weights`` has compared it.
        """
        checkpoint: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=False)
        state = checkpoint.get("state_dict", checkpoint)
        missing, _ = self._model.load_state_dict(
            state, strict=False
        )  # a checkpoint may hold more: an average, a teacher
        if missing:
            raise KeyError(f"no {missing[0]} in it")
        meta = checkpoint.get("meta", {}) if "state_dict" in checkpoint else {}
        self._model.dataset_meta = meta.get("dataset_meta", self._model.dataset_meta)

    def estimate(self, tracklets: Sequence[Tracklet]) -> list[Tracklet]:
        """Return the same tracklets, in the same order, with keypoints; inputs stay as they are."""
        # One call a tracklet: the last bits of a result may depend on the size of the batch.
        return [self._estimate_one(tracklet) for tracklet in tracklets]

    def _estimate_one(self, tracklet: Tracklet) -> Tracklet:
        images = _undistorted(tracklet)
        samples = self._infer(images)
        keypoints = np.empty((len(tracklet), 17, 3), np.float32)
        for target, image, sample in zip(keypoints, images, samples, strict=True):
            height, width = image.shape[:2]
            found = sample.pred_instances
            target[:, :2] = np.clip(found.keypoints[0] / (width, height), 0, 1)
            target[:, 2] = np.clip(found.keypoint_scores[0], 0, 1)
        heatmaps = None
        if self.gives is PoseNeed.HEATMAPS:
            maps = [self._over_crop(image, sample) for image, sample in zip(images, samples, strict=True)]
            heatmaps = np.stack(maps)
        return replace(tracklet, keypoints=keypoints, heatmaps=heatmaps)

    def _infer(self, images: list[NDArray[np.uint8]]) -> list[Any]:
        """Return MMPose's data samples, one an image; what ``inference_topdown`` does for boxes of one image."""
        init_default_scope(self._model.cfg.get("default_scope", "mmpose"))
        entries = []
        for image in images:
            height, width = image.shape[:2]
            entry = {
                "img": np.ascontiguousarray(image[..., ::-1]),
                "bbox": np.array([[0, 0, width, height]], np.float32),
                "bbox_score": np.ones(1, np.float32),
            }
            entries.append(self._pipeline(entry | self._model.dataset_meta))
        with torch.no_grad():
            samples: list[Any] = self._model.test_step(pseudo_collate(entries))
        return samples

    def _over_crop(self, image: NDArray[np.uint8], sample: Any) -> NDArray[np.float32]:
        """Return the heat-maps, which cover the network's input, resampled over the crop: ``(17, h', w')``."""
        maps = sample.pred_fields.heatmaps.cpu().numpy().astype(np.float32)
        rows, columns = self._heatmap_hw
        # The input shows the region of this centre and size of the picture.
        center, size = (np.ravel(sample.metainfo[key]) for key in ("input_center", "input_scale"))
        x = (np.arange(columns) + 0.5) * image.shape[1] / columns
        y = (np.arange(rows) + 0.5) * image.shape[0] / rows
        map_x = ((x - center[0]) / size[0] + 0.5) * maps.shape[2] - 0.5
        map_y = ((y - center[1]) / size[1] + 0.5) * maps.shape[1] - 0.5
        grid_x, grid_y = (axis.astype(np.float32) for axis in np.meshgrid(map_x, map_y))
        resampled = [cv2.remap(one, grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT) for one in maps]
        heatmaps: NDArray[np.float32] = np.maximum(np.stack(resampled), 0).astype(np.float32)
        return heatmaps


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def _undistorted(tracklet: Tracklet) -> list[NDArray[np.uint8]]:
    """Return the crops in the shape that the people had in the frame, the height kept."""
    height = tracklet.crops.shape[1]
    widths = [max(1, round(height * w / h)) for h, w in shown_sizes(tracklet)]
    images = zip(tracklet.crops, widths, strict=True)
    return [cv2.resize(crop, (width, height), interpolation=cv2.INTER_LINEAR) for crop, width in images]
