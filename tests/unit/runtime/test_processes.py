"""References to actors, and what Ray is asked for; Ray itself is a fake that calls at once."""

import asyncio
import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
from factories import make_stamp

from pipeline.core.errors import ConfigError, PluginError, ProcessLostError, ShapeError
from pipeline.runtime.actor_ref import ActorHost, ActorRef
from pipeline.runtime.cameras.camera_host import CameraHost, CameraMaker, StageMaker
from pipeline.runtime.cameras.checkpoint import Checkpoint
from pipeline.runtime.plan import ProcessLimits, Share
from pipeline.runtime.processes import Cameras, InlineProcesses, RayProcesses, num_processes
from pipeline.telemetry.camera_status import CameraStatus

LIMITS = ProcessLimits(
    kind="ray",
    max_items=1,
    max_wait_s=0.0,
    shares={
        "detect": Share(1.0, 0.5, replicas=2, resources={"lane": 2.0}),
        "match": Share(2.0, 0.0),
        "camera": Share(0.25, 0.0),
    },
    max_restarts=3,
    checkpoint_every_s=1.0,
)


class RayActorError(Exception): ...


class RayTaskError(Exception):
    def __init__(self, cause: Exception) -> None:
        super().__init__("failed")
        self.cause = cause


class Counter:
    """An actor that counts its calls, and raises what it is given."""

    num_built = 0

    def __init__(self) -> None:
        type(self).num_built += 1
        self._calls = 0

    async def count(self) -> int:
        self._calls += 1
        return self._calls

    async def fail(self, error: Exception) -> None:
        raise error

    async def ready(self) -> None:
        return

    async def process(self, item: int) -> int:
        return 2 * item

    async def process_all(self, items: list[int]) -> list[int]:
        return [2 * item for item in items]


class Camera:
    """A camera whose status is what the detector makes of 1."""

    def __init__(self, calls: Any) -> None:
        self._detect = calls["detect"]

    async def status(self) -> int:
        return int(await self._detect(1))


class FakeRay(ModuleType):
    """What ``ray.remote(cls).options(…).remote(…)`` and a call of an actor do, in this process."""

    def __init__(self) -> None:
        super().__init__("ray")
        self.options_of: list[dict[str, Any]] = []
        self.num_cpus = 2.0
        self.num_killed = 0

    def kill(self, handle: ModuleType, *, no_restart: bool) -> None:
        assert no_restart
        self.num_killed += 1

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": self.num_cpus}

    def remote(self, cls: type) -> Any:
        ray = self

        class Remote:
            def options(self, **options: Any) -> "Remote":
                if options["num_gpus"] % 1 and options["num_gpus"] > 1:
                    raise ValueError(("GPU resource quantities >1 must", "be whole numbers."))
                ray.options_of.append(options)
                return self

            def remote(self, *arguments: Any) -> Any:
                host = cls(*arguments)
                handle, method = ModuleType("handle"), ModuleType("method")
                handle.call, method.remote = method, host.call  # type: ignore[attr-defined]
                handle.alive = alive = ModuleType("alive")  # type: ignore[attr-defined]
                alive.remote = host.alive  # type: ignore[attr-defined]
                return handle

        return Remote()


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    fake, exceptions = FakeRay(), ModuleType("ray.exceptions")
    exceptions.RayActorError, exceptions.RayTaskError = RayActorError, RayTaskError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", fake)
    monkeypatch.setitem(sys.modules, "ray.exceptions", exceptions)
    return fake


@pytest.mark.parametrize("place", [InlineProcesses, RayProcesses])
def test_equal_actors_are_called_in_turn_and_each_is_built_once(place: Any, ray: FakeRay) -> None:
    async def main() -> list[int]:
        ref = place(LIMITS).start("detect", Counter)
        assert len(ref.each()) == 2
        return [await ref.call("count") for _ in range(4)] + [await each.call("count") for each in ref.each()]

    before = Counter.num_built
    assert asyncio.run(main()) == [1, 1, 2, 2, 3, 3]
    assert Counter.num_built - before == 2


def cameras_on_ray(ray: FakeRay, limits: ProcessLimits, num_cpus: float, num_cameras: int = 4) -> Cameras:
    ray.num_cpus = num_cpus
    makers = {f"c{number}": CameraMaker(Camera) for number in range(num_cameras)}  # type: ignore[arg-type]
    return RayProcesses(limits).start_cameras(makers, {"detect": Counter})  # type: ignore[dict-item]


