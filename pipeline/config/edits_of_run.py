"""The file of edits of a run that is or was: its rules, its cameras, and its site."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from pipeline.config.kept_cameras import CAMERAS, OFFSETS, kept_cameras, offsets_of, with_offsets, without_cameras
from pipeline.config.places import check_drawn
from pipeline.config.rule_edits import (
    CONFIG_DIRS,
    TOP,
    edited,
    edits_path,
    engine_of,
    of_run,
    parse_edits,
    read_rules,
    whole_edits,
)
from pipeline.config.schema import PipelineConfig, SiteConfig
from pipeline.config.topology import TOPOLOGY
from pipeline.core.camera_uri import parse_camera
from pipeline.core.errors import ConfigError
from pipeline.runtime.plan import Plan
from pipeline.telemetry.status import frame_sizes


def checked_edits(folder: Path, rules: Path | None, config_dirs: Sequence[Path] = ()) -> dict[str, Any]:
    """Return the rules of a run, with those of a file, as a file of edits that leaves nothing out.

    Raises:
        ConfigError: If the next run with such rules would not start.
    """
    run = run_of(folder / "config.yaml") | {CONFIG_DIRS: list(config_dirs)}
    name = str(rules or folder / "config.yaml")
    edits = whole_edits(run, {} if rules is None else parse_edits(read_rules(rules), name), name)
    site = {**run["site"], **without_cameras(edits)["site"]}
    check_drawn(engine_of(run, edits, name), site, frame_sizes(folder))
    return edits


def cameras_of_edits(config: PipelineConfig) -> dict[str, Any]:
    """Return the cameras of a configuration's file of edits, see ``kept_cameras``; none if there is no file.

    Raises:
        ConfigError: If they cannot be used.
    """
    path = edits_path(config)
    return kept_cameras(parse_edits(read_rules(path), str(path)), str(path)) if path.exists() else {}


def run_of(config: Path) -> dict[str, Any]:
    """Return what a run wrote of its configuration.

    Raises:
        ConfigError: If it cannot be read.
    """
    try:
        run = yaml.safe_load(read_rules(config))
    except yaml.YAMLError as error:
        raise ConfigError(
            f"{config}: expected the configuration of a run, got no YAML; see its output folder"
        ) from error
    if not isinstance(run, dict) or not all(isinstance(run.get(key), dict) for key in (*TOP, "buffer", "tracker")):
        raise ConfigError(f"{config}: expected the configuration of a run, got other keys; see its output folder")
    return run


def with_edits(config: PipelineConfig) -> PipelineConfig:
    """Return a configuration whose site is as its file of edits says, but for its alert rules and its topology.

    These follow the file themselves, from the beginning of a run on; see ``pipeline.runtime.reducer.RulesEdited``.

    Raises:
        ConfigError: If the file cannot be used.
    """
    path = edits_path(config)
    if not path.exists():  # a folder that cannot be is reported as output_dir
        return config
    run, other = of_run(config), parse_edits(read_rules(path), str(path))
    engine_of(run, other, str(path), warns=False)  # a mistake ends the start, as one in the configuration does
    before, after = run["site"], edited(run, other, str(path))["site"]
    offsets = offsets_of(other, before, str(path)) | _offsets_before(config)
    after |= {key: before[key] for key in TOPOLOGY} | {CAMERAS: with_offsets(before["cameras"], offsets)}
    return _with_site(config, before, after)


def as_run(config: PipelineConfig, plan: Plan) -> PipelineConfig:
    """Return a configuration as it is written beside the results: with the offsets that the run uses."""
    offsets = {camera_id: intake.offset_s for camera_id, intake in plan.intakes.items()}
    before = of_run(config)["site"]
    return _with_site(config, before, {**before, CAMERAS: with_offsets(before["cameras"], offsets)})


def _offsets_before(config: PipelineConfig) -> dict[str, float]:
    """Return the offsets of the recordings that a run reads on, by camera: what was decided rests on their times."""
    path = Path(config.output_dir) / "config.yaml"
    if not (config.resume and path.exists()):
        return {}
    known = {camera_id: parse_camera(entry) for camera_id, entry in run_of(path)["site"]["cameras"].items()}
    now = {camera_id: parse_camera(entry) for camera_id, entry in config.site.cameras.items()}
    return {
        camera_id: known[camera_id].offset_s
        for camera_id, camera in now.items()
        if camera.is_recording and camera_id in known and known[camera_id].uri == camera.uri
    }


def _with_site(config: PipelineConfig, before: Mapping[str, Any], after: Mapping[str, Any]) -> PipelineConfig:
    """Return a configuration with another site, also where plug-ins have options of it; both as plain values."""
    changed = {key: value for key, value in after.items() if before.get(key) != value}
    if not changed:
        return config
    site: Any = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(SiteConfig), after))
    return replace(
        config,
        site=site,
        sink={name: _following(node, before, changed) for name, node in config.sink.items()},
        monitor=_following(config.monitor, before, changed),
        alert_pictures=_following(config.alert_pictures, before, changed),
        alert_clips=_following(config.alert_clips, before, changed),
        recording=_following(config.recording, before, changed),
    )


def with_offset_of_camera(config: PipelineConfig, camera_id: str) -> PipelineConfig:
    """Return a configuration with what its file of edits says of the times of one camera.

    What it says besides may name cameras that are not there yet.

    Raises:
        ConfigError: If that cannot be used.
    """
    path = edits_path(config)
    site = parse_edits(read_rules(path), str(path)).get("site") if path.exists() else None
    if not isinstance(site, Mapping):
        return config
    offsets = site.get(OFFSETS)
    own = {camera_id: offsets[camera_id]} if isinstance(offsets, Mapping) and camera_id in offsets else {}
    own = offsets_of({"site": {OFFSETS: own}}, vars(config.site), str(path))
    return replace(config, site=replace(config.site, cameras=with_offsets(config.site.cameras, own)))


def _following(node: Any, before: Mapping[str, Any], changed: Mapping[str, Any]) -> Any:
    """Return the options of a plug-in, with what it has of the site as the site is now."""
    if not isinstance(node, Mapping):
        return node
    return {key: changed[key] if key in changed and value == before[key] else value for key, value in node.items()}
