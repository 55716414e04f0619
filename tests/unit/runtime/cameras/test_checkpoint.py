"""A camera whose process is lost, and the process that continues in its place."""

import asyncio
import pickle
import time
from collections.abc import Iterator, Sequence
from math import inf
from typing import Any

import numpy as np
import pytest
from camera_parts import FakePipeline, make_actor, make_frames
from factories import make_frame, make_stamp

from connectors.sources.memory import MemorySource
from pipeline.core import Detections, Embedding, Frame, LetterboxedFrame
from pipeline.core.errors import ProcessLostError, ShapeError
from pipeline.runtime.cameras.camera_actor import CameraActor
from pipeline.runtime.cameras.checkpoint import Checkpoint
from pipeline.runtime.cameras.restarting_camera import RestartingCamera
from pipeline.runtime.deliveries import Acknowledgement
from pipeline.telemetry.camera_status import CameraStatus

NUM_FRAMES = 120


class DyingPipeline(FakePipeline):
    """Never answers again once so many frames were searched, as if the process of the camera was gone."""

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

    def __init__(self, actor: CameraActor, pipeline: FakePipeline) -> None:
        self._actor, self._pipeline = actor, pipeline

    async def call(self, method: str, *arguments: Any) -> Any:
        own = {"run": self.run, "checkpoint": self.checkpoint}
        return await (own.get(method) or getattr(self._actor, method))(*arguments)

    async def checkpoint(self) -> Checkpoint:
        copied: Checkpoint = pickle.loads(pickle.dumps(await self._actor.checkpoint()))
        return copied

    async def run(self, checkpoint: Checkpoint | None) -> CameraStatus:
        task = asyncio.create_task(self._actor.run(checkpoint))
        if isinstance(self._pipeline, DyingPipeline):
            await self._pipeline.is_dead.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise ProcessLostError("camera east")
        return await task


def come_back(*dies_at: int, live: bool = False, max_restarts: int = 3) -> tuple[list[FakePipeline], CameraStatus]:
    """Run a camera whose process dies at these frames; return what each process delivered, and the last status."""
    pipelines: list[FakePipeline] = [*map(DyingPipeline, dies_at), FakePipeline()]
    begun: list[Process] = []

    def start() -> Process:
        pipeline = pipelines[len(begun)]
        source = PacedSource("east", make_frames(NUM_FRAMES), live=live)
        begun.append(Process(make_actor(source, pipeline), pipeline))
        return begun[-1]

    async def main() -> CameraStatus:
        camera = RestartingCamera("camera east", start, max_restarts=max_restarts, checkpoint_every_s=0.0)
        return await asyncio.wait_for(camera.run(), 60)

    status = asyncio.run(main())
    return pipelines, status


def whole(pipeline: FakePipeline) -> dict[tuple[str, int], Embedding]:
    return {(str(each.track_id), each.part): each for each in pipeline.embeddings}


@pytest.fixture(scope="module")
def undisturbed() -> dict[tuple[str, int], Embedding]:
    pipeline = FakePipeline()
    asyncio.run(make_actor(MemorySource("east", make_frames(NUM_FRAMES)), pipeline).run())
    return whole(pipeline)


@pytest.mark.slow
@pytest.mark.parametrize("dies_at", [(0,), (7,), (50,), (NUM_FRAMES - 1,), (20, 21, 90)])
def test_a_recording_continues_with_the_same_result(
    dies_at: tuple[int, ...], undisturbed: dict[tuple[str, int], Embedding]
) -> None:
    pipelines, status = come_back(*dies_at)
    found = {key: each for pipeline in reversed(pipelines) for key, each in whole(pipeline).items()}
    assert found.keys() == undisturbed.keys()
    for pipeline in pipelines:
        for key, each in whole(pipeline).items():
            np.testing.assert_array_equal(each.path.indices, undisturbed[key].path.indices)
            assert (each.completed_at, each.is_last) == (undisturbed[key].completed_at, undisturbed[key].is_last)
    assert (status.frames_read, status.frames_processed, status.tracklets) == (NUM_FRAMES, NUM_FRAMES, len(undisturbed))


def test_what_was_done_before_the_last_checkpoint_is_not_done_again() -> None:
    (_, last), status = come_back(90)
    assert 0 < min(last.searched) <= 90
    assert status.reopens == 1


def test_the_status_does_not_count_from_zero_until_the_new_process_has_taken_over() -> None:
    pipelines: list[FakePipeline] = [DyingPipeline(60), FakePipeline()]
    counts: list[int] = []

    def start() -> Process:
        pipeline = pipelines.pop(0)
        return Process(make_actor(PacedSource("east", make_frames(NUM_FRAMES)), pipeline), pipeline)

    async def main() -> None:
        camera = RestartingCamera("camera east", start, max_restarts=1, checkpoint_every_s=0.0)
        running = asyncio.create_task(camera.run())
        while not running.done():
            counts.append((await camera.status()).frames_processed)
            await asyncio.sleep(0)

    asyncio.run(main())
    assert min(counts[counts.index(40) :]) > 1


def test_a_live_camera_delivers_the_open_tracks_and_begins_new_ones() -> None:
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


