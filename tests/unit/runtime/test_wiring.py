"""What a plan says reaches the actor that it is about, and what an actor counts reaches the status."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from camera_parts import LIMITS, FakePipeline, make_frames
from camera_parts import make_actor as make_camera
from factories import make_detections
from match_actors import EveryoneRule, SlowFlushSink, end, make_actor
from people import see
from test_whole_pipeline import FakeStage, LostCamera, embed, make_plan, run, watch, with_cameras

from connectors.sinks.memory import MemorySink
from connectors.sources.memory import MemorySource
from pipeline.core import CommandKind, CorrectionCommand, Detections, Embedding, Frame, LetterboxedFrame, Tracklet
from pipeline.core.errors import ProcessLostError
from pipeline.ledger import submit_command
from pipeline.runtime.assembly import start_pipeline
from pipeline.runtime.cameras.camera_actor import Checkpoint
from pipeline.runtime.cameras.restarting_camera import RestartingCamera
from pipeline.telemetry.batch_status import BatchStatus
from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.match_status import MatchStatus

NUM_FRAMES = 60
ONE_AT_A_TIME = replace(LIMITS, max_inflight_frames=1)


def test_the_embedder_gets_what_the_pose_stage_made(tmp_path: Path) -> None:
    posed: list[bool] = []

    def add_pose(tracklet: Tracklet) -> Tracklet:
        return replace(tracklet, keypoints=np.zeros((len(tracklet), 17, 3), np.float32))

    def embed_posed(tracklet: Tracklet) -> Embedding | None:
        posed.append(tracklet.keypoints is not None)
        return embed(tracklet)

    plan = replace(
        make_plan(tmp_path, [MemorySource("east", make_frames(NUM_FRAMES))]),
        make_pose=lambda: FakeStage(add_pose),  # type: ignore[arg-type,return-value]
        make_embed=lambda: FakeStage(embed_posed),  # type: ignore[arg-type,return-value]
        make_enrolled={"ann": lambda: MemorySource("ann", make_frames(3))},
    )
    _, report = run(plan)
    assert report is not None
    assert report.num_sightings == 6
    assert posed == [True] * 7  # the person to enrol, too


class Page:
    """A page that shows a camera; remembers what it was given."""

    def __init__(self) -> None:
        self.shown: list[int] = []
        self.people: list[int] = []
        self.num_kept = 0
        self.is_closed = False

    def show(self, frame: Frame, people: dict[Any, Any]) -> None:
        self.shown.append(frame.stamp.index)
        self.people.append(len(people))

    def keep(self, tracklet: Tracklet) -> None:
        self.num_kept += 1

    def close(self) -> None:
        self.is_closed = True


def test_a_page_shows_the_camera_that_it_is_for_and_no_other(tmp_path: Path) -> None:
    page = Page()
    sources = [MemorySource("east", make_frames(NUM_FRAMES)), MemorySource("west", [])]
    cameras, _ = run(replace(make_plan(tmp_path, sources), make_monitors={"east": lambda: page}))
    assert page.shown == list(range(NUM_FRAMES))
    assert set(page.people) == {1}
    assert page.num_kept == cameras["east"].tracklets == 6
    assert page.is_closed


def test_the_work_of_each_stage_is_counted_while_the_pipeline_runs(tmp_path: Path) -> None:
    def detect_slowly(frame: LetterboxedFrame) -> Detections:
        time.sleep(0.002)
        return make_detections(stamp=frame.stamp)

    plan = replace(
        make_plan(tmp_path, [MemorySource("east", make_frames(NUM_FRAMES))]),
        make_detect=lambda: FakeStage(detect_slowly),  # type: ignore[arg-type,return-value]
    )

    async def main() -> dict[str, BatchStatus]:
        began = time.perf_counter()
        pipeline = await start_pipeline(plan)
        await watch(pipeline)
        found = {name: await calls[0]() for name, calls in pipeline.busy.items()}
        assert NUM_FRAMES * 0.002 <= found["detect"].busy_s <= time.perf_counter() - began
        return found

    found = asyncio.run(main())
    assert {name: (status.items, status.waiting) for name, status in found.items()} == {
        "detect": (NUM_FRAMES, 0),
        "embed": (6, 0),
    }


def test_the_status_counts_what_the_report_will(tmp_path: Path) -> None:
    async def main() -> tuple[MatchStatus, MatchStatus]:
        actor = make_actor(
            tmp_path, SlowFlushSink(2), rules=[EveryoneRule()], max_lateness_s=1.0, recluster_every_s=0.1
        )
        await actor.ready()
        before = await actor.status()
        now = time.time()
        await actor.deliver("west", [], 0.0, now)
        # Two people side by side, one of them again later: a label of two people, and a correction.
        later = see("east", 1, 1.1, 5.0, part=1)
        await actor.deliver("east", [see("east", 1), see("east", 2, person=1)], 5.0, now - 100.0)
        await actor.deliver("east", [later, see("east", 3, 6.0, 7.0)], 8.0, now - 200.0)
        await actor.deliver("west", [see("west", 9, 0.0, 1.0, person=5)], 1.0, now - 300.0)
        await actor.deliver("east", [], 20.0, now)
        await actor.deliver("east", [see("east", 4, 28.0, 29.0)], 29.0, now)
        during = await actor.status()
        report = await end(actor)
        assert during.num_sightings == report.num_sightings - 1 == 5
        assert during.num_alerts == report.num_alerts - 1 == 5
        assert during.num_late == report.num_late == 1
        assert report.num_sink_retries == 2
        return before, during

    before, during = asyncio.run(main())
    assert before == MatchStatus(
        calibration_drift=before.calibration_drift, calibration_model=before.calibration_model, epoch=before.epoch
    )
    assert during.num_waiting == 1
    assert during.num_identities == 3
    assert during.num_unusable == during.num_sink_retries == 0
    assert during.calibration_labels > 0
    assert len(during.calibration_model) == 4
    assert during.epoch == before.epoch != ""
    # Of five latencies, 100 s (twice), 200 s (twice) and 300 s, the 95th percentile by the nearest rank below.
    assert during.freshness_p95_s == pytest.approx(200.0, abs=20.0)


def test_an_erasure_deletes_the_rows_of_that_person_alone_from_the_stores_beside_the_ledger(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "notes.sqlite")) as store:
        store.execute("CREATE TABLE crops (track TEXT, part INTEGER)")
        store.executemany("INSERT INTO crops VALUES (?, 0)", [("east/0/1",), ("east/0/2",)])
        store.commit()

    async def main() -> None:
        actor = make_actor(tmp_path, MemorySink())
        await actor.deliver("west", [], 2.0, 0.0)
        await actor.deliver("east", [see("east", 1), see("east", 2, person=1)], 2.0, 0.0)
        submit_command(tmp_path / "ledger.sqlite", CorrectionCommand(CommandKind.ERASE, (2,), "ann", 1.7e9))
        await actor.deliver("east", [], 3.0, 0.0)
        await end(actor)

    asyncio.run(main())
    with closing(sqlite3.connect(tmp_path / "notes.sqlite")) as store:
        assert store.execute("SELECT track FROM crops").fetchall() == [("east/0/1",)]


class AskedProcess:
    """A process that is lost at its first runs; remembers what it was asked."""

    def __init__(self, asked: list[str], checkpoint: Checkpoint | None, *, is_lost: bool) -> None:
        self._asked, self._checkpoint, self._is_lost = asked, checkpoint, is_lost

    async def call(self, method: str, *arguments: Any) -> Any:
        if method == "checkpoint":
            return self._checkpoint if self._checkpoint is not None else await asyncio.Future()
        self._asked.append(method)
        if method == "run":
            await asyncio.sleep(0.01)
            if self._is_lost:
                raise ProcessLostError("camera east")
        return CameraStatus(frames_read=7)


def test_a_camera_in_another_process_is_asked_what_it_is_asked_here() -> None:
    asked: list[str] = []

    async def main() -> CameraStatus:
        camera = RestartingCamera(
            "camera east", lambda: AskedProcess(asked, None, is_lost=False), max_restarts=0, checkpoint_every_s=1.0
        )
        for call in (camera.ready, camera.stop, camera.settle, camera.run):
            await call()
        return await camera.status()

    assert asyncio.run(main()).frames_read == 7
    assert asked == ["ready", "stop", "settle", "run", "status"]


@pytest.mark.parametrize(
    ("has_checkpoint", "where"), [(False, "from the beginning"), (True, "after frame 0")], ids=["new", "checkpoint"]
)
def test_the_log_says_which_camera_was_started_again_and_where(
    has_checkpoint: bool, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = first_checkpoint() if has_checkpoint else None
    processes = iter([AskedProcess([], checkpoint, is_lost=True), AskedProcess([], checkpoint, is_lost=False)])

    async def main() -> CameraStatus:
        start = processes.__next__
        return await RestartingCamera("camera east", start, max_restarts=1, checkpoint_every_s=1.0).run()

    with caplog.at_level(logging.WARNING, logger="pipeline.runtime.cameras.restarting_camera"):
        assert asyncio.run(main()).frames_read == 7
    (record,) = caplog.records
    assert "camera east" in record.getMessage()
    assert record.getMessage().endswith(f"; started again {where}")


def first_checkpoint(*, bad_frames: Sequence[int] = ()) -> Checkpoint:
    """Return the checkpoint at the first frame that is tracked."""

    async def main() -> Checkpoint:
        actor = make_camera(MemorySource("east", make_frames(30)), FakePipeline(bad_frames=bad_frames), ONE_AT_A_TIME)
        asking = asyncio.create_task(actor.checkpoint())
        await asyncio.sleep(0)
        await actor.run()
        return await asking

    return asyncio.run(main())


def test_a_camera_that_goes_on_counts_every_frame_once() -> None:
    checkpoint = first_checkpoint(bad_frames=[0, 1])
    assert checkpoint.stamp.index == 2
    done = checkpoint.status
    assert (done.frames_read, done.frames_processed, done.bad_records) == (3, 1, 2)

    async def go_on() -> CameraStatus:
        pipeline = FakePipeline(bad_frames=[33])
        return await make_camera(MemorySource("east", make_frames(40)), pipeline).run(checkpoint)

    status = asyncio.run(go_on())
    assert (status.frames_read, status.frames_processed, status.bad_records) == (40, 37, 3)
    assert (status.frames_dropped, status.reopens) == (0, 1)


def test_a_camera_that_goes_on_counts_what_it_dropped_once() -> None:
    checkpoint = first_checkpoint()
    checkpoint.track.num_static, checkpoint.track.num_low_score = 2, 3
    before = replace(checkpoint.status, static_false_positives=5, low_score_parts=7, track_s=100.0, decode_s=200.0)

    async def go_on() -> CameraStatus:
        actor = make_camera(MemorySource("east", make_frames(40)), FakePipeline())
        return await actor.run(replace(checkpoint, status=before))

    status = asyncio.run(go_on())
    assert (status.static_false_positives, status.low_score_parts) == (5, 7)
    assert 100 < status.track_s < 110
    assert 200 < status.decode_s < 210


@pytest.mark.parametrize("live", [False, True])
def test_a_camera_says_once_that_nothing_more_will_come_after_everything_was_delivered(live: bool) -> None:
    checkpoint, pipeline = first_checkpoint(), FakePipeline()
    asyncio.run(make_camera(MemorySource("east", make_frames(1), live=live), pipeline).run(checkpoint))
    # What was pending, the end of the open track, and only then the end of the camera.
    assert pipeline.watermarks == [-inf, *[0.0] * (1 + live), inf]
    assert [each.is_last for each in pipeline.embeddings] == [True]


def test_a_lost_camera_is_reported_with_the_process_that_was_lost(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, [MemorySource("east", make_frames(NUM_FRAMES)), MemorySource("west", [])])

    async def main() -> dict[str, CameraStatus]:
        pipeline = await start_pipeline(plan)
        lost: Any = LostCamera("camera west")
        return (await watch(with_cameras(pipeline, {**pipeline.cameras, "west": lost})))[0]

    assert "camera west" in str(asyncio.run(main())["west"].error)
