"""Which detector each camera has: that of the run, or one of its own (``site.cameras.NAME.detector``)."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.camera.detection import DetectionStage
from pipeline.config.plugins import build
from pipeline.config.process_limits import is_elsewhere, stage_share
from pipeline.config.schema import PipelineConfig
from pipeline.core import Detector
from pipeline.core.errors import ConfigError, PluginError, WeightsError
from pipeline.core.plugin_contract import made
from pipeline.runtime.plan import Detection

OF_RUN = "detector"
"""Key of the detector of the cameras that have none of their own."""

_NAMED = re.compile(rf"(?<![\w./-]){OF_RUN}(?=\.\w|[:=]| \()")
"""That key in a message, alone or before another one."""


def own_detectors(cameras: Mapping[str, object]) -> dict[str, tuple[str, Any]]:
    """Return key and configuration of the detector of each camera that has one of its own, by camera."""
    blocks = {name: camera for name, camera in cameras.items() if isinstance(camera, Mapping)}
    return {
        name: (f"site.cameras.{name}.detector", block["detector"])
        for name, block in blocks.items()
        if block.get("detector") is not None
    }


def own_detections(config: PipelineConfig) -> dict[str, Detection]:
    """Return how people are found by each camera whose detector is not that of the run; equal ones are one.

    Raises:
        ConfigError: If a detector cannot be used; names the key.
        WeightsError: If weights are absent or altered; names the key.
    """
    found: dict[str, Detection] = {}
    by_name: dict[str, Detection] = {}
    for camera_id, (key, node) in own_detectors(config.site.cameras).items():
        if node == config.detector:
            continue
        name = _stage_name(node)
        if name not in by_name:
            by_name[name] = detection_of(config, node, key, name)
        found[camera_id] = by_name[name]
    return found


def detection_of(config: PipelineConfig, node: Any, key: str = OF_RUN, name: str = "detect") -> Detection:
    """Return how people are found by a detector.

    Args:
        config: Of the run.
        node: Of the detector.
        key: Of the node, for messages.
        name: Of the stage.

    Raises:
        ConfigError: If it cannot be used; names the key.
        WeightsError: If weights are absent or altered; names the key.
    """
    with _under(key):
        make_detector = build(node, OF_RUN, allow=config.allow_plugins, preflight=not is_elsewhere(config))
    limits = config.detect
    return Detection(
        name,
        check_size(node, key),
        partial(_detection_stage, make_detector, limits.min_score, limits.min_height_px, key),
        stage_share(config.runtime.detect, node),
    )


def check_size(node: Any, key: str) -> tuple[int, int]:
    """Return height and width of a detector's input, pixels; raise ``ConfigError`` if it says none."""
    return size_hw(node.get("input_hw") if isinstance(node, Mapping) else None, f"{key}.input_hw")


def size_hw(size: object, key: str) -> tuple[int, int]:
    """Return a height and a width, pixels; raise ``ConfigError`` if it is no such pair."""
    if not (isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) and side > 0 for side in size)):
        raise ConfigError(f"{key}: expected height and width in pixels, got {size}; correct it")
    return size[0], size[1]


def _stage_name(node: Mapping[str, Any]) -> str:
    """Return a name that says what a detector is, and that no other configuration has."""
    text = json.dumps(node, sort_keys=True, default=str)
    what = Path(str(node.get("weights") or node.get("_target_"))).stem
    return f"detect {what} {hashlib.sha256(text.encode()).hexdigest()[:8]}"


# What follows also runs in the process where the stage works.


def _detection_stage(
    make_detector: Callable[[], Detector], min_score: float, min_height_px: float, key: str
) -> DetectionStage:
    with _under(key):
        detector = made(OF_RUN, make_detector)
    return DetectionStage(detector, min_score=min_score, min_height_px=min_height_px, key=key)


@contextmanager
def _under(key: str) -> Iterator[None]:
    """Let errors name the detector of a camera where they name that of the run, or none."""
    try:
        yield
    except (ConfigError, WeightsError, PluginError) as error:
        if key == OF_RUN:
            raise
        text, count = _NAMED.subn(key, str(error))
        trace = [error.trace] if isinstance(error, PluginError) else []
        raise type(error)(text if count else f"{key}: {text}", *trace) from error
