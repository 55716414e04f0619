"""The pipeline of a site, whose actors are built."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core import Embedding
from pipeline.runtime.cameras.camera import Camera
from pipeline.runtime.cameras.membership import Membership
from pipeline.runtime.deliveries import Deliver
from pipeline.runtime.flow import Detect, Embed, Pose
from pipeline.runtime.plan import Plan
from pipeline.telemetry.batch_status import BatchStatus
from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.match_report import MatchReport
from pipeline.telemetry.match_status import MatchStatus


@dataclass(frozen=True, slots=True)
class RunningPipeline:
    """A pipeline that is built and waits for its first frame.

    Attributes:
        membership: The cameras that take part.
        detect: Finds people.
        pose: Adds keypoints.
        embed: Makes vectors.
        enrol: See ``MatchActor.enrol``.
        deliver: See ``MatchActor.deliver``; used for cameras whose process is lost.
        finish: Publishes what is left, after the last camera has ended or was stopped. See ``MatchActor.finish``.
        match_status: See ``MatchActor.status``.
        watch_processes: Replaces processes that hang, until cancelled; see ``Processes.watch``.
        release: Lets go of its cameras and of its matcher's process, once it has ended or failed and other sites go on.
        has_live: A source is live, so the matcher waits for none that is too far behind.
        busy: By stage, one function for each batch actor; see ``BatchActor.busy``.
        build_camera: Builds one more camera where the others work; given its name and a plan that has it.
        join: See ``MatchActor.join``.
        prefix: Stands before the names of its cameras in those of processes, because other sites share them.
    """

    membership: Membership
    detect: Detect
    pose: Pose
    embed: Embed
    enrol: Callable[[int, Embedding], Awaitable[None]]
    deliver: Deliver
    finish: Callable[[float, bool], Awaitable[MatchReport]]
    match_status: Callable[[], Awaitable[MatchStatus]]
    watch_processes: Callable[[], Coroutine[Any, Any, None]]
    release: Callable[[], Awaitable[None]]
    has_live: bool
    busy: Mapping[str, Sequence[Callable[[], Awaitable[BatchStatus]]]]
    build_camera: Callable[[str, Plan], Awaitable[Camera]]
    join: Callable[[str, float | None], Awaitable[float]]
    prefix: str = ""

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """The cameras that take part now, by name."""
        return self.membership.cameras

    @property
    def removed(self) -> Mapping[str, CameraStatus]:
        """The last status of each camera that was removed."""
        return self.membership.removed
