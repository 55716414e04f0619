"""Starts the line, in one process or on Ray, watches it, and stops it in order."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import ray
from ray.exceptions import RayActorError

from pipeline.actors._remote import Remote, RemoteCall
from pipeline.actors.batch_actor import BatchActor
from pipeline.actors.camera_actor import CameraActor, CameraStatus
from pipeline.actors.match_actor import MatchActor, MatchReport
from pipeline.core import Tracklet


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


@dataclass(frozen=True, slots=True)
class Share:
    """What an actor reserves of its machine."""

    num_cpus: float
    num_gpus: float
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is built and waits for its frames.

    Attributes:
        cameras: By camera.
        finish: Publishes what is left; after the last camera has ended.
        busy: Seconds of work and items so far of each batch actor, by stage.
    """

    cameras: Mapping[str, Camera]
    finish: Callable[[], Awaitable[MatchReport]]
    busy: Mapping[str, Sequence[Callable[[], Awaitable[tuple[float, int]]]]]


@dataclass(frozen=True, slots=True)
class Factories:
    """What a line is built of; see ``pipeline.plan.Plan``.

    Attributes:
        make_camera: By camera; called with detect, pose, embed and hand_over.
        make_batches: Batch actors by name: detect, embed and, if it is needed, pose.
        make_match: The match actor.
    """

    make_camera: Mapping[str, Callable[..., CameraActor]]
    make_batches: Mapping[str, Callable[[], BatchActor]]
    make_match: Callable[[], MatchActor]


async def leave_as_it_is(tracklet: Tracklet) -> Tracklet:
    """Return the tracklet: the pose of an embedder that needs none."""
    return tracklet


class InTurn:
    """Calls several async functions in turn, as one."""

    def __init__(self, calls: Sequence[Callable[..., Awaitable[Any]]]) -> None:
        self._calls = calls
        self._turn = 0

    async def __call__(self, *arguments: Any) -> Any:
        """Return what the next one in turn returns."""
        call = self._calls[self._turn % len(self._calls)]
        self._turn += 1
        return await call(*arguments)


async def start_inline(factories: Factories, shares: Mapping[str, Share]) -> Line:
    """Build the line in this process; replicas of a batch actor work in a thread each."""
    batches = {name: [make() for _ in range(shares[name].replicas)] for name, make in factories.make_batches.items()}
    match = factories.make_match()
    calls = {name: InTurn([actor.process for actor in actors]) for name, actors in batches.items()}
    cameras = {
        camera_id: make(
            detect=calls["detect"],
            pose=calls.get("pose", leave_as_it_is),
            embed=calls["embed"],
            hand_over=match.hand_over,
        )
        for camera_id, make in factories.make_camera.items()
    }
    return Line(cameras, match.finish, {name: [a.busy for a in actors] for name, actors in batches.items()})


async def start_on_ray(factories: Factories, shares: Mapping[str, Share], max_restarts: int) -> Line:
    """Build the line as actors of the Ray cluster that this process has joined.

    Args:
        factories: What it is built of.
        shares: By detect, pose, embed, camera and match.
        max_restarts: Of batch actors: they hold nothing, and an open call is made again. Cameras and the match
            actor hold tracks and people, and are not restarted under the run.
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
    match = actor("match", _Hosted, max_concurrency=1000).remote(factories.make_match)
    pose = RemoteCall(batches["pose"], "process") if "pose" in batches else leave_as_it_is
    cameras = {
        camera_id: actor("camera", _Hosted, max_concurrency=100).remote(
            partial(
                make,
                detect=RemoteCall(batches["detect"], "process"),
                pose=pose,
                embed=RemoteCall(batches["embed"], "process"),
                hand_over=RemoteCall([match], "hand_over"),
            )
        )
        for camera_id, make in factories.make_camera.items()
    }
    built = [*cameras.values(), match, *(handle for handles in batches.values() for handle in handles)]
    await asyncio.gather(*(handle.ready.remote() for handle in built))
    return Line(
        {camera_id: Remote(handle) for camera_id, handle in cameras.items()},
        RemoteCall([match], "finish"),
        {name: [RemoteCall([handle], "busy") for handle in handles] for name, handles in batches.items()},
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

    async def hand_over(self, *arguments: Any) -> Any:
        return await self._hosted().hand_over(*arguments)

    async def finish(self) -> Any:
        return await self._hosted().finish()

    async def status(self) -> Any:
        return await self._hosted().status()

    async def run(self) -> Any:
        return await self._hosted().run()

    async def stop(self) -> None:
        await self._hosted().stop()


async def supervise(
    line: Line,
    *,
    stop: asyncio.Event,
    drain_s: float,
    watch: Callable[[Mapping[str, CameraStatus]], None],
    watch_every_s: float,
) -> tuple[dict[str, CameraStatus], MatchReport | None]:
    """Run every camera until it ends or ``stop`` is set, then publish what is left.

    Args:
        line: Built.
        stop: Set from outside: read no further, drain, finish.
        drain_s: Seconds that draining may take.
        watch: Told how the cameras are doing.
        watch_every_s: Seconds between two tellings.

    Returns:
        The last status of every camera, and what the run came to; None if draining took too long.
    """
    runs = {camera_id: asyncio.create_task(_run(camera)) for camera_id, camera in line.cameras.items()}
    everything: asyncio.Future[Any] = asyncio.gather(*runs.values())
    stopping: asyncio.Future[Any] = asyncio.ensure_future(stop.wait())
    latest: dict[str, CameraStatus] = {camera_id: CameraStatus() for camera_id in line.cameras}
    deadline: float | None = None
    loop = asyncio.get_running_loop()
    try:
        while not everything.done():
            await asyncio.wait([everything, stopping], timeout=watch_every_s, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set() and deadline is None:
                deadline = loop.time() + drain_s
                await asyncio.gather(*(camera.stop() for camera in line.cameras.values()))
                stopping = asyncio.ensure_future(asyncio.sleep(drain_s))
            if deadline is not None and loop.time() >= deadline:
                return latest, None
            for camera_id, run in runs.items():
                latest[camera_id] = (
                    run.result() if run.done() else await _status(line.cameras[camera_id], latest[camera_id])
                )
            watch(latest)
        latest = dict(zip(runs, await everything, strict=True))
        watch(latest)
        return latest, await line.finish()
    finally:
        stopping.cancel()
        everything.cancel()


async def _run(camera: Camera) -> CameraStatus:
    return await camera.run()


async def _status(camera: Camera, otherwise: CameraStatus) -> CameraStatus:
    try:
        return await camera.status()
    except RayActorError:
        return otherwise  # its run() will say so
