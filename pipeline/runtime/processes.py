"""Where actors run: all in this process, or in several on Ray."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, Protocol

from pipeline.core.errors import ConfigError
from pipeline.runtime.actor_ref import ActorHost, ActorRef
from pipeline.runtime.cameras.camera import Camera
from pipeline.runtime.cameras.camera_group import CameraGroup
from pipeline.runtime.cameras.camera_host import Calls, CameraHost, CameraMaker, MakeStage, StageMaker, stages_of
from pipeline.runtime.cameras.restarting_camera import RestartingCamera
from pipeline.runtime.plan import ProcessLimits, Share
from pipeline.runtime.process_watch import ProcessWatch, said
from pipeline.telemetry.batch_status import BatchStatus

Busy = dict[str, list[Callable[[], Awaitable[BatchStatus]]]]

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
        busy: By stage: each tells the status of one actor, or of all in one process. Changes as cameras come and go.
    """

    cameras: Mapping[str, Camera]
    process: Calls
    ready: Sequence[Callable[[], Awaitable[None]]]
    busy: Mapping[str, Sequence[Callable[[], Awaitable[BatchStatus]]]]


class Processes(Protocol):
    """A place for actors: those of one site each, and cameras and networks, which are shared by all sites."""

    def start(self, kind: str, make: Callable[[], Any], site: str = "") -> ActorRef:
        """Start the actors of a kind that work for one site, as many as the plan says."""
        ...

    def end(self, actors: ActorRef) -> None:
        """End actors that ``start`` has started; nobody calls them any more."""
        ...

    def start_cameras(self, make_cameras: Mapping[str, CameraMaker], make_stages: Mapping[str, MakeStage]) -> Cameras:
        """Start the cameras, and the stages that work for them."""
        ...

    async def add_camera(self, camera_id: str, maker: CameraMaker) -> Camera:
        """Start one more camera, with the networks that it needs.

        Raises:
            ConfigError: If it cannot have a place, or a network refuses its options.
            WeightsError: If weights are no network.
        """
        ...

    async def drop_camera(self, camera_id: str) -> None:
        """Let go of a camera whose ``run`` has returned, and of the networks that only it used."""
        ...

    async def wait_for_places(self) -> None:
        """Return once every actor has a process; raise ``ConfigError`` if one cannot have any."""
        ...

    async def watch(self, site: str) -> None:
        """Replace processes that hang, of a site or of all, until cancelled.

        Raises:
            ProcessLostError: If one of them dies too often.
        """
        ...


