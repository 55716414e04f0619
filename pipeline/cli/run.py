"""The program: compose, plan, check, start, watch until the end or a signal, sum up, exit code."""

import asyncio
import logging
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from pipeline.cli.cameras.applier import CameraApplier
from pipeline.cli.cameras.changes import with_added
from pipeline.cli.cameras.checks import check_cameras, check_pictures, check_source
from pipeline.cli.page_after_run import keep_page
from pipeline.cli.process import need_temporary_folder
from pipeline.cli.recordings import continue_recordings, write_recordings
from pipeline.cli.scoring.truth import score_run, true_tables
from pipeline.cli.stop_signals import stop_on_signals
from pipeline.config.cameras import with_changes
from pipeline.config.changed_keys import changed_keys, check_enrolled
from pipeline.config.composition import CONFIGS, load_config, to_yaml
from pipeline.config.edits_of_run import cameras_of_edits
from pipeline.config.kept_cameras import with_kept_cameras
from pipeline.config.places import warn_of_rules
from pipeline.config.plan import check_values, make_plan
from pipeline.config.plugins import check_outside
from pipeline.config.process_limits import is_elsewhere
from pipeline.config.schema import PipelineConfig
from pipeline.core.errors import ConfigError, ConnectorError, PluginError, ReidError, WeightsError
from pipeline.ledger import set_aside
from pipeline.ledger.cameras.book import CameraBook
from pipeline.ledger.cameras.command import ChangedCameras
from pipeline.runtime.assembly import start_pipeline
from pipeline.runtime.cameras.picture_memory import keep_picture_memory
from pipeline.runtime.cluster import join_cluster, leave_cluster
from pipeline.runtime.disk_budget import DiskBudget
from pipeline.runtime.plan import Plan
from pipeline.runtime.running_pipeline import RunningPipeline
from pipeline.runtime.supervisor import supervise
from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.disk_status import DiskStatus
from pipeline.telemetry.drop_watch import DropWatch
from pipeline.telemetry.logs import log_to_file, set_up_logs
from pipeline.telemetry.match_report import MatchReport
from pipeline.telemetry.match_status import MatchStatus
from pipeline.telemetry.metrics import RayMetrics
from pipeline.telemetry.progress import Progress
from pipeline.telemetry.status import in_background, last_status_at, write_status
from pipeline.telemetry.summary import make_summary, print_summary, write_summary

DONE, FAILED = 0, 1

WATCH_EVERY_S = 0.5
"""Seconds between two looks at the status of all actors, for the terminal and the metrics. Fewer cost more calls."""

TRACE = "plugin_error.txt"
"""File of a run's folder that holds the traceback of the plug-in that ended it."""

MAX_TOGETHER = 8
"""Cameras and sinks that are asked at the same time whether they can be used: each may wait seconds for a network.

More use more memory, because a check may decode a picture.
"""

NUM_TOLD = 8
"""Changed keys that are named when a run is continued. More make a line that nobody reads."""

_LOADED_AT = time.perf_counter()

logger = logging.getLogger(__name__)

HELP = """\
passerby run [key=value …]                follow people across the cameras of a site

  site=NAME                                 a place in configs/site/
  'site.cameras={east: /a/east.mp4}'        cameras of your own: a file, a folder of images, rtsp://…, a device number
  runtime=ray | inline                      one process for each actor, or one for all; the result is the same
  replay.speed=max | N                      recordings: as fast as possible, or N times real time
  weights_dir=DIR  output_dir=DIR           where the checkpoints are, and where the results go
  resume=true                               continue the run in output_dir, with its people and their numbers

  --cfg job                                 print the configuration, and run nothing
  --config-dir DIR                          also look for choices in DIR/site/NAME.yaml, DIR/alerts/NAME.yaml, …
                                            (as do the folders in PASSERBY_CONFIG_DIR, separated by colons)

Choices, one file each in configs/:
"""

SHOW = ("--cfg", "-c")
"""Options that print the configuration, as hydra calls them; ``job`` is what is printed."""


