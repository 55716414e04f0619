import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from pipeline.core.errors import DataError
from pipeline.runtime.batch_actor import BatchActor
from pipeline.telemetry.batch_status import BatchStatus


class Doubling:
    """Doubles numbers; knows how large its batches were."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.calls: Counter[int] = Counter({4: 2, 1: 1})  # what its network is said to have been called with

    def process(self, batch: Sequence[int]) -> list[int]:
        self.sizes.append(len(batch))
        if -1 in batch:
            raise ValueError("no")
        if -2 in batch:
            raise DataError("bad")
        return [2 * item for item in batch]

    def flush(self) -> list[int]:
        return []


def test_calls_of_many_cameras_share_batches_and_each_gets_its_own_result() -> None:
    stage = Doubling()

    async def main() -> tuple[list[int], BatchStatus]:
        actor = BatchActor(lambda: stage, max_items=4, max_wait_s=0.0)
        await actor.ready()
        return await asyncio.gather(*(actor.process(n) for n in range(10))), await actor.busy()

    results, status = asyncio.run(main())
    assert results == [2 * n for n in range(10)]
    assert max(stage.sizes) <= 4
    assert len(stage.sizes) < 10
    assert (status.items, status.waiting) == (10, 0)
    assert status.busy_s >= 0
    assert status.calls == {1: 1, 4: 2}
    assert status.mean_call == 3.0


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


def test_an_item_that_is_invalid_harms_no_other_of_its_batch() -> None:
    async def main() -> tuple[list[object], list[object]]:
        actor = BatchActor(Doubling, max_items=8, max_wait_s=0.0)
        one_by_one = await asyncio.gather(*(actor.process(n) for n in (1, -2, 3)), return_exceptions=True)
        return list(one_by_one), await actor.process_all([1, -2, 3])

    for found in asyncio.run(main()):
        assert [found[0], found[2]] == [2, 6]
        assert isinstance(found[1], DataError)


def test_a_stage_with_something_else_named_calls_counts_none() -> None:
    class Counts(Doubling):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 3  # type: ignore[assignment]  # a plug-in's own business

    async def main() -> BatchStatus:
        return await BatchActor(Counts, max_items=4, max_wait_s=0.0).busy()

    assert asyncio.run(main()).calls == {}
