"""Starts the line, in one process or on Ray, watches it, and stops it in order."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import ray

from pipeline.core import Embedding, Tracklet
from pipeline.core.errors import ProcessLostError
from pipeline.runtime.batch_actor import BatchActor
from pipeline.runtime.camera_actor import CameraActor
from pipeline.runtime.deliveries import Deliver
from pipeline.runtime.flow import Embed, Pose
from pipeline.runtime.match_actor import MatchActor
from pipeline.runtime.remote import Remote, RemoteCall
from pipeline.runtime.restarting_camera import RestartingCamera
from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.match_report import MatchReport
from pipeline.telemetry.match_status import MatchStatus


class Camera(Protocol):
    """A camera actor, wherever it is."""

    async def status(self) -> CameraStatus:
        """Return how it is doing now."""
        ...

    async def run(self) -> CameraStatus:
        """Work until its source ends."""
        ...

    async def stop(self) -> None:
        """Read no further."""
        ...

    async def settle(self) -> None:
        """Let the source forget what was read."""
        ...


@dataclass(frozen=True, slots=True)
class Share:
    """What an actor reserves of its machine."""

    num_cpus: float
    num_gpus: float
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class RunningPipeline:
    """A line that is built and waits for its frames.

    Attributes:
        cameras: By camera.
        pose: Adds keypoints.
        embed: Makes vectors.
        enrol: See ``MatchActor.enrol``.
        deliver: See ``MatchActor.deliver``; used for cameras that can do so no more.
        finish: Publishes what is left; after the last camera has ended. See ``MatchActor.finish``.
        match_status: See ``MatchActor.status``.
        busy: Seconds of work and items so far of each batch actor, and items that wait, by stage.
    """

    cameras: Mapping[str, Camera]
    pose: Pose
    embed: Embed
    enrol: Callable[[int, Embedding], Awaitable[None]]
    deliver: Deliver
    finish: Callable[[float], Awaitable[MatchReport]]
    match_status: Callable[[], Awaitable[MatchStatus]]
    busy: Mapping[str, Sequence[Callable[[], Awaitable[tuple[float, int, int]]]]]


@dataclass(frozen=True, slots=True)
class Factories:
    """What a line is built of; see ``pipeline.config.plan.Plan``.

    Attributes:
        make_camera: By camera; called with detect, pose, embed and deliver.
        make_batches: Batch actors by name: detect, embed and, if it is needed, pose.
        make_match: The match actor.
    """

    make_camera: Mapping[str, Callable[..., CameraActor]]
    make_batches: Mapping[str, Callable[[], BatchActor]]
    make_match: Callable[[], MatchActor]


async def leave_as_it_is(tracklet: Tracklet) -> Tracklet:
    """Return the tracklet: the pose of an embedder that needs none."""
    return tracklet


class RoundRobin:
    """Calls several async functions in turn, as one."""

    def __init__(self, calls: Sequence[Callable[..., Awaitable[Any]]]) -> None:
        self._calls = calls
        self._turn = 0

    async def __call__(self, *arguments: Any) -> Any:
        """Return what the next one in turn returns."""
        call = self._calls[self._turn % len(self._calls)]
        self._turn += 1
        return await call(*arguments)


async def start_inline(factories: Factories, shares: Mapping[str, Share]) -> RunningPipeline:
    """Build the line in this process; replicas of a batch actor work in a thread each."""
    batches = {name: [make() for _ in range(shares[name].replicas)] for name, make in factories.make_batches.items()}
    match = factories.make_match()
    calls = {name: RoundRobin([actor.process for actor in actors]) for name, actors in batches.items()}
    cameras = {
        camera_id: make(
            detect=calls["detect"],
            pose=calls.get("pose", leave_as_it_is),
            embed=calls["embed"],
            deliver=match.deliver,
        )
        for camera_id, make in factories.make_camera.items()
    }
    pose = calls.get("pose", leave_as_it_is)
    busy = {name: [actor.busy for actor in actors] for name, actors in batches.items()}
    return RunningPipeline(cameras, pose, calls["embed"], match.enrol, match.deliver, match.finish, match.status, busy)


async def start_on_ray(
    factories: Factories, shares: Mapping[str, Share], *, max_restarts: int, checkpoint_every_s: float
) -> RunningPipeline:
    """Build the line as actors of the Ray cluster that this process has joined.

    Args:
        factories: What it is built of.
        shares: By detect, pose, embed, camera and match.
        max_restarts: Of each batch actor, which holds nothing; of each camera, which goes on from its last checkpoint;
            and of the match actor, which comes back from its ledger. An open call is made again.
        checkpoint_every_s: Seconds between two checkpoints of a camera.
    """

    def actor(name: str, kind: type, **options: Any) -> Any:
        share = shares[name]
        return ray.remote(kind).options(num_cpus=share.num_cpus, num_gpus=share.num_gpus, **options)

    batches: dict[str, Sequence[Any]] = {
        name: [
            actor(name, _Hosted, max_restarts=max_restarts, max_task_retries=1, max_concurrency=1000).remote(make)
            for _ in range(shares[name].replicas)
        ]
        for name, make in factories.make_batches.items()
    }
    match = actor("match", _Hosted, max_restarts=max_restarts, max_task_retries=-1, max_concurrency=1000).remote(
        factories.make_match
    )
    pose = RemoteCall("pose", batches["pose"], "process") if "pose" in batches else leave_as_it_is

    def start_camera(camera_id: str) -> Remote:
        make = partial(
            factories.make_camera[camera_id],
            detect=RemoteCall("detect", batches["detect"], "process"),
            pose=pose,
            embed=RemoteCall("embed", batches["embed"], "process"),
            deliver=RemoteCall("match", [match], "deliver"),
        )
        return Remote(f"camera {camera_id}", actor("camera", _Hosted, max_concurrency=100).remote(make))

    cameras = {
        camera_id: RestartingCamera(
            f"camera {camera_id}",
            partial(start_camera, camera_id),
            max_restarts=max_restarts,
            checkpoint_every_s=checkpoint_every_s,
        )
        for camera_id in factories.make_camera
    }
    networks = [RemoteCall(name, [handle], "ready") for name, handles in batches.items() for handle in handles]
    await asyncio.gather(*(camera.ready() for camera in cameras.values()), *(ready() for ready in networks))
    await RemoteCall("match", [match], "ready")()  # after the networks: it opens files, and they may be of no use
    return RunningPipeline(
        cameras,
        pose,
        RemoteCall("embed", batches["embed"], "process"),
        RemoteCall("match", [match], "enrol"),
        RemoteCall("match", [match], "deliver"),
        RemoteCall("match", [match], "finish"),
        RemoteCall("match", [match], "status"),
        {name: [RemoteCall(name, [handle], "busy") for handle in handles] for name, handles in batches.items()},
    )


class _Hosted:
    """Any of our actors inside a Ray process: built there, called by name."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._actor: Any = None

    async def ready(self) -> None:
        self._hosted()

    def _hosted(self) -> Any:
        # Built at the first call, in the actor's event loop: a constructor that raises would lose its error.
        if self._actor is None:
            self._actor = self._make()
        return self._actor

    async def process(self, item: Any) -> Any:
        return await self._hosted().process(item)

    async def busy(self) -> Any:
        return await self._hosted().busy()

    async def enrol(self, *arguments: Any) -> None:
        await self._hosted().enrol(*arguments)

    async def deliver(self, *arguments: Any) -> Any:
        return await self._hosted().deliver(*arguments)

    async def finish(self, patience_s: float) -> Any:
        return await self._hosted().finish(patience_s)

    async def status(self) -> Any:
        return await self._hosted().status()

    async def run(self, *arguments: Any) -> Any:
        return await self._hosted().run(*arguments)

    async def checkpoint(self) -> Any:
        return await self._hosted().checkpoint()

    async def stop(self) -> None:
        await self._hosted().stop()

    async def settle(self) -> None:
        await self._hosted().settle()


