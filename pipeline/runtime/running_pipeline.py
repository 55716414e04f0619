"""A pipeline whose actors are built."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.core import Embedding
from pipeline.runtime.deliveries import Deliver
from pipeline.runtime.flow import Detect, Embed, Pose
from pipeline.telemetry.batch_status import BatchStatus
from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.match_report import MatchReport
from pipeline.telemetry.match_status import MatchStatus


class Camera(Protocol):
    """A camera actor, in whichever process; see ``CameraActor``."""

    async def ready(self) -> None:
        """Return once the source is built."""
        ...

    async def status(self) -> CameraStatus:
        """Return the status now."""
        ...

    async def run(self) -> CameraStatus:
        """Work until the source ends."""
        ...

    async def stop(self) -> None:
        """Read no further."""
        ...

    async def settle(self) -> None:
        """Let the source forget what was read."""
        ...


@dataclass(frozen=True, slots=True)
class RunningPipeline:
    """A pipeline that is built and waits for its first frame.

    Attributes:
        cameras: By camera.
        detect: Finds people.
        pose: Adds keypoints.
        embed: Makes vectors.
        enrol: See ``MatchActor.enrol``.
        deliver: See ``MatchActor.deliver``; used for cameras whose process is lost.
        finish: Publishes what is left, after the last camera has ended or was stopped. See ``MatchActor.finish``.
        match_status: See ``MatchActor.status``.
        watch_processes: Replaces processes that hang, until cancelled; see ``Processes.watch``.
        has_live: A source is live, so the matcher waits for none that is too far behind.
        busy: By stage, one function for each batch actor; see ``BatchActor.busy``.
    """

    cameras: Mapping[str, Camera]
    detect: Detect
    pose: Pose
    embed: Embed
    enrol: Callable[[int, Embedding], Awaitable[None]]
    deliver: Deliver
    finish: Callable[[float, bool], Awaitable[MatchReport]]
    match_status: Callable[[], Awaitable[MatchStatus]]
    watch_processes: Callable[[], Coroutine[Any, Any, None]]
    has_live: bool
    busy: Mapping[str, Sequence[Callable[[], Awaitable[BatchStatus]]]]
