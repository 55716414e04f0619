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

WELL, ILL, NONE, ENDED = 0, 1, 2, 3
MAX_AGE_S = 30.0
"""Seconds after which a status is too old: the run that wrote it has ended or hangs. Longer notices that later."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the health of a run; return the exit code that ``make_parser`` describes."""
    folder = make_parser().parse_args(arguments).output
    paths = [path for path in (folder / "status.json", *folder.glob("*/status.json")) if path.exists()]
    if not paths:
        print(f"error: {folder}: expected the output of a run that goes on, got no status.json", file=sys.stderr)
        return NONE
    path = max(paths, key=lambda each: each.stat().st_mtime)
    try:
        status = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        print(f"error: {path}: expected a status, got {error}", file=sys.stderr)
        return NONE
    if path.with_name("summary.json").exists():  # a run that begins takes away that of the run before
        print(f"{path.parent}: the run has ended; summary.json says how")
        return ENDED
    troubles = troubles_of(status, time.time())
    print(f"{path.parent}: {status['match']['num_sightings']} sightings, {len(status['cameras'])} cameras")
    for camera_id, camera in status["cameras"].items():
        if camera.get("is_unverified"):  # a choice, so no trouble
            print(f"camera {camera_id}: its certificate is not verified (verify: false)")
    for advice in _clock_advice(status, path.with_name("config.yaml")):  # an estimate, so no trouble
        print(advice)
    for trouble in troubles:
        print(trouble)
    return ILL if troubles else WELL


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = argparse.ArgumentParser(
        prog="passerby status",
        description="Tell how a run is: exit code 0 if all is well, 1 if something is not, 2 if there is no status, "
        "3 if the run has ended.",
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
