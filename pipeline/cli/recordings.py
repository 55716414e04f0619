"""Which recordings a run read: its folder is continued with the same ones, or with later ones.

The parts of tracks are named by camera, time and number. Another recording that begins at the same time would give its
people names that are taken, and they would be passed over.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

from connectors.sources.recordings.local_files import LocalFiles
from connectors.sources.recordings.video_files import NoVideoError
from pipeline.core.camera_uri import IMAGES, file_path, parse_camera
from pipeline.core.errors import ConfigError, SourceLostError
from pipeline.ledger import LedgerReader
from pipeline.runtime.plan import Plan
from pipeline.telemetry.logs import without_warnings

FILE = "recordings.json"

NUM_BYTES = 2**16
"""Bytes from the beginning of a recording that identify it. Its end may still grow. More read longer."""

logger = logging.getLogger(__name__)


def continue_recordings(cameras: Mapping[str, Any], plan: Plan) -> Plan:
    """Return the plan with frames of a later recording numbered behind those that the run has read before.

    Args:
        cameras: ``site.cameras``.
        plan: Of the run.

    Raises:
        ConfigError: If a run is continued with another recording that does not begin later.
    """
    path, ledger = plan.output_dir / FILE, plan.output_dir / "ledger.sqlite"
    if not plan.resume or not path.is_file() or not ledger.is_file():
        return plan
    before = json.loads(path.read_text())
    intakes = dict(plan.intakes)
    for camera_id, now in _identities(cameras).items():
        known = before.get(camera_id, {})
        first_index = known.get("first_index", 0)
        if known and any(known[key] != value for key, value in now.items()):
            _check_later(plan, camera_id, known.get("begins_at"))
            first_index = max(first_index, _next_index(plan.output_dir, camera_id))
            logger.info(
                "camera %s: the run is continued with a later recording; its first frame has index %d",
                camera_id,
                first_index,
            )
        intakes[camera_id] = replace(intakes[camera_id], first_index=first_index)
    return replace(plan, intakes=intakes)


def write_recordings(cameras: Mapping[str, Any], plan: Plan) -> None:
    """Write which recordings a run reads, when they begin, and how their frames are numbered."""
    found = {
        camera_id: {
            **identity,
            "begins_at": _begins_at(plan, camera_id),
            "first_index": plan.intakes[camera_id].first_index,
        }
        for camera_id, identity in _identities(cameras).items()
    }
    (plan.output_dir / FILE).write_text(json.dumps(found, indent=2) + "\n")


def _check_later(plan: Plan, camera_id: str, began_at: float | None) -> None:
    """Raise ``ConfigError`` if a recording does not begin after the one before, and after the last person there."""
    reader = LedgerReader(plan.output_dir / "ledger.sqlite")
    seen_at = reader.last_at(camera_id)
    reader.close()
    begins_at = _begins_at(plan, camera_id)
    if begins_at is None or begins_at > max(-inf if at is None else at for at in (began_at, seen_at)):
        return
    why = f"people were seen until {seen_at:.2f} s" if seen_at is not None else f"that one at {began_at:g} s"
    raise ConfigError(
        f"resume: expected the recording that the run in {plan.output_dir} read from camera {camera_id}, got "
        f"another one, which begins at {begins_at:g} s, and {why}; set its "
        f"site.cameras.{camera_id}.starts_at to when it began, Unix seconds, or choose another output_dir"
    )


def _next_index(output_dir: Path, camera_id: str) -> int:
    """Return the index behind all frames that a run has read of a camera."""
    reader = LedgerReader(output_dir / "ledger.sqlite")
    next_index = reader.last_index(camera_id) + 1
    reader.close()
    with suppress(OSError, ValueError, KeyError):  # a run that was killed left none
        cameras = json.loads((output_dir / "summary.json").read_text())["cameras"]
        next_index = max(next_index, int(cameras[camera_id]["next_index"]))
    return next_index


def _identities(cameras: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what identifies the recording of each camera that has one."""
    found = {}
    for camera_id, camera in cameras.items():
        parsed = parse_camera(camera)
        if not parsed.is_recording:
            continue
        path = file_path(parsed.uri)
        if parsed.kind == IMAGES:
            path = min((each for each in path.rglob("*") if each.is_file() and each.suffix != ".ini"), default=path)
        else:
            path = _first_file(parsed.uri, path)
        try:
            with path.open("rb") as file:
                begin = file.read(NUM_BYTES)
        except OSError:
            continue  # the source's own check says so
        found[camera_id] = {
            "sha256": hashlib.sha256(begin).hexdigest(),
            "starts_at": float(parsed.options.get("starts_at") or 0.0),
            "crop_xyxy": list(parsed.options.get("crop_xyxy") or []),
        }
    return found


def _first_file(uri: str, path: Path) -> Path:
    """Return the first file of a recording that may be many; the path itself if there is none."""
    try:
        return LocalFiles(uri).first_path()
    except NoVideoError:
        return path


def _begins_at(plan: Plan, camera_id: str) -> float | None:
    """Return the Unix seconds of the first frame of a recording; None if it has none."""
    intake = plan.intakes[camera_id]
    if intake.first_at is not None:
        return intake.first_at + intake.offset_s
    source = plan.make_sources[camera_id]()
    try:
        with without_warnings():
            frame = next(source.frames(), None)
    except SourceLostError as error:
        raise ConfigError(f"site.cameras.{camera_id}: {error}") from error
    finally:
        source.close()
    return None if frame is None else frame.stamp.captured_at + intake.offset_s
