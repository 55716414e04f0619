"""What a camera goes on from when its process is lost."""

from dataclasses import dataclass

from pipeline.camera.tracking import TrackingStage
from pipeline.core import Embedding, FrameStamp
from pipeline.telemetry.camera_status import CameraStatus


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """How far a camera had come: all that was completed up to ``stamp`` was handed over.

    Attributes:
        stamp: The last frame that was tracked.
        track: The track stage as it was then.
        status: How the camera was doing then.
        pending: What was handed over and not judged yet.
    """

    stamp: FrameStamp
    track: TrackingStage
    status: CameraStatus
    pending: tuple[Embedding, ...] = ()
