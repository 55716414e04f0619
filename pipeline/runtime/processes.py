"""Where actors run: all in this process, or each in one of its own on Ray."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from pipeline.runtime.actor_ref import ActorHost, ActorRef
from pipeline.runtime.camera_actor import CameraActor
from pipeline.runtime.plan import ProcessLimits
from pipeline.runtime.process_watch import ProcessWatch
from pipeline.runtime.restarting_camera import RestartingCamera
from pipeline.runtime.running_pipeline import Camera

MAX_CONCURRENCY = {"camera": 100}
"""Calls that may be open at an actor on Ray at once, by kind; 1000 for others, at which many cameras call."""
FOR_EVER = {"max_restarts": -1, "max_task_retries": -1}
"""Ray replaces an actor whose process or machine is lost, and makes its open calls again, any number of times.

Batch actors hold no state. The match actor comes back from its ledger: it refuses a delivery to an earlier epoch, and
the camera delivers again. ``ProcessWatch`` counts replacements, and ends a run that needs too many in an hour.
"""


class Processes(Protocol):
    """A place for actors."""

    def start(self, kind: str, make: Callable[[], Any]) -> ActorRef:
        """Start the actors of a kind, as many as the plan says."""
        ...

    def start_camera(self, camera_id: str, make: Callable[[], CameraActor]) -> Camera:
        """Start the actor of one camera."""
        ...

    async def wait_for_places(self) -> None:
        """Return once every actor has a process; raise ``ConfigError`` if one cannot have any."""
        ...

    async def watch(self) -> None:
        """Replace processes that hang, until cancelled; raise ``ProcessLostError`` if one dies too often."""
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

    async def wait_for_places(self) -> None:
        """Return: this process is the place."""

    async def watch(self) -> None:
        """Wait: a process cannot watch itself."""
        await asyncio.Event().wait()


class RayProcesses:
    """The cluster that this process has joined; an actor whose process dies is replaced.

    Batch actors hold no state. A camera goes on from its last checkpoint, the match actor from its ledger. Calls that
    were open are made again.

    Args:
        limits: Of the plan.
    """

    def __init__(self, limits: ProcessLimits) -> None:
        self._limits = limits
        self._watch = ProcessWatch(limits)

    async def wait_for_places(self) -> None:
        """See ``ProcessWatch.wait_for_places``."""
        await self._watch.wait_for_places()

    async def watch(self) -> None:
        """See ``ProcessWatch.run``."""
        await self._watch.run()

    def start(self, kind: str, make: Callable[[], Any]) -> ActorRef:
        """Return actors in processes that Ray replaces."""
        replicas = self._limits.shares[kind].replicas
        return ActorRef(kind, [self._start_host(kind, kind, make, **FOR_EVER) for _ in range(replicas)])

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
        return ActorRef(name, [self._start_host(name, "camera", make)])

    def _start_host(self, name: str, kind: str, make: Callable[[], Any], **restarts: int) -> Any:
        import ray

        share = self._limits.shares[kind]
        handle = (
            ray.remote(ActorHost)
            .options(
                num_cpus=share.num_cpus,
                num_gpus=share.num_gpus,
                max_concurrency=MAX_CONCURRENCY.get(kind, 1000),
                # Over all machines: Ray would otherwise put all actors that reserve nothing on the first.
                scheduling_strategy="SPREAD",
                **restarts,
            )
            .remote(make)
        )
        self._watch.add(name, kind, handle)
        return handle
