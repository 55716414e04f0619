"""References to actors, and what Ray is asked for; Ray itself is a fake that calls at once."""

import asyncio
import sys
from types import ModuleType
from typing import Any

import pytest

from pipeline.core.errors import ProcessLostError, ShapeError
from pipeline.runtime.actor_ref import ActorHost, ActorRef
from pipeline.runtime.plan import ProcessLimits, Share
from pipeline.runtime.processes import InlineProcesses, RayProcesses

LIMITS = ProcessLimits(
    kind="ray",
    max_items=1,
    max_wait_s=0.0,
    shares={"detect": Share(1.0, 0.5, replicas=2), "match": Share(2.0, 0.0), "camera": Share(0.25, 0.0)},
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


class FakeRay(ModuleType):
    """What ``ray.remote(cls).options(…).remote(…)`` and a call of an actor do, in this process."""

    def __init__(self) -> None:
        super().__init__("ray")
        self.options_of: list[dict[str, Any]] = []

    def remote(self, cls: type) -> Any:
        ray = self

        class Remote:
            def options(self, **options: Any) -> "Remote":
                ray.options_of.append(options)
                return self

            def remote(self, *arguments: Any) -> Any:
                host = cls(*arguments)
                handle, method = ModuleType("handle"), ModuleType("method")
                handle.call, method.remote = method, host.call  # type: ignore[attr-defined]
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


def test_the_share_of_the_plan_reaches_ray_which_replaces_all_but_cameras(ray: FakeRay) -> None:
    processes = RayProcesses(LIMITS)
    processes.start("detect", Counter)
    processes.start("match", Counter)
    processes.start_camera("east", Counter)  # type: ignore[arg-type]
    spread = {"scheduling_strategy": "SPREAD"}
    for_ever = {"max_restarts": -1, "max_task_retries": -1, "max_concurrency": 1000, **spread}
    detect = {"num_cpus": 1.0, "num_gpus": 0.5, **for_ever}
    match = {"num_cpus": 2.0, "num_gpus": 0.0, **for_ever}
    # RestartingCamera restarts a camera, from its checkpoint.
    camera = {"num_cpus": 0.25, "num_gpus": 0.0, "max_concurrency": 100, **spread}
    assert ray.options_of == [detect, detect, match, camera]


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
