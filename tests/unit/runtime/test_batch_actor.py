import asyncio
from collections.abc import Sequence

import pytest

from pipeline.runtime.batch_actor import BatchActor


class Doubling:
    """Doubles numbers; knows how large its batches were."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def process(self, batch: Sequence[int]) -> list[int]:
        self.sizes.append(len(batch))
        if -1 in batch:
            raise ValueError("no")
        return [2 * item for item in batch]

    def flush(self) -> list[int]:
        return []


def test_calls_of_many_cameras_share_batches_and_each_gets_its_own_result() -> None:
    stage = Doubling()

    async def main() -> tuple[list[int], tuple[float, int, int]]:
        actor = BatchActor(lambda: stage, max_items=4, max_wait_s=0.0)
        await actor.ready()
        return await asyncio.gather(*(actor.process(n) for n in range(10))), await actor.busy()

    results, (busy_s, num_items, num_waiting) = asyncio.run(main())
    assert results == [2 * n for n in range(10)]
    assert max(stage.sizes) <= 4
    assert len(stage.sizes) < 10
    assert (num_items, num_waiting) == (10, 0)
    assert busy_s >= 0


def test_an_error_of_the_stage_reaches_the_caller() -> None:
    async def main() -> int:
        actor = BatchActor(Doubling, max_items=4, max_wait_s=0.0)
        with pytest.raises(ValueError, match="no"):
            await actor.process(-1)
        return await actor.process(3)

    assert asyncio.run(main()) == 6


def test_the_stage_is_built_in_the_process_where_it_works() -> None:
    built = []

    def make() -> Doubling:
        built.append(True)
        return Doubling()

    BatchActor(make, max_items=1, max_wait_s=0.0)
    assert built == [True]
