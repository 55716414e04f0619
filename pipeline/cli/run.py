"""The program: compose, plan, check, start, watch until the end or a signal, sum up, exit code."""

import asyncio
import sys
from pathlib import Path

from pipeline.cli.process import need_temporary_folder
from pipeline.cli.running.job import DONE, Job
from pipeline.cli.running.site import SiteRun
from pipeline.config.composition import CONFIGS, to_yaml
from pipeline.config.places import warn_of_rules
from pipeline.config.plan import check_values
from pipeline.config.sites import load_sites
from pipeline.core.errors import ConfigError, ReidError
from pipeline.runtime.cameras.frame_queue import wait_for_readers
from pipeline.runtime.cameras.picture_memory import keep_picture_memory
from pipeline.runtime.cluster import leave_cluster
from pipeline.telemetry.logs import log_to_file, set_up_logs

HELP = """\
passerby run [key=value …]                follow people across the cameras of a site

  site=NAME                                 a place in configs/site/
  sites=[NAME,NAME]  sites.NAME.key=value   several in one job, and what is for one of them alone
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

READERS_S = 5.0
"""Seconds to wait at the end for threads that still read a camera. More wait longer for one that hangs."""


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
        for name, config in load_sites([*rest[:at], *rest[at + (1 if equals else 2) :]]).items():
            check_values(config)
            warn_of_rules(vars(config.site), config.alerts, config.enrol)
            heading = f"--- # site {name}\n" if name else ""
            print(f"{heading}{to_yaml(config)}", end="")
    except ReidError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return DONE


def run(overrides: list[str]) -> int:
    """Run the pipeline of each site, and return the worst exit code; an error is one line on standard error."""
    keep_picture_memory()
    try:
        need_temporary_folder()
        configs = load_sites(overrides)
        log = next(iter(configs.values())).log
        if log.file is not None:
            log_to_file(Path(log.file), max_bytes=round(log.max_mb * 1e6), num_files=log.files)
        job = Job([SiteRun(name, config) for name, config in configs.items()])
        job.check(overrides)
        try:
            asyncio.run(job.run())
        finally:
            wait_for_readers(READERS_S)
            leave_cluster()
    except ReidError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return job.code


def _choices() -> str:
    groups = sorted(folder for folder in CONFIGS.iterdir() if folder.is_dir())
    return "\n".join(
        f"  {group.name + '=':<12}{', '.join(sorted(path.stem for path in group.glob('*.yaml')))}" for group in groups
    )
