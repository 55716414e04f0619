"""The health of a run, as lines for people and as an exit code for programs."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline.core.camera_uri import parse_camera
from pipeline.core.records.clock_offset import ClockOffset
from pipeline.telemetry.sites import FILE as SITES
from pipeline.telemetry.sites import sites_of

WELL, ILL, NONE, ENDED = 0, 1, 2, 3
MAX_AGE_S = 30.0
"""Seconds after which a status is too old: the run that wrote it has ended or hangs. Longer notices that later."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the health of a run; return the exit code that ``make_parser`` describes."""
    folder = make_parser().parse_args(arguments).output
    below = () if sites_of(folder) else folder.glob("*/")
    runs = [run for run in (folder, *below) if _told_at(run) is not None]
    if not runs:
        print(f"error: {folder}: expected the output of a run that goes on, got no status.json", file=sys.stderr)
        return NONE
    run = max(runs, key=lambda each: _told_at(each) or 0.0)
    if not (sites := sites_of(run)):
        return _tell(run, "")
    codes = {_tell(run / name, f"site {name}: ", error) for name, error in sites.items()}
    return next(code for code in (ILL, NONE, WELL, ENDED) if code in codes)


def _told_at(run: Path) -> float | None:
    """Return when a run, or a site of it, told its status last, Unix seconds; None if the folder is of no run."""
    paths = [run / "status.json", *((run / site / "status.json") for site in sites_of(run)), run / SITES]
    return max((path.stat().st_mtime for path in paths if path.exists()), default=None)


def _tell(folder: Path, site: str, error: str | None = None) -> int:
    """Print the health of one site, ``site`` before each line; return the exit code. ``error`` is what ended it."""
    path = folder / "status.json"
    if error is not None:
        print(f"{site}{error}")
        return ILL
    try:
        status = json.loads(path.read_text())
    except (OSError, ValueError) as wrong:
        print(f"error: {site}{path}: expected a status, got {wrong}", file=sys.stderr)
        return NONE
    if path.with_name("summary.json").exists():  # a run that begins takes away that of the run before
        print(f"{site}{folder}: the run has ended; summary.json says how")
        return ENDED
    troubles = troubles_of(status, time.time())
    print(f"{site}{folder}: {status['match']['num_sightings']} sightings, {len(status['cameras'])} cameras")
    for camera_id, camera in status["cameras"].items():
        if camera.get("is_unverified"):  # a choice, so no trouble
            print(f"{site}camera {camera_id}: its certificate is not verified (verify: false)")
    for advice in _clock_advice(status, path.with_name("config.yaml")):  # an estimate, so no trouble
        print(f"{site}{advice}")
    for trouble in troubles:
        print(f"{site}{trouble}")
    return ILL if troubles else WELL


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = argparse.ArgumentParser(
        prog="passerby status",
        description="Tell how a run is: exit code 0 if all is well, 1 if something is not, 2 if there is no status, "
        "3 if the run has ended; of several sites, that of the worst.",
    )
    parser.add_argument("output", type=Path, help="output folder of a run, or a folder of such folders: the newest")
    return parser


def _clock_advice(status: dict[str, Any], written: Path) -> list[str]:
    """Return a line for each camera whose clock is wrong; ``written`` is the configuration of the run."""
    offsets = [ClockOffset(**offset) for offset in status["match"].get("clock_offsets", ())]
    wrong = [offset for offset in offsets if offset.is_wrong]
    if not wrong:
        return []
    cameras = yaml.safe_load(written.read_text())["site"]["cameras"]
    return [offset.advice(parse_camera(cameras[offset.camera_id]).offset_s) for offset in wrong]


def troubles_of(status: dict[str, Any], now: float) -> list[str]:
    """Return what is wrong, a line for each; ``status`` is the content of ``status.json``, ``now`` Unix seconds."""
    troubles = []
    if now - status["at"] > MAX_AGE_S:
        troubles.append(f"its status is {now - status['at']:.0f} s old: the run was killed, or hangs")
    for camera_id, camera in status["cameras"].items():
        reason = camera["error"] or camera["away"] or ("its process does not answer" if camera["is_silent"] else None)
        if reason:
            troubles.append(f"camera {camera_id}: {reason}")
        if camera.get("unrecorded"):
            troubles.append(f"camera {camera_id}: nothing is recorded now: {camera['unrecorded']}")
        if not reason and camera.get("view_now"):
            troubles.append(f"camera {camera_id}: its view is {camera['view_now']}")
    if status["match"].get("is_silent"):
        troubles.append("match: its process does not answer")
    for stage, busy in status.get("busy", {}).items():
        if number := busy.get("num_silent"):
            troubles.append(f"{stage}: {number} of its processes do not answer")
    for name, sink in status["match"].get("sinks", {}).items():
        if sink["refusal"]:
            troubles.append(f"sink {name}: {sink['num_waiting']} records wait: {sink['refusal']}")
    if (disk := status.get("disk", {}).get("trouble")) is not None:
        troubles.append(disk)
    return troubles