def main() -> int:
    """Run what the command line says, and return the exit code."""
    overrides = sys.argv[1:]
    if any(word in ("-h", "--help") for word in overrides):
        print(HELP + _choices())
        return DONE
    set_up_logs()
    return show(overrides) if any(word.partition("=")[0] in SHOW for word in overrides) else run(overrides)


def show(words: list[str]) -> int:
    """Print the configuration that a run would have, secrets masked; return the exit code."""
    rest = [word for word in words if word != "--resolve"]
    at = next(number for number, word in enumerate(rest) if word.partition("=")[0] in SHOW)
    option, equals, kind = rest[at].partition("=")
    kind = kind if equals else " ".join(rest[at + 1 : at + 2])
    try:
        if kind != "job":
            raise ConfigError(f"{option}: expected job, the configuration of the run, got {kind or 'nothing'}")
        config = load_config([*rest[:at], *rest[at + (1 if equals else 2) :]])
        check_values(config)
        warn_of_rules(vars(config.site), config.alerts, config.enrol)
        print(to_yaml(config), end="")
    except ReidError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return DONE


def run(overrides: list[str]) -> int:
    """Run a pipeline and return the exit code; an error is one line on standard error."""
    keep_picture_memory()
    plan = None
    try:
        need_temporary_folder()
        config = load_config(overrides)
        if config.log.file is not None:
            max_bytes = round(config.log.max_mb * 1e6)
            log_to_file(Path(config.log.file), max_bytes=max_bytes, num_files=config.log.files)
        changed = CameraBook(Path(config.output_dir)).changed() if config.resume else ChangedCameras()
        config = with_added(with_kept_cameras(config, cameras_of_edits(config), changed), changed)
        plan = with_changes(make_plan(config), changed)
        _check_pose(overrides, plan)
        plan = _check(config, plan)
        try:
            return asyncio.run(_run(config, plan))
        finally:
            leave_cluster()
    except ReidError as error:
        print(f"error: {error}{_trace_note(error, plan)}", file=sys.stderr)
        return error.exit_code


def _trace_note(error: ReidError, plan: Plan | None) -> str:
    """Write the traceback of a plug-in's error into the folder of the run, if there is one; say where."""
    if not isinstance(error, PluginError) or not error.trace or plan is None or not plan.output_dir.is_dir():
        return ""
    with suppress(OSError):
        (plan.output_dir / TRACE).write_text(error.trace)
        return f"; traceback in {plan.output_dir / TRACE}"
    return ""


def _check_pose(overrides: Sequence[str], plan: Plan) -> None:
    """Raise ``ConfigError`` if a pose network is named that nothing would ask for keypoints."""
    named = [word for word in overrides if word.startswith(("pose=", "pose."))]
    if named and plan.make_pose is None:
        raise ConfigError(
            f"{named[0].partition('=')[0]}: expected an embedder that asks for keypoints, got one that does not, so "
            "nothing would use them; leave it out, or choose one that does, such as embedder=rapa_light"
        )


def _check(config: PipelineConfig, plan: Plan) -> Plan:
    """Raise for mistakes that would otherwise show in an actor, minutes later; return the plan of what goes on."""
    if plan.resume and not plan.output_dir.is_dir():
        raise ConfigError(
            f"resume: expected the folder of an earlier run, got nothing at {plan.output_dir}; correct it"
        )
    if plan.resume:
        check_enrolled(plan.output_dir / "config.yaml", config)
    if plan.resume and (changed := changed_keys(plan.output_dir / "config.yaml", config)):
        more = f" and {len(changed) - NUM_TOLD} more" if len(changed) > NUM_TOLD else ""
        logger.warning(
            "resume: the run in %s had other values of %s%s; what comes from here on is decided by the new ones",
            plan.output_dir,
            ", ".join(changed[:NUM_TOLD]),
            more,
        )
    with ThreadPoolExecutor(MAX_TOGETHER, thread_name_prefix="check") as pool:
        asked = [pool.submit(check_outside, make_sink, f"sink.{name}") for name, make_sink in plan.make_sinks.items()]
        check_cameras(config, plan, pool)
        for name, make_source in plan.make_enrolled.items():
            check_source(make_source, f"enrol.{name}", None)
        plan = continue_recordings(_of(config, plan), plan)
        true_tables(config)
        for sink in asked:
            _settle(sink, is_continued=plan.resume)
    if not is_elsewhere(config):
        plan.make_match()
    return check_pictures(config, plan, plan.make_sources)


