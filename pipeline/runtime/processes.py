"""Where actors run: all in this process, or in several on Ray."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Protocol

from pipeline.runtime.actor_ref import ActorHost, ActorRef
from pipeline.runtime.batch_actor import BatchActor
from pipeline.runtime.cameras.camera import Camera
from pipeline.runtime.cameras.camera_group import CameraGroup
from pipeline.runtime.cameras.camera_host import Calls, CameraHost, MakeCamera, MakeStages, start_here
from pipeline.runtime.cameras.restarting_camera import RestartingCamera
from pipeline.runtime.plan import ProcessLimits, Share
from pipeline.runtime.process_watch import ProcessWatch
from pipeline.telemetry.batch_status import BatchStatus

MakeStage = Callable[[], BatchActor]

MAX_CONCURRENCY = 1000
"""Calls that may be open at an actor on Ray at once; many cameras call, and many are called."""
CORES_A_PROCESS = 4
"""Processors of the cluster for each process of cameras: two detectors, an embedder and the tracking keep about as many
busy. More make fewer processes, which cost less, and a dead one stops more cameras."""
CAMERAS_A_PROCESS = 16
"""Cameras in a process at most, if the configuration does not say: tracking is one thread, and takes some 3 ms a frame.
More fall behind at 10 frames/s each."""
FOR_EVER = {"max_restarts": -1, "max_task_retries": -1}
"""Ray replaces an actor whose process or machine is lost, and makes its open calls again, any number of times.

