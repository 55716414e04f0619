"""Cameras of a file of edits: those that were added or removed in the page, and offsets of clocks that were accepted.

A run begins with them. One that goes on, or is continued, takes camera commands instead of ``cameras``::

    site: {cameras: {yard: "rtsp://10.0.0.9/live", gate: null}, offset_s: {west: -2}}   # gate was removed
"""

from collections.abc import Mapping
from dataclasses import replace
from types import NoneType
from typing import Any

from pipeline.association.geometry.clock_offsets import MAX_OFFSET_S
from pipeline.config.cameras import with_cameras
from pipeline.config.composition import with_detectors
from pipeline.config.masking import without_secrets
from pipeline.config.schema import PipelineConfig
from pipeline.core.camera_uri import parse_camera
from pipeline.core.errors import ConfigError
from pipeline.ledger.cameras.command import ChangedCameras

CAMERAS = "cameras"
"""Their key, under ``site``."""

OFFSETS = "offset_s"
"""Key under ``site``: by camera, what ``site.cameras.NAME.offset_s`` is instead.

It stands alone, because a version of it can be taken back, and a camera's address may hold a password.
"""


def kept_cameras(edits: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the entries of cameras in a file of edits; None for one that was removed.

    Args:
        edits: Content of the file.
        name: Of the file, for messages.

    Raises:
        ConfigError: If one is no camera, or holds a secret, which a file that the page shows must not.
    """
    site = edits.get("site")
    cameras = site.get(CAMERAS) if isinstance(site, Mapping) else None
    if not isinstance(cameras, Mapping | NoneType):
        raise ConfigError(f"{name}: site.cameras: expected {{name: address, …}}, got {cameras!r:.80}; correct it")
    for camera_id, entry in (cameras or {}).items():
        key = f"{name}: site.cameras.{camera_id}"
        if entry is None:
            continue
        try:
            parse_camera(entry)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{key}: {error}; correct it") from error
        if without_secrets(entry) != entry:
            raise ConfigError(f"{key}: expected no password, got one; write password_file: FILE instead")
    return {str(camera_id): entry for camera_id, entry in (cameras or {}).items()}


def without_cameras(edits: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return edits without their cameras and offsets: no rule follows from them."""
    site = edits.get("site")
    if not isinstance(site, Mapping):
        return edits
    return {**edits, "site": {key: value for key, value in site.items() if key not in (CAMERAS, OFFSETS)}}


def offsets_of(edits: Mapping[str, Any], site: Mapping[str, Any], name: str) -> dict[str, float]:
    """Return the offsets of a file of edits, seconds by camera.

    Args:
        edits: Content of the file.
        site: ``cameras`` and ``later`` of the run.
        name: Of the file, for messages.

    Raises:
        ConfigError: If one is no number within ``MAX_OFFSET_S``, or of a camera that the site does not have.
    """
    given = edits.get("site")
    offsets = given.get(OFFSETS) if isinstance(given, Mapping) else None
    if not isinstance(offsets, Mapping | NoneType):
        raise ConfigError(f"{name}: site.{OFFSETS}: expected {{camera: seconds, …}}, got {offsets!r:.80}; correct it")
    known = {str(camera_id) for camera_id in (*site["cameras"], *site.get("later", ()))}
    for camera_id, offset_s in (offsets or {}).items():
        key = f"{name}: site.{OFFSETS}"
        if str(camera_id) not in known:
            raise ConfigError(f"{key}: expected one of {sorted(known)}, got {camera_id}; correct it")
        is_number = isinstance(offset_s, int | float) and not isinstance(offset_s, bool)
        if not is_number or not abs(offset_s) <= MAX_OFFSET_S:
            raise ConfigError(
                f"{key}.{camera_id}: expected seconds from {-MAX_OFFSET_S:g} to {MAX_OFFSET_S:g}, got "
                f"{offset_s!r:.80}; set the clock of the camera, or {CAMERAS}.{camera_id}.{OFFSETS}"
            )
    return {str(camera_id): float(offset_s) for camera_id, offset_s in (offsets or {}).items()}


def with_offsets(cameras: Mapping[str, Any], offsets: Mapping[str, float]) -> dict[str, Any]:
    """Return entries of ``site.cameras`` with these offsets, seconds by camera."""
    blocks = {
        camera_id: dict(entry) if isinstance(entry, Mapping) else {"uri": entry}
        for camera_id, entry in cameras.items()
        if camera_id in offsets and parse_camera(entry).offset_s != offsets[camera_id]
    }
    return {**cameras, **{camera_id: {**block, OFFSETS: offsets[camera_id]} for camera_id, block in blocks.items()}}


def with_kept_cameras(
    config: PipelineConfig, kept: Mapping[str, Any], changed: ChangedCameras | None = None
) -> PipelineConfig:
    """Return a configuration with the cameras of its file of edits. Removed ones may still be named by zones.

    Args:
        config: The configuration.
        kept: See ``kept_cameras``.
        changed: What the commands of the run that is continued come to: they are newer.
    """
    own, changed = config.site.cameras, changed or ChangedCameras()
    newer = (changed.added.keys() - own.keys()) | changed.removed
    given = {camera_id: entry for camera_id, entry in kept.items() if camera_id not in newer}
    if not given:
        return config
    cameras = {camera_id: entry for camera_id, entry in {**own, **given}.items() if entry is not None}
    later = sorted({*config.site.later, *own} - cameras.keys())
    config = replace(config, site=replace(config.site, later=later))
    return with_detectors(with_cameras(config, cameras))