def _settle(sink: "Future[None]", *, is_continued: bool) -> None:
    """Raise if a sink cannot be used; that of a run that is continued may be down, and gets all events later."""
    try:
        sink.result()
    except ConfigError as error:
        if not is_continued:
            raise
        logger.warning("%s; it is tried again and again", error)


def _of(config: PipelineConfig, plan: Plan) -> dict[str, object]:
    """Return the cameras of a plan, as entries of ``site.cameras``."""
    return {camera_id: config.site.cameras[camera_id] for camera_id in plan.make_sources}


async def _run(config: PipelineConfig, plan: Plan) -> int:
    stop = stop_on_signals()
    if plan.processes.kind == "ray":
        join_cluster()
    if stop.is_set():
        return _stopped_at_start()
    with _output_dir(plan.output_dir):
        if not plan.resume and (aside := set_aside(plan.output_dir / "ledger.sqlite")) is not None:
            logger.info("the ledger of an earlier run is now %s; resume=true would continue it", aside.name)
        if not plan.resume and (count := CameraBook(plan.output_dir).delete()):
            logger.info("%d camera commands of the earlier run are deleted; they do not concern this one", count)
        starting = asyncio.ensure_future(start_pipeline(plan))
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not starting.done():
            starting.cancel()
            return _stopped_at_start()
        pipeline = starting.result()
        (plan.output_dir / "summary.json").unlink(missing_ok=True)  # of a run before; there is one again at the end
        _write_config(config, plan.output_dir)
        write_recordings(_of(config, plan), plan)
    _print_notes(plan.output_dir)
    seen_at = last_status_at(plan.output_dir) if plan.resume else None
    since = "" if seen_at is None else f", {time.time() - seen_at:.0f} s after the last sign of the run before"
    logger.info("ready %.1f s after the start%s", time.perf_counter() - _LOADED_AT, since)
    began = time.perf_counter()
    max_bytes = None if config.disk.max_gb is None else round(config.disk.max_gb * 1e9)
    disk = DiskBudget(plan.output_dir, max_bytes=max_bytes, min_free_bytes=round(config.disk.min_free_gb * 1e9))
    applier = CameraApplier(config, plan, pipeline)
    cameras, report = await _watch(plan, pipeline, stop, disk, applier)
    if report is None:
        print(f"error: not drained within flow.drain_s = {plan.drain_s:g} s", file=sys.stderr)
        return FAILED
    code = _sum_up(config, applier.plan, cameras, report, time.perf_counter() - began, disk.status)
    if "console" in config.sink and sys.stdin.isatty() and not stop.is_set():
        await keep_page(config.sink["console"], plan.output_dir)
    return code


async def _watch(
    plan: Plan, pipeline: RunningPipeline, stop: asyncio.Event, disk: DiskBudget, applier: CameraApplier
) -> tuple[dict[str, CameraStatus], MatchReport | None]:
    """Run the pipeline to its end, and show meanwhile how it is doing."""
    metrics = RayMetrics() if plan.processes.kind == "ray" else None
    keep_status = partial(write_status, plan.output_dir, pipeline, lambda: disk.status)
    await applier.apply_before_the_first_frame()
    drops = DropWatch()
    with Progress() as progress:

        def watch(cameras: Mapping[str, CameraStatus], match: MatchStatus) -> None:
            progress.show(cameras)
            drops.show(cameras)
            if metrics is not None:
                metrics.show(cameras, match)

        async with in_background(keep_status), in_background(disk.watch), in_background(applier.watch):
            return await supervise(pipeline, stop=stop, drain_s=plan.drain_s, watch=watch, watch_every_s=WATCH_EVERY_S)