Batch actors hold no state. The match actor comes back from its ledger: it refuses a delivery to an earlier epoch, and
the camera delivers again. ``ProcessWatch`` counts replacements, and ends a run that needs too many in an hour.
"""


@dataclass(frozen=True, slots=True)
class Cameras:
    """The cameras of a run, and the stages that work for them.

    Attributes:
        cameras: By camera.
        process: By stage: processes one item that is of no camera.
        ready: Each returns once an actor is built and its network is loaded.
        busy: By stage: each tells the status of one actor, or of all in one process.
    """

    cameras: Mapping[str, Camera]
    process: Calls
    ready: Sequence[Callable[[], Awaitable[None]]]
    busy: Mapping[str, Sequence[Callable[[], Awaitable[BatchStatus]]]]


class Processes(Protocol):
    """A place for actors."""

    def start(self, kind: str, make: Callable[[], Any]) -> ActorRef:
        """Start the actors of a kind, as many as the plan says."""
        ...

    def start_cameras(self, make_cameras: Mapping[str, MakeCamera], make_stages: Mapping[str, MakeStage]) -> Cameras:
        """Start the cameras, and the stages that work for them."""
        ...

    async def add_camera(self, camera_id: str, make: MakeCamera) -> Camera:
        """Start one more camera; raise ``ConfigError`` if it cannot have a place."""
        ...

    async def drop_camera(self, camera_id: str) -> None:
        """Let go of a camera whose ``run`` has returned."""
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
        self._calls: Calls = {}

    def start(self, kind: str, make: Callable[[], Any]) -> ActorRef:
        """Return actors that are built at their first call."""
        return ActorRef(kind, [ActorHost(make) for _ in range(self._limits.shares[kind].replicas)])

    def start_cameras(self, make_cameras: Mapping[str, MakeCamera], make_stages: Mapping[str, MakeStage]) -> Cameras:
        """Return cameras that share actors of each stage."""
        stages = start_here({name: (make, self._limits.shares[name].replicas) for name, make in make_stages.items()})
        calls = self._calls = {name: ref.method("process") for name, ref in stages.items()}
        networks = [actor for ref in stages.values() for actor in ref.each()]
        return Cameras(
            cameras={camera_id: make(calls) for camera_id, make in make_cameras.items()},
            process=calls,
            ready=[actor.method("ready") for actor in networks],
            busy={name: [actor.method("busy") for actor in ref.each()] for name, ref in stages.items()},
        )

    async def add_camera(self, camera_id: str, make: MakeCamera) -> Camera:
        """Return one more camera that shares the actors of each stage."""
        return make(self._calls)

    async def drop_camera(self, camera_id: str) -> None:
        """Return: nothing here knows the camera."""

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
        self._groups: list[CameraGroup] = []
        self._members: dict[str, CameraGroup] = {}
        self._start_group: Callable[[Mapping[str, MakeCamera]], ActorRef]
        self._busy: dict[str, list[Callable[[], Awaitable[BatchStatus]]]] = {}

    async def wait_for_places(self) -> None:
        """See ``ProcessWatch.wait_for_places``."""
        await self._watch.wait_for_places()

    async def watch(self) -> None:
        """See ``ProcessWatch.run``."""
        await self._watch.run()

    def start(self, kind: str, make: Callable[[], Any]) -> ActorRef:
        """Return actors in processes that Ray replaces."""
        share = self._limits.shares[kind]
        return ActorRef(kind, [self._start_host(kind, kind, make, share, **FOR_EVER) for _ in range(share.replicas)])

    def start_cameras(self, make_cameras: Mapping[str, MakeCamera], make_stages: Mapping[str, MakeStage]) -> Cameras:
        """Return cameras, several in a process, that are started again from their checkpoints.

        The networks work in those processes, or in processes of their own; see ``Share.beside_cameras``.
        """
        shares = self._limits.shares
        beside = {
            name: (make, shares[name].replicas) for name, make in make_stages.items() if shares[name].beside_cameras
        }
        apart = {name: self.start(name, make) for name, make in make_stages.items() if name not in beside}
        self._start_group = partial(self._start_cameras, beside, apart)
        for names in self._grouped(list(make_cameras)):
            group = CameraGroup(self._start_group, {each: make_cameras[each] for each in names})
            self._groups.append(group)
            self._members |= dict.fromkeys(names, group)
        self._busy = {
            name: [actor.method("busy") for actor in apart[name].each()]
            if name in apart
            else [partial(group.call, "busy", name) for group in self._groups]
            for name in make_stages
        }
        self._beside = tuple(beside)
        groups = self._groups
        networks = [actor for ref in apart.values() for actor in ref.each()]
        return Cameras(
            cameras={camera_id: self._restarting(camera_id, self._members[camera_id]) for camera_id in make_cameras},
            process={
                name: apart[name].method("process") if name in apart else partial(groups[0].call, "process", name)
                for name in make_stages
            },
            ready=[*(actor.method("ready") for actor in networks), *(partial(group.call, "ready") for group in groups)],
            busy=self._busy,
        )

    async def add_camera(self, camera_id: str, make: MakeCamera) -> Camera:
        """Start one more camera: beside others, unless it would have a process of its own had it been there before.

        What a process reserves cannot change, so a camera that reserves something has a process of its own.
        """
        share = self._limits.shares["camera"]
        number = num_processes(len(self._members) + 1, self._limits.cameras_per_process, _num_cpus())
        is_free = not (share.num_cpus or share.num_gpus or share.resources)
        if is_free and self._groups and number <= len(self._groups):
            group = min(self._groups, key=len)
            await group.add(camera_id, make)
        else:
            group = CameraGroup(self._start_group, {camera_id: make})
            try:
                await self._watch.wait_for_places(group.process.hosts)
                await group.call("ready")
            except BaseException:
                self._watch.end(group.process.hosts)
                raise
            self._groups.append(group)
            for stage in self._beside:
                self._busy[stage].append(partial(group.call, "busy", stage))
        self._members[camera_id] = group
        return self._restarting(camera_id, group)

    async def drop_camera(self, camera_id: str) -> None:
        """Let go of a camera, and of its process if that has no other."""
        group = self._members.pop(camera_id)
        await group.drop(camera_id)
        if not len(group) and len(self._groups) > 1:
            at = self._groups.index(group)
            del self._groups[at]
            for stage in self._beside:
                del self._busy[stage][at]
            self._watch.end(group.process.hosts)

    def _grouped(self, camera_ids: Sequence[str]) -> list[Sequence[str]]:
        """Return the cameras of each process, as evenly as possible."""
        number = num_processes(len(camera_ids), self._limits.cameras_per_process, _num_cpus())
        edges = [round(at * len(camera_ids) / number) for at in range(number + 1)]
        return [camera_ids[first:last] for first, last in pairwise(edges)]

    def _start_cameras(
        self, beside: MakeStages, apart: Mapping[str, ActorRef], make_cameras: Mapping[str, MakeCamera]
    ) -> ActorRef:
        shares = self._limits.shares
        name = f"cameras {', '.join(make_cameras)}" if len(make_cameras) > 1 else f"camera {next(iter(make_cameras))}"
        make = partial(
            CameraHost,
            make_cameras=make_cameras,
            make_stages=beside,
            elsewhere={stage: ref.each() for stage, ref in apart.items()},
            max_items=self._limits.max_items,
        )
        share = sum(
            (shares[stage].times(count) for stage, (_, count) in beside.items()),
            shares["camera"].times(len(make_cameras)),
        )
        return ActorRef(name, [self._start_host(name, "camera", make, share)])

    def _restarting(self, camera_id: str, group: CameraGroup) -> Camera:
        return RestartingCamera(
            f"camera {camera_id}",
            partial(group.member, camera_id),
            max_restarts=self._limits.max_restarts,
            checkpoint_every_s=self._limits.checkpoint_every_s,
        )

    def _start_host(self, name: str, kind: str, make: Callable[[], Any], share: Share, **restarts: int) -> Any:
        import ray

        handle = (
            ray.remote(ActorHost)
            .options(
                num_cpus=share.num_cpus,
                num_gpus=share.num_gpus,
                resources=dict(share.resources) or None,
                max_concurrency=MAX_CONCURRENCY,
                # Over all machines: Ray would otherwise put all actors that reserve nothing on the first.
                scheduling_strategy="SPREAD",
                **restarts,
            )
            .remote(make)
        )
        self._watch.add(name, kind, handle, share)
        return handle


def num_processes(num_cameras: int, cameras_per_process: int | None, num_cpus: float) -> int:
    """Return how many processes the cameras of a run have.

    Example:
        >>> [num_processes(cameras, None, 16.0) for cameras in (1, 4, 8, 100)]
        [1, 4, 4, 7]
    """
    if cameras_per_process is not None:
        return -(-num_cameras // cameras_per_process)
    return max(-(-num_cameras // CAMERAS_A_PROCESS), min(num_cameras, int(num_cpus // CORES_A_PROCESS)), 1)


def _num_cpus() -> float:
    """Return the processors of the cluster."""
    import ray

    return float(ray.cluster_resources().get("CPU", 0.0))
