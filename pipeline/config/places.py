"""Which cameras a configuration speaks of: each must be one of the site's."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.core.errors import ConfigError


def check_places(site: Mapping[str, Any], alerts: Mapping[str, Any]) -> None:
    """Raise if a zone, a line or a rule names a camera that the site does not have: it could never be met.

    Args:
        site: ``cameras``, ``zones``, ``lines`` and ``ground``.
        alerts: Options of the rules by name; one may have ``zones``, ``lines`` or ``cameras`` of its own.

    Raises:
        ConfigError: Names the key.
    """
    known = {str(camera_id) for camera_id in site["cameras"]}
    for key, cameras in _named(site, alerts):
        for camera_id in cameras:
            if str(camera_id) not in known:
                raise ConfigError(f"{key}: expected one of {sorted(known)}, got {camera_id}; correct it")


def _named(site: Mapping[str, Any], alerts: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield keys and the cameras that they name."""
    for owner, options in ({"site": site} | {f"alerts.{name}": each for name, each in alerts.items()}).items():
        if not isinstance(options, Mapping):
            continue  # whoever builds the rule says so, as of shapes that are none
        for kind in ("zones", "lines"):
            shapes = options.get(kind)
            for name, block in shapes.items() if isinstance(shapes, Mapping) else ():
                yield from _of_shape(f"{owner}.{kind}.{name}", block if isinstance(block, Mapping) else {})
        if owner != "site" and isinstance(options.get("cameras"), list | tuple):
            yield f"{owner}.cameras", list(options["cameras"])
    for camera_id in site.get("ground") or {}:
        yield f"site.ground.{camera_id}", [camera_id]


def _of_shape(key: str, block: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield the cameras of a zone or line; one in metres may leave them out, and be seen by all of ``site.ground``."""
    if isinstance(block.get("cameras"), list | tuple):
        yield f"{key}.cameras", list(block["cameras"])
    elif block.get("camera") is not None or block.get("metres") is not True:
        yield f"{key}.camera", [block.get("camera")]
