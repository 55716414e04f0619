"""What a configuration says of places: which cameras, and which keys of zones no rule reads."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.engine import AlertEngine
from pipeline.alerts.picture_check import Sizes
from pipeline.alerts.plane_geometry import crossed_edges
from pipeline.alerts.schedule import parse_schedule
from pipeline.alerts.zones import parse_lines, parse_zones
from pipeline.camera.privacy_mask import Mask, check_masks, parse_masks
from pipeline.core.camera_uri import parse_camera
from pipeline.core.errors import ConfigError

RULES = "pipeline.alerts.rules."
"""Package of the rules that are known here; rules of other packages may read any key."""

READ_BY = {"max_dwell_s": "zone_dwell", "group": "zone_dwell", "max_people": "occupancy", "way": "wrong_way"}
"""Keys of a zone that one rule reads; the others say where and when it counts, for all rules."""

LIMITS = {
    "absence": "max_absence_s",
    "crowding": "min_s",
    "occupancy": "min_s",
    "queue": "max_wait_s",
    "zone_dwell": "max_dwell_s",
}
"""By rule: how long something must last in a zone, while the zone counts, until the rule tells of it."""

BY_DEFAULT = ("zone_dwell", "line_crossing", "watchlist")
"""Rules of a configuration that chooses none; a site without zones need not leave them out."""

logger = logging.getLogger(__name__)


def check_places(site: Mapping[str, Any], alerts: Mapping[str, Any]) -> None:
    """Raise if a zone, a line or a rule names a camera that the site does not have: it could never be met.

    Args:
        site: ``cameras``, ``later``, ``zones``, ``lines``, ``masks``, ``ground`` and ``camera_groups``.
        alerts: Options of the rules by name; one may have ``zones``, ``lines`` or ``cameras`` of its own.

    Raises:
        ConfigError: Names the key.
    """
    _check_masks(site)
    known = {str(camera_id) for camera_id in (*site["cameras"], *site.get("later", ()))}
    for key, cameras in _named(site, alerts):
        for camera_id in cameras:
            if str(camera_id) not in known:
                raise ConfigError(f"{key}: expected one of {sorted(known)}, got {camera_id}; correct it")
    parse_ground(site.get("ground") or {}, known)
    _check_shapes(site, alerts)


def parse_ground(blocks: Mapping[str, Any], known: Collection[str]) -> dict[str, NDArray[np.float64]]:
    """Return the homographies of ``site.ground``, each of shape ``(3, 3)``: pixels to metres.

    Args:
        blocks: By camera, three rows of three numbers.
        known: Cameras that may be named.

    Raises:
        ConfigError: If one is none; names the key.
    """
    homographies = {}
    for camera_id, rows in blocks.items():
        try:
            matrix = np.array(rows, np.float64)
        except (TypeError, ValueError):
            matrix = np.empty(0)
        is_good = matrix.shape == (3, 3) and np.isfinite(matrix).all() and abs(np.linalg.det(matrix)) >= 1e-12
        if camera_id not in known or not is_good:
            raise ConfigError(
                f"site.ground.{camera_id}: expected a camera of {sorted(known)} and three rows of three numbers that "
                f"take pixels to metres, got {rows}; correct it"
            )
        homographies[camera_id] = matrix
    return homographies


def check_drawn(engine: AlertEngine, site: Mapping[str, Any], sizes: Sizes) -> None:
    """Raise if the picture of a camera does not show what is drawn for it, as the next run would.

    Zones and lines of live cameras are left out: a run begins without their pictures, and warns later.

    Args:
        engine: Has the rules.
        site: As above.
        sizes: Of the cameras that are known.

    Raises:
        ConfigError: Names the key.
    """
    masks = parse_masks(site.get("masks") or {})
    for camera_id, size in sizes.items():
        check_masks(masks.get(camera_id, ()), size)
    cameras = site["cameras"]
    recorded = {
        name: size for name, size in sizes.items() if name in cameras and parse_camera(cameras[name]).is_complete
    }
    for camera_id in recorded:
        engine.check_picture(camera_id, recorded)


def check_unrecorded(camera_id: str, camera: object, masks: Sequence[Mask]) -> None:
    """Raise ``ConfigError`` if there are masks of a camera whose main stream is recorded as it is."""
    if masks and isinstance(camera, Mapping) and camera.get("record") is not None:
        raise ConfigError(
            f"site.cameras.{camera_id}.record: records what site.masks.{masks[0].name} covers; leave one of them out"
        )


def warn_of_rules(site: Mapping[str, Any], alerts: Mapping[str, Any], enrolled: Collection[str] = ()) -> None:
    """Log what rules will never tell; once all is checked, so that an error stands alone.

    Args:
        site: As above.
        alerts: As above.
        enrolled: Names of the people who are enrolled.
    """
    for warning in (*unread_keys(site, alerts), *idle_rules(alerts, enrolled)):
        logger.warning("%s", warning)


def unread_keys(site: Mapping[str, Any], alerts: Mapping[str, Any]) -> list[str]:
    """Return a warning for each key of a zone that only rules read which are not chosen; arguments as above."""
    targets = _targets(alerts)
    if not all(target.startswith(RULES) for target in targets.values()):
        return []
    zones = site["zones"] if isinstance(site["zones"], Mapping) else {}
    return [
        f"site.zones.{name}.{key}: no chosen rule reads it; add {READ_BY[key]} to alerts=[{','.join(targets)}], or "
        "leave it out"
        for name, block in zones.items()
        for key in (block if isinstance(block, Mapping) else {})
        if key in READ_BY and READ_BY[key] not in targets
    ]


def idle_rules(alerts: Mapping[str, Any], enrolled: Collection[str] = ()) -> list[str]:
    """Return a warning for each rule that can never tell anything, but for those that are chosen by default.

    Another one says that people are enrolled, by these names, and no rule tells when they come.
    """
    found = []
    known = {name: node for name, node in alerts.items() if isinstance(node, Mapping)}
    if enrolled and not any(str(node.get("_target_")).endswith(".WatchlistRule") for node in known.values()):
        names, rules = ", ".join(enrolled), ",".join(alerts)
        found.append(f"enrol: no alert will follow when {names} appears; add watchlist to alerts=[{rules}]")
    for name, node in known.items():
        found += _short_schedules(name, node)
        if name in BY_DEFAULT:
            continue
        zones = node.get("zones")
        ways = (
            [zone for zone in zones.values() if isinstance(zone, Mapping) and "way" in zone]
            if isinstance(zones, Mapping)
            else []
        )
        if zones == {}:
            found.append(f"alerts.{name}: it has no zone to look at; add some to site.zones, or leave the rule out")
        elif name == "wrong_way" and not ways:
            found.append(f"alerts.{name}: no zone has a way; add way: [[x, y], [x, y]] to one, or leave the rule out")
        elif name == "restricted_camera" and not node.get("cameras"):
            found.append(f"alerts.{name}.cameras: no camera is named; name some, or leave the rule out")
    return found


def _targets(alerts: Mapping[str, Any]) -> dict[str, str]:
    """Return the class of each rule."""
    return {name: str(node.get("_target_", "")) for name, node in alerts.items() if isinstance(node, Mapping)}


def _short_schedules(rule: str, node: Mapping[str, Any]) -> Iterator[str]:
    """Yield a warning for each zone that never counts for as long as a rule wants."""
    key, zones = LIMITS.get(rule, ""), node.get("zones")
    builder = AlertBuilder(name=rule, severity="info")
    for name, block in zones.items() if key and isinstance(zones, Mapping) else ():
        if not isinstance(block, Mapping) or block.get("schedule") is None or "group" in block:
            continue
        limit = block.get(key, node.get(key))
        longest_s = parse_schedule(block["schedule"], f"zones.{name}.schedule", builder).longest_s
        if isinstance(limit, int | float) and limit >= longest_s:
            yield (
                f"alerts.{rule}.{key}: nothing will be told of zone {name!r}, whose schedule lasts {longest_s:g} s at "
                f"most, got {limit:g}; lower it, or extend site.zones.{name}.schedule"
            )


def _check_shapes(site: Mapping[str, Any], alerts: Mapping[str, Any]) -> None:
    """Raise if shapes of the site or of a rule are none; those of the site may have keys that only other rules read."""
    for kind, parse in (("zones", parse_zones), ("lines", parse_lines)):
        if all(target.startswith(RULES) for target in _targets(alerts).values()) and isinstance(site[kind], Mapping):
            parse(site[kind], AlertBuilder(name="site", severity="info"), site.get("ground") or {})
        for rule, options in alerts.items():
            shapes = options.get(kind) if isinstance(options, Mapping) else None
            if isinstance(shapes, Mapping) and shapes != site[kind]:
                builder = AlertBuilder(name=rule, severity="info", shapes=f"alerts.{rule}")
                parse(shapes, builder, site.get("ground") or {})


def _check_masks(site: Mapping[str, Any]) -> None:
    """Raise if a mask covers nothing, or not all: where edges cross each other, the middle would not be covered."""
    found = parse_masks(site.get("masks") or {})
    for camera_id, masks in found.items():
        check_unrecorded(camera_id, site["cameras"].get(camera_id), masks)
    for mask in chain.from_iterable(found.values()):
        crossed = crossed_edges(np.array(mask.polygon))
        if crossed is not None:
            raise ConfigError(
                f"site.masks.{mask.name}.polygon: expected edges that do not cross, got {crossed}; correct the order"
            )


def _named(site: Mapping[str, Any], alerts: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield keys and the cameras that they name."""
    for owner, options in ({"site": site} | {f"alerts.{name}": each for name, each in alerts.items()}).items():
        if not isinstance(options, Mapping):
            continue  # the constructor of the rule says so, as of shapes that are none
        for kind in ("zones", "lines", "masks"):
            shapes = options.get(kind)
            for name, block in shapes.items() if isinstance(shapes, Mapping) else ():
                yield from _of_shape(f"{owner}.{kind}.{name}", block if isinstance(block, Mapping) else {})
        if owner != "site" and isinstance(options.get("cameras"), list | tuple):
            yield f"{owner}.cameras", list(options["cameras"])
    for camera_id in site.get("ground") or {}:
        yield f"site.ground.{camera_id}", [camera_id]
    for name, cameras in (site.get("camera_groups") or {}).items():
        yield f"site.camera_groups.{name}", list(cameras)


def _of_shape(key: str, block: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield the cameras of a zone or line; one in metres may leave them out, and be seen by all of ``site.ground``."""
    if isinstance(block.get("cameras"), list | tuple):
        yield f"{key}.cameras", list(block["cameras"])
    elif block.get("camera") is not None or block.get("metres") is not True:
        yield f"{key}.camera", [block.get("camera")]
