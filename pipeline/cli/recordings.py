"""Which recordings a run read: its folder is continued with the same ones, or with later ones.

The parts of tracks are named by camera, time and number. Another recording that begins at the same time would give its
people names that are taken, and they would be passed over.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connectors.sources.recordings.local_files import LocalFiles
from connectors.sources.recordings.video_files import NoVideoError
from pipeline.core.camera_uri import IMAGES, file_path, parse_camera
from pipeline.core.errors import ConfigError, SourceLostError
from pipeline.ledger import LedgerReader
from pipeline.runtime.plan import Plan

FILE = "recordings.json"

NUM_BYTES = 2**16
"""Bytes from the beginning of a recording that identify it. Its end may still grow. More read longer."""

logger = logging.getLogger(__name__)


def check_recordings(cameras: Mapping[str, Any], plan: Plan) -> None:
    """Raise ``ConfigError`` if a run is continued with another recording that does not begin later.

    Args:
        cameras: ``site.cameras``.
        plan: Of the run.
    """
    path, ledger = plan.output_dir / FILE, plan.output_dir / "ledger.sqlite"
    if not plan.resume or not path.is_file() or not ledger.is_file():
        return
    before = json.loads(path.read_text())
    for camera_id, now in _identities(cameras).items():
        if before.get(camera_id, now) == now:
            continue
        reader = LedgerReader(ledger)
        ended_at = reader.last_at(camera_id)
        reader.close()
        begins_at = _begins_at(plan, camera_id)
        if ended_at is not None and begins_at <= ended_at:
            raise ConfigError(
                f"resume: expected the recording that the run in {plan.output_dir} read from camera {camera_id}, got "
                f"another one, which begins at {begins_at:g} s, and people were seen until {ended_at:.2f} s; set its "
                f"site.cameras.{camera_id}.starts_at to when it began, Unix seconds, or choose another output_dir"
            )
        logger.info("camera %s: the run is continued with a later recording", camera_id)


def write_recordings(cameras: Mapping[str, Any], output_dir: Path) -> None:
    """Write which recordings a run reads."""
    path = output_dir / FILE
    path.write_text(json.dumps(_identities(cameras), indent=2) + "\n")


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


def _begins_at(plan: Plan, camera_id: str) -> float:
    """Return the Unix seconds of the first frame of a recording; infinite if it has none."""
    source = plan.make_sources[camera_id]()
    try:
        frame = next(source.frames(), None)
    except SourceLostError as error:
        raise ConfigError(f"site.cameras.{camera_id}: {error}") from error
    finally:
        source.close()
    return float("inf") if frame is None else frame.stamp.captured_at + plan.intakes[camera_id].offset_s
