"""A detector that works only where the cluster says so, as one with a GPU would; for tests of placement."""

from collections.abc import Sequence
from typing import Any

from models.detection.onnx import OnnxDetector
from pipeline.core import Detections, LetterboxedFrame
from pipeline.core.errors import ConfigError


class LaneDetector:
    """The default detector, in a process that reserves the resource ``lane``.

    Raises:
        ConfigError: If its process reserves none, or there is no cluster.
    """

    def __init__(self, **options: Any) -> None:
        self.preflight()
        self._detector = OnnxDetector(**options)
        self.input_hw = self._detector.input_hw
        self.calls = self._detector.calls

    @staticmethod
    def preflight(**_: object) -> None:
        import ray

        reserved = ray.get_runtime_context().get_assigned_resources() if ray.is_initialized() else {}
        if not reserved.get("lane"):
            raise ConfigError("detector.device: expected a lane, got a machine without; place it elsewhere")

    def detect(self, frames: Sequence[LetterboxedFrame]) -> list[Detections]:
        return self._detector.detect(frames)
