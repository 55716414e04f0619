"""What ``site.cameras`` says of each camera's frames, whatever source they come from."""

from collections.abc import Mapping
from math import inf

from pipeline.config.schema import SiteConfig
from pipeline.core.errors import ConfigError
from pipeline.runtime.plan import CameraIntake


def camera_intakes(site: SiteConfig) -> dict[str, CameraIntake]:
    """Return what is done to the frames of each camera.

    Raises:
        ConfigError: If a value is out of range; names the key.
    """
    return {camera_id: _intake(camera_id, camera) for camera_id, camera in site.cameras.items()}


def _intake(camera_id: str, camera: object) -> CameraIntake:
    block = camera if isinstance(camera, Mapping) else {}
    max_fps = _number(camera_id, block, "max_fps")
    if max_fps is not None and max_fps <= 0:
        raise ConfigError(f"site.cameras.{camera_id}.max_fps: expected a number above 0, got {max_fps}; correct it")
    return CameraIntake(
        max_fps,
        _number(camera_id, block, "offset_s") or 0.0,
        watch_view=_switch(camera_id, block, "watch_view", usual=True),
        motion_gate=_switch(camera_id, block, "motion_gate", usual=False),
    )


def _switch(camera_id: str, block: Mapping[str, object], name: str, *, usual: bool) -> bool:
    value = block.get(name, usual)
    if not isinstance(value, bool):
        raise ConfigError(f"site.cameras.{camera_id}.{name}: expected true or false, got {value}; correct it")
    return value


def _number(camera_id: str, block: Mapping[str, object], name: str) -> float | None:
    value = block.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -inf < value < inf:
        raise ConfigError(f"site.cameras.{camera_id}.{name}: expected a number, got {value}; correct it")
    return float(value)
