"""Builds the plug-ins that the YAMLs name, for contract tests."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from pipeline.config.plugins import build
from pipeline.core.errors import MissingDependencyError, WeightsError

ROOT = Path(__file__).resolve().parents[2]
SHARED_MODELS = Path(os.environ.get("PASSERBY_SHARED", ROOT.parent / "shared")).resolve() / "models"


def plugin_names(group: str) -> list[str]:
    """Return what can be chosen in a group of configs/."""
    return sorted(path.stem for path in (ROOT / "configs" / group).glob("*.yaml"))


def plugin_yaml(group: str, name: str) -> DictConfig:
    """Return a file of configs/ merged over those that its defaults name, nothing resolved."""
    own = OmegaConf.load(ROOT / "configs" / group / f"{name}.yaml")
    assert isinstance(own, DictConfig)
    others = [other for other in own.pop("defaults", []) if other != "_self_"]
    merged = OmegaConf.merge(*(plugin_yaml(group, other) for other in others), own)
    assert isinstance(merged, DictConfig)
    return merged


def plugin_factory(group: str, name: str, **overrides: Any) -> Callable[[], Any]:
    """Return the constructor call of a YAML; skips the test if its package or its weights are absent."""
    settings = {
        "weights_dir": str(SHARED_MODELS),
        "output_dir": "outputs",
        "device": "cpu",
        "threads": 1,
        "reproducible": True,
        group: OmegaConf.merge(plugin_yaml(group, name), overrides),
    }
    node = OmegaConf.to_container(OmegaConf.create(settings)[group], resolve=True)
    if missing := [key for key, value in node.items() if value == "???"]:
        pytest.skip(f"{group}={name} needs {', '.join(missing)}")
    try:
        return build(node, group)
    except (MissingDependencyError, WeightsError) as error:
        pytest.skip(f"{group}={name}: {error}")
