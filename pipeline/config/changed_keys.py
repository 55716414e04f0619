"""Which keys of a run that is continued have other values than before."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline.config.composition import to_yaml
from pipeline.config.detection import own_detectors
from pipeline.config.schema import PipelineConfig
from pipeline.core.errors import ConfigError

DECIDING = (
    "site",
    "detector",
    "tracker",
    "pose",
    "embedder",
    "gallery",
    "matcher",
    "alerts",
    "reproducible",
    "detect",
    "buffer",
    "embed",
    "alerting",
)
"""Top keys of what decides who is who, and what is worth an alert."""
ELSEWHERE = {"site.footage", "site.truth", "site.camera_folders"}
"""Keys below them that say what is read, and not how: a run may be continued with later recordings. So does
``site.cameras``, but for the detectors there."""
OF_THE_MACHINE = {"device", "output_dir", "threads", "weights_dir"}
"""Last parts of keys that say where something is done."""


def changed_keys(file: Path, config: PipelineConfig) -> list[str]:
    """Return the keys that decide, and differ from those of an earlier run, each with both values.

    Args:
        file: ``config.yaml`` of the earlier run.
        config: Of this run.
    """
    if (before := _written(file)) is None:
        return []
    old, new = dict(_leaves(before)), dict(_leaves(yaml.safe_load(to_yaml(config))))
    return [
        f"{key} ({_said(old.get(key))}, now {_said(new.get(key))})"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def check_enrolled(file: Path, config: PipelineConfig) -> None:
    """Raise ``ConfigError`` if others are enrolled than in an earlier run: their numbers may be somebody else's.

    Args:
        file: As of ``changed_keys``.
        config: Likewise.
    """
    written = _written(file)
    if written is not None and (before := list(written.get("enrol") or ())) != list(config.enrol):
        expected, got = (", ".join(names) or "nobody" for names in (before, config.enrol))
        raise ConfigError(
            f"enrol: expected the people of the run that is continued, in its order: {expected}; got {got}; numbers of "
            "others may be taken: name somebody who was seen instead, or begin a new run"
        )


def _written(file: Path) -> dict[str, Any] | None:
    """Return what a run wrote as its configuration; None if nothing can be known of it."""
    try:
        written = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return written if isinstance(written, dict) else None


def _leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in node.items():
        key = f"{prefix}{name}"
        if key == "site.cameras":
            value = {camera_id: {"detector": own} for camera_id, (_, own) in own_detectors(value).items()}
        if (not prefix and name not in DECIDING) or key in ELSEWHERE or name in OF_THE_MACHINE:
            continue
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{key}.")
        elif value not in (None, {}, []):  # nothing is the same as no key
            yield key, value


def _said(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