class InlineProcesses:
    """This process; replicas of a batch actor work in a thread each.

    Args:
        limits: Of the plan.
    """

    def __init__(self, limits: ProcessLimits) -> None:
        self._limits = limits
        self._host: CameraHost
        self._busy: Busy = {}

    def start(self, kind: str, make: Callable[[], Any], site: str = "") -> ActorRef:
        """Return actors that are built at their first call."""
        return ActorRef(_named(kind, site), [ActorHost(make) for _ in range(self._limits.shares[kind].replicas)])

    def end(self, actors: ActorRef) -> None:
        """Do nothing: they end with the last reference to them."""

    def start_cameras(self, make_cameras: Mapping[str, CameraMaker], make_stages: Mapping[str, MakeStage]) -> Cameras:
        """Return cameras that share actors of each stage."""
        stages = {kind: StageMaker(kind, make, self._limits.shares[kind]) for kind, make in make_stages.items()}
        host = self._host = CameraHost(make_cameras=make_cameras, stages=stages, max_items=self._limits.max_items)
        self._tell_busy()
        return Cameras(
            cameras=host.cameras,
            process={kind: partial(host.process, kind) for kind in stages},
            ready=[host.ready],
            busy=self._busy,
        )

    async def add_camera(self, camera_id: str, maker: CameraMaker) -> Camera:
        """Return one more camera that shares the actors of each stage."""
        await self._host.add(camera_id, maker)
        self._tell_busy()
        return self._host.cameras[camera_id]

    async def drop_camera(self, camera_id: str) -> None:
        """Let go of a camera, and of the networks that only it used."""
        await self._host.drop(camera_id)
        self._tell_busy()

    async def wait_for_places(self) -> None:
        """Return: this process is the place."""

    async def watch(self, site: str) -> None:
        """Wait: a process cannot watch itself."""
        await asyncio.Event().wait()

    def _tell_busy(self) -> None:
        self._busy.clear()
        self._busy.update({name: [partial(self._host.busy, name)] for name in self._host.stages})


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
        self._stages: Mapping[str, StageMaker] = {}
        self._apart: dict[str, ActorRef] = {}
        self._groups: list[CameraGroup] = []
        self._members: dict[str, CameraGroup] = {}
        self._makers: dict[str, CameraMaker] = {}
        self._busy: Busy = {}

    async def wait_for_places(self) -> None:
        """See ``ProcessWatch.wait_for_places``."""
        await self._watch.wait_for_places()

    async def watch(self, site: str) -> None:
        """See ``ProcessWatch.run``."""
        await self._watch.run(site)

    def start(self, kind: str, make: Callable[[], Any], site: str = "") -> ActorRef:
        """Return actors in processes that Ray replaces."""
        return self._start(_named(kind, site), kind, make, self._limits.shares[kind], site)

    def end(self, actors: ActorRef) -> None:
        """End their processes."""
        self._watch.end(actors.hosts)

    def start_cameras(self, make_cameras: Mapping[str, CameraMaker], make_stages: Mapping[str, MakeStage]) -> Cameras:
        """Return cameras, several in a process, that are started again from their checkpoints.

        The networks work in those processes, or in processes of their own; see ``Share.beside_cameras``.
        """
        shares = self._limits.shares
        self._stages = {
            kind: self._placed(kind, StageMaker(kind, make, shares[kind])) for kind, make in make_stages.items()
        }
        self._makers = {camera_id: self._with_places(maker) for camera_id, maker in make_cameras.items()}
        for names in self._grouped(list(make_cameras)):
            group = CameraGroup(self._start_cameras, {each: self._makers[each] for each in names})
            self._groups.append(group)
            self._members |= dict.fromkeys(names, group)
        self._tell_busy()
        groups, apart = self._groups, self._apart
        networks = [actor for ref in apart.values() for actor in ref.each()]
        return Cameras(
            cameras={camera_id: self._restarting(camera_id, self._members[camera_id]) for camera_id in make_cameras},
            process={
                kind: apart[kind].method("process") if kind in apart else partial(self._process, kind)
                for kind in make_stages
            },
            ready=[*(actor.method("ready") for actor in networks), *(partial(group.call, "ready") for group in groups)],
            busy=self._busy,
        )

    async def _process(self, kind: str, item: Any) -> Any:
        """Return the result of a stage that works beside cameras; processes come and go with their cameras."""
        return await self._groups[0].call("process", kind, item)

    async def add_camera(self, camera_id: str, maker: CameraMaker) -> Camera:
        """Start one more camera: beside others, unless it would have a process of its own had it been there before.

        What a process reserves cannot change, so a camera that reserves something has a process of its own.
        """
        before = set(self._apart)
        maker = self._makers[camera_id] = self._with_places(maker)
        try:
            for name in self._apart.keys() - before:
                await self._watch.wait_for_places(self._apart[name].hosts)
                await asyncio.gather(*(actor.call("ready") for actor in self._apart[name].each()))
            group = self._members[camera_id] = await self._group_with(camera_id, maker)
        except BaseException:
            del self._makers[camera_id]
            self._end_unused()
            raise
        self._tell_busy()
        return self._restarting(camera_id, group)

    async def drop_camera(self, camera_id: str) -> None:
        """Let go of a camera, of its process if that has no other, and of the networks that only it used."""
        group = self._members.pop(camera_id)
        del self._makers[camera_id]
        await group.drop(camera_id)
        if not len(group) and len(self._groups) > 1:
            self._groups.remove(group)
            self._watch.end(group.process.hosts)
        self._end_unused()
        self._tell_busy()

    async def _group_with(self, camera_id: str, maker: CameraMaker) -> CameraGroup:
        """Return the process that has got this camera: a new one, or that with the fewest others."""
        number = num_processes(len(self._members) + 1, self._limits.cameras_per_process, _num_cpus())
        group = min(self._groups, key=len)
        if number <= len(self._groups) and self._is_free(maker, group):
            await group.add(camera_id, maker)
            return group
        group = CameraGroup(self._start_cameras, {camera_id: maker})
        try:
            await self._watch.wait_for_places(group.process.hosts)
            await group.call("ready")
        except BaseException:
            self._watch.end(group.process.hosts)
            raise
        self._groups.append(group)
        return group

    def _end_unused(self) -> None:
        """End the processes of networks that no camera uses any more."""
        for name in self._apart.keys() - set(self._names()):
            self._watch.end(self._apart.pop(name).hosts)

    def _placed(self, kind: str, stage: StageMaker) -> StageMaker:
        """Return a stage with its actors if they are in processes of their own; those are started once."""
        if stage.share.beside_cameras:
            return stage
        if stage.name not in self._apart:
            assert stage.make is not None
            self._apart[stage.name] = self._start(stage.name, kind, stage.make, stage.share)
        return replace(stage, make=None, elsewhere=self._apart[stage.name].each())

    def _with_places(self, maker: CameraMaker) -> CameraMaker:
        return replace(maker, own={kind: self._placed(kind, stage) for kind, stage in maker.own.items()})

    def _grouped(self, camera_ids: Sequence[str]) -> list[Sequence[str]]:
        """Return the cameras of each process, as evenly as possible."""
        number = num_processes(len(camera_ids), self._limits.cameras_per_process, _num_cpus())
        edges = [round(at * len(camera_ids) / number) for at in range(number + 1)]
        return [camera_ids[first:last] for first, last in pairwise(edges)]

    def _start_cameras(self, make_cameras: Mapping[str, CameraMaker]) -> ActorRef:
        name = f"cameras {', '.join(make_cameras)}" if len(make_cameras) > 1 else f"camera {next(iter(make_cameras))}"
        stages = self._stages
        make = partial(CameraHost, make_cameras=make_cameras, stages=stages, max_items=self._limits.max_items)
        share = self._share(len(make_cameras), stages_of(make_cameras.values(), stages).values())
        return ActorRef(name, [self._start_host(name, "camera", make, share)])

    def _is_free(self, maker: CameraMaker, group: CameraGroup) -> bool:
        """Return whether a camera reserves nothing in a process beside what that has."""
        has = stages_of(group.makers, self._stages)
        added = [stage for name, stage in stages_of([maker], self._stages).items() if name not in has]
        share = self._share(1, added)
        return not (share.num_cpus or share.num_gpus or share.resources)

    def _share(self, num_cameras: int, stages: Iterable[StageMaker]) -> Share:
        """Return what cameras and the stages that work beside them reserve."""
        beside = (stage.share.times(stage.share.replicas) for stage in stages if stage.make is not None)
        return sum(beside, self._limits.shares["camera"].times(num_cameras))

    def _restarting(self, camera_id: str, group: CameraGroup) -> Camera:
        return RestartingCamera(
            f"camera {camera_id}",
            partial(group.member, camera_id),
            max_restarts=self._limits.max_restarts,
            checkpoint_every_s=self._limits.checkpoint_every_s,
        )

    def _tell_busy(self) -> None:
        told: Busy = {
            name: [actor.method("busy") for actor in self._apart[name].each()]
            if name in self._apart
            else [partial(group.call, "busy", name) for group in self._groups]
            for name in self._names()
        }
        self._busy.clear()
        self._busy.update(told)

    def _names(self) -> list[str]:
        """Return the names of all stages, those of all cameras first."""
        own = (stage.name for maker in self._makers.values() for stage in maker.own.values())
        return list(dict.fromkeys((*self._stages, *own)))

    def _start(self, name: str, kind: str, make: Callable[[], Any], share: Share, site: str | None = None) -> ActorRef:
        hosts = [self._start_host(name, kind, make, share, site, **FOR_EVER) for _ in range(share.replicas)]
        return ActorRef(name, hosts)

    def _start_host(
        self, name: str, kind: str, make: Callable[[], Any], share: Share, site: str | None = None, **restarts: int
    ) -> Any:
        import ray

        options = ray.remote(type(kind, (ActorHost,), {})).options  # Ray calls the process by it: ray::match
        try:
            handle = options(
                num_cpus=share.num_cpus,
                num_gpus=share.num_gpus,
                resources=dict(share.resources) or None,
                max_concurrency=MAX_CONCURRENCY,
                # Over all machines: Ray would otherwise put all actors that reserve nothing on the first.
                scheduling_strategy="SPREAD",
                **restarts,
            ).remote(make)
        except (ValueError, TypeError, OverflowError) as error:  # half a GPU for each of three cameras of a process
            why = " ".join(str(error).split())
            raise ConfigError(
                f"runtime.{kind}: expected what Ray can reserve for {name}, got {said(share)}: {why}; correct it"
            ) from error
        self._watch.add(name, kind, handle, share, site)
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


def _named(kind: str, site: str) -> str:
    """Return what an actor of a site is called in messages."""
    return f"{kind} of {site}" if site else kind


def _num_cpus() -> float:
    """Return the processors of the cluster."""
    import ray

    return float(ray.cluster_resources().get("CPU", 0.0))
