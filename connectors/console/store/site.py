"""What the page knows of the site, read from the configuration of the run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

Place = tuple[float, float]
"""Metres on the ground."""


@dataclass(frozen=True, slots=True)
class Site:
    """Configuration of a site.

    Attributes:
        cameras: Names, in order.
        later: Names of cameras that may be added.
        overlaps: Pairs of cameras that see the same ground; None if not stated.
        transit_times: As stated by the site, each with ``between``, ``min_s``, ``max_s``.
        ground: By camera, the homography from pixels to metres: three rows of three numbers.
        blur_heads: Whether heads are blurred in live pictures.
        edits: File in which zones, lines and rules are edited; None: in the output folder.
        listed: People whom the configuration puts on the watch-list, by name.
        sinks: Configuration of the sinks, by name.
        camera_groups: Names of cameras that are shown together, by the name of the group.
        covered: Cameras of which only a part may be seen, because of a mask, or because they are a part of a picture.
    """

    cameras: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    overlaps: list[list[str]] | None = None
    transit_times: list[dict[str, Any]] = field(default_factory=list)
    ground: Mapping[str, Any] = field(default_factory=dict)
    blur_heads: bool = False
    edits: Path | None = None
    listed: Mapping[str, int] = field(default_factory=dict)
    sinks: Mapping[str, Any] = field(default_factory=dict)
    camera_groups: Mapping[str, list[str]] = field(default_factory=dict)
    covered: frozenset[str] = frozenset()

    def place(self, camera_id: str, box_xyxy: Any) -> Place | None:
        """Return where a person stands, metres; None if the camera has no ground plane."""
        rows = self.ground.get(camera_id)
        if rows is None:
            return None
        left, _, right, bottom = box_xyxy
        x, y, scale = (np.array(rows, np.float64) @ ((left + right) / 2, bottom, 1.0)).tolist()
        return None if abs(scale) < 1e-9 else (round(x / scale, 2), round(y / scale, 2))


class SiteReader:
    """Reads the ``config.yaml`` of a run, and reads it again when it changes.

    Args:
        output_dir: Output folder of the run.
    """

    def __init__(self, output_dir: Path) -> None:
        self._path = output_dir / "config.yaml"
        self._written_at: float | None = None
        self._site = Site()

    def site(self) -> Site:
        """Return the current site; an empty one if there is no configuration."""
        try:
            written_at = self._path.stat().st_mtime
            if written_at != self._written_at:
                self._site = _site(yaml.safe_load(self._path.read_text()))
                self._written_at = written_at
        except (OSError, yaml.YAMLError):
            return self._site
        return self._site


def _site(config: Any) -> Site:
    if not isinstance(config, dict) or not isinstance(config.get("site"), dict):
        return Site()
    site = config["site"]
    return Site(
        tuple(map(str, site.get("cameras") or {})),
        tuple(map(str, site.get("later") or ())),
        site.get("overlaps"),
        site.get("transit_times") or [],
        site.get("ground") or {},
        bool((config.get("monitor") or {}).get("blur_heads", False)),
        Path(config["edits"]) if config.get("edits") else None,
        ((config.get("alerts") or {}).get("watchlist") or {}).get("people") or {},
        config.get("sink") or {},
        site.get("camera_groups") or {},
        _covered(site),
    )


def _covered(site: Mapping[str, Any]) -> frozenset[str]:
    cameras, masks = site.get("cameras") or {}, site.get("masks") or {}
    cropped = {name for name, entry in cameras.items() if isinstance(entry, dict) and entry.get("crop_xyxy")}
    return frozenset(cropped | {str(mask["camera"]) for mask in masks.values() if mask is not None})
