"""Cameras of a file of edits: those that were added or removed in the page, for runs that begin with the file.

A run that goes on takes camera commands instead, and so does one that is continued::

    site: {cameras: {yard: "rtsp://10.0.0.9/live", gate: null}}    # yard was added, gate removed
"""

from collections.abc import Mapping
from dataclasses import replace
from types import NoneType
from typing import Any

from pipeline.config.cameras import with_cameras
from pipeline.config.composition import with_detectors
from pipeline.config.masking import without_secrets
from pipeline.config.schema import PipelineConfig
from pipeline.core.camera_uri import parse_camera
from pipeline.core.errors import ConfigError
from pipeline.ledger.cameras.command import ChangedCameras

CAMERAS = "cameras"
"""Their key, under ``site``."""


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
    """Return edits without their cameras: no rule follows from them."""
    site = edits.get("site")
    if not isinstance(site, Mapping) or CAMERAS not in site:
        return edits
    return {**edits, "site": {key: value for key, value in site.items() if key != CAMERAS}}


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
