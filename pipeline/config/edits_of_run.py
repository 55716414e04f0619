"""The rules of a run that is or was, as a file of edits."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline.config.kept_cameras import kept_cameras, without_cameras
from pipeline.config.places import check_drawn
from pipeline.config.rule_edits import CONFIG_DIRS, TOP, edits_path, engine_of, parse_edits, read_rules, whole_edits
from pipeline.config.schema import PipelineConfig
from pipeline.core.errors import ConfigError
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
