"""What becomes of processes that hang, die or find no place; Ray is a fake whose processes answer, wait or are lost."""

import asyncio
import logging
import sys
from dataclasses import dataclass, field, replace
from types import ModuleType

import pytest

from pipeline.core.errors import ConfigError, ProcessLostError
from pipeline.runtime import process_watch
from pipeline.runtime.plan import ProcessLimits, Share
from pipeline.runtime.process_watch import ProcessWatch

SHARE = Share(1.0, 0.75)
LIMITS = ProcessLimits(
    kind="ray",
    max_items=1,
    max_wait_s=0.0,
    shares={"detect": SHARE, "match": SHARE, "camera": SHARE},
    max_restarts=2,
    checkpoint_every_s=1.0,
    place_s=0.2,
    silent_s=0.1,
)


@dataclass
class Process:
    """A handle of an ``ActorHost``."""

    name: str = "first"
    hangs: bool = False
    is_lost: bool = False
    killed: list[bool] = field(default_factory=list)

    @property
    def alive(self) -> "Process":
        return self

    async def remote(self) -> str:
        if self.is_lost:
            raise RuntimeError("the actor died")
        while self.hangs:
            await asyncio.sleep(0.001)
        return self.name


@pytest.fixture(autouse=True)
def ray(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    fake = ModuleType("ray")

    def kill(process: Process, *, no_restart: bool) -> None:
        process.killed.append(no_restart)
        process.hangs = False
        process.name += " again"

    fake.kill = kill  # type: ignore[attr-defined]
    fake.nodes = lambda: [{"Alive": True, "Resources": {"CPU": 4.0, "GPU": 1.0}}]  # type: ignore[attr-defined]
    fake.cluster_resources = lambda: {"CPU": 4.0, "GPU": 1.0}  # type: ignore[attr-defined]
    fake.available_resources = lambda: {"CPU": 3.5}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", fake)
    monkeypatch.setattr(process_watch, "ASK_EVERY_S", 0.01)
    monkeypatch.setattr(process_watch, "TELL_AFTER_S", 0.05)
    return fake


def watch_for(seconds: float, *processes: tuple[str, str, Process]) -> None:
    async def main() -> None:
        watch = ProcessWatch(LIMITS)
        for process in processes:
            watch.add(*process, SHARE)
        await watch.wait_for_places()
        await asyncio.wait_for(watch.run(), seconds)

    with pytest.raises(TimeoutError):
        asyncio.run(main())


def test_what_the_cluster_has_no_place_for_is_told_and_given_up(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError) as raised, caplog.at_level(logging.WARNING):
        watch_for(5, ("match", "match", Process()), ("detect", "detect", Process(hangs=True)))
    assert "waiting for a place for 1 of detect (1 CPU, 0.75 GPU each)" in caplog.text
    assert "the cluster has 4 CPU, 1 GPU, free: 3.5 CPU, 0 GPU" in str(raised.value)
    assert "lower num_cpus, num_gpus or resources of runtime.detect" in str(raised.value)


def test_equal_processes_that_do_not_fit_together_are_told_to_be_fewer() -> None:
    async def main() -> None:
        watch = ProcessWatch(LIMITS)
        for process in (Process(), Process(hangs=True)):
            watch.add("detect", "detect", process, replace(SHARE, replicas=2))
        await watch.wait_for_places()

    with pytest.raises(ConfigError, match=r"lower replicas, num_cpus, num_gpus or resources of runtime\.detect, or"):
        asyncio.run(main())


def test_what_has_a_place_is_told_to_be_starting(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError) as raised, caplog.at_level(logging.INFO):
        watch_for(5, ("detect", "detect", Process(hangs=True)))
    assert "starting 1 of detect (1 CPU, 0.75 GPU each), for 0 s so far" in caplog.text
    assert "waiting" not in caplog.text
    assert "to start within runtime.place_s = 0.2 s, got no answer" in str(raised.value)
    assert "raise runtime.place_s" in str(raised.value)


def test_a_place_is_on_one_node(ray: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    half = {"Alive": True, "Resources": {"CPU": 2.0, "GPU": 0.5}}
    ray.nodes = lambda: [half, half, {**half, "Alive": False}]  # type: ignore[attr-defined]
    with pytest.raises(ConfigError), caplog.at_level(logging.INFO):
        watch_for(5, ("detect", "detect", Process(hangs=True)))
    assert "waiting for a place for 1 of detect" in caplog.text


def test_processes_that_answer_are_left_alone() -> None:
    process = Process()
    watch_for(0.5, ("match", "match", process))
    assert process.killed == []


@pytest.mark.parametrize(("kind", "no_restart"), [("detect", False), ("match", False), ("camera", True)])
def test_a_process_that_hangs_is_replaced(kind: str, no_restart: bool, caplog: pytest.LogCaptureFixture) -> None:
    process, other = Process(), Process()

    async def hang() -> None:
        await asyncio.sleep(0.2)
        process.hangs = True

    async def main() -> None:
        watch = ProcessWatch(LIMITS)
        watch.add(f"{kind} east", kind, process, SHARE)
        watch.add("other", "match", other, SHARE)
        hanging = asyncio.create_task(hang())
        with pytest.raises(TimeoutError), caplog.at_level(logging.WARNING):
            await asyncio.wait_for(watch.run(), 1.0)
        await hanging

    asyncio.run(main())
    assert process.killed == [no_restart]
    assert other.killed == []
    assert f"{kind} east has not answered for" in caplog.text


def test_a_new_process_that_answers_and_then_loads_its_networks_is_left_alone() -> None:
    process = Process()

    async def load() -> None:
        for _ in range(2):  # the second network when there is the first track
            await asyncio.sleep(0.1)
            process.hangs = True
            await asyncio.sleep(3 * LIMITS.silent_s)
            process.hangs = False

    async def main() -> None:
        watch = ProcessWatch(replace(LIMITS, place_s=5.0))
        watch.add("cameras east, west", "camera", process, SHARE)
        loading = asyncio.create_task(load())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(watch.run(), 1.0)
        await loading

    asyncio.run(main())
    assert process.killed == []


def test_a_process_that_is_replaced_too_often_in_an_hour_ends_the_run() -> None:
    process = Process()

    async def main() -> None:
        watch = ProcessWatch(LIMITS)
        watch.add("detect", "detect", process, SHARE)
        watching = asyncio.create_task(watch.run())
        for number in range(LIMITS.max_restarts + 2):
            process.name = str(number)
            await asyncio.sleep(0.1)
        await watching

    with pytest.raises(ProcessLostError, match="detect"):
        asyncio.run(main())


def test_replacements_of_long_ago_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_watch, "BUDGET_S", 0.05)
    process = Process()

    async def main() -> None:
        watch = ProcessWatch(LIMITS)
        watch.add("detect", "detect", process, SHARE)
        watching = asyncio.create_task(watch.run())
        for number in range(6):
            process.name = str(number)
            await asyncio.sleep(0.1)
        assert not watching.done()
        watching.cancel()

    asyncio.run(main())


def test_a_process_that_is_lost_is_asked_no_more_and_does_not_come_back() -> None:
    process = Process()

    async def main() -> None:
        watch = ProcessWatch(LIMITS)
        watch.add("camera east", "camera", process, SHARE)
        watching = asyncio.create_task(watch.run())
        await asyncio.sleep(0.1)
        process.is_lost = True
        await asyncio.sleep(0.1)
        assert not watching.done()
        watching.cancel()

    asyncio.run(main())
    assert process.killed == [True]


def test_what_one_site_loses_does_not_end_the_watch_of_another() -> None:
    east, west, shared = Process(), Process(), Process()

    async def main() -> tuple[str, bool]:
        watch = ProcessWatch(replace(LIMITS, max_restarts=0))
        watch.add("match of east", "match", east, SHARE, "east")
        watch.add("match of west", "match", west, SHARE, "west")
        watch.add("detect", "detect", shared, SHARE)
        await watch.wait_for_places()
        of_east, of_west = (asyncio.ensure_future(watch.run(site)) for site in ("east", "west"))
        await asyncio.sleep(0.1)
        east.name = "another"
        with pytest.raises(ProcessLostError) as lost:
            await asyncio.wait_for(of_east, 5)
        await asyncio.sleep(0.1)
        goes_on = not of_west.done()
        shared.name = "another"
        with pytest.raises(ProcessLostError, match="detect"):
            await asyncio.wait_for(of_west, 5)
        return lost.value.process, goes_on

    assert asyncio.run(main()) == ("match of east", True)


def test_every_site_is_told_that_a_shared_process_is_lost() -> None:
    shared = Process()

    async def main() -> list[object]:
        watch = ProcessWatch(replace(LIMITS, max_restarts=0))
        watch.add("detect", "detect", shared, SHARE)
        await watch.wait_for_places()
        runs = [asyncio.ensure_future(watch.run(site)) for site in ("east", "west")]
        await asyncio.sleep(0.1)
        shared.name = "another"
        return await asyncio.wait_for(asyncio.gather(*runs, return_exceptions=True), 5)

    assert [str(error).partition(":")[0] for error in asyncio.run(main())] == ["detect", "detect"]
