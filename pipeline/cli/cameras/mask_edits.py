"""Covers what is masked in the page while a run goes on, from the next frame of each camera on."""

import asyncio
import logging
import time
from collections.abc import Mapping
from hashlib import sha256

from pipeline.camera.privacy_mask import Mask, parse_masks
from pipeline.config.rule_edits import edited, of_run, parse_edits
from pipeline.config.schema import PipelineConfig
from pipeline.core.edits_file import EditsFile
from pipeline.core.errors import ConfigError, ConnectorError, ProcessLostError
from pipeline.ledger.audit import write_audit
from pipeline.runtime.cameras.camera import Camera
from pipeline.runtime.plan import Plan

WAIT_S = 2.0
"""Seconds that a camera has to take masks. Longer: one that hangs keeps commands and the other cameras waiting."""

logger = logging.getLogger(__name__)


class MaskEdits:
    """Follows the masks of a run's file of edits. What was covered at the start stays so until the next one.

    Masks of edits that were there at the start are covered once more: they may have changed while networks were loaded.

    Args:
        config: Of the run, at its start, without edits.
        plan: Of the run.
    """

    def __init__(self, config: PipelineConfig, plan: Plan) -> None:
        self._plan = plan
        self._file = EditsFile(plan.edits)
        self._blocks = dict(config.site.masks)
        self._masks: dict[str, tuple[Mask, ...]] = {}
        self._covered: dict[str, tuple[Camera, tuple[Mask, ...]]] = {}

    async def follow(self, config: PipelineConfig, cameras: Mapping[str, Camera]) -> dict[str, object] | None:
        """Cover what is new, of new cameras too; return all masks when they have changed.

        Args:
            config: With all cameras that were ever part of the run.
            cameras: That take part now.
        """
        text = self._file.new_text()
        changed = None if text is None else self._read(text, config)
        if changed is not None:
            self._blocks, self._masks = changed, parse_masks(changed)
        refused = [reason for name, camera in cameras.items() if (reason := await self._cover(name, camera))]
        if changed is not None or refused:
            what = "masks refused" if refused else "masks applied"
            self._note(what, "; ".join(refused) or sha256((text or "").encode()).hexdigest())
        return changed

    def _read(self, text: str, config: PipelineConfig) -> dict[str, object] | None:
        """Return the masks of a text if they differ; a text that cannot be used is refused with its rules."""
        try:
            site = edited(of_run(config), parse_edits(text, str(self._file.path)), str(self._file.path))["site"]
        except ConfigError:
            return None
        return dict(site["masks"]) if site["masks"] != self._blocks else None

    async def _cover(self, name: str, camera: Camera) -> str:
        """Bring a camera up to date; return why it refuses, or nothing."""
        masks = self._masks.get(name, ())
        if self._covered.get(name, (camera, ())) == (camera, masks):
            return ""
        self._covered[name] = camera, masks
        try:
            await asyncio.wait_for(camera.cover(masks), WAIT_S)
        except ConfigError as error:
            logger.warning("%s", error)
            return str(error)
        except (ProcessLostError, TimeoutError):
            del self._covered[name]  # it is asked again with the next look, as the process that replaces it
        return ""

    def _note(self, action: str, subject: str) -> None:
        ledger = self._plan.output_dir / "ledger.sqlite"
        try:
            write_audit(ledger, at=time.time(), by="configuration", action=action, subject=subject)
        except ConnectorError as error:
            logger.warning("%s, which the audit does not say: %s", action, error)
