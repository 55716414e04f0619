"""Calls to a stage in other processes go together."""

import asyncio
from typing import Any

import pytest

from pipeline.core.errors import DataError, ProcessLostError
from pipeline.runtime.actor_ref import ActorHost, ActorRef
from pipeline.runtime.stage_calls import StageCalls


class Doubling:
    """An actor that takes a while, and knows how many items came at once."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    async def process_all(self, items: list[int]) -> list[Any]:
        self.sizes.append(len(items))
        await asyncio.sleep(0.01)
        if 13 in items:
            raise ProcessLostError("detect")
        return [DataError("bad") if item < 0 else 2 * item for item in items]


def call_all(items: list[int], *, actors: int = 1, max_items: int = 8) -> tuple[list[Any], list[list[int]]]:
    stages = [Doubling() for _ in range(actors)]

    async def main() -> list[Any]:
        refs = [ActorRef("detect", [ActorHost(lambda stage=stage: stage)]) for stage in stages]  # type: ignore[misc]
        calls = StageCalls(refs, max_items=max_items)
        return await asyncio.gather(*(calls(item) for item in items), return_exceptions=True)

    return asyncio.run(main()), [stage.sizes for stage in stages]


def test_each_item_gets_its_own_result_and_what_waits_goes_together() -> None:
    results, (sizes,) = call_all(list(range(100, 120)))
    assert results == [2 * item for item in range(100, 120)]
    assert sum(sizes) == 20
    assert max(sizes) == 8
    assert len(sizes) < 6


def test_all_actors_work() -> None:
    _, sizes = call_all(list(range(100, 140)), actors=2, max_items=4)
    assert all(sum(each) >= 8 for each in sizes)


def test_an_invalid_item_harms_no_other() -> None:
    results, _ = call_all([1, -1, 2])
    assert [results[0], results[2]] == [2, 4]
    assert isinstance(results[1], DataError)


def test_a_lost_process_is_told_to_all_of_its_call_and_later_calls_go_on() -> None:
    results, _ = call_all([13, 1, 2], max_items=1)
    assert isinstance(results[0], ProcessLostError)
    assert results[1:] == [2, 4]


def test_a_cancelled_call_is_not_sent() -> None:
    stage = Doubling()

    async def main() -> int:
        calls = StageCalls([ActorRef("detect", [ActorHost(lambda: stage)])], max_items=8)
        gone = asyncio.ensure_future(calls(1))
        await asyncio.sleep(0)
        gone.cancel()
        return int(await calls(2))

    assert asyncio.run(main()) == 4
    assert sum(stage.sizes) == 1


def test_an_error_of_an_item_is_raised_where_it_was_asked_for() -> None:
    async def main() -> None:
        await StageCalls([ActorRef("detect", [ActorHost(Doubling)])], max_items=8)(-1)

    with pytest.raises(DataError, match="bad"):
        asyncio.run(main())
