"""Every actor of a plan in this process, from the sources to the sinks; only the networks are fakes."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest
from camera_parts import LIMITS, EndlessSource, OneTracker, make_frames
from factories import make_detections, make_embedding
from people import make_match

from connectors.sinks.memory import MemorySink
from connectors.sources.memory import MemorySource
from pipeline.alerts.engine import AlertEngine
from pipeline.association.geometry.topology import Topology
from pipeline.camera.tracking import TrackingStage
from pipeline.core import Detections, Embedding, Frame, LetterboxedFrame, Sighting, Sink, Source, Tracklet
from pipeline.core.errors import ConfigError, ProcessLostError, SinkBusyError
from pipeline.ledger import LedgerReader
from pipeline.runtime import match_actor
from pipeline.runtime.assembly import start_pipeline
from pipeline.runtime.cameras.membership import Membership
from pipeline.runtime.plan import CameraIntake, MatchLimits, Plan, ProcessLimits, Share
from pipeline.runtime.running_pipeline import RunningPipeline
from pipeline.runtime.supervisor import supervise
from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.match_report import MatchReport
from pipeline.telemetry.match_status import MatchStatus

NUM_FRAMES = 60
Result = tuple[dict[str, CameraStatus], MatchReport | None]


class FakeStage:
    """Answers every item alone."""

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        self._answer = answer

    def process(self, batch: Sequence[Any]) -> list[Any]:
        return [self._answer(item) for item in batch]


class NeverSafeSink(MemorySink):
    """Accepts every record, and is busy whenever it is flushed."""

    def flush(self) -> None:
        raise SinkBusyError("busy", retry_after_s=0.01)


def detect(frame: LetterboxedFrame) -> Detections:
    return make_detections(stamp=frame.stamp)


def embed(tracklet: Tracklet) -> Embedding | None:
    return replace(make_embedding(tracklet.track_id, tracklet.part, tracklet.path), is_last=tracklet.is_last)


def make_plan(folder: Path, sources: Sequence[Source], sinks: Sequence[Sink] = (), **match: Any) -> Plan:
    limits = {
        "window_s": 0.5,
        "max_lateness_s": inf,
        "flush_every_s": 0.0,
        "max_waiting_embeddings": 100,
        "retention_s": inf,
        "max_events": 0,
    }
    return Plan(
        intakes=defaultdict(CameraIntake),
        make_sources={source.camera_id: (lambda source=source: source) for source in sources},
        make_enrolled={},
        make_track=lambda: TrackingStage(
            OneTracker(),
            crop_size_hw=(16, 8),
            clip_len=4,
            first_after_s=1.0,
            part_s=1.0,
            contact_coverage=0.3,
            min_peak_score=0.0,
            static_min_score=0.0,
            max_open_tracks=10,
        ),
        input_hw=(32, 32),
        crop_size_hw=(16, 8),
        make_detect=lambda: FakeStage(detect),  # type: ignore[arg-type,return-value]
        make_pose=None,
        make_embed=lambda: FakeStage(embed),  # type: ignore[arg-type,return-value]
        make_match=make_match,
        make_alert=lambda: AlertEngine([], cooldown_s=0.0, max_open=100, max_parts=100),
        make_topology=lambda text: Topology(),
        make_sinks={f"sink{number}": (lambda sink=sink: sink) for number, sink in enumerate(sinks)},
        make_monitors={},
        camera=LIMITS,
        match=MatchLimits(**{**limits, **match}),
        processes=ProcessLimits(
            kind="inline",
            max_items=4,
            max_wait_s=0.0,
            shares={name: Share(0.0, 0.0) for name in ("camera", "match", "detect", "pose", "embed")},
            max_restarts=0,
            checkpoint_every_s=1.0,
        ),
        drain_s=10.0,
        output_dir=folder,
        edits=folder / "edits.yaml",
        resume=False,
    )


def with_cameras(pipeline: RunningPipeline, cameras: dict[str, Any]) -> RunningPipeline:
    async def dropped(camera_id: str) -> None: ...

    return replace(pipeline, membership=Membership(cameras, dropped))


async def watch(pipeline: RunningPipeline, stop: asyncio.Event | None = None, drain_s: float = 10.0) -> Result:
    return await asyncio.wait_for(
        supervise(
            pipeline,
            stop=stop or asyncio.Event(),
            drain_s=drain_s,
            watch=lambda cameras, match: None,
            watch_every_s=0.01,
        ),
        60,
    )


def run(plan: Plan, drain_s: float = 10.0) -> Result:
    async def main() -> Result:
        return await watch(await start_pipeline(plan), drain_s=drain_s)

    return asyncio.run(main())


def test_all_frames_become_sightings_and_the_source_may_forget_them(tmp_path: Path) -> None:
    sources = [MemorySource(camera_id, make_frames(NUM_FRAMES)) for camera_id in ("east", "west")]
    sources[1]._frames = tuple(replace(f, stamp=replace(f.stamp, camera_id="west")) for f in sources[1]._frames)
    sink = MemorySink()
    cameras, report = run(make_plan(tmp_path, sources, [sink]))
    assert {camera_id: status.frames_processed for camera_id, status in cameras.items()} == {
        "east": NUM_FRAMES,
        "west": NUM_FRAMES,
    }
    assert report is not None
    assert report.num_sightings == len([r for r in sink.records if isinstance(r, Sighting)]) == 12
    assert [source.acked[-1].index for source in sources] == [NUM_FRAMES - 1] * 2


def test_a_source_is_acknowledged_only_if_every_sink_is_safe(tmp_path: Path) -> None:
    source, safe, busy = MemorySource("east", make_frames(NUM_FRAMES)), MemorySink(), NeverSafeSink()
    _, report = run(make_plan(tmp_path, [source], [safe, busy]), drain_s=0.1)
    assert report is not None
    assert report.behind == ("sink1",)
    assert len(busy.records) == len(safe.records) > 0
    assert source.acked == []


def test_the_limits_of_the_plan_reach_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match_actor, "COMPACT_EVERY_S", 0.0)
    counts = {}
    for name, limits in {"all": {}, "few": {"max_events": 2}, "young": {"retention_s": 2.0}}.items():
        (tmp_path / name).mkdir()
        run(make_plan(tmp_path / name, [MemorySource("east", make_frames(NUM_FRAMES))], [MemorySink()], **limits))
        reader = LedgerReader(tmp_path / name / "ledger.sqlite")
        counts[name] = len(reader.events(limit=-1))
        reader.close()
    assert counts["all"] == 6
    assert counts["few"] <= 3
    assert counts["young"] < 6


def test_a_stopped_run_publishes_what_it_completed_and_ends_nothing(tmp_path: Path) -> None:
    sink = MemorySink()

    async def main() -> Result:
        pipeline = await start_pipeline(make_plan(tmp_path, [EndlessSource()], [sink]))
        stop = asyncio.Event()
        watching = asyncio.create_task(watch(pipeline, stop))
        while not sink.records:
            await asyncio.sleep(0.01)
        stop.set()
        return await watching

    cameras, report = asyncio.run(main())
    assert report is not None
    assert cameras["east"].stopped_early
    assert report.num_sightings == len(sink.records) > 0
    assert not any(record.is_last for record in sink.records if isinstance(record, Sighting))


def test_live_cameras_that_are_stopped_do_not_wait_for_a_recording_that_is_behind_them(tmp_path: Path) -> None:
    class BehindSource(EndlessSource):
        """Each frame takes its time, so that the live camera is always ahead."""

        def frames(self) -> Iterator[Frame]:
            for frame in super().frames():
                time.sleep(0.01)
                yield replace(frame, stamp=replace(frame.stamp, captured_at=time.time() - 2.0))

    class NowSource(EndlessSource):
        def frames(self) -> Iterator[Frame]:
            for frame in super().frames():
                time.sleep(0.01)
                yield replace(frame, stamp=replace(frame.stamp, captured_at=time.time()))

    sink = MemorySink()

    async def main() -> tuple[Result, float]:
        sources = [NowSource("east", live=True), BehindSource("west")]
        pipeline = await start_pipeline(make_plan(tmp_path, sources, [sink], max_lateness_s=5.0))
        stop = asyncio.Event()
        watching = asyncio.create_task(watch(pipeline, stop, drain_s=20.0))
        while len(sink.records) < 4:
            await asyncio.sleep(0.01)
        stop.set()
        began = time.monotonic()
        return await watching, time.monotonic() - began

    (cameras, report), took_s = asyncio.run(main())
    assert took_s < 5.0
    assert report is not None
    assert (cameras["east"].error, cameras["west"].stopped_early) == (None, True)
    ends = {r.track_id.camera_id for r in sink.records if isinstance(r, Sighting) and r.is_last}
    assert ends == {"east"}


def test_a_camera_that_does_not_drain_in_time_is_given_up_and_the_run_is_finished_without_it(tmp_path: Path) -> None:
    async def main() -> Result:
        pipeline = await start_pipeline(make_plan(tmp_path, [EndlessSource(live=True)]))
        is_asked = asyncio.Event()

        async def never(*_: object) -> Any:
            is_asked.set()
            await asyncio.Event().wait()

        camera: Any = pipeline.cameras["east"]
        camera._detect = never
        stop = asyncio.Event()
        watching = asyncio.create_task(watch(pipeline, stop, drain_s=0.1))
        await is_asked.wait()
        stop.set()
        return await watching

    cameras, report = asyncio.run(main())
    assert report is not None
    assert "flow.drain_s = 0.1 s" in str(cameras["east"].error)
    assert cameras["east"].frames_read == cameras["east"].frames_dropped > 0


class LostCamera:
    """A camera whose process dies when it runs."""

    def __init__(self, lost: str) -> None:
        self._lost = lost

    async def status(self) -> CameraStatus:
        raise ProcessLostError(self._lost)

    async def run(self) -> CameraStatus:
        raise ProcessLostError(self._lost)

    stop = settle = ready = status


def test_the_others_go_on_without_a_camera_whose_process_is_lost(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, [MemorySource("east", make_frames(NUM_FRAMES)), MemorySource("west", [])])

    async def main() -> Result:
        pipeline = await start_pipeline(plan)
        lost: Any = LostCamera("camera west")
        return await watch(with_cameras(pipeline, {**pipeline.cameras, "west": lost}))

    cameras, report = asyncio.run(main())
    assert report is not None
    assert report.num_sightings == 6
    assert (cameras["east"].error, cameras["west"].error is None) == (None, False)


def test_the_loss_of_any_other_process_ends_the_run(tmp_path: Path) -> None:
    async def main() -> Result:
        pipeline = await start_pipeline(make_plan(tmp_path, [MemorySource("east", [])]))
        lost: Any = LostCamera("match")
        return await watch(with_cameras(pipeline, {"east": lost}))

    with pytest.raises(ProcessLostError, match="match"):
        asyncio.run(main())


def test_a_match_actor_that_came_back_learns_which_cameras_have_ended(tmp_path: Path) -> None:
    ended: list[tuple[str, bool]] = []

    async def main() -> None:
        pipeline = await start_pipeline(make_plan(tmp_path, [MemorySource("east", []), EndlessSource("west")]))
        stop, num_asked = asyncio.Event(), 0

        async def deliver(camera_id: str, embeddings: Sequence[Embedding], watermark: float, *rest: Any) -> Any:
            if watermark == inf:
                ended.append((camera_id, num_asked >= 10))
            return await pipeline.deliver(camera_id, embeddings, watermark, *rest)

        async def match_status() -> MatchStatus:
            nonlocal num_asked
            num_asked += 1
            if num_asked == 20:
                stop.set()
            return MatchStatus(epoch="first" if num_asked < 10 else "second")

        await watch(replace(pipeline, deliver=deliver, match_status=match_status), stop)

    asyncio.run(main())
    assert [camera_id for camera_id, is_new_epoch in ended if is_new_epoch] == ["east"]


def test_pictures_to_enrol_are_known_before_the_first_frame(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plan = replace(
        make_plan(tmp_path, [MemorySource("east", [])]),
        make_enrolled={"ann": lambda: MemorySource("ann", make_frames(3))},
    )
    _, report = run(plan)
    assert report is not None
    assert report.num_identities == 0  # known, but nobody was seen
    assert "no person is found" not in caplog.text
    nobody = FakeStage(lambda frame: Detections.none(frame.stamp))
    poor = replace(plan, make_detect=lambda: nobody, output_dir=tmp_path / "poor")  # type: ignore[arg-type,return-value]
    poor.output_dir.mkdir()
    run(poor)
    assert "enrol.ann: 3 of 3 pictures, by name, are poor (number 1: no person is found in it" in caplog.text
    bad = replace(plan, make_embed=lambda: FakeStage(lambda _: None), output_dir=tmp_path / "bad")  # type: ignore[arg-type,return-value]
    bad.output_dir.mkdir()
    with pytest.raises(ConfigError, match=r"enrol\.ann: expected pictures that show a person well"):
        run(bad)
