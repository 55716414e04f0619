"""Where actors run: all in this process, or each in one of its own on Ray."""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from pipeline.runtime.actor_ref import ActorHost, ActorRef
from pipeline.runtime.camera_actor import CameraActor
from pipeline.runtime.plan import ProcessLimits
from pipeline.runtime.restarting_camera import RestartingCamera
from pipeline.runtime.running_pipeline import Camera

MAX_CONCURRENCY = {"camera": 100}
"""Calls that may be open at an actor on Ray at once, by kind; 1000 for others, at which many cameras call."""
MAX_TASK_RETRIES = {"match": -1}
"""How often Ray makes a call again whose actor died, by kind; once for others, which hold no state.

Any number (-1) is safe for the match actor, which comes back from its ledger: it refuses a delivery to an earlier
epoch, and the camera delivers again.
"""


class Processes(Protocol):
    """A place for actors."""

    def start(self, kind: str, make: Callable[[], Any]) -> ActorRef:
        """Start the actors of a kind, as many as the plan says."""
        ...

    def start_camera(self, camera_id: str, make: Callable[[], CameraActor]) -> Camera:
        """Start the actor of one camera."""
        ...


class InlineProcesses:
    """This process; replicas of a batch actor work in a thread each.

    Args:
        limits: Of the plan.
    """

    def __init__(self, limits: ProcessLimits) -> None:
        self._limits = limits

    def start(self, kind: str, make: Callable[[], Any]) -> ActorRef:
        """Return actors that are built at their first call."""
        return ActorRef(kind, [ActorHost(make) for _ in range(self._limits.shares[kind].replicas)])

    def start_camera(self, camera_id: str, make: Callable[[], CameraActor]) -> Camera:
        """Return the camera."""
        return make()


class RayProcesses:
    """The cluster that this process has joined; an actor whose process dies is replaced.

    Batch actors hold no state. A camera goes on from its last checkpoint, the match actor from its ledger. Calls that
    were open are made again.

    Args:
        limits: Of the plan.
    """

    def __init__(self, limits: ProcessLimits) -> None:
        self._limits = limits

    def start(self, kind: str, make: Callable[[], Any]) -> ActorRef:
        """Return actors in processes that Ray replaces."""
        restarts = {"max_restarts": self._limits.max_restarts, "max_task_retries": MAX_TASK_RETRIES.get(kind, 1)}
        replicas = self._limits.shares[kind].replicas
        return ActorRef(kind, [self._start_host(kind, make, **restarts) for _ in range(replicas)])

    def start_camera(self, camera_id: str, make: Callable[[], CameraActor]) -> Camera:
        """Return a camera that is started again from its checkpoint."""
        name = f"camera {camera_id}"
        return RestartingCamera(
            name,
            partial(self._start_camera_process, name, make),
            max_restarts=self._limits.max_restarts,
            checkpoint_every_s=self._limits.checkpoint_every_s,
        )

    def _start_camera_process(self, name: str, make: Callable[[], CameraActor]) -> ActorRef:
        return ActorRef(name, [self._start_host("camera", make)])

    def _start_host(self, kind: str, make: Callable[[], Any], **restarts: int) -> Any:
        import ray

        share = self._limits.shares[kind]
        return (
            ray.remote(ActorHost)
            .options(
                num_cpus=share.num_cpus,
                num_gpus=share.num_gpus,
                max_concurrency=MAX_CONCURRENCY.get(kind, 1000),
                **restarts,
            )
            .remote(make)
        )
