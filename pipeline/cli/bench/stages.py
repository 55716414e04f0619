"""``passerby bench``: the speed of the pipeline, against that of its bare plug-ins, and how many cameras it can follow.

The floor is a bare loop in this process: it decodes, detects and embeds the same frames and tracklets with the same
plug-ins, one after the other. Then the pipeline runs inline and on Ray. Only the ratio of one run can be compared
with that of another machine.

    passerby bench site=pets_halves                        floor, inline, Ray, and cameras
    passerby bench site=pets_halves bench.passes=10        inline ten times, with the memory after each pass
    passerby bench cameras bench.cameras=1,2,4             what a camera costs; see ``pipeline.cli.bench.cameras``
    passerby bench profile                                 which stage takes it; see ``pipeline.cli.bench.profile``
    passerby bench scale                                   what 1 to 10,000 need; see ``pipeline.cli.bench.scale``

All other keys are those of a run. Keys of the measurements, and of which they are:

    bench.passes=N              of the first alone: this many passes inline, with the memory after each
    bench.cameras=1,2,4,8       of cameras and scale: how many, one run each; of profile: one number
    bench.runtimes=inline,ray   of cameras: where; of scale: one of the two
    bench.turns=1               of cameras: how often all of them are run; the table has medians
    bench.fps=10                of scale: frames a second of a camera
    bench.cores=32              of scale: processors of a machine
    bench.people=1000           of scale: people known at once
"""

import os
import resource
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table

from pipeline.cli.bench.cameras import compare_cameras, overrides_of, read_option, whole_number
from pipeline.cli.bench.measured_run import check_gave_frames, measure, plan_of_recordings
from pipeline.cli.bench.profile import print_profile
from pipeline.cli.bench.scale import model_scale
from pipeline.cli.printing import print_table
from pipeline.config.composition import load_config
from pipeline.core import Tracklet
from pipeline.core.command_line import run_command
from pipeline.runtime.camera_detectors import CameraDetectors
from pipeline.runtime.plan import Plan
from pipeline.telemetry.batch_status import BatchStatus

PASSES = "bench.passes="
"""The option of this command alone; all others are overrides of the configuration."""

CAMERA_FPS = 10.0
"""Frames a second of the cameras that are counted; trackers need 5 to 10 (docs/cameras.md). Larger values fit fewer."""


def main() -> None:
    """Measure as the command line says."""
    run_command(benchmark)


def benchmark(words: list[str]) -> None:
    """Print the table for the configuration that the command line makes."""
    others = {"cameras": compare_cameras, "profile": print_profile, "scale": model_scale}
    if words and words[0] in others:
        others[words[0]](words[1:])
        return
    overrides = overrides_of(words, "bench")
    if passes := read_option(words, PASSES, ""):
        watch_memory(overrides, whole_number(PASSES, passes))
    else:
        compare(overrides)


def compare(overrides: Sequence[str]) -> None:
    """Measure the floor, the pipeline inline and the pipeline on Ray, and print a table."""
    plan = plan_of_recordings(load_config([*overrides, "runtime=inline"]))
    tracklets = _tracklets(plan)
    floor, floor_work = _measure_floor(plan, tracklets)
    table = Table(box=None, pad_edge=False)
    for heading in ("", "frames/s", "of the floor", "start", "where the time goes, ms a frame"):
        table.add_column(heading, justify="left" if heading in ("", "where the time goes, ms a frame") else "right")
    table.add_row("floor: bare plug-ins", f"{floor:.1f}", "1.00", "", _shares(floor_work))
    for runtime in ("inline", "ray"):
        cost = measure([*overrides, f"runtime={runtime}"])
        work = {name: 1000 * seconds / cost.frames for name, seconds in cost.work_s.items()}
        ratio = f"{cost.frames_per_s / floor:.2f}"
        table.add_row(runtime, f"{cost.frames_per_s:.1f}", ratio, f"{cost.start_s:.1f} s", _shares(work))
        print(f"{runtime}: result {cost.digest[:16]}")
        for stage, batch in cost.batches.items():
            if batch.mean_call is not None:
                print(f"{runtime}: {stage}: {batch.mean_call:.1f} in a call of the network ({_sizes(batch)})")
        if runtime == "inline":
            print(sizing(cost.cpu_ms, len(os.sched_getaffinity(0))))
    print_table(table)


def sizing(processor_ms: float, num_cores: int) -> str:
    """Say how many cameras like those of the run a machine can follow.

    Args:
        processor_ms: Processor time that a frame takes, all stages together, milliseconds.
        num_cores: Processor cores.
    """
    num_cameras = int(num_cores * 1000 / (processor_ms * CAMERA_FPS))
    return (
        f"A frame takes {processor_ms:.1f} ms of processor time. {num_cores} cores can follow up to {num_cameras} such "
        f"cameras at {CAMERA_FPS:.0f} frames/s; plan for two thirds of that."
    )


def watch_memory(overrides: Sequence[str], passes: int) -> None:
    """Run the pipeline so many times in this process, and print the resident memory after each pass."""
    for number in range(1, passes + 1):
        cost = measure([*overrides, "runtime=inline"])
        print(f"pass {number}: {cost.frames_per_s:.1f} frames/s, resident {_resident_mb():.0f} MB", flush=True)


def _tracklets(plan: Plan) -> list[Tracklet]:
    """Return the tracklets of the pipeline, so that the floor embeds the same."""
    detectors = CameraDetectors(plan)
    tracklets = []
    for make_source in plan.make_sources.values():
        source, track = make_source(), plan.make_track()
        for frame in source.frames():
            tracklets += track.process([(frame, detectors.find(detectors.prepare(frame)))])
        tracklets += track.flush()
        source.close()
    return tracklets


def _measure_floor(plan: Plan, tracklets: Sequence[Tracklet]) -> tuple[float, dict[str, float]]:
    """Return frames a second of the plug-ins alone, and ms a frame by plug-in."""
    detectors, embed = CameraDetectors(plan), plan.make_embed()
    work = {"decode": 0.0, "detect": 0.0, "embed": 0.0}
    num_frames = 0
    for camera_id, make_source in plan.make_sources.items():
        source, num_before = make_source(), num_frames
        at = time.perf_counter()
        for frame in source.frames():
            prepared = detectors.prepare(frame)
            decoded_at = time.perf_counter()
            detectors.find(prepared)
            done_at = time.perf_counter()
            work["decode"] += decoded_at - at
            work["detect"] += done_at - decoded_at
            at = done_at
            num_frames += 1
        source.close()
        check_gave_frames(camera_id, num_frames - num_before)
    began = time.perf_counter()
    for tracklet in tracklets:
        embed.process([tracklet])
    work["embed"] = time.perf_counter() - began
    return num_frames / sum(work.values()), {name: 1000 * seconds / num_frames for name, seconds in work.items()}


def _sizes(batch: BatchStatus) -> str:
    """Return how many calls there were of each size, the histogram."""
    return ", ".join(f"{count} × {size}" for size, count in batch.calls.items())


def _shares(work_ms: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {ms:.2f}" for name, ms in work_ms.items())


def _resident_mb() -> float:
    """Return the resident memory now, MB; the peak where the system does not report it."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
