"""Open calls: in order, bounded, cancelled together."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.flow import ordered_map


async def count(num: int, taken: list[int] | None = None) -> AsyncIterator[int]:
    for number in range(num):
        if taken is not None:
            taken.append(number)
        yield number


def test_results_come_in_order_whichever_call_is_faster() -> None:
    async def call(item: int) -> int:
        await asyncio.sleep(0.01 if item % 2 else 0)
        return item * item

    async def main() -> list[tuple[int, int]]:
        return [pair async for pair in ordered_map(call, count(9), 4)]

    assert asyncio.run(main()) == [(n, n * n) for n in range(9)]


def test_no_more_calls_are_open_than_allowed() -> None:
    now = most = 0

    async def call(item: int) -> int:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.002)
        now -= 1
        return item

    async def main() -> None:
        async for _ in ordered_map(call, count(20), 3):
            pass

    asyncio.run(main())
    assert most == 3


def test_items_are_not_read_while_all_slots_are_in_use() -> None:
    taken: list[int] = []

    async def main() -> None:
        never = asyncio.Event()

        async def call(item: int) -> int:
            await never.wait()
            return item

        results = ordered_map(call, count(100, taken), 3)
        reader = asyncio.ensure_future(anext(results))
        await asyncio.sleep(0.02)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        await results.aclose()

    asyncio.run(main())
    assert taken == [0, 1, 2]


def test_the_first_result_does_not_wait_for_the_second() -> None:
    async def main() -> int:
        never = asyncio.Event()

        async def call(item: int) -> int:
            if item:
                await never.wait()
            return item

        results = ordered_map(call, count(5), 3)
        _, first = await asyncio.wait_for(anext(results), 5)
        await results.aclose()
        return first

    assert asyncio.run(main()) == 0


@pytest.mark.parametrize("breaks", ["call", "items"])
def test_an_error_is_raised_and_nothing_is_left_running(breaks: str) -> None:
    async def items() -> AsyncIterator[int]:
        yield 0
        yield 1
        if breaks == "items":
            raise ValueError("broken")
        yield 2

    async def call(item: int) -> int:
        if breaks == "call" and item == 1:
            raise ValueError("broken")
        await asyncio.sleep(0.01)
        return item

    async def main() -> int:
        with pytest.raises(ValueError, match="broken"):
            async for _ in ordered_map(call, items(), 3):
                pass
        await asyncio.sleep(0)
        return len(asyncio.all_tasks()) - 1

    assert asyncio.run(main()) == 0


@given(waits=st.lists(st.integers(0, 3), max_size=15), max_inflight=st.integers(1, 6))
def test_order_and_bound_hold_whatever_the_calls_take(waits: list[int], max_inflight: int) -> None:
    now = most = 0

    async def call(item: int) -> int:
        nonlocal now, most
        now += 1
        most = max(most, now)
        for _ in range(waits[item]):
            await asyncio.sleep(0)
        now -= 1
        return -item

    async def main() -> list[tuple[int, int]]:
        return [pair async for pair in ordered_map(call, count(len(waits)), max_inflight)]

    assert asyncio.run(main()) == [(n, -n) for n in range(len(waits))]
    assert most <= max_inflight


def test_a_reader_that_stops_early_leaves_no_call_open() -> None:
    cancelled = []

    async def call(item: int) -> int:
        try:
            await asyncio.sleep(10 if item else 0)
        except asyncio.CancelledError:
            cancelled.append(item)
            raise
        return item

    async def main() -> int:
        results = ordered_map(call, count(9), 3)
        await anext(results)
        await asyncio.sleep(0.01)
        await results.aclose()
        await asyncio.sleep(0.01)
        return len(asyncio.all_tasks()) - 1

    assert asyncio.run(main()) == 0
    assert cancelled == [1, 2, 3]


def test_what_came_before_a_source_broke_is_still_yielded() -> None:
    async def items() -> AsyncIterator[int]:
        yield 0
        yield 1
        raise ValueError("broken")

    async def call(item: int) -> int:
        await asyncio.sleep(0.01)
        return item

    async def main() -> list[int]:
        results = ordered_map(call, items(), 3)
        found = [(await anext(results))[0], (await anext(results))[0]]
        with pytest.raises(ValueError, match="broken"):
            await anext(results)
        return found

    assert asyncio.run(main()) == [0, 1]
