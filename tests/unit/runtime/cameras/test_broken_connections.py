import asyncio
import gc
import time
from collections.abc import Iterator
from dataclasses import replace

from camera_parts import LIMITS, FakePipeline, HopelessSource, make_actor, make_frames

from pipeline.core import Frame
from pipeline.core.errors import SourceLostError


class Flickering(HopelessSource):
    """Breaks after three pictures, as network cameras do: with an error that was raised because of another."""

    def frames(self) -> Iterator[Frame]:
        self.num_opened += 1
        for frame in make_frames(3):
            yield frame
            time.sleep(0.002)
        try:
            raise ConnectionResetError
        except ConnectionResetError as error:
            raise SourceLostError("east: the end of the stream") from error


def test_nothing_of_a_connection_that_broke_is_kept() -> None:
    actor = make_actor(Flickering(), FakePipeline(), replace(LIMITS, max_reopens=0))

    async def main() -> int:
        task = asyncio.create_task(actor.run())
        while (await actor.status()).reopens < 20:
            await asyncio.sleep(0.001)
        num_frames = sum(type(each) is Frame for each in gc.get_objects())
        await actor.stop()
        await asyncio.wait_for(task, 10)
        return num_frames

    gc.collect()
    gc.disable()  # what only it finds is kept for minutes: pictures do not count as many objects
    try:
        num_frames = asyncio.run(main())
    finally:
        gc.enable()
    assert num_frames < 10  # of 60
