"""Which keys of a run that is continued have other values than before."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline.config.composition import to_yaml
from pipeline.config.schema import PipelineConfig

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
ELSEWHERE = {"site.cameras", "site.footage", "site.truth"}
"""Keys below them that say what is read, and not how: a run may be continued with later recordings."""
OF_THE_MACHINE = {"device", "output_dir", "threads", "weights_dir"}
"""Last parts of keys that say where something is done."""


def changed_keys(file: Path, config: PipelineConfig) -> list[str]:
    """Return the keys that decide, and differ from those of an earlier run, each with both values.

    Args:
        file: ``config.yaml`` of the earlier run.
        config: Of this run.
    """
    try:
        before = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return []  # none, or damaged: nothing is known of the earlier run
    if not isinstance(before, dict):
        return []
    old, new = dict(_leaves(before)), dict(_leaves(yaml.safe_load(to_yaml(config))))
    return [
        f"{key} ({_said(old.get(key))}, now {_said(new.get(key))})"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def _leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in node.items():
        key = f"{prefix}{name}"
        if (not prefix and name not in DECIDING) or key in ELSEWHERE or name in OF_THE_MACHINE:
            continue
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{key}.")
        elif value not in (None, {}, []):  # nothing is the same as no key
            yield key, value


def _said(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
