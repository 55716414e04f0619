"""One site of a job, from its checks to its last word."""

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from pipeline.cli.cameras.applier import CameraApplier
from pipeline.cli.cameras.changes import with_added
from pipeline.cli.cameras.checks import check_cameras, check_pictures, check_source
from pipeline.cli.recordings import continue_recordings, write_recordings
from pipeline.cli.running.end import FAILED, sum_up
from pipeline.cli.scoring.truth import true_tables
from pipeline.config.cameras import with_changes
from pipeline.config.changed_keys import changed_keys, check_enrolled
from pipeline.config.composition import to_yaml
from pipeline.config.edits_of_run import as_run, cameras_of_edits
from pipeline.config.kept_cameras import with_kept_cameras
from pipeline.config.plan import make_plan
from pipeline.config.plugins import check_outside
from pipeline.config.process_limits import is_elsewhere
from pipeline.config.schema import PipelineConfig
from pipeline.core.errors import ConfigError, ConnectorError, PluginError, ReidError, WeightsError
from pipeline.ledger import set_aside
from pipeline.ledger.cameras.book import CameraBook
from pipeline.ledger.cameras.command import ChangedCameras
from pipeline.runtime.disk_budget import DiskBudget
from pipeline.runtime.plan import Plan
from pipeline.runtime.running_pipeline import RunningPipeline
from pipeline.runtime.supervisor import supervise
from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.match_status import MatchStatus
from pipeline.telemetry.status import in_background, last_status_at, write_last_status, write_status

TRACE = "plugin_error.txt"
"""File of a run's folder that holds the traceback of the plug-in that ended it."""

WATCH_EVERY_S = 0.5
"""Seconds between two looks at the status of all actors, for the terminal and the metrics. Fewer cost more calls."""

MAX_TOGETHER = 8
"""Cameras and sinks that are asked at the same time whether they can be used: each may wait seconds for a network.

More use more memory, because a check may decode a picture.
"""

NUM_TOLD = 8
"""Changed keys that are named when a run is continued. More make a line that nobody reads."""

Watch = Callable[[Mapping[str, CameraStatus], MatchStatus], None]

logger = logging.getLogger(__name__)


