"""What a camera continues from in another process."""

from dataclasses import dataclass

from pipeline.camera.tracking import TrackingStage
from pipeline.core import FrameStamp
from pipeline.runtime.event_time import Item
from pipeline.telemetry.camera_status import CameraStatus


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What a camera continues from in another process: all that was completed up to ``stamp`` was delivered.

    Attributes:
        stamp: The last frame that was tracked.
        track: The tracking stage as it was then.
        status: Of the camera then.
        pending: What was delivered and not processed yet.
    """

    stamp: FrameStamp
    track: TrackingStage
    status: CameraStatus
    pending: tuple[Item, ...] = ()
