"""``passerby bench cameras``: what a camera costs, in processor time and memory, as cameras are added.

Every measurement is a run in a process of its own, with the site's cameras again under other names. It ends before the
processes do, so that what Ray itself needs to start and to stop is not in it.

    passerby bench cameras                                       1, 2, 4 and 8 cameras, inline and on Ray
    passerby bench cameras bench.cameras=16 'site.cameras={a: /a/clip.mp4}'
"""

import asyncio
import multiprocessing
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice

from rich.table import Table

from pipeline.cli.printing import print_table
from pipeline.config.composition import load_config
from pipeline.config.plan import make_plan
from pipeline.config.schema import PipelineConfig, SiteConfig
from pipeline.core.errors import ConfigError
from pipeline.runtime.assembly import start_pipeline
from pipeline.runtime.cluster import join_cluster, leave_cluster
from pipeline.runtime.supervisor import supervise
from pipeline.telemetry.batch_status import BatchStatus
from pipeline.telemetry.process_usage import ProcessUsage, usage_below

NUMBERS, RUNTIMES = "bench.cameras=", "bench.runtimes="
"""Options of this command alone; all others are overrides of the configuration."""

MEMORY_EVERY_S = 2.0
"""Seconds between two looks at the memory. More often, looking costs processor time that is counted."""

DRAIN_S = 60.0
"""Seconds for the sinks after the last frame."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run cost.

    Attributes:
        frames: That were tracked, of all cameras.
        wall_s: From the first frame to the end.
        own: Of our processes: processor time of the frames alone, and the most memory that was seen.
        ray: Of Ray's own processes, likewise.
        batches: By stage.
        work_s: Seconds of work by stage.
        sightings: That were published.
        digest: sha256 of the result.
    """

    frames: int
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


def compare_cameras(words: Sequence[str]) -> None:
    """Print the table for the configuration that the command line makes."""
    overrides = [word for word in words if not word.startswith((NUMBERS, RUNTIMES))]
    numbers = read_numbers(words)
    table = Table(box=None, pad_edge=False)
    headings = ("runtime", "cameras", "frames/s", "CPU ms a frame", "of it Ray's own", "RSS MB", "PSS MB", "shared MB")
    for heading in (*headings, "Ray's own PSS", "detect, frames a call"):
        table.add_column(heading, justify="left" if heading == "runtime" else "right")
    for runtime in read_option(words, RUNTIMES, "inline,ray").split(","):
        for number in numbers:
            cost = measure_apart([*overrides, f"runtime={runtime}"], number)
            table.add_row(runtime, str(number), *_cells(cost))
            print(f"{runtime}, {number} cameras: {cost.cpu_ms:.1f} ms a frame, result {cost.digest[:12]}", flush=True)
    print(f"load of the machine before and after a run is part of a measurement: {os.getloadavg()[0]:.1f} now")
    print_table(table)


def measure_apart(overrides: Sequence[str], number: int) -> Cost:
    """Return the cost of a run with so many cameras, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, list(overrides), number).result()


def measure(overrides: Sequence[str], number: int) -> Cost:
    """Return the cost of a run with so many cameras, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        plan = make_plan(repeat_cameras(load_config([*overrides, f"output_dir={folder}", "sink=[jsonl]"]), number))

        async def measured() -> Cost:
            if plan.processes.kind == "ray":
                join_cluster()
            pipeline = await start_pipeline(plan)
            before, most = usage_below(os.getpid()), [(ProcessUsage(), ProcessUsage())]
            began = time.perf_counter()
            watching = asyncio.create_task(_watch_memory(most))
            cameras, report = await supervise(
                pipeline, stop=asyncio.Event(), drain_s=DRAIN_S, watch=lambda *_: None, watch_every_s=1.0
            )
            wall_s = time.perf_counter() - began
            watching.cancel()
            after = usage_below(os.getpid())
            assert report is not None
            own, ray = (_spent(*parts) for parts in zip(before, after, most[0], strict=True))
            batches = {name: sum([await ask() for ask in asks], BatchStatus()) for name, asks in pipeline.busy.items()}
            work = {
                "decode": sum(status.decode_s for status in cameras.values()),
                "track": sum(status.track_s for status in cameras.values()),
                **{name: batch.busy_s for name, batch in batches.items()},
                **report.busy_s,
            }
            frames = sum(status.frames_processed for status in cameras.values())
            return Cost(frames, wall_s, own, ray, batches, work, report.num_sightings, report.digest)

        try:
            return asyncio.run(measured())
        finally:
            leave_cluster()


def repeat_cameras(config: PipelineConfig, number: int) -> PipelineConfig:
    """Return the configuration with so many cameras: its own ones, again and again under other names."""
    own = list(config.site.cameras.items())
    repeated = {f"{name}-{turn}": camera for turn, (name, camera) in enumerate(islice(cycle(own), number))}
    config.site = SiteConfig(cameras=repeated)
    return config


async def _watch_memory(most: list[tuple[ProcessUsage, ProcessUsage]]) -> None:
    while True:
        now = await asyncio.to_thread(usage_below, os.getpid())
        most[0] = max(most[0], now, key=lambda both: both[0].pss_mb + both[1].pss_mb)
        await asyncio.sleep(MEMORY_EVERY_S)


def _spent(before: ProcessUsage, after: ProcessUsage, most: ProcessUsage) -> ProcessUsage:
    return ProcessUsage(after.cpu_s - before.cpu_s, most.rss_mb, most.pss_mb, most.shared_mb, after.num)


def _cells(cost: Cost) -> list[str]:
    detect = cost.batches["detect"].mean_call
    memory = (cost.own.rss_mb, cost.own.pss_mb, cost.own.shared_mb, cost.ray.pss_mb)
    return [
        f"{cost.frames / cost.wall_s:.1f}",
        f"{cost.cpu_ms:.1f}",
        f"{1000 * cost.ray.cpu_s / cost.frames:.1f}",
        *(f"{value:.0f}" for value in memory),
        "–" if detect is None else f"{detect:.1f}",
    ]


def read_numbers(words: Sequence[str]) -> list[int]:
    """Return the numbers of cameras that the command line asks for."""
    return [_number(text) for text in read_option(words, NUMBERS, "1,2,4,8").split(",")]


def read_option(words: Sequence[str], name: str, usual: str) -> str:
    """Return what an option of this command says, or what it says if it is not there."""
    return next((word[len(name) :] for word in words if word.startswith(name)), usual)


def _number(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ConfigError(f"{NUMBERS.rstrip('=')}: expected numbers of cameras, as 1,2,4, got {text!r}; correct it")
    return int(text)
