"""A picture of a camera to draw on: of a recording, the first; live cameras send theirs to the page."""

from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from connectors.console.camera.best_pictures import encoded
from pipeline.camera.privacy_mask import masked, parse_masks
from pipeline.config.plugins import build_source
from pipeline.core.camera_uri import parse_camera
from pipeline.core.errors import ConfigError

QUALITY = 85
"""JPEG quality, in [1, 100]."""


def still(config: Path, camera_id: str, masks: object) -> bytes:
    """Return the first picture of a camera's recording, a JPEG of its whole size, covered by the masks of the site.

    Args:
        config: What the run wrote of its configuration.
        camera_id: The camera.
        masks: See ``parse_masks``.

    Raises:
        ConfigError: If there is no such camera, or it is no recording.
        SourceLostError: If the recording cannot be read.
    """
    try:
        run: Any = yaml.safe_load(config.read_text(encoding="utf-8"))
        camera = run["site"]["cameras"][camera_id]
        sources, allow = run["source"], run.get("allow_plugins") or ()
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ConfigError(f"camera {camera_id}: expected one of this run, got another; load the page again") from error
    if not parse_camera(camera).is_recording:
        raise ConfigError(
            f"camera {camera_id}: is live and sends no picture now; draw when it does, or write the corners"
        )
    source = build_source(camera_id, camera, sources, allow=allow)()
    with closing(source):
        frame = next(iter(source.frames()), None)
    if frame is None:
        raise ConfigError(f"camera {camera_id}: expected a picture, got an empty recording")
    return encoded(masked(frame.image, parse_masks(masks).get(camera_id, ())), QUALITY)
