"""Checks the numbers of a configuration against the ranges of the schema."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pipeline.config.schema import AT_LEAST_0, AT_LEAST_1, RESERVED, PipelineConfig, Range
from pipeline.core.errors import ConfigError

RUNTIMES = ("inline", "ray")
STAGES = ("camera", "detect", "pose", "embed", "match")
"""Keys under ``runtime`` that say what actors reserve."""

RAYS_OWN = {"CPU": "num_cpus", "GPU": "num_gpus", "memory": "", "object_store_memory": "", "bundle": ""}
"""Resources that Ray takes under no name of the cluster, and the key that reserves them; empty where none does."""


def check_ranges(config: PipelineConfig) -> None:
    """Raise if a number would make the pipeline hang, divide by zero or do nothing.

    Raises:
        ConfigError: Names the key.
    """
    if config.runtime.kind not in RUNTIMES:
        raise ConfigError(f"runtime.kind: expected one of {', '.join(RUNTIMES)}, got {config.runtime.kind}; correct it")
    check_numbers(config)
    for kind in STAGES:
        _check_resources(f"runtime.{kind}", getattr(config.runtime, kind).resources)
    start = config.matcher.calibration
    if not start.same_mean < start.different_mean:
        raise ConfigError(
            f"matcher.calibration.different_mean: expected a number above same_mean, {start.same_mean:g}, "
            f"got {start.different_mean:g}; correct it"
        )


def check_numbers(part: object, prefix: str = "") -> None:
    """Raise ``ConfigError`` if a number of a part of the configuration is out of range; keys begin with a prefix."""
    for key, value, (expected, is_valid) in _numbers(part, prefix):
        if not is_valid(value):
            raise ConfigError(f"{key}: expected {expected}, got {value:g}; correct it")


def _check_resources(stage: str, resources: Mapping[str, float]) -> None:
    """Raise ``ConfigError`` if a stage would reserve what no cluster can be asked for as a kind of its own."""
    expected, is_valid = RESERVED
    for name, amount in resources.items():
        key = f"{stage}.resources.{name}"
        if name in RAYS_OWN:
            instead = f"use {stage}.{RAYS_OWN[name]}" if RAYS_OWN[name] else "leave it out"
            raise ConfigError(f"{key}: expected a kind of the cluster's own, got one that Ray counts itself; {instead}")
        if not is_valid(amount):
            raise ConfigError(f"{key}: expected {expected}, got {amount:g}; correct it")


def _numbers(node: object, prefix: str = "") -> Iterator[tuple[str, float, Range]]:
    """Yield key, value and range of all numbers in nested dataclasses, but not those in lists and plug-ins."""
    assert is_dataclass(node)
    for field in fields(node):
        value: Any = getattr(node, field.name)
        if is_dataclass(value):
            yield from _numbers(value, f"{prefix}{field.name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool) and field.type is not Any:
            usual = AT_LEAST_1 if isinstance(value, int) else AT_LEAST_0
            yield f"{prefix}{field.name}", value, field.metadata.get("range", usual)
