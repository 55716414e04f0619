"""What the plan of a run holds of each camera, and how it changes when cameras are added and removed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from pipeline.camera.privacy_mask import Mask, MaskedSource, parse_masks
from pipeline.config.intake import camera_intakes
from pipeline.config.places import check_unrecorded
from pipeline.config.plugins import build, build_recorded, build_source
from pipeline.config.schema import PipelineConfig, SiteConfig
from pipeline.core import Monitor, Source
from pipeline.core.errors import ConfigError
from pipeline.core.plugin_contract import made
from pipeline.ledger.cameras.command import ChangedCameras
from pipeline.runtime.cameras.monitors import Monitors
from pipeline.runtime.plan import CameraIntake, Detection, Plan

MAX_NAME_BYTES = 200
"""Bytes of a camera's name, UTF-8. Files are named by it, and take 255 with what stands before and behind it."""


@dataclass(frozen=True, slots=True)
class PlannedCameras:
    """Picklable factories of what each camera is made of, as in ``Plan``; ``detections`` of an added camera alone."""

    make_sources: Mapping[str, Callable[[], Source]]
    intakes: Mapping[str, CameraIntake]
    make_monitors: Mapping[str, Callable[[], Monitor]]
    detections: Mapping[str, Detection] = field(default_factory=dict)


def plan_cameras(config: PipelineConfig) -> PlannedCameras:
    """Return what is made of the cameras of a configuration; nothing is opened.

    Raises:
        ConfigError: If a camera cannot be used as configured; names the key.
    """
    folder = Path(config.output_dir).absolute() / "recordings"
    masks = parse_masks(config.site.masks)
    return PlannedCameras(
        {
            camera_id: build_recorded(
                camera_id,
                camera,
                config.source,
                masked_source(
                    camera_id,
                    camera,
                    build_source(camera_id, camera, config.source, allow=config.allow_plugins),
                    masks.get(camera_id, ()),
                ),
                folder,
                allow=config.allow_plugins,
            )
            for camera_id, camera in config.site.cameras.items()
        },
        camera_intakes(config.site),
        _monitors(config),
    )


def known_cameras(site: SiteConfig) -> frozenset[str]:
    """Return the cameras that a key of a site may name: those that it has, and those that may be added later."""
    return frozenset((*site.cameras, *site.later))


def with_cameras(config: PipelineConfig, cameras: Mapping[str, Any]) -> PipelineConfig:
    """Return a configuration with these cameras, as entries of ``site.cameras``, instead of its own."""
    return replace(config, site=replace(config.site, cameras=dict(cameras)))


def with_changes(plan: Plan, changed: ChangedCameras) -> Plan:
    """Return a plan without the cameras that were removed, and with the times from and until which others count."""
    names = [camera_id for camera_id in plan.make_sources if camera_id not in changed.removed]
    if not names:
        raise ConfigError(
            "site.cameras: expected at least one camera, got none: all were removed from this run; name another one in "
            "'site.cameras={…}', or choose another output_dir"
        )
    return replace(
        plan,
        make_sources={name: plan.make_sources[name] for name in names},
        intakes={
            name: replace(
                plan.intakes[name],
                from_at=changed.from_at.get(name, -inf),
                until_at=changed.until_at.get(name, inf),
                added_at=changed.added_at.get(name),
            )
            for name in names
        },
        make_monitors={name: make for name, make in plan.make_monitors.items() if name in names},
    )


def any_is_live(make_sources: Mapping[str, Callable[[], Source]]) -> bool:
    """Return whether a source is live. The result of recordings must not depend on speed, so none of them is late."""
    sources = [made(f"site.cameras.{name}", make_source) for name, make_source in make_sources.items()]
    for source in sources:
        source.close()
    return any(source.live for source in sources)


def check_camera_names(site: SiteConfig) -> None:
    """Raise ``ConfigError`` if a camera's name cannot be a file's, with some letters before and behind it."""
    for camera_id in site.cameras:
        if len(camera_id.encode()) > MAX_NAME_BYTES:
            raise ConfigError(
                f"site.cameras: expected names of at most {MAX_NAME_BYTES} bytes, got {camera_id:.40}…; rename it"
            )
        if not camera_id or camera_id.startswith(".") or any(sign in camera_id for sign in "/\\\0"):
            raise ConfigError(
                f"site.cameras: expected a name that can be a file's name, got {camera_id!r}; rename the camera"
            )


def masked_source(
    camera_id: str, camera: object, make_source: Callable[[], Source], masks: Sequence[Mask]
) -> Callable[[], Source]:
    """Return a factory of a source whose frames are covered by these masks.

    Raises:
        ConfigError: If there are masks and the camera is recorded as it is.
    """
    check_unrecorded(camera_id, camera, masks)
    return partial(MaskedSource, make_source, masks) if masks else make_source


def _monitors(config: PipelineConfig) -> dict[str, Callable[[], Monitors]]:
    """Return what looks on in each camera's process; empty where nothing does."""
    keys = ("monitor", "alert_pictures", "alert_clips", "recording")
    nodes = {key: getattr(config, key) for key in keys}
    chosen = {key: node for key, node in nodes.items() if node is not None}
    if not chosen:
        return {}
    return {
        camera_id: partial(
            Monitors, {key: build(node, key, camera_id, allow=config.allow_plugins) for key, node in chosen.items()}
        )
        for camera_id in config.site.cameras
    }
