"""Calls that arrive while one batch is processed form the next."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

from pipeline.runtime.micro_batch import MicroBatch


def test_each_caller_gets_its_own_result_and_batches_form_by_themselves() -> None:
    sizes = []

    def work(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        time.sleep(0.005)
        return [item * 10 for item in items]

    async def main() -> list[int]:
        batch = MicroBatch(work, max_items=4, max_wait_s=0.0)
        return await asyncio.gather(*(batch.call(n) for n in range(10)))

    assert asyncio.run(main()) == [n * 10 for n in range(10)]
    assert max(sizes) == 4
    assert len(sizes) < 10


def test_an_error_reaches_every_caller_of_the_batch_and_later_calls_still_work() -> None:
    def work(items: Sequence[int]) -> list[int]:
        if 1 in items:
            raise ValueError("bad batch")
        return list(items)

    async def main() -> tuple[list[object], int]:
        batch = MicroBatch(work, max_items=8, max_wait_s=0.0)
        first = await asyncio.gather(batch.call(1), batch.call(2), return_exceptions=True)
        return list(first), await batch.call(3)

    first, later = asyncio.run(main())
    assert [str(error) for error in first] == ["bad batch", "bad batch"]
    assert later == 3


def test_a_cancelled_call_does_not_hold_up_the_others() -> None:
    async def main() -> int:
        batch = MicroBatch(lambda items: list(items), max_items=8, max_wait_s=0.01)
        gone = asyncio.ensure_future(batch.call(1))
        await asyncio.sleep(0)
        gone.cancel()
        return await asyncio.wait_for(batch.call(2), 5)

    assert asyncio.run(main()) == 2


def test_too_few_results_are_an_error_for_every_caller() -> None:
    async def main() -> list[object]:
        batch = MicroBatch(lambda items: items[1:], max_items=8, max_wait_s=0.0)
        calls = asyncio.gather(*(batch.call(n) for n in range(3)), return_exceptions=True)
        return list(await asyncio.wait_for(calls, 5))

    assert [type(error) for error in asyncio.run(main())] == [ValueError] * 3


def test_a_batch_waits_for_more_items_if_configured() -> None:
    sizes = []

    def work(items: Sequence[int]) -> Sequence[int]:
        sizes.append(len(items))
        return items

    async def main() -> None:
        batch = MicroBatch(work, max_items=8, max_wait_s=0.05)
        first = asyncio.ensure_future(batch.call(1))
        await asyncio.sleep(0.005)
        await asyncio.gather(first, batch.call(2))

    asyncio.run(main())
    assert sizes == [2]


def test_a_full_batch_waits_for_no_more_items_and_one_with_room_does() -> None:
    async def main(num_items: int) -> float:
        batch = MicroBatch(lambda items: list(items), max_items=4, max_wait_s=30.0)
        began = time.monotonic()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(batch.call(n) for n in range(num_items))), 1.0)
        return time.monotonic() - began

    assert asyncio.run(main(4)) < 1.0 <= asyncio.run(main(3)) + 0.01
