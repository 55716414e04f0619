"""A camera whose process is lost, and the one that goes on in its place."""

import asyncio
import pickle
import time
from collections.abc import Iterator
from math import inf

import numpy as np
import pytest
from factories import make_frame, make_stamp
from test_camera_actor import RunningPipeline, make_actor, make_frames

from connectors.sources.memory import MemorySource
from pipeline.core import Detections, Embedding, Frame, LetterboxedFrame
from pipeline.core.errors import ProcessLostError, ShapeError
from pipeline.runtime.camera_actor import CameraActor
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.runtime.restarting_camera import RestartingCamera
from pipeline.telemetry.camera_status import CameraStatus

NUM_FRAMES = 120


class MortalLine(RunningPipeline):
    """Lets nobody go on once so many frames were searched: as if the process was gone."""

    def __init__(self, dies_at: int, *, safe_until: float = inf) -> None:
        super().__init__(safe_until=safe_until)
        self._dies_at = dies_at
        self.is_dead = asyncio.Event()

    async def detect(self, frame: LetterboxedFrame) -> Detections:
        if frame.stamp.index >= self._dies_at:
            self.is_dead.set()
            await asyncio.Event().wait()
        return await super().detect(frame)


class PacedSource(MemorySource):
    """Takes a moment for every frame, as a live camera does."""

    def frames(self) -> Iterator[Frame]:
        for frame in super().frames():
            time.sleep(0.005)
            yield frame


class Process:
    """A camera actor as another process would be: what goes in and out is copied, and it dies."""

    def __init__(self, actor: CameraActor, running: MortalLine | RunningPipeline) -> None:
        self._actor, self._line = actor, running

    async def ready(self) -> None: ...

    async def status(self) -> CameraStatus:
        return await self._actor.status()

    async def stop(self) -> None:
        await self._actor.stop()

    async def settle(self) -> None:
        await self._actor.settle()

    async def checkpoint(self) -> Checkpoint:
        copied: Checkpoint = pickle.loads(pickle.dumps(await self._actor.checkpoint()))
        return copied

    async def run(self, checkpoint: Checkpoint | None) -> CameraStatus:
        running = asyncio.create_task(self._actor.run(checkpoint))
        if isinstance(self._line, MortalLine):
            await self._line.is_dead.wait()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            raise ProcessLostError("camera east")
        return await running


def come_back(*dies_at: int, live: bool = False, max_restarts: int = 3) -> tuple[list[RunningPipeline], CameraStatus]:
    """Run a camera whose process dies at these frames; return what each process handed over."""
    lines: list[RunningPipeline] = [*map(MortalLine, dies_at), RunningPipeline()]
    begun: list[Process] = []

    def start() -> Process:
        running = lines[len(begun)]
        source = PacedSource("east", make_frames(NUM_FRAMES), live=live)
        begun.append(Process(make_actor(source, running), running))
        return begun[-1]

    async def main() -> CameraStatus:
        camera = RestartingCamera("camera east", start, max_restarts=max_restarts, checkpoint_every_s=0.0)  # type: ignore[arg-type]
        return await asyncio.wait_for(camera.run(), 60)

    status = asyncio.run(main())
    return lines, status


def whole(running: RunningPipeline) -> dict[tuple[str, int], Embedding]:
    return {(str(each.track_id), each.part): each for each in running.embeddings}


@pytest.fixture(scope="module")
def undisturbed() -> dict[tuple[str, int], Embedding]:
    running = RunningPipeline()
    asyncio.run(make_actor(MemorySource("east", make_frames(NUM_FRAMES)), running).run())
    return whole(running)


