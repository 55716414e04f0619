"""From a source's thread to asyncio: order, bounds, errors and the end."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from running import ROOT

from pipeline.runtime.cameras.frame_queue import FrameQueue, wait_for_readers


async def read(queue: FrameQueue[int], pause_s: float = 0.0) -> list[int]:
    found = []
    async for item in queue:
        found.append(item)
        if pause_s:
            await asyncio.sleep(pause_s)
    return found


def test_a_recording_loses_nothing_however_slow_the_reader() -> None:
    queue = FrameQueue(iter(range(50)), newest_only=False, capacity=3)
    assert asyncio.run(read(queue, pause_s=0.001)) == list(range(50))
    assert (queue.num_read, queue.num_dropped) == (50, 0)


def test_no_more_items_wait_than_there_is_room_for() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    async def main() -> None:
        queue = FrameQueue(items(), newest_only=False, capacity=4)
        stream = aiter(queue)
        await anext(stream)
        await asyncio.sleep(0.05)
        assert len(taken) <= 6  # one read, four waiting, one in the thread's hand
        await stream.aclose()

    asyncio.run(main())


def test_a_full_queue_is_filled_again_once_half_of_it_is_read() -> None:
    async def main() -> None:
        queue = FrameQueue(iter(range(100)), newest_only=False, capacity=8)
        stream = aiter(queue)

        async def num_read_after(reads: int) -> int:
            for _ in range(reads):
                await anext(stream)
            await asyncio.sleep(0.1)
            return queue.num_read

        full = await num_read_after(1)
        waiting = full - 1
        assert await num_read_after(waiting - 5) == full
        assert await num_read_after(1) == full + 4
        assert [item async for item in stream] == list(range(full - 4, 100))

    asyncio.run(main())


def test_of_a_live_camera_only_the_newest_frame_waits_and_the_dropped_ones_are_counted() -> None:
    def items() -> Iterator[int]:
        for number in range(20):
            time.sleep(0.002)
            yield number

    queue = FrameQueue(items(), newest_only=True, capacity=9)
    found = asyncio.run(read(queue, pause_s=0.01))
    assert found == sorted(found)
    assert found[-1] == 19
    assert queue.num_dropped > 0
    assert len(found) + queue.num_dropped == queue.num_read == 20


def test_an_error_of_the_source_reaches_the_reader_after_what_came_before() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("broken")

    async def main() -> list[int]:
        stream = aiter(FrameQueue(items(), newest_only=False, capacity=5))
        found = [await anext(stream), await anext(stream)]
        with pytest.raises(OSError, match="broken"):
            await anext(stream)
        return found

    assert asyncio.run(main()) == [1, 2]


def test_closing_ends_a_reader_that_waits() -> None:
    gate = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        gate.wait(5)

    async def main() -> list[int]:
        queue = FrameQueue(items(), newest_only=False, capacity=2)
        asyncio.get_running_loop().call_later(0.02, lambda: (queue.close(), gate.set()))
        return await asyncio.wait_for(read(queue), 5)

    assert asyncio.run(main()) == [1]


def test_closing_releases_a_thread_that_waits_for_room() -> None:
    ended = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            ended.set()

    async def main() -> list[int]:
        queue = FrameQueue(items(), newest_only=False, capacity=2)
        stream = aiter(queue)
        found = [await anext(stream)]
        await asyncio.sleep(0.02)  # the thread waits for room by now
        queue.close()
        return found + [item async for item in stream]

    assert asyncio.run(main()) == [0, 1, 2]  # what waited is still there
    assert ended.wait(5)


def test_an_error_of_a_live_camera_reaches_the_reader_too() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        asyncio.run(read(FrameQueue(items(), newest_only=True, capacity=1)))


def test_an_empty_source_ends_at_once() -> None:
    assert asyncio.run(read(FrameQueue(iter(()), newest_only=False, capacity=1))) == []


DECODES = """
import asyncio, sys, cv2, numpy as np
from pipeline.runtime.cameras.frame_queue import FrameQueue, wait_for_readers

jpeg = cv2.imencode(".jpg", np.zeros((4000, 6000, 3), np.uint8))[1]

def pictures():
    while True:
        yield cv2.imdecode(jpeg, cv2.IMREAD_COLOR)

async def main():
    async for _ in FrameQueue(pictures(), newest_only=True, capacity=1):
        break

asyncio.run(main())
wait_for_readers(10)
sys.exit(1)
"""


@pytest.mark.slow
def test_a_process_that_ends_while_a_picture_is_decoded_has_its_exit_code() -> None:
    finished = subprocess.run([sys.executable, "-c", DECODES], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stderr) == (1, "")


def test_a_thread_that_hangs_is_not_waited_for_any_longer() -> None:
    hangs = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        hangs.wait(20)

    async def main() -> None:
        async for _ in FrameQueue(items(), newest_only=True, capacity=1):
            break

    asyncio.run(main())
    began = time.monotonic()
    wait_for_readers(0.2)
    assert 0.1 < time.monotonic() - began < 5
    hangs.set()
    wait_for_readers(20)
