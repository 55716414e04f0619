import asyncio
import time
from collections.abc import Awaitable

from pipeline.telemetry.status import in_background
from pipeline.telemetry.tasks import end


async def deaf() -> None:
    """Forget the first time that it is cancelled, as ``wait_for`` may."""
    for _ in range(2):
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            continue
    await asyncio.sleep(100)


async def failing() -> None:
    try:
        await asyncio.sleep(100)
    finally:
        raise ValueError


async def begun(*work: Awaitable[None]) -> list["asyncio.Future[None]"]:
    tasks = [asyncio.ensure_future(each) for each in work]
    await asyncio.sleep(0)
    return tasks


def test_tasks_have_ended_though_one_forgets_that_it_was_cancelled_and_one_fails() -> None:
    async def main() -> list["asyncio.Future[None]"]:
        tasks = await begun(deaf(), failing(), asyncio.sleep(0), asyncio.sleep(100))
        await asyncio.wait_for(end(*tasks), 20)
        return tasks

    assert all(task.done() for task in asyncio.run(main()))


def test_work_in_the_background_that_forgets_it_ends_with_its_body() -> None:
    async def main() -> None:
        async with in_background(deaf):
            await asyncio.sleep(0)

    began = time.monotonic()
    asyncio.run(asyncio.wait_for(main(), 20))
    assert time.monotonic() - began < 15
