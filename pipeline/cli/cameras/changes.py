"""What a camera command comes to: the same decisions for a run that goes on and for one that will be continued."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from math import inf
from pathlib import Path

from pipeline.cli.cameras.checks import check_source
from pipeline.config.cameras import PlannedCameras, any_is_live, plan_cameras, with_cameras
from pipeline.config.composition import load_written, resolved, with_detectors
from pipeline.config.detection import own_detections
from pipeline.config.edits_of_run import with_offset_of_camera
from pipeline.config.kept_cameras import OFFSETS
from pipeline.config.masking import masked, without_secrets
from pipeline.config.plan import check_values
from pipeline.config.schema import PipelineConfig
from pipeline.core.camera_uri import parse_camera
from pipeline.core.errors import ConfigError
from pipeline.core.plugin_contract import made
from pipeline.ledger.cameras.book import CameraBook
from pipeline.ledger.cameras.command import CameraCommand, CameraCommandKind, ChangedCameras


def with_added(config: PipelineConfig, changed: ChangedCameras) -> PipelineConfig:
    """Return the configuration of a run that is continued, with the cameras that were added to it or changed.

    An entry that the configuration has itself holds if it is newer: none that a command took the place of.

    Raises:
        ConfigError: If an address needs an environment variable that is not set.
    """
    own = config.site.cameras
    added = {
        camera_id: resolved(entry, f"site.cameras.{camera_id}")
        for camera_id, entry in changed.added.items()
        if camera_id not in own
        or _as_compared(own[camera_id]) in map(_as_compared, changed.replaced.get(camera_id, ()))
    }
    return with_detectors(with_cameras(config, {**config.site.cameras, **added})) if added else config


def _as_compared(entry: object) -> object:
    """Return an entry of ``site.cameras`` as runs write it, without its offset, which edits change as well."""
    block = dict(entry) if isinstance(entry, Mapping) else {"uri": entry}
    return without_secrets({key: value for key, value in block.items() if key != OFFSETS})


def plan_addition(
    config: PipelineConfig, command: CameraCommand, *, taken: Collection[str], has_live: bool
) -> tuple[PipelineConfig, PlannedCameras]:
    """Return the configuration with one more camera, and what that camera is made of; nothing is changed.

    The checks are those that a run makes of its cameras at its start, and the camera is opened.

    Args:
        config: Of the run.
        command: The command.
        taken: Cameras that are part of the run.
        has_live: The run has a live camera, so that it waits for no recording.

    Raises:
        ConfigError: If the camera cannot be added; one line that says why.
    """
    name = command.camera_id
    if name in taken:
        raise ConfigError(
            f"cameras add: expected a name that is free, got {name}, which is part of the run; remove that camera "
            "first, or choose another name"
        )
    if (first := name.partition(".")[0]) in taken and first != name:
        raise ConfigError(
            f"cameras add: expected NAME=ADDRESS, got a key of the camera {first}; remove that, and add it again with "
            f"a block: {first}='{{uri: …, {name.partition('.')[2]}: …}}'"
        )
    if command.entry is None and name not in config.site.cameras:
        raise ConfigError(
            f"cameras add: expected {name}=ADDRESS, got a name that the run does not know; add the address"
        )
    _check_time(command, has_live=has_live)
    entry = config.site.cameras[name] if command.entry is None else resolved(command.entry, f"site.cameras.{name}")
    larger, planned = plan_camera(config, name, entry)
    make_source = planned.make_sources[name]
    source = made(f"site.cameras.{name}", make_source)
    source.close()
    if source.live and not has_live:
        raise ConfigError(
            f"cameras add: expected a recording, got the live camera {name}: a run that began with recordings alone "
            "waits for each of its cameras, and so for a live one for ever; start another run for it"
        )
    try:
        check_source(make_source, f"site.cameras.{name}", None)
    except ConfigError as error:
        if not source.live:
            raise
        if not command.force:
            raise ConfigError(f"{error}; --force takes it all the same, and opens it again and again") from error
    from_at = -inf if command.event_at is None else command.event_at
    intake = replace(planned.intakes[name], from_at=from_at, added_at=command.holds_from)
    return larger, replace(planned, intakes={name: intake})


def plan_camera(config: PipelineConfig, name: str, entry: object) -> tuple[PipelineConfig, PlannedCameras]:
    """Return the configuration with a camera, and what that camera is made of, its detector included.

    Nothing is opened. A trial of a camera and its addition ask this, so that they refuse the same.

    Args:
        config: Of the run.
        name: Of the camera; one of that name is replaced.
        entry: As in ``site.cameras``, with its environment variables filled in.

    Raises:
        ConfigError: If the camera cannot be used as it is written; names the key.
    """
    larger = with_detectors(with_cameras(config, {**config.site.cameras, name: entry}))
    check_values(larger)
    edited = with_offset_of_camera(larger, name)
    alone = with_cameras(edited, {name: edited.site.cameras[name]})
    return larger, replace(plan_cameras(alone), detections=own_detections(alone))


def plan_change(
    config: PipelineConfig, command: CameraCommand, *, taken: Collection[str], has_live: bool
) -> tuple[PipelineConfig, PlannedCameras]:
    """Return the configuration with a camera as a command says, and what that camera is made of; nothing is changed.

    Arguments and errors as of ``plan_addition``.
    """
    check_removal(command, taken=taken, has_live=has_live)
    return plan_addition(config, command, taken=set(taken) - {command.camera_id}, has_live=has_live)


def check_removal(command: CameraCommand, *, taken: Collection[str], has_live: bool) -> None:
    """Raise ``ConfigError`` if a camera cannot be removed; arguments as of ``plan_addition``."""
    what = command.kind
    if command.camera_id not in taken:
        raise ConfigError(
            f"cameras {what}: expected one of {', '.join(sorted(taken))}, got {command.camera_id}; correct it"
        )
    _check_time(command, has_live=has_live)
    if len(taken) == 1 and command.event_at is None:
        raise ConfigError(
            f"cameras {what}: expected another camera to stay, got {command.camera_id}, the last one; add another "
            "first, or stop the run"
        )


def check_at_rest(folder: Path, command: CameraCommand) -> str:
    """Return what a command comes to in the run that continues one that has ended; see ``CheckAtRest``."""
    changed = CameraBook(folder).changed()
    config = with_added(load_written(folder / "config.yaml"), changed)
    config = replace(config, output_dir=str(folder))
    taken = [camera_id for camera_id in config.site.cameras if camera_id not in changed.removed]
    has_live = any_is_live(plan_cameras(config).make_sources)
    if command.kind is CameraCommandKind.REMOVE:
        check_removal(command, taken=taken, has_live=has_live)
        return f"{removed(command)} when the run is continued (resume=true)"
    plan = plan_addition if command.kind is CameraCommandKind.ADD else plan_change
    larger, _ = plan(config, command, taken=taken, has_live=has_live)
    return f"{added(larger, command)} when the run is continued (resume=true)"


def added(config: PipelineConfig, command: CameraCommand) -> str:
    """Return in words which camera is added or changed; no secrets."""
    address = masked(parse_camera(config.site.cameras[command.camera_id]).uri)
    if command.kind is CameraCommandKind.CHANGE:
        return f"camera {command.camera_id} is changed: {address}"
    if command.event_at is None:
        return f"camera {command.camera_id} is added: {address}"
    return f"camera {command.camera_id} is added from {command.event_at:g} s: {address}"


def removed(command: CameraCommand) -> str:
    """Return in words which camera is removed."""
    if command.event_at is None:
        return f"camera {command.camera_id} is removed"
    return f"camera {command.camera_id} is removed at {command.event_at:g} s"


def _check_time(command: CameraCommand, *, has_live: bool) -> None:
    """Raise ``ConfigError`` unless recordings are given a time, and live cameras none."""
    what = command.kind
    if what is CameraCommandKind.CHANGE and not has_live:
        raise ConfigError(
            "cameras change: expected a run with a live camera, got one of recordings alone; remove the camera at a "
            "time, and add another"
        )
    if has_live and command.event_at is not None:
        raise ConfigError(
            f"cameras {what}: expected no --at, got {command.event_at:g}: live cameras do so at once; leave it out"
        )
    if not has_live and command.event_at is None:
        raise ConfigError(
            f"cameras {what}: expected --at SECONDS, the time in the recordings, got none: a run of recordings must "
            "have the same result whenever the command comes"
        )
