"""Of which cameras live video may be shown: what comes from another server knows nothing of masks and blurred heads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from connectors.console.store.site import SiteReader
from pipeline.core.edits_file import EditsFile

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class PermittedVideo:
    """Reads the configuration of a run and its file of edits, and each again when it changes.

    Args:
        site: The configuration.
        edits: The file of edits; it need not be there.
    """

    def __init__(self, site: SiteReader, edits: Path) -> None:
        self._site = site
        self._edits = EditsFile(edits)
        self._covered: frozenset[str] | None = frozenset()

    def why_not(self, camera_id: str) -> str:
        """Return why live video of a camera may not be shown, for its viewer; empty if it may."""
        text = self._edits.new_text()
        if text is not None:
            self._covered = _covered_by(text)
        site = self._site.site()
        if site.blur_heads:
            return "heads are blurred in live pictures, and live video cannot do that"
        if self._covered is None or camera_id in self._covered | site.covered:
            return "a part of the picture is covered, and live video cannot do that"
        return ""


def _covered_by(text: str) -> frozenset[str] | None:
    """Return the cameras that the masks of a file of edits name; None if it cannot be read, which covers all."""
    try:
        masks = ((yaml.load(text, LOADER) or {}).get("site") or {}).get("masks") or {}
        return covered_cameras(masks)
    except (yaml.YAMLError, AttributeError, KeyError, TypeError):
        return None


def covered_cameras(masks: Mapping[str, Any]) -> frozenset[str]:
    """Return the cameras that masks name, see ``site.masks``; raises ``TypeError`` or ``KeyError`` for what is none."""
    return frozenset(str(mask["camera"]) for mask in masks.values() if mask is not None)
