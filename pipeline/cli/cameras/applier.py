"""Applies the camera commands of a run that goes on."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from math import inf, isfinite
from typing import Any

from connectors.sinks.annotated_video import note_masks
from pipeline.cli.cameras.changes import added, check_removal, plan_addition, plan_change, removed
from pipeline.cli.cameras.checks import check_pictures
from pipeline.cli.cameras.mask_edits import MaskEdits
from pipeline.cli.recordings import write_recordings
from pipeline.config.cameras import PlannedCameras
from pipeline.config.composition import to_yaml
from pipeline.config.edits_of_run import as_run
from pipeline.config.masking import masked
from pipeline.config.schema import PipelineConfig
from pipeline.core.errors import ConfigError, ReidError
from pipeline.ledger.cameras.book import CameraBook
from pipeline.ledger.cameras.command import CameraCommand, CameraCommandKind, SubmittedCameraCommand
from pipeline.ledger.cameras.submit import finish_camera_command
from pipeline.runtime.cameras.membership import RunEndingError
from pipeline.runtime.plan import CameraIntake, Plan
from pipeline.runtime.running_pipeline import RunningPipeline

Planning = Callable[..., tuple[PipelineConfig, PlannedCameras]]
"""``plan_addition`` or ``plan_change``."""

LOOK_EVERY_S = 0.2
"""Seconds between two looks for commands. A longer time lets people wait; a shorter one asks the disk more often."""

logger = logging.getLogger(__name__)


class CameraApplier:
    """Applies commands one after another, each whole or not at all.

    Args:
        config: Of the run.
        plan: Of the run.
        pipeline: Built.

    Attributes:
        config: With all cameras that were ever part of the run, so that whatever names one stays valid.
        plan: With the cameras that are part of it.
    """

    def __init__(self, config: PipelineConfig, plan: Plan, pipeline: RunningPipeline) -> None:
        self.config, self.plan = config, plan
        self._pipeline = pipeline
        self._book = CameraBook(plan.output_dir)
        self._masks = MaskEdits(config, plan)

    async def watch(self) -> None:
        """Carry commands out as they come, until cancelled."""
        while True:
            try:
                await self.apply_pending()
                await self._cover()
            except ReidError as error:
                logger.warning("camera commands wait: %s", error)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _cover(self) -> None:
        """Follow the masks that are edited; a camera that comes later, and films at the end, have them, too."""
        masks = await self._masks.follow(self.config, self._pipeline.cameras)
        if masks is not None:
            self.config = replace(self.config, site=replace(self.config.site, masks=masks))
            if "annotated_video" in self.config.sink:
                await asyncio.to_thread(note_masks, self.plan.output_dir, masks)

    async def apply_before_the_first_frame(self) -> None:
        """Apply what the run before left, so that a recording is not read past the time of a command.

        Live cameras come and go at once; ``watch`` sees to them.
        """
        if not self._pipeline.has_live:
            await self.apply_pending()

    async def apply_pending(self) -> None:
        """Apply the commands that wait; once the run ends, they wait for the one that continues it."""
        for submitted in self._book.pending():
            if not self._pipeline.membership.is_open:
                return
            try:
                await self._apply(submitted)
            except RunEndingError:
                return
            except ReidError as error:
                text = masked(" ".join(str(error).split()))
                await self._finish(submitted, text, is_done=False)
                logger.warning("camera command %d of %s is refused: %s", submitted.number, submitted.command.by, text)

    async def _apply(self, submitted: SubmittedCameraCommand) -> None:
        command = submitted.command
        carry_out = {
            CameraCommandKind.ADD: self._add,
            CameraCommandKind.REMOVE: self._remove,
            CameraCommandKind.CHANGE: self._change,
        }[command.kind]
        await carry_out(submitted, command)
        await asyncio.to_thread(self._write)

    async def _add(self, submitted: SubmittedCameraCommand, command: CameraCommand) -> None:
        await self._join(submitted, command, *await self._planned(plan_addition, command))

    async def _change(self, submitted: SubmittedCameraCommand, command: CameraCommand) -> None:
        """Let a camera leave and come back as the command says; where that fails, as it was."""
        name, planned = command.camera_id, await self._planned(plan_change, command)
        await self._pipeline.membership.remove(name)
        self.plan = replace(self.plan, make_sources=_without(self.plan.make_sources, name))
        try:
            await self._join(submitted, command, *planned)
        except RunEndingError:
            raise
        except ReidError:
            as_it_was = replace(command, kind=CameraCommandKind.ADD, entry=None, force=True)
            await self._join(None, as_it_was, *await self._planned(plan_addition, as_it_was))
            raise

    async def _planned(self, make_plan: Planning, command: CameraCommand) -> tuple[PipelineConfig, Plan]:
        """Return the configuration and the plan with a camera that is added or changed; raises as ``make_plan``."""
        name, taken, has_live = command.camera_id, self.plan.make_sources, self._pipeline.has_live
        larger, planned = await asyncio.to_thread(
            partial(make_plan, self.config, command, taken=taken, has_live=has_live)
        )
        plan = replace(
            self.plan,
            make_sources={**self.plan.make_sources, **planned.make_sources},
            intakes={**self.plan.intakes, **planned.intakes},
            make_monitors={**self.plan.make_monitors, **planned.make_monitors},
            detections={**_without(self.plan.detections, name), **planned.detections},
        )
        return larger, await asyncio.to_thread(check_pictures, larger, plan, [name])

    async def _join(
        self,
        submitted: SubmittedCameraCommand | None,
        command: CameraCommand,
        larger: PipelineConfig,
        plan: Plan,
    ) -> None:
        """Let a camera take part that was planned; without ``submitted``, no outcome is noted."""
        name = command.camera_id
        left_at = self._pipeline.removed[name].removed_at if name in self._pipeline.removed else None
        if left_at is not None:  # tracks are named by the second of their camera's start
            await asyncio.sleep(max(0.0, int(left_at) + 1 - time.time()))
        newest = await self._pipeline.join(name, command.event_at)
        membership, is_built = self._pipeline.membership, False
        try:
            intakes = {**plan.intakes, name: self._paced(plan.intakes[name], newest)}
            camera = await self._pipeline.build_camera(name, replace(plan, intakes=intakes))
            is_built = True
            if submitted is not None:
                await self._finish(submitted, added(larger, command))
        except BaseException:
            await self._pipeline.deliver(name, [], inf, time.time(), None)  # nobody is to wait for it
            if is_built:
                await membership.drop(name)
            raise
        membership.add(name, camera)
        self.config, self.plan = larger, plan
        logger.info("%s", added(larger, command))

    async def _remove(self, submitted: SubmittedCameraCommand, command: CameraCommand) -> None:
        name = command.camera_id
        check_removal(command, taken=self.plan.make_sources, has_live=self._pipeline.has_live)
        if command.event_at is not None:
            if not await self._pipeline.cameras[name].end_at(command.event_at):
                raise ConfigError(
                    f"cameras remove: expected --at later than what was read of camera {name}, got {command.event_at:g}"
                )
            text = removed(command)
        else:
            status = await self._pipeline.membership.remove(name)
            text = f"{removed(command)}, after {status.frames_processed} frames and {status.tracklets} tracklets"
        await self._finish(submitted, text)
        if command.event_at is None:
            self.plan = replace(self.plan, make_sources=_without(self.plan.make_sources, name))
        logger.info("%s", text)

    def _paced(self, intake: CameraIntake, newest: float) -> CameraIntake:
        """Return the intake of a recording that is due together with those that are replayed already."""
        speed = self.plan.camera.replay_speed
        if not (isfinite(newest) and isfinite(speed)):
            return intake
        return replace(intake, zero_due_at=time.time() - newest / speed)

    async def _finish(self, submitted: SubmittedCameraCommand, text: str, *, is_done: bool = True) -> None:
        await asyncio.to_thread(finish_camera_command, self.plan.output_dir, submitted, is_done=is_done, text=text)

    def _write(self) -> None:
        """Write the cameras beside the results, as a run does at its start."""
        (self.plan.output_dir / "config.yaml").write_text(to_yaml(as_run(self.config, self.plan)))
        write_recordings({name: self.config.site.cameras[name] for name in self.plan.make_sources}, self.plan)


def _without(cameras: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {camera_id: each for camera_id, each in cameras.items() if camera_id != name}
