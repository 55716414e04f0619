"""``passerby bench scale``: what a site of 1 to 10,000 cameras needs, from what 1, 2, 4 and 8 cost here.

The runs are those of ``passerby bench cameras``, on Ray, or in one process with ``bench.runtimes=inline``. The model is
fitted to all but the last of them and checked against all. Nothing is claimed of GPUs that were not measured: give
device=cuda where there is one.

    passerby bench scale                                     the demo's cameras, 10 frames/s each
    passerby bench scale bench.cameras=1,2,4,8,16 bench.fps=25 bench.cores=32 'site.cameras={a: /a/clip.mp4}'
"""

import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from pipeline.cli.bench.cameras import RUNTIMES, overrides_of, read_numbers, read_option, whole_number
from pipeline.cli.bench.measured_run import Cost, measure_apart
from pipeline.cli.printing import print_table
from pipeline.config.composition import load_config
from pipeline.config.plan import make_plan
from pipeline.config.plugins import build
from pipeline.config.schema import PipelineConfig
from pipeline.core import Embedding, FrameStamp, Identity, TrackId, TrackPath
from pipeline.core.camera_uri import file_path, uri_kind
from pipeline.core.errors import ConfigError
from pipeline.evaluation.scale import MeasuredRun, Need, UnitCosts, fit_line, need_of

FPS, CORES, PEOPLE = "bench.fps=", "bench.cores=", "bench.people="
"""Options of this command alone: frames a second of a camera, processors of a machine, people known at once."""
SPACE = "bench"
SITES = (1, 10, 100, 1000, 10_000)
GALLERY_SIZES = (1000, 5000)
"""People between which the growth of a search is measured. More take longer and vary less."""


def model_scale(words: Sequence[str]) -> None:
    """Print the check and the table for the configuration that the command line makes."""
    overrides = overrides_of(words, "bench scale")
    overrides.append(f"runtime={read_option(words, RUNTIMES, 'ray')}")
    fps = _positive(words, FPS, "10")
    cores = whole_number(CORES, read_option(words, CORES, str(os.cpu_count())))
    people = whole_number(PEOPLE, read_option(words, PEOPLE, "1000"))
    measured = [(number, measure_apart(overrides, number)) for number in read_numbers(words)]
    runs = [
        MeasuredRun(number, cost.frames, cost.own.cpu_s + cost.ray.cpu_s, cost.own.pss_mb, cost.sightings)
        for number, cost in measured
    ]
    config = load_config(overrides)
    costs = unit_costs(runs, measured[-1][1], config)
    _print_check(runs)
    print(
        f"a frame: {costs.frame_cpu_ms:.1f} ms of processor time, {costs.video_kb:.0f} kB of video, "
        f"{costs.pixels_kb:.0f} kB to another process; a sighting: {costs.sighting_match_ms:.2f} ms of the matcher and "
        f"{costs.search_us:.2f} µs for each person known; load of the machine {os.getloadavg()[0]:.1f}"
    )
    needs = [need_of(site, costs, fps=fps, cores_a_machine=cores, people=people) for site in SITES]
    _print_needs(needs, is_gpu_measured=costs.frame_gpu_ms > 0, fps=fps, cores=cores, people=people)


def unit_costs(runs: Sequence[MeasuredRun], largest: Cost, config: PipelineConfig) -> UnitCosts:
    """Return what a frame and a sighting cost.

    Args:
        runs: Measured, the last one for the check alone.
        largest: The cost of the last one, by stage.
        config: Of the runs.
    """
    fitted = runs[:-1] or runs
    base_mb, camera_mb = fit_line([run.cameras for run in fitted], [run.memory_mb for run in fitted])
    _, frame_cpu_s = fit_line([run.frames for run in fitted], [run.cpu_s for run in fitted])
    plan = make_plan(config)
    is_beside = plan.processes.kind == "inline" or plan.processes.shares["detect"].beside_cameras
    on_gpu = [stage for stage, node in (("detect", config.detector), ("embed", config.embedder)) if _is_cuda(node)]
    # Stages tell seconds by the clock, which are too many where other programs take processors away.
    share = min(1.0, (largest.own.cpu_s + largest.ray.cpu_s) / max(1e-9, sum(largest.work_s.values())))
    match_s = share * sum(largest.work_s.get(name, 0.0) for name in ("match", "alert", "publish"))
    return UnitCosts(
        frame_cpu_ms=1000 * frame_cpu_s,
        frame_gpu_ms=1000 * sum(largest.work_s.get(stage, 0.0) for stage in on_gpu) / largest.frames,
        sighting_match_ms=1000 * match_s / max(1, largest.sightings),
        search_us=_search_us(config),
        sightings_per_frame=largest.sightings / largest.frames,
        video_kb=_video_kb(config, largest.frames / runs[-1].cameras),
        pixels_kb=0.0 if is_beside else plan.input_hw[0] * plan.input_hw[1] * 3 / 1000,
        base_mb=base_mb,
        camera_mb=camera_mb,
    )


