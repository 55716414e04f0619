"""The zones and lines that were saved in the page, for live pictures: cameras know only those of their start."""

import logging
from pathlib import Path

import yaml

from connectors.console.camera.drawn_shapes import Drawn, DrawnShapes
from pipeline.core.edits_file import EditsFile
from pipeline.core.errors import ConfigError

logger = logging.getLogger(__name__)


class EditedShapes:
    """Reads a file of edits, and again when it changes.

    Args:
        path: The file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._file = EditsFile(path)
        self._shapes: DrawnShapes | None = None

    def of(self, camera_id: str, frame_hw: tuple[int, int]) -> list[Drawn] | None:
        """Return the shapes in the picture of a camera; None if nothing was edited."""
        text = self._file.new_text()
        if text is not None:
            self._read(text)
        return None if self._shapes is None else self._shapes.of(camera_id, frame_hw)

    def _read(self, text: str) -> None:
        try:
            site = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))["site"]
            self._shapes = DrawnShapes(site.get("zones"), site.get("lines"), site.get("ground"))
        except (ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError, ConfigError) as error:
            logger.warning("%s: its zones are not drawn: %s", self._file.path, error)