async def supervise(
    running: RunningPipeline,
    *,
    stop: asyncio.Event,
    drain_s: float,
    watch: Callable[[Mapping[str, CameraStatus], MatchStatus], None],
    watch_every_s: float,
) -> tuple[dict[str, CameraStatus], MatchReport | None]:
    """Run every camera until it ends or ``stop`` is set, then publish what is left.

    Args:
        running: Built.
        stop: Set from outside: read no further, drain, finish.
        drain_s: Seconds that draining may take.
        watch: DedupSet how the cameras and the match actor are doing.
        watch_every_s: Seconds between two tellings.

    Returns:
        The last status of every camera, and what the run came to; None if draining took too long.
    """
    latest = dict.fromkeys(running.cameras, CameraStatus())
    runs = {camera_id: asyncio.create_task(_run(running, camera_id, latest)) for camera_id in running.cameras}
    stopping = asyncio.create_task(stop.wait())
    deadline = float("inf")
    loop = asyncio.get_running_loop()
    epoch = ""
    try:
        while not all(run.done() for run in runs.values()):
            waiting = [run for run in runs.values() if not run.done()]
            await asyncio.wait(
                waiting if stop.is_set() else [*waiting, stopping],
                timeout=watch_every_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if stop.is_set() and deadline == float("inf"):
                deadline = loop.time() + drain_s
                await asyncio.gather(*(camera.stop() for camera in running.cameras.values()), return_exceptions=True)
            if loop.time() >= deadline:
                return latest, None
            for camera_id, run in runs.items():
                latest[camera_id] = run.result() if run.done() else await _status(running, camera_id, latest)
            match = await running.match_status()
            if match.epoch != epoch:
                epoch = match.epoch
                await asyncio.gather(*(_tell_end(running, camera_id) for camera_id, run in runs.items() if run.done()))
            watch(latest, match)
        patience_s = min(drain_s, deadline - loop.time())
        report = await running.finish(patience_s)
        if not report.behind:
            await asyncio.gather(*(_settle(camera) for camera in running.cameras.values()))
        return {camera_id: run.result() for camera_id, run in runs.items()}, report
    finally:
        for task in (stopping, *runs.values()):
            task.cancel()
        await asyncio.gather(stopping, *runs.values(), return_exceptions=True)


async def _run(running: RunningPipeline, camera_id: str, latest: Mapping[str, CameraStatus]) -> CameraStatus:
    """Run one camera; one whose process dies is given up, and the others go on."""
    try:
        return await running.cameras[camera_id].run()
    except ProcessLostError as error:
        if error.process != f"camera {camera_id}":
            raise
        await _tell_end(running, camera_id)
        return replace(latest[camera_id], error=str(error))


async def _tell_end(running: RunningPipeline, camera_id: str) -> None:
    """Tell the match actor, which may have come back and know nothing of it, that a camera has ended."""
    await running.deliver(camera_id, [], float("inf"), time.time(), None)


async def _settle(camera: Camera) -> None:
    with suppress(ProcessLostError):  # its run() has said so
        await camera.settle()


async def _status(running: RunningPipeline, camera_id: str, latest: Mapping[str, CameraStatus]) -> CameraStatus:
    try:
        return await running.cameras[camera_id].status()
    except ProcessLostError:
        return latest[camera_id]  # its run() will say so
