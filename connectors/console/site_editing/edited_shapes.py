"""The zones and lines that were saved in the page, for live pictures: cameras know only those of their start."""

import logging
import time
from pathlib import Path

import yaml

from connectors.console.camera.drawn_shapes import Drawn, DrawnShapes
from pipeline.core.errors import ConfigError

logger = logging.getLogger(__name__)

EVERY_S = 1.0
"""Seconds between two looks at the file. A longer time shows a new zone later."""


class EditedShapes:
    """Reads a file of edits, and again when it changes.

    Args:
        path: The file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._looked_at = float("-inf")
        self._written_at: int | None = None
        self._shapes: DrawnShapes | None = None

    def of(self, camera_id: str, frame_hw: tuple[int, int]) -> list[Drawn] | None:
        """Return the shapes in the picture of a camera; None if nothing was edited."""
        now = time.monotonic()
        if now - self._looked_at >= EVERY_S:
            self._looked_at = now
            self._read()
        return None if self._shapes is None else self._shapes.of(camera_id, frame_hw)

    def _read(self) -> None:
        try:
            written_at = self._path.stat().st_mtime_ns
            if written_at == self._written_at:
                return
            self._written_at = written_at
            loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
            site = yaml.load(self._path.read_text(encoding="utf-8"), loader)["site"]
            self._shapes = DrawnShapes(site.get("zones"), site.get("lines"), site.get("ground"))
        except FileNotFoundError:
            self._shapes = self._written_at = None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError, ConfigError) as error:
            logger.warning("%s: its zones are not drawn: %s", self._path, error)