def test_a_camera_that_dies_as_often_as_it_may_is_not_lost() -> None:
    pipelines, status = come_back(5, 10, max_restarts=2)
    assert len(pipelines) == 3
    assert (status.frames_processed, status.reopens) == (NUM_FRAMES, 2)


def test_a_checkpoint_waits_until_everything_up_to_its_frame_is_delivered() -> None:
    class Held(FakePipeline):
        """Holds back what comes after 0.7 s, two frames before the first embedding, until it is released."""

        def __init__(self) -> None:
            super().__init__()
            self.released = asyncio.Event()

        async def deliver(
            self, camera_id: str, embeddings: Sequence[Embedding], watermark: float, *rest: Any
        ) -> Acknowledgement:
            if watermark > 0.7:
                await self.released.wait()
            await super().deliver(camera_id, embeddings, watermark, *rest)
            return Acknowledgement("one", True, -inf, -inf)  # accepted, and not processed yet

    pipeline = Held()

    async def main() -> tuple[Checkpoint, list[Embedding]]:
        actor = make_actor(PacedSource("east", make_frames(NUM_FRAMES)), pipeline)
        task = asyncio.create_task(actor.run())
        while (await actor.status()).frames_processed < 10:
            await asyncio.sleep(0)
        asking = asyncio.create_task(actor.checkpoint())  # of frame 10, which completes the first tracklet, or later
        await asyncio.sleep(0.1)  # time for that frame to be tracked
        assert not asking.done()
        pipeline.released.set()
        checkpoint = await asyncio.wait_for(asking, 10)
        delivered = pipeline.embeddings
        await actor.stop()
        task.cancel()  # it would wait until all is processed
        await asyncio.gather(task, return_exceptions=True)
        return checkpoint, delivered

    checkpoint, delivered = asyncio.run(main())
    assert [each.part for each in delivered] == [each.part for each in checkpoint.pending] == [0]
    # The open track begins where the delivered tracklet ends: no frame is lost, and none is delivered twice.
    needed = checkpoint.track.oldest_needed()
    assert (checkpoint.stamp.index + 1 if needed is None else needed.index) == delivered[0].last.index + 1 == 11


def test_an_error_of_the_camera_does_not_restart_it() -> None:
    class Broken:
        async def call(self, method: str, *_: object) -> CameraStatus:
            if method == "run":
                raise ShapeError("image: expected one")
            return await asyncio.Future()

    camera = RestartingCamera("camera east", Broken, max_restarts=3, checkpoint_every_s=0.0)
    with pytest.raises(ShapeError):
        asyncio.run(camera.run())


def test_the_source_forgets_nothing_that_the_last_checkpoint_needs() -> None:
    source, pipeline = PacedSource("east", make_frames(NUM_FRAMES)), FakePipeline(safe_until=inf)

    async def main() -> tuple[Checkpoint, list[int], list[int]]:
        actor = make_actor(source, pipeline)
        asking = asyncio.create_task(actor.checkpoint())
        await asyncio.sleep(0)
        task = asyncio.create_task(actor.run())
        first = await asking
        while len(pipeline.searched) < 60:
            await asyncio.sleep(0.001)
        before = [stamp.index for stamp in source.acked]
        again = asyncio.create_task(actor.checkpoint())
        await task
        again.cancel()
        return first, before, [stamp.index for stamp in source.acked]

    first, before, after = asyncio.run(main())
    assert set(before) <= {-1}
    assert max(after) <= first.stamp.index


def test_a_recording_that_is_stopped_while_its_process_is_replaced_ends_no_track() -> None:
    pipeline = FakePipeline()

    async def main() -> Checkpoint:
        actor = make_actor(PacedSource("east", make_frames(NUM_FRAMES)), pipeline)
        task = asyncio.create_task(actor.run())
        while len(pipeline.searched) < 30:
            await asyncio.sleep(0.001)
        checkpoint = await actor.checkpoint()
        await actor.stop()
        await task
        return checkpoint

    checkpoint = asyncio.run(main())
    rest = FakePipeline()

    async def go_on() -> CameraStatus:
        actor = make_actor(MemorySource("east", make_frames(NUM_FRAMES)), rest)
        await actor.stop()
        return await actor.run(checkpoint)

    status = asyncio.run(go_on())
    assert rest.searched == []
    assert not any(embedding.is_last for embedding in rest.embeddings)
    assert status.stopped_early
    assert status.frames_processed == checkpoint.stamp.index + 1


def test_a_source_continues_with_the_next_frame() -> None:
    source = MemorySource("east", [make_frame(make_stamp(index=index)) for index in (0, 3, 4, 9)])
    source.resume(make_stamp(index=3))
    assert [frame.stamp.index for frame in source.frames()] == [4, 9]


def test_nobody_waits_for_a_checkpoint_of_a_camera_that_has_ended() -> None:
    async def main() -> list[Checkpoint | None]:
        actor = make_actor(MemorySource("east", make_frames(1)), FakePipeline())
        await actor.run()
        other = make_actor(MemorySource("west", make_frames(0)), FakePipeline())
        asking = asyncio.create_task(other.checkpoint())
        await asyncio.sleep(0)
        await other.run()
        return await asyncio.wait_for(asyncio.gather(actor.checkpoint(), asking), 10)

    assert asyncio.run(main()) == [None, None]