@pytest.mark.slow
@pytest.mark.parametrize("dies_at", [(0,), (7,), (50,), (NUM_FRAMES - 1,), (20, 21, 90)])
def test_a_recording_goes_on_as_if_nothing_had_happened(
    dies_at: tuple[int, ...], undisturbed: dict[tuple[str, int], Embedding]
) -> None:
    lines, status = come_back(*dies_at)
    found = {key: each for running in reversed(lines) for key, each in whole(running).items()}
    assert found.keys() == undisturbed.keys()
    for running in lines:
        for key, each in whole(running).items():
            np.testing.assert_array_equal(each.path.indices, undisturbed[key].path.indices)
            assert (each.completed_at, each.is_last) == (undisturbed[key].completed_at, undisturbed[key].is_last)
    assert (status.frames_read, status.frames_processed, status.tracklets) == (NUM_FRAMES, NUM_FRAMES, len(undisturbed))


def test_what_was_done_before_the_last_checkpoint_is_not_done_again() -> None:
    (_, last), status = come_back(90)
    assert 0 < min(last.searched) <= 90
    assert status.reopens == 1


def test_a_live_camera_hands_over_who_was_followed_and_follows_people_anew() -> None:
    (first, last), status = come_back(60, live=True)
    assert {str(each.track_id) for each in first.embeddings} == {"east/0/1"}
    assert str(last.embeddings[0].track_id) == "east/0/1"
    assert last.embeddings[0].is_last
    sessions = {each.track_id.session for each in last.embeddings[1:]}
    assert sessions == {int(min(last.searched) / 10)} != {0}
    assert status.frames_read <= NUM_FRAMES


def test_a_camera_that_dies_too_often_is_lost() -> None:
    with pytest.raises(ProcessLostError):
        come_back(10, 20, 30, max_restarts=2)


def test_a_mistake_is_not_tried_again() -> None:
    class Broken:
        async def checkpoint(self) -> None:
            await asyncio.Event().wait()

        async def run(self, _: object) -> CameraStatus:
            raise ShapeError("image: expected one")

    camera = RestartingCamera("camera east", Broken, max_restarts=3, checkpoint_every_s=0.0)  # type: ignore[arg-type]
    with pytest.raises(ShapeError):
        asyncio.run(camera.run())


def test_the_source_forgets_nothing_that_the_last_checkpoint_needs() -> None:
    source, running = PacedSource("east", make_frames(NUM_FRAMES)), RunningPipeline(safe_until=inf)

    async def main() -> tuple[Checkpoint, list[int], list[int]]:
        actor = make_actor(source, running)
        asking = asyncio.create_task(actor.checkpoint())
        await asyncio.sleep(0)
        task = asyncio.create_task(actor.run())
        first = await asking
        while len(running.searched) < 60:
            await asyncio.sleep(0.001)
        before = [stamp.index for stamp in source.acked]
        again = asyncio.create_task(actor.checkpoint())
        await task
        again.cancel()
        return first, before, [stamp.index for stamp in source.acked]

    first, before, after = asyncio.run(main())
    assert set(before) <= {-1}
    assert max(after) <= first.stamp.index


def test_a_camera_that_was_stopped_works_off_what_its_lost_process_had_read() -> None:
    running = RunningPipeline()

    async def main() -> Checkpoint:
        actor = make_actor(PacedSource("east", make_frames(NUM_FRAMES)), running)
        task = asyncio.create_task(actor.run())
        while len(running.searched) < 30:
            await asyncio.sleep(0.001)
        checkpoint = await actor.checkpoint()
        await actor.stop()
        await task
        return checkpoint

    checkpoint = asyncio.run(main())
    rest = RunningPipeline()

    async def go_on() -> CameraStatus:
        actor = make_actor(MemorySource("east", make_frames(NUM_FRAMES)), rest)
        await actor.stop()
        return await actor.run(checkpoint)

    status = asyncio.run(go_on())
    assert rest.searched == []
    assert rest.embeddings[-1].is_last
    assert rest.embeddings[-1].last == checkpoint.stamp
    assert status.frames_processed == checkpoint.stamp.index + 1


def test_a_source_goes_on_with_the_frame_behind() -> None:
    source = MemorySource("east", [make_frame(make_stamp(index=index)) for index in (0, 3, 4, 9)])
    source.resume(make_stamp(index=3))
    assert [frame.stamp.index for frame in source.frames()] == [4, 9]
