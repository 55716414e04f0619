"""``passerby cameras``: adds cameras to a run that goes on, changes them, and removes them from it."""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline.cli.operator_name import operator_name
from pipeline.config.masking import masked
from pipeline.config.overrides import read_overrides
from pipeline.core.camera_uri import parse_camera
from pipeline.core.errors import ConfigError, ReidError
from pipeline.ledger.cameras.book import CameraBook
from pipeline.ledger.cameras.command import CameraCommand, CameraCommandKind, SubmittedCameraCommand
from pipeline.ledger.cameras.states import camera_states
from pipeline.ledger.cameras.submit import apply_at_rest, submit_camera_command

DONE, REFUSED = 0, 2

WAIT_S = 60.0
"""Seconds that a command is waited for: a camera that does not answer is given up after about 10 s. Longer waits leave
people in front of a run that hangs."""

LOOK_EVERY_S = 0.1
"""Seconds between two looks for the outcome. More answer later."""

REST_EVERY_S = 2.0
"""Seconds after which a command that waits is tried at rest: the run may have ended meanwhile. More answer later."""

PREFIX = "site.cameras."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit code."""
    options = make_parser().parse_args(arguments)
    try:
        code: int = options.do(options)
    except ReidError as error:
        print(f"error: {masked(str(error))}", file=sys.stderr)
        return error.exit_code
    return code


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = argparse.ArgumentParser(prog="passerby cameras", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    listing = commands.add_parser("list", help="the cameras of a run, and how each is", description="List the cameras.")
    listing.add_argument("run", type=_folder, help="output folder of the run, or its ledger.sqlite")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.set_defaults(do=_list)
    words = "open a camera that is no part of the run yet, and tell its size and rate"
    trial = commands.add_parser("try", help=words, description=f"{words[0].upper()}{words[1:]}.")
    trial.add_argument("run", type=_folder, help="output folder of the run, or its ledger.sqlite")
    trial.add_argument("camera", help="NAME=ADDRESS; NAME alone: the address is read from standard input")
    trial.add_argument("--picture", type=Path, metavar="FILE", help="write its first picture there, a JPEG")
    trial.add_argument("--json", action="store_true", help="one JSON object")
    trial.set_defaults(do=_try)
    for kind, words in (
        (CameraCommandKind.ADD, "add a camera to a run, as site.cameras.NAME=ADDRESS would have at its start"),
        (
            CameraCommandKind.CHANGE,
            "change a camera of a run; where that fails, it stays as it was",
        ),
        (CameraCommandKind.REMOVE, "remove a camera from a run; its open tracks end and are published"),
    ):
        of_kind = commands.add_parser(kind, help=words, description=f"{words[0].upper()}{words[1:]}.")
        of_kind.add_argument("run", type=_folder, help="output folder of the run, or its ledger.sqlite")
        if kind is not CameraCommandKind.REMOVE:
            alone = "one that was removed and was there at the start" if kind is CameraCommandKind.ADD else "as it is"
            help_ = f"NAME=ADDRESS or NAME='{{uri: …, …}}'; NAME alone: {alone}"
            of_kind.add_argument("camera", help=help_)
            of_kind.add_argument("--force", action="store_true", help="although it cannot be opened now")
        else:
            of_kind.add_argument("camera", help="its name")
            of_kind.set_defaults(force=False)
        if kind is not CameraCommandKind.CHANGE:
            of_kind.add_argument("--at", type=float, metavar="SECONDS", help="runs of recordings: the time in them")
        of_kind.add_argument("--by", default="", help="your name; the user's if left out")
        of_kind.add_argument("--reason", default="", help="in words")
        of_kind.add_argument("--wait", type=float, default=WAIT_S, metavar="SECONDS", help=f"default {WAIT_S:g}")
        of_kind.set_defaults(do=_command, kind=kind, at=None)
    return parser


def _folder(text: str) -> Path:
    path = Path(text).expanduser()
    return path.parent if path.suffix == ".sqlite" else path


def _command(options: argparse.Namespace) -> int:
    name, entry = options.camera.removeprefix(PREFIX), None
    if options.kind is not CameraCommandKind.REMOVE and "=" in name:
        name, entry = _named(options.kind, name)
    command = CameraCommand(
        options.kind,
        name,
        options.by or operator_name(),
        time.time(),
        entry=entry,
        event_at=options.at,
        reason=options.reason,
        force=options.force,
        replaces=_written_entries(options.run).get(name),
    )
    number = submit_camera_command(options.run, command, check_camera_at_rest)
    submitted = _outcome(options.run, number, options.wait)
    if submitted.state == "pending":
        print(f"command {number} waits for the run; passerby cameras list {options.run} shows it")
        return DONE
    if submitted.state == "refused":
        print(f"error: {submitted.outcome}", file=sys.stderr)
        return REFUSED
    print(submitted.outcome)
    return DONE


def _named(what: str, text: str) -> tuple[str, object]:
    """Return the name and the entry of ``site.cameras`` that ``NAME=ADDRESS`` means."""
    ((name, entry),) = read_overrides([f"{PREFIX}{text}"]).cameras.items()
    if entry is None or entry == "":
        raise ConfigError(f"cameras {what}: expected {name}=ADDRESS, got no address; add it")
    return name, _with_whole_path(entry)


def _try(options: argparse.Namespace) -> int:
    from pipeline.cli.cameras.trial import try_camera  # seconds, which the other commands do not need

    text = options.camera.removeprefix(PREFIX)
    name, entry = _named("try", text) if "=" in text else (text, yaml.safe_load(sys.stdin))
    found, picture = try_camera(options.run, name, entry)
    if options.picture is not None:
        options.picture.write_bytes(picture)
    if options.json:
        print(json.dumps(found))
    else:
        rate = "" if found["rate_hz"] is None else f", {found['rate_hz']:g} pictures a second"
        print(f"{name}: {found['width']}x{found['height']}{rate}{'. ' if found['wrong'] else ''}{found['wrong']}")
    return DONE


def check_camera_at_rest(folder: Path, command: CameraCommand) -> str:
    """Return what a command comes to in the run that continues one that has ended; see ``CheckAtRest``."""
    from pipeline.cli.cameras.changes import check_at_rest  # seconds, which a run that goes on does not need

    return check_at_rest(folder, command)


def _with_whole_path(entry: object) -> object:
    """Return an entry of ``site.cameras`` whose file or folder is named from the root: the run may be elsewhere."""
    try:
        found = parse_camera(entry)
    except ValueError:
        return entry  # the run says what is wrong
    if not found.is_recording or "${" in found.uri or "://" in found.uri:
        return entry
    path = os.path.abspath(os.path.expanduser(found.uri))
    if not isinstance(entry, dict):
        return path
    return {**entry, "uri" if "uri" in entry else "detect": path}


def _outcome(folder: Path, number: int, wait_s: float) -> SubmittedCameraCommand:
    """Return a command once it is done or refused, or after this many seconds."""
    until, rest_at = time.monotonic() + wait_s, time.monotonic() + REST_EVERY_S
    while True:
        submitted = next(each for each in CameraBook(folder).commands() if each.number == number)
        now = time.monotonic()
        if submitted.state != "pending" or now >= until:
            return submitted
        if now >= rest_at:
            apply_at_rest(folder, check_camera_at_rest)
            rest_at = now + REST_EVERY_S
        time.sleep(LOOK_EVERY_S)


def _list(options: argparse.Namespace) -> int:
    rows = list_cameras(options.run)
    for row in rows:
        if options.json:
            print(json.dumps(row))
        else:
            frames = "" if row["frames"] is None else f"{row['frames']:,} frames"
            print(f"{row['camera']:<16}  {row['state']:<24}  {frames:>16}  {row['address']}".rstrip())
    for submitted in CameraBook(options.run).pending():
        command = submitted.command
        if not options.json:
            print(f"command {submitted.number} waits: {command.kind} {command.camera_id}, by {command.by}")
    return DONE


def list_cameras(folder: Path) -> list[dict[str, Any]]:
    """Return the cameras of a run, those that were removed included: camera, state, frames and address, masked.

    Args:
        folder: Output folder of the run.

    Raises:
        ConfigError: If there is no run.
    """
    return [
        {
            "camera": each.camera_id,
            "state": each.state,
            "frames": each.frames,
            "address": masked(parse_camera(each.entry).uri),
        }
        for each in camera_states(folder, _written_entries(folder))
    ]


def _written_entries(folder: Path) -> dict[str, Any]:
    """Return ``site.cameras`` as a run wrote it; raise ``ConfigError`` if there is no run."""
    try:
        return dict(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))["site"]["cameras"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise ConfigError(
            f"{folder}: expected the output folder of a run, got no config.yaml of one; correct it"
        ) from error
