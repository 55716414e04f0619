"""Builds the plug-ins that the YAMLs name, for contract tests."""

import importlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from pipeline.core.errors import WeightsError

ROOT = Path(__file__).resolve().parents[1]
SHARED_MODELS = Path(os.environ.get("PASSERBY_SHARED", ROOT.parent / "shared")).resolve() / "models"


def plugin_names(group: str) -> list[str]:
    """Return what can be chosen in a group of configs/."""
    return sorted(path.stem for path in (ROOT / "configs" / group).glob("*.yaml"))


def plugin_factory(group: str, name: str, **overrides: Any) -> Callable[[], Any]:
    """Return the constructor call of a YAML; skips the test if its package or its weights are absent."""
    settings = {
        "weights_dir": str(SHARED_MODELS),
        "output_dir": "outputs",
        "device": "cpu",
        "threads": 1,
        group: OmegaConf.merge(OmegaConf.load(ROOT / "configs" / group / f"{name}.yaml"), overrides),
    }
    arguments = OmegaConf.to_container(OmegaConf.create(settings)[group], resolve=True)
    module_name, class_name = arguments.pop("_target_").rsplit(".", 1)
    try:
        plugin = getattr(importlib.import_module(module_name), class_name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in ("models", "connectors", "pipeline"):
            raise
        pytest.skip(f"{group}={name} needs {error.name}")
    if missing := [key for key, value in arguments.items() if value == "???"]:
        pytest.skip(f"{group}={name} needs {', '.join(missing)}")
    try:
        getattr(plugin, "preflight", lambda **_: None)(**arguments)
    except WeightsError as error:
        pytest.skip(f"{group}={name}: {error}")
    return partial(plugin, **arguments)