def test_the_process_of_a_site_that_is_over_is_ended(ray: FakeRay) -> None:
    processes = RayProcesses(LIMITS)
    processes.start("match", Counter, "east")
    processes.end(processes.start("match", Counter, "west"))
    assert ray.num_killed == 1


SPREAD = {"scheduling_strategy": "SPREAD", "max_concurrency": 1000}
FOR_EVER = {"max_restarts": -1, "max_task_retries": -1}


def test_the_share_of_the_plan_reaches_ray_which_replaces_all_but_cameras(ray: FakeRay) -> None:
    RayProcesses(LIMITS).start("match", Counter)
    cameras_on_ray(ray, LIMITS, num_cpus=8)
    detect = {"num_cpus": 1.0, "num_gpus": 0.5, "resources": {"lane": 2.0}, **FOR_EVER, **SPREAD}
    match = {"num_cpus": 2.0, "num_gpus": 0.0, "resources": None, **FOR_EVER, **SPREAD}
    # RestartingCamera restarts a camera, from its checkpoint. Two cameras reserve twice the share.
    cameras = {"num_cpus": 0.5, "num_gpus": 0.0, "resources": None, **SPREAD}
    assert ray.options_of == [match, detect, detect, cameras, cameras]


def test_a_stage_beside_the_cameras_has_no_process_and_adds_to_what_theirs_reserve(ray: FakeRay) -> None:
    beside = replace(LIMITS.shares["detect"], beside_cameras=True)
    cameras_on_ray(ray, replace(LIMITS, shares={**LIMITS.shares, "detect": beside}), num_cpus=2)
    assert ray.options_of == [{"num_cpus": 2 * 1.0 + 4 * 0.25, "num_gpus": 1.0, "resources": {"lane": 4.0}, **SPREAD}]


def test_what_ray_refuses_is_one_line_that_names_the_stage(ray: FakeRay) -> None:
    shares = {**LIMITS.shares, "camera": Share(0.0, 0.5)}
    limits = replace(LIMITS, shares=shares, cameras_per_process=3)
    with pytest.raises(ConfigError, match=r"^runtime\.camera: .*cameras c0, c1, c2, got 0 CPU, 1\.5 GPU: .*whole"):
        cameras_on_ray(ray, limits, num_cpus=8, num_cameras=3)


@pytest.mark.parametrize(
    ("cameras", "stated", "num_cpus", "expected"),
    [
        (1, None, 2, 1),
        (16, None, 2, 1),
        (17, None, 2, 2),
        (8, None, 8, 2),
        (8, None, 64, 8),
        (5, 2, 2, 3),
        (3, 1, 2, 3),
    ],
)
def test_cameras_share_processes_as_stated_or_as_suits_the_cluster(
    cameras: int, stated: int | None, num_cpus: float, expected: int
) -> None:
    assert num_processes(cameras, stated, num_cpus) == expected


@pytest.mark.parametrize("beside", [True, False])
def test_a_camera_is_called_by_name_wherever_its_process_is(ray: FakeRay, beside: bool) -> None:
    shares = {**LIMITS.shares, "detect": replace(LIMITS.shares["detect"], beside_cameras=beside)}

    async def main() -> list[Any]:
        place = cameras_on_ray(ray, replace(LIMITS, shares=shares), num_cpus=8)
        await asyncio.gather(*(ready() for ready in place.ready))
        statuses = [await camera.status() for camera in place.cameras.values()]
        return [*statuses, await place.process["detect"](3)]

    # Each camera asks the stage for the double of what it is asked for: 1 by its status, 3 here.
    assert asyncio.run(main()) == [2, 2, 2, 2, 6]


class Tripler(Counter):
    """A network that only some cameras use."""

    num_built = 0

    async def process(self, item: int) -> int:
        return 3 * item

    async def process_all(self, items: list[int]) -> list[int]:
        return [3 * item for item in items]

    def close(self) -> None:
        type(self).num_built -= 1


def own_network(**share: Any) -> CameraMaker:
    make: Any = Tripler
    return CameraMaker(Camera, {"detect": StageMaker("detect fisheye", make, Share(0.0, 0.0, **share))})  # type: ignore[arg-type]


FREE = replace(LIMITS, shares={**LIMITS.shares, "camera": Share(0.0, 0.0)}, cameras_per_process=3)


