"""The program: compose, check, start, wait for the end or a signal, sum up, exit code."""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np

from pipeline.config.composition import CONFIGS, load_config, to_yaml
from pipeline.config.plan import Plan, make_plan
from pipeline.config.schema import PipelineConfig
from pipeline.core.errors import ConfigError, ConnectorError, ReidError, WeightsError
from pipeline.embedding.enrolment import enrolment_tracklet
from pipeline.evaluation.track_table import TrackTable
from pipeline.evaluation.tracking import TrackingScore, score_tracks
from pipeline.evaluation.truth import cut_out, read_mot, read_mot_truth, read_pets
from pipeline.ledger import set_aside
from pipeline.runtime.batch_actor import BatchActor
from pipeline.runtime.camera_actor import CameraActor
from pipeline.runtime.cluster import join_cluster, leave_cluster
from pipeline.runtime.match_actor import MatchActor
from pipeline.runtime.supervisor import Factories, RunningPipeline, Share, start_inline, start_on_ray, supervise
from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.logs import set_up_logs
from pipeline.telemetry.match_report import MatchReport
from pipeline.telemetry.match_status import MatchStatus
from pipeline.telemetry.metrics import RayMetrics
from pipeline.telemetry.progress import Progress
from pipeline.telemetry.status import in_background, write_status
from pipeline.telemetry.summary import make_summary, print_summary, write_summary

DONE, FAILED = 0, 1
READ_TRUTH = {"pets_xml": read_pets, "mot": read_mot_truth}

_LOADED_AT = time.perf_counter()

logger = logging.getLogger(__name__)

HELP = """\
python pipeline/run.py [key=value …]        follows people across the cameras of a site

  site=NAME                                 a place in configs/site/
  'site.cameras={east: /a/east.mp4}'        your own cameras: a file, a folder of images, rtsp://…, a device number
  runtime=ray | inline                      actors, or one process; the same result either way
  replay.speed=max | N                      recordings: as fast as possible, or N times real time
  weights_dir=DIR  output_dir=DIR           where checkpoints are, where the results go
  resume=true                               go on with the people and numbers of the run that output_dir holds

Choices, one file each in configs/:
"""


def main() -> NoReturn:
    """Run what the command line asks for, and exit."""
    overrides = sys.argv[1:]
    if any(word in ("-h", "--help") for word in overrides):
        print(HELP + _choices())
        sys.exit(DONE)
    set_up_logs()
    code = run(overrides)
    sys.stdout.flush()
    sys.exit(code)


def run(overrides: list[str]) -> int:
    """Run the line and return the exit code; errors are told in one line on standard error."""
    try:
        config = load_config(overrides)
        plan = make_plan(config)
        true_tables(config)
        for make_source in (*plan.make_sources.values(), *plan.make_enrolled.values()):
            source = make_source()
            source.check()
            source.close()
        plan.make_match()  # mistakes in the site and in alert rules are found here, not in an actor
        plan.make_alert()
        try:
            return asyncio.run(_run(config, plan))
        finally:
            leave_cluster()
    except ReidError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


async def _run(config: PipelineConfig, plan: Plan) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    if config.runtime.kind == "ray":
        join_cluster()
    with _output_dir(plan.output_dir):
        if not config.resume and (aside := set_aside(plan.output_dir / "ledger.sqlite")) is not None:
            logger.info("the ledger of an earlier run is now %s; resume=true goes on with it", aside.name)
        running = await start_pipeline(config, plan)
        await _enrol(plan, running)
        _write_config(config, plan.output_dir)
    _show_notes(plan.output_dir)
    logger.info("ready %.1f s after the start", time.perf_counter() - _LOADED_AT)
    began = time.perf_counter()
    metrics = RayMetrics() if config.runtime.kind == "ray" else None
    with Progress() as progress:

        def watch(cameras: Mapping[str, CameraStatus], match: MatchStatus) -> None:
            progress.show(cameras)
            if metrics is not None:
                metrics.show(cameras, match)

        keep_status = partial(write_status, plan.output_dir, running) if plan.make_monitors else None
        async with in_background(keep_status):
            cameras, report = await supervise(
                running, stop=stop, drain_s=config.flow.drain_s, watch=watch, watch_every_s=0.5
            )
    if report is None:
        print(f"error: not drained within flow.drain_s = {config.flow.drain_s} s", file=sys.stderr)
        return FAILED
    return _sum_up(config, plan, cameras, report, time.perf_counter() - began)


@contextmanager
def _output_dir(folder: Path) -> Iterator[None]:
    """Make the folder before the line needs it; take it away again if the line then turns out to be misconfigured."""
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"output_dir: cannot be written: {error}; choose another with output_dir=…") from error
    try:
        yield
    except (ConfigError, WeightsError):
        if is_new:
            with suppress(OSError):  # there is something in it: the line got that far
                folder.rmdir()
        raise


def _show_notes(folder: Path) -> None:
    """Print what a sink has to say to whoever started the run: where its page is, for instance."""
    for note in sorted(folder.glob("*/open_at.txt")):
        print(note.read_text(), end="", flush=True)
        note.unlink()


def _write_config(config: PipelineConfig, folder: Path) -> None:
    try:
        (folder / "config.yaml").write_text(to_yaml(config))
    except OSError as error:
        raise ConfigError(f"output_dir: cannot be written: {error}; choose another with output_dir=…") from error


async def _enrol(plan: Plan, running: RunningPipeline) -> None:
    """Make the people known that the configuration has pictures of; they are 1, 2, … in its order."""
    for number, (name, make_source) in enumerate(plan.make_enrolled.items(), start=1):
        source = make_source()
        tracklet = enrolment_tracklet(name, number, source.frames(), plan.crop_size_hw)
        source.close()
        embedding = await running.embed(await running.pose(tracklet))
        if embedding is None:
            raise ConfigError(f"enrol.{name}: expected pictures that show a person well, got none that does")
        await running.enrol(number, embedding)