class SiteRun:
    """A site with a run of its own. What goes wrong with it is said with its name, and does not concern the others.

    Args:
        name: Of the site; empty if it is alone.
        config: Of the site.

    Attributes:
        code: Exit code; None as long as it goes on.
        error: What ended it, if it failed.
        plan: What is run, once ``check`` has made it.
    """

    def __init__(self, name: str, config: PipelineConfig) -> None:
        self.name, self.config = name, config
        self.code: int | None = None
        self.error: str | None = None
        self.plan: Plan
        self.pipeline: RunningPipeline
        self._said = f"site {name}: " if name else ""
        self._folder = Path(config.output_dir).absolute()
        self._has_new_folder = False

    def check(self, words: Sequence[str]) -> None:
        """Make the plan, and find mistakes that would otherwise show in an actor, minutes later.

        Args:
            words: Of the command line.
        """
        with self._failing_alone():
            if self.name and self.config.resume and not (self._folder / "ledger.sqlite").exists():
                logger.info("%sthe job before did not have it, so it begins anew", self._said)
                self.config = replace(self.config, resume=False)
            changed = CameraBook(self._folder).changed() if self.config.resume else ChangedCameras()
            kept = with_kept_cameras(self.config, cameras_of_edits(self.config), changed)
            self.config = with_added(kept, changed)
            self.plan = with_changes(make_plan(self.config), changed)
            _check_pose(words, self.plan)
            self.plan = _check(self.config, self.plan)

    def open_folder(self) -> None:
        """Make the output folder before the pipeline needs it, without what a run before left that is not continued."""
        with self._failing_alone():
            self._has_new_folder = not self._folder.exists()
            try:
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # what it will hold is about people
            except OSError as error:
                raise _cannot_write(error) from error
            if self.plan.resume:
                return
            if (aside := set_aside(self._folder / "ledger.sqlite")) is not None:
                name = aside.name
                logger.info("%sthe ledger of an earlier run is now %s; resume=true would continue it", self._said, name)
            if count := CameraBook(self._folder).delete():
                logger.info("%d camera commands of the earlier run are deleted; they do not concern this one", count)

    def begin(self, started: RunningPipeline | ReidError) -> None:
        """Note in the folder what is run; ``started`` is the pipeline, or what keeps it from starting."""
        with self._failing_alone():
            if isinstance(started, ReidError):
                raise started
            self.pipeline = started
            (self._folder / "summary.json").unlink(missing_ok=True)  # of a run before; there is one again at the end
            try:
                (self._folder / "config.yaml").write_text(to_yaml(as_run(self.config, self.plan)))
            except OSError as error:
                raise _cannot_write(error) from error
            write_recordings(_of(self.config, self.plan), self.plan)
            self._has_new_folder = False
            self._print_notes()

    def tell_ready(self, after_s: float) -> None:
        """Log that the first frame can come, so many seconds after the start of the program."""
        seen_at = last_status_at(self._folder) if self.plan.resume else None
        since = "" if seen_at is None else f", {time.time() - seen_at:.0f} s after the last sign of the run before"
        logger.info("%sready %.1f s after the start%s", self._said, after_s, since)

    async def run(self, stop: asyncio.Event, watch: Watch, end: Callable[[], None]) -> None:
        """Follow people until all cameras have ended or ``stop`` is set, and sum up.

        Args:
            stop: Set from outside.
            watch: Called with the newest status.
            end: Called when there is no newer one, before anything is printed.
        """
        with self._failing_alone():
            began = time.monotonic()
            disk = DiskBudget(
                self._folder,
                max_bytes=None if self.config.disk.max_gb is None else round(self.config.disk.max_gb * 1e9),
                min_free_bytes=round(self.config.disk.min_free_gb * 1e9),
            )
            applier = CameraApplier(self.config, self.plan, self.pipeline)
            keep_status = partial(write_status, self._folder, self.pipeline, lambda: disk.status)
            try:
                await applier.apply_before_the_first_frame()
                async with in_background(keep_status), in_background(disk.watch), in_background(applier.watch):
                    cameras, report = await supervise(
                        self.pipeline, stop=stop, drain_s=self.plan.drain_s, watch=watch, watch_every_s=WATCH_EVERY_S
                    )
            finally:
                end()
            write_last_status(self._folder, cameras)
            if self.name:
                print(f"site {self.name}")
            if report is None:
                raise ConnectorError(f"not drained within flow.drain_s = {self.plan.drain_s:g} s")
            wall_s = time.monotonic() - began
            self.code = sum_up(self.config, applier.plan, cameras, report, wall_s, disk.status)

    @contextmanager
    def _failing_alone(self) -> Iterator[None]:
        """Say what goes wrong in this, and end the site with it."""
        try:
            yield
        except ReidError as error:
            self.error, self.code = str(error), error.exit_code
            print(f"error: {self._said}{error}{self._trace_note(error)}", file=sys.stderr)
            if self._has_new_folder and isinstance(error, ConfigError | WeightsError):
                with suppress(OSError):  # the pipeline came far enough to write something
                    self._folder.rmdir()
        except Exception as error:  # a fault of ours; the other sites go on all the same
            if not self.name:
                raise
            self.error, self.code = f"{type(error).__name__}: {error}", FAILED
            logger.exception("%sended by a fault in the program", self._said)

    def _trace_note(self, error: ReidError) -> str:
        """Write the traceback of a plug-in's error into the folder of the run, if there is one; say where."""
        if not isinstance(error, PluginError) or not error.trace or not self._folder.is_dir():
            return ""
        with suppress(OSError):
            (self._folder / TRACE).write_text(error.trace)
            return f"; traceback in {self._folder / TRACE}"
        return ""

    def _print_notes(self) -> None:
        """Print the notes that sinks left for the person at the terminal, such as the address of a page."""
        for note in sorted(self._folder.glob("*/open_at.txt")):
            print(f"{self._said}{note.read_text()}", end="", flush=True)
            note.unlink()


def _cannot_write(error: OSError) -> ConfigError:
    return ConfigError(f"output_dir: cannot be written: {error}; choose another with output_dir=…")


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