def _stopped_at_start() -> int:
    print("stopped before the first frame")
    return DONE


@contextmanager
def _output_dir(folder: Path) -> Iterator[None]:
    """Make the folder before the pipeline needs it; remove it again if the pipeline turns out to be misconfigured."""
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # what it will hold is about people
    except OSError as error:
        raise ConfigError(f"output_dir: cannot be written: {error}; choose another with output_dir=…") from error
    try:
        yield
    except (ConfigError, WeightsError):
        if is_new:
            with suppress(OSError):  # the pipeline came far enough to write something
                folder.rmdir()
        raise


def _print_notes(folder: Path) -> None:
    """Print the notes that sinks left for the person at the terminal, such as the address of a page."""
    for note in sorted(folder.glob("*/open_at.txt")):
        print(note.read_text(), end="", flush=True)
        note.unlink()


def _write_config(config: PipelineConfig, folder: Path) -> None:
    try:
        (folder / "config.yaml").write_text(to_yaml(config))
    except OSError as error:
        raise ConfigError(f"output_dir: cannot be written: {error}; choose another with output_dir=…") from error


def _sum_up(
    config: PipelineConfig,
    plan: Plan,
    cameras: Mapping[str, CameraStatus],
    report: MatchReport,
    wall_s: float,
    disk: DiskStatus,
) -> int:
    is_whole = not any(status.stopped_early or status.error for status in cameras.values())
    is_whole &= not CameraBook(plan.output_dir).commands("done")  # the truth is of all cameras, and of their whole time
    score = score_run(config, plan.output_dir, cameras) if is_whole else None
    summary = make_summary(cameras, report, wall_s, None if score is None else score.summary(), disk)
    try:
        write_summary(summary, plan.output_dir)
    except OSError as error:
        raise ConnectorError(f"summary.json: cannot be written: {error}; make room on the disk") from error
    print_summary(summary, plan.output_dir)
    _print_stopped(config, plan.output_dir, cameras)
    for offset in report.clock_offsets:
        if offset.is_wrong:
            print(f"note: {offset.advice(plan.intakes[offset.camera_id].offset_s)}")
    lost = {camera_id: status for camera_id, status in cameras.items() if status.error is not None}
    for camera_id, status in lost.items():
        word = "error" if status.removed_at is None else "warning"
        print(f"{word}: camera {camera_id}: {status.error}", file=sys.stderr)
    for name in report.behind:
        print(
            f"error: sink.{name}: expected it to accept everything within flow.drain_s = {plan.drain_s:g} s, "
            "it did not; ledger.sqlite holds what it lacks, and resume=true sends it",
            file=sys.stderr,
        )
    for reason in report.unclosed.values():
        print(f"error: {reason}", file=sys.stderr)
    for name, num in report.dropped.items():
        why = report.why_dropped.get(name, "its receiver was too slow or down")
        print(
            f"warning: sink.{name}: {num} records were dropped: {why}; alerts.jsonl and ledger.sqlite have them",
            file=sys.stderr,
        )
    is_lost = any(status.removed_at is None for status in lost.values())
    return FAILED if is_lost or report.behind or report.unclosed else DONE


def _print_stopped(config: PipelineConfig, output_dir: Path, cameras: Mapping[str, CameraStatus]) -> None:
    """Say of recordings that were not read to their end that they were not, and how to go on."""
    stopped = {camera_id: status for camera_id, status in cameras.items() if status.stopped_early}
    if stopped:
        where = ", ".join(
            f"{camera_id} after {status.frames_processed} frames" for camera_id, status in stopped.items()
        )
        unscored = ", not scored" if config.site.truth is not None else ""
        print(f"stopped early{unscored}: {where}; continue with resume=true output_dir={output_dir}")


def _choices() -> str:
    groups = sorted(folder for folder in CONFIGS.iterdir() if folder.is_dir())
    return "\n".join(
        f"  {group.name + '=':<12}{', '.join(sorted(path.stem for path in group.glob('*.yaml')))}" for group in groups
    )