def _sum_up(
    config: PipelineConfig, plan: Plan, cameras: Mapping[str, CameraStatus], report: MatchReport, wall_s: float
) -> int:
    score = quality(config, plan.output_dir)
    summary = make_summary(cameras, report, wall_s, None if score is None else score.summary())
    try:
        write_summary(summary, plan.output_dir)
    except OSError as error:
        raise ConnectorError(f"summary.json: cannot be written: {error}; make room on the disk") from error
    print_summary(summary, plan.output_dir)
    lost = {camera_id: status.error for camera_id, status in cameras.items() if status.error is not None}
    for camera_id, reason in lost.items():
        print(f"error: camera {camera_id}: {reason}", file=sys.stderr)
    for name in report.behind:
        print(
            f"error: sink.{name}: expected to take everything within flow.drain_s = {config.flow.drain_s:g} s, "
            "it did not; what it lacks is in ledger.sqlite",
            file=sys.stderr,
        )
    return FAILED if lost or report.behind else DONE


async def start_pipeline(config: PipelineConfig, plan: Plan) -> RunningPipeline:
    """Build the line of a plan on the configured runtime, ready for its first frame."""
    batch = partial(BatchActor, max_items=config.runtime.batch.max_items, max_wait_s=config.runtime.batch.max_wait_s)
    make_batches = {"detect": partial(batch, plan.make_detect), "embed": partial(batch, plan.make_embed)}
    if plan.make_pose is not None:
        make_batches["pose"] = partial(batch, plan.make_pose)
    factories = Factories(
        make_camera={
            camera_id: partial(
                CameraActor,
                make_source=make_source,
                make_track=plan.make_track,
                input_hw=plan.input_hw,
                limits=plan.limits,
                make_monitor=plan.make_monitors.get(camera_id),
            )
            for camera_id, make_source in plan.make_sources.items()
        },
        make_batches=make_batches,
        make_match=partial(
            MatchActor,
            camera_ids=tuple(plan.make_sources),
            make_match=plan.make_match,
            make_alert=plan.make_alert,
            make_sinks=plan.make_sinks,
            ledger_path=plan.output_dir / "ledger.sqlite",
            window_s=config.matcher.window_s,
            max_lateness_s=_max_lateness_s(config, plan),
            flush_every_s=config.flow.flush_every_s,
            max_waiting_embeddings=config.flow.max_waiting_embeddings,
            retention_s=config.ledger.retention_s,
            max_events=config.ledger.max_events,
        ),
    )
    runtime = config.runtime
    shares = {
        name: Share(share.num_cpus, share.num_gpus, share.replicas)
        for name, share in (
            ("camera", runtime.camera),
            ("detect", runtime.detect),
            ("pose", runtime.pose),
            ("embed", runtime.embed),
            ("match", runtime.match),
        )
    }
    if runtime.kind == "inline":
        return await start_inline(factories, shares)
    return await start_on_ray(
        factories,
        shares,
        max_restarts=runtime.max_restarts,
        checkpoint_every_s=runtime.checkpoint_every_s,
    )


def _max_lateness_s(config: PipelineConfig, plan: Plan) -> float:
    """Recordings are waited for, however slow: their result must not depend on speed."""
    is_live = any(make_source().live for make_source in plan.make_sources.values())
    return config.matcher.max_lateness_s if is_live else float("inf")


def true_tables(config: PipelineConfig) -> dict[str, TrackTable] | None:
    """Return who truly was where in each camera; None where the site has no truth.

    Where people who return keep their number, they do in the truth as well.

    Raises:
        ConfigError: If the truth is of an unknown format or not there.
    """
    truth = config.site.truth
    if truth is None:
        return None
    if truth.format not in READ_TRUTH:
        raise ConfigError(f"site.truth.format: expected one of {sorted(READ_TRUTH)}, got {truth.format}")
    if "{camera_id}" in truth.file:
        return {
            camera_id: _read_truth(truth.format, Path(truth.file.replace("{camera_id}", camera_id)))
            for camera_id in config.site.cameras
        }
    whole = _read_truth(truth.format, Path(truth.file))
    if config.matcher.leave_after_s == float("inf"):
        ids = [truth.returns.get(str(number), number) for number in whole.ids.tolist()]
        whole = replace(whole, ids=np.array(ids, np.int64))
    return {
        camera_id: whole if crop is None else cut_out(whole, tuple(crop)) for camera_id, crop in truth.crops.items()
    }


def _read_truth(format_: str, path: Path) -> TrackTable:
    if not path.is_file():
        raise ConfigError(f"site.truth.file: expected a file, got {path}; leave site.truth out or correct it")
    return READ_TRUTH[format_](path)


def quality(config: PipelineConfig, output_dir: Path) -> TrackingScore | None:
    """Return the score of a run against the truth, where the site has one and the run wrote MOT text."""
    truth = true_tables(config)
    if truth is None or "mot" not in config.sink:
        return None
    return score_tracks(truth, found_tables(truth, output_dir))


def found_tables(camera_ids: Iterable[str], output_dir: Path) -> dict[str, TrackTable]:
    """Return who was where in each camera, as the MOT text of a run says."""
    return {camera_id: read_mot(output_dir / "mot" / f"{camera_id}.txt") for camera_id in camera_ids}


def _choices() -> str:
    groups = sorted(folder for folder in CONFIGS.iterdir() if folder.is_dir())
    return "\n".join(
        f"  {group.name + '=':<12}{', '.join(sorted(path.stem for path in group.glob('*.yaml')))}" for group in groups
    )
