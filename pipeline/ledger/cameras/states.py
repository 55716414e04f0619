"""The cameras of a run, and how each is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.ledger.cameras.book import CameraBook
from pipeline.ledger.ledger import is_being_written


@dataclass(frozen=True, slots=True)
class CameraState:
    """A camera of a run.

    Attributes:
        camera_id: Its name.
        entry: As in ``site.cameras``; may hold a password.
        state: In words.
        frames: Processed so far; None where that is not known.
        is_removed: It takes no part any more.
    """

    camera_id: str
    entry: object
    state: str
    frames: int | None
    is_removed: bool


def camera_states(folder: Path, entries: Mapping[str, object]) -> list[CameraState]:
    """Return the cameras of a run, those that were removed included.

    Args:
        folder: Output folder of the run.
        entries: ``site.cameras`` as the run wrote it.
    """
    changed = CameraBook(folder).changed()
    is_live = is_being_written(folder / "ledger.sqlite")
    now, gone = _status(folder) if is_live else ({}, {})
    found = []
    for name, entry in {**entries, **{name: changed.added[name] for name in changed.added.keys() - entries}}.items():
        status = {**gone, **now}.get(name)
        is_removed = name in changed.removed
        has_left = is_removed or name in gone.keys() - now
        state = "removed" if has_left else _state(status, is_live=is_live)
        if name in changed.from_at:
            state = f"{state}, from {changed.from_at[name]:g} s"
        if name in changed.until_at:
            state = f"{state}, until {changed.until_at[name]:g} s"
        frames = None if status is None else status["frames_processed"]
        found.append(CameraState(name, entry, state, frames, is_removed))
    return found


def _state(status: dict[str, Any] | None, *, is_live: bool) -> str:
    if not is_live:
        return "part of the run"
    if status is None:
        return "starts"
    if status["error"]:
        return f"given up: {status['error']}"
    if status["is_silent"]:
        return "does not answer"
    return f"away: {status['away']}" if status["away"] else "is read"


def _status(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the status of each camera that is part of the run, and of each that was removed."""
    try:
        status = json.loads((folder / "status.json").read_text())
    except (OSError, ValueError):
        return {}, {}
    return status["cameras"], status.get("removed_cameras", {})
