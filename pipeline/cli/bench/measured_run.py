"""One measured run of the pipeline: its cameras are recordings, and each of them is read to its end."""

import asyncio
import multiprocessing
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import cycle, islice

from pipeline.cli.cameras.checks import check_cameras
from pipeline.config.composition import load_config
from pipeline.config.plan import make_plan
from pipeline.config.schema import PipelineConfig, SiteConfig
from pipeline.core.errors import ConfigError, ConnectorError, SourceLostError
from pipeline.runtime.assembly import start_pipeline
from pipeline.runtime.cluster import join_cluster, leave_cluster
from pipeline.runtime.plan import Plan
from pipeline.runtime.supervisor import supervise
from pipeline.telemetry.batch_status import BatchStatus
from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.match_report import MatchReport
from pipeline.telemetry.process_usage import ProcessUsage, usage_below

MEMORY_EVERY_S = 2.0
"""Seconds between two looks at the memory. More often, looking costs processor time that is counted."""

DRAIN_S = 60.0
"""Seconds for the sinks after the last frame; the run is no measurement if they need longer."""

MAX_TOGETHER = 8
"""Cameras that are opened at the same time to see whether they can be read."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run cost.

    Attributes:
        frames: That were tracked, of all cameras; at least 1.
        start_s: Seconds until the pipeline was ready for its first frame.
        wall_s: From the first frame to the end.
        own: Of our processes: processor time of the frames alone, and the most memory that was seen.
        ray: Of Ray's own processes, likewise.
        batches: By stage.
        work_s: Seconds of work by stage, by the clock.
        sightings: That were published.
        digest: sha256 of the result.
    """

    frames: int
    start_s: float
    wall_s: float
    own: ProcessUsage
    ray: ProcessUsage
    batches: Mapping[str, BatchStatus]
    work_s: Mapping[str, float]
    sightings: int
    digest: str

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of processor time a frame, Ray's own processes included."""
        return 1000 * (self.own.cpu_s + self.ray.cpu_s) / self.frames

    @property
    def frames_per_s(self) -> float:
        """Frames a second, of all cameras together."""
        return self.frames / self.wall_s


def measure_apart(overrides: Sequence[str], number: int) -> Cost:
    """Return the cost of a run with so many cameras, in a process of its own; see ``measure``."""
    try:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            return pool.submit(measure, [*overrides, "sink=[jsonl]"], number).result()
    except BrokenProcessPool as error:
        raise ConnectorError(f"bench: the process with {number} cameras died, as for want of memory") from error


def measure(
    overrides: Sequence[str], number: int | None = None, *, around: AbstractContextManager[object] | None = None
) -> Cost:
    """Return the cost of a run in this process.

    Args:
        overrides: Of the configuration.
        number: Of cameras: those of the configuration again and again, under other names; None takes them once.
        around: Entered when the pipeline is ready, and left at its end.

    Raises:
        ConfigError: If a camera cannot be opened, or is live.
        ConnectorError: If a camera gave no frame or broke off: what is left is no measurement.
    """
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        config = load_config([*overrides, f"output_dir={folder}"])
        plan = plan_of_recordings(config)
        if number is not None:
            plan = make_plan(repeat_cameras(config, number))

        async def measured() -> Cost:
            if plan.processes.kind == "ray":
                join_cluster()
            pipeline = await start_pipeline(plan)
            before, most = usage_below(os.getpid()), [(ProcessUsage(), ProcessUsage())]
            ready_at = time.perf_counter()
            watching = asyncio.create_task(_watch_memory(most))
            with around or nullcontext():
                cameras, report = await supervise(
                    pipeline, stop=asyncio.Event(), drain_s=DRAIN_S, watch=lambda *_: None, watch_every_s=1.0
                )
            wall_s = time.perf_counter() - ready_at
            watching.cancel()
            after = usage_below(os.getpid())
            report = whole(cameras, report)
            own, ray = (_spent(*parts) for parts in zip(before, after, most[0], strict=True))
            batches = {name: sum([await ask() for ask in asks], BatchStatus()) for name, asks in pipeline.busy.items()}
            work = {
                "decode": sum(status.decode_s for status in cameras.values()),
                "track": sum(status.track_s for status in cameras.values()),
                **{name: batch.busy_s for name, batch in batches.items()},
                **report.busy_s,
            }
            frames = sum(status.frames_processed for status in cameras.values())
            start_s = ready_at - began
            return Cost(frames, start_s, wall_s, own, ray, batches, work, report.num_sightings, report.digest)

        try:
            return asyncio.run(measured())
        finally:
            leave_cluster()


def plan_of_recordings(config: PipelineConfig) -> Plan:
    """Return the plan of a configuration whose cameras can be read to an end.

    Raises:
        ConfigError: If one of them cannot be opened, or is live.
    """
    plan = make_plan(config)
    if plan.match.max_lateness_s < float("inf"):
        raise ConfigError("site.cameras: expected recordings, whose end ends a measurement, got a live camera")
    with ThreadPoolExecutor(MAX_TOGETHER, thread_name_prefix="check") as pool:
        check_cameras(config, plan, pool)
    return plan


def repeat_cameras(config: PipelineConfig, number: int) -> PipelineConfig:
    """Return the configuration with so many cameras: its own ones, again and again under other names."""
    own = list(config.site.cameras.items())
    repeated = {f"{name}-{turn}": camera for turn, (name, camera) in enumerate(islice(cycle(own), number))}
    config.site = SiteConfig(cameras=repeated)
    return config


def check_gave_frames(camera_id: str, frames: int) -> None:
    """Raise ``SourceLostError`` if a camera gave no frame."""
    if not frames:
        raise SourceLostError(f"camera {camera_id}: expected frames to measure, got none; name another recording")


def whole(cameras: Mapping[str, CameraStatus], report: MatchReport | None) -> MatchReport:
    """Return the report of a run that can be compared with others.

    Raises:
        ConnectorError: If a camera gave no frame or broke off, or there is no report: the sinks did not keep up.
    """
    for camera_id, status in cameras.items():
        if status.error is not None:
            raise SourceLostError(f"camera {camera_id}: {status.error}")
        check_gave_frames(camera_id, status.frames_processed)
    if report is None:
        raise ConnectorError(f"bench: expected the sinks to accept everything within {DRAIN_S:g} s, they did not")
    return report


async def _watch_memory(most: list[tuple[ProcessUsage, ProcessUsage]]) -> None:
    while True:
        now = await asyncio.to_thread(usage_below, os.getpid())
        most[0] = max(most[0], now, key=lambda both: both[0].pss_mb + both[1].pss_mb)
        await asyncio.sleep(MEMORY_EVERY_S)


def _spent(before: ProcessUsage, after: ProcessUsage, most: ProcessUsage) -> ProcessUsage:
    return ProcessUsage(after.cpu_s - before.cpu_s, most.rss_mb, most.pss_mb, most.shared_mb, after.num)