def _search_us(config: PipelineConfig) -> float:
    """Return the microseconds by which a search in the gallery grows with each person in it."""
    seconds = []
    for size in GALLERY_SIZES:
        gallery = build(config.gallery, "gallery", allow=config.allow_plugins)()
        vectors = np.random.default_rng(0).normal(size=(size, 256)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        for number, vector in enumerate(vectors, start=1):
            gallery.put(Identity(number, SPACE, vector[None].copy(), 0.0, 0.0, ("bench",)))
        asked = _embedding(vectors[0])
        gallery.nearest(asked, 10)
        began = time.perf_counter()
        for _ in range(20):
            gallery.nearest(asked, 10)
        seconds.append((time.perf_counter() - began) / 20)
    return max(0.0, 1e6 * (seconds[1] - seconds[0]) / (GALLERY_SIZES[1] - GALLERY_SIZES[0]))


def _embedding(vector: NDArray[np.float32]) -> Embedding:
    """Return an embedding with this vector, to search with."""
    stamp, box_xyxy = FrameStamp("bench", 0, 0.0), np.array([0, 0, 1, 1], np.float32)
    path = TrackPath(np.zeros(1, np.int64), np.zeros(1), box_xyxy[None].copy(), np.ones(1, np.float32), (1, 1))
    track = TrackId("bench", 0, 1)
    return Embedding(track, 0, stamp, stamp, box_xyxy, SPACE, vector.copy(), 1.0, path, 0.0, is_last=False)


def _video_kb(config: PipelineConfig, frames_a_camera: float) -> float:
    """Return the kilobytes of a frame of the site's video files; 0 where there are none."""
    sizes = []
    for camera in config.site.cameras.values():
        uri = str(camera["uri"] if hasattr(camera, "keys") else camera)
        if uri_kind(uri) == "file" and file_path(uri).is_file():
            sizes.append(file_path(uri).stat().st_size / 1000)
    return float(np.mean(sizes)) / frames_a_camera if sizes else 0.0


def _is_cuda(node: Any) -> bool:
    return bool(node.get("device") == "cuda")


def _print_check(runs: Sequence[MeasuredRun]) -> None:
    fitted = runs[:-1] or runs
    base_s, frame_s = fit_line([run.frames for run in fitted], [run.cpu_s for run in fitted])
    base_mb, camera_mb = fit_line([run.cameras for run in fitted], [run.memory_mb for run in fitted])
    table = Table(box=None, pad_edge=False)
    for heading in ("cameras", "CPU s", "model", "off by", "PSS MB", "model", "off by"):
        table.add_column(heading, justify="right")
    for run in runs:
        cpu_s, memory_mb = base_s + frame_s * run.frames, base_mb + camera_mb * run.cameras
        table.add_row(
            str(run.cameras),
            *(f"{run.cpu_s:.1f}", f"{cpu_s:.1f}", f"{cpu_s / run.cpu_s - 1:+.0%}"),
            *(f"{run.memory_mb:.0f}", f"{memory_mb:.0f}", f"{memory_mb / run.memory_mb - 1:+.0%}"),
        )
    print_table(table)
    if len(runs) > 1:
        print(f"the model is fitted without the run of {runs[-1].cameras} cameras")


def _print_needs(needs: Sequence[Need], *, is_gpu_measured: bool, fps: float, cores: int, people: int) -> None:
    table = Table(box=None, pad_edge=False)
    headings = ("cameras", "processors", "GPUs", "machines", "memory GB", "video Mbit/s", "pixels Mbit/s", "matcher")
    for heading in headings:
        table.add_column(heading, justify="right")
    table.add_column("full first")
    for need in needs:
        table.add_row(
            f"{need.cameras:,}",
            f"{need.cores:,.1f}",
            f"{need.gpus:,.1f}" if is_gpu_measured else "–",
            f"{need.machines:,}",
            f"{need.memory_gb:,.1f}",
            f"{need.video_mbit_s:,.1f}",
            f"{need.pixels_mbit_s:,.1f}",
            f"{need.matcher_load:.0%}",
            need.bottleneck,
        )
    print(
        f"{fps:g} frames/s a camera, machines of {cores} processors, {people:,} people known; nothing fuller than 70 %"
    )
    print_table(table)


def _positive(words: Sequence[str], name: str, usual: str) -> float:
    text = read_option(words, name, usual)
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ConfigError(f"{name.rstrip('=')}: expected a number above 0, got {text!r}; correct it")
    return value