@pytest.mark.parametrize(("place", "beside"), [(InlineProcesses, False), (RayProcesses, True), (RayProcesses, False)])
def test_a_network_of_some_cameras_is_there_once_while_one_of_them_is(place: Any, beside: bool, ray: FakeRay) -> None:
    def make(**share: Any) -> CameraMaker:
        return own_network(beside_cameras=beside, **share)

    async def main() -> None:
        processes = place(FREE)
        cameras = {"east": CameraMaker(Camera), "gate": make()}  # type: ignore[arg-type]
        started = processes.start_cameras(cameras, {"detect": Counter})
        await asyncio.gather(*(ready() for ready in started.ready))
        assert [await camera.status() for camera in started.cameras.values()] == [2, 3]
        added = await processes.add_camera("yard", make())
        assert await added.status() == 3
        assert (Tripler.num_built, list(started.busy)) == (1, ["detect", "detect fisheye"])
        num_processes = len(ray.options_of)
        await processes.drop_camera("gate")
        assert await added.status() == 3
        await processes.drop_camera("yard")
        assert list(started.busy) == ["detect"]
        assert (Tripler.num_built, ray.num_killed) == ((1, 1) if place is RayProcesses and not beside else (0, 0))
        again = await processes.add_camera("gate", make())
        assert await again.status() == 3
        assert len(ray.options_of) == num_processes + (place is RayProcesses and not beside)

    Tripler.num_built = 0
    asyncio.run(main())


def test_a_network_of_some_cameras_is_placed_as_the_others_are(ray: FakeRay) -> None:
    processes = RayProcesses(FREE)
    apart = own_network(replicas=2, resources={"lane": 1.0})
    processes.start_cameras({"east": CameraMaker(Camera), "gate": apart}, {"detect": Counter})  # type: ignore[arg-type,dict-item]
    lane = {"num_cpus": 0.0, "num_gpus": 0.0, "resources": {"lane": 1.0}, **FOR_EVER, **SPREAD}
    assert ray.options_of[2:4] == [lane, lane]


def test_a_network_that_cannot_be_built_is_told_and_nothing_is_left_of_it(ray: FakeRay) -> None:
    def broken() -> Any:
        raise ShapeError("weights: expected a network")

    async def main(place: Any, *, beside: bool) -> list[str]:
        processes = place(FREE)
        started = processes.start_cameras({"east": CameraMaker(Camera)}, {"detect": Counter})
        stage = StageMaker("detect broken", broken, Share(0.0, 0.0, beside_cameras=beside))
        for _ in range(2):
            with pytest.raises(ShapeError):
                await processes.add_camera("gate", CameraMaker(Camera, {"detect": stage}))  # type: ignore[arg-type]
        assert await started.cameras["east"].status() == 2
        return list(started.busy)

    assert asyncio.run(main(InlineProcesses, beside=False)) == ["detect"]
    for beside in (True, False):
        assert asyncio.run(main(RayProcesses, beside=beside)) == ["detect"]
    assert ray.num_killed == 2


def test_a_camera_that_cannot_be_built_in_a_new_process_is_given_up_and_the_others_go_on() -> None:
    def broken(_: Any) -> Any:
        raise PluginError("site.cameras.gate: no such device")

    async def main() -> CameraStatus:
        makers = {"gate": CameraMaker(broken), "east": CameraMaker(Camera)}  # type: ignore[arg-type]
        stage = StageMaker("detect", Counter, Share(0.0, 0.0))  # type: ignore[arg-type]
        host = CameraHost(make_cameras=makers, stages={"detect": stage}, max_items=1)
        assert await host.camera("east", "status") == 2
        with pytest.raises(PluginError):
            await host.camera("gate", "ready")  # as a run that begins asks
        before = Checkpoint(make_stamp("gate", 6), None, CameraStatus(frames_read=9, frames_processed=7))  # type: ignore[arg-type]
        status: CameraStatus = await host.camera("gate", "run", before)
        return status

    status = asyncio.run(main())
    assert (status.error, status.frames_processed, status.frames_dropped) == ("site.cameras.gate: no such device", 7, 2)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (RayActorError(), ProcessLostError),
        (RayTaskError(ShapeError("image: expected one")), ShapeError),
        (RayTaskError(ValueError("no")), RayTaskError),
    ],
    ids=["a dead process", "our own error", "any other error"],
)
def test_errors_of_an_actor_on_ray_arrive_as_ours(ray: FakeRay, raised: Exception, expected: type[Exception]) -> None:
    with pytest.raises(expected):
        asyncio.run(RayProcesses(LIMITS).start("match", Counter).call("fail", raised))


def test_an_error_of_a_constructor_reaches_the_first_caller() -> None:
    def broken() -> None:
        raise ShapeError("weights: expected a network")

    with pytest.raises(ShapeError):
        asyncio.run(ActorRef("detect", [ActorHost(broken)]).call("ready"))
