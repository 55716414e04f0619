"""What a camera continues from in another process."""

from dataclasses import dataclass, replace

from pipeline.camera.tracking import TrackingStage
from pipeline.core import FrameStamp
from pipeline.runtime.event_time import Item
from pipeline.telemetry.camera_status import CameraStatus, counted


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

    def delivered(self, tracklets: int, pending: tuple[Item, ...]) -> "Checkpoint":
        """Return it with what is counted when it is delivered, later than its last frame; without frames read ahead."""
        done = replace(self.status, tracklets=tracklets, frames_read=counted(self.status))
        return replace(self, status=done, pending=pending)
