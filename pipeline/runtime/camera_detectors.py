"""Finds people in frames of all cameras in this process, one frame at a time; for tools that run no pipeline."""

from pipeline.camera.detection import letterbox
from pipeline.core import Detections, Frame, LetterboxedFrame
from pipeline.runtime.plan import Plan


class CameraDetectors:
    """The detectors of a plan.

    Args:
        plan: Of the cameras.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        used = {detection.name: detection for detection in map(plan.detection, plan.make_sources)}
        self._stages = {name: detection.make() for name, detection in used.items()}

    def prepare(self, frame: Frame) -> LetterboxedFrame:
        """Return a frame as the detector of its camera takes it."""
        return letterbox(frame, self._plan.detection(frame.stamp.camera_id).input_hw)

    def find(self, prepared: LetterboxedFrame) -> Detections:
        """Return the people in a prepared frame."""
        name = self._plan.detection(prepared.stamp.camera_id).name
        return self._stages[name].process([prepared])[0]
