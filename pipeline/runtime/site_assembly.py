"""What one site has of its own: its matcher, with ledger and sinks, and how its cameras are built and let go of."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import inf
from typing import Any

from pipeline.core import Tracklet
from pipeline.core.errors import ProcessLostError
from pipeline.core.plugin_contract import made
from pipeline.runtime.batch_actor import BatchActor
from pipeline.runtime.cameras.camera import Camera
from pipeline.runtime.cameras.camera_actor import CameraActor
from pipeline.runtime.cameras.camera_host import Calls, CameraMaker, MakeStage, StageMaker
from pipeline.runtime.cameras.membership import Membership
from pipeline.runtime.cameras.packed import Packed
from pipeline.runtime.match_actor import MatchActor
from pipeline.runtime.plan import Plan
from pipeline.runtime.processes import Cameras, Processes
from pipeline.runtime.running_pipeline import RunningPipeline

STOP_S = 2.0
"""Seconds that a camera of a site that has failed has to stop. Longer: one that hangs holds up the last word on it."""


class SiteAssembly:
    """A site whose matcher has a process.

    Args:
        name: Of the site; empty if it is alone.
        plan: Of the site.
        processes: Where it works, beside other sites.
        adding: Held while a camera is added to these processes.
    """

    def __init__(self, name: str, plan: Plan, processes: Processes, adding: asyncio.Lock) -> None:
        self.name, self.plan = name, plan
        self.match = processes.start("match", _match_actor(plan), name)
        self._processes, self._adding = processes, adding
        self._prefix = f"{name}/" if name else ""
        self._membership: Membership

    def make_cameras(self) -> dict[str, CameraMaker]:
        """Return how the cameras are built, by their names among those of all sites."""
        return {f"{self._prefix}{camera_id}": self._maker(camera_id, self.plan) for camera_id in self.plan.make_sources}

    def pipeline(self, place: Cameras) -> RunningPipeline:
        """Return the pipeline; ``place`` has its cameras and those of other sites."""
        cameras = {camera_id: place.cameras[f"{self._prefix}{camera_id}"] for camera_id in self.plan.make_sources}
        self._membership = Membership(cameras, self._drop)
        return RunningPipeline(
            membership=self._membership,
            detect=place.process["detect"],
            pose=place.process.get("pose", keep_as_it_is),
            embed=place.process["embed"],
            enrol=self.match.method("enrol"),
            deliver=self.match.method("deliver"),
            finish=self.match.method("finish"),
            match_status=self.match.method("status"),
            watch_processes=partial(self._processes.watch, self.name),
            release=self._release,
            has_live=self.plan.match.max_lateness_s < inf,
            busy=place.busy,
            build_camera=self._build,
            join=self.match.method("join"),
            prefix=self._prefix,
        )

    def _maker(self, camera_id: str, plan: Plan) -> CameraMaker:
        found, key = plan.detection(camera_id), f"site.cameras.{camera_id}"
        make = partial(
            make_camera,
            make_track=Packed("tracker", plan.make_track),
            deliver=self.match.method("deliver"),
            limits=plan.camera,
            make_source=Packed(key, partial(made, key, plan.make_sources[camera_id])),
            make_monitor=Packed(key, plan.make_monitors[camera_id]) if camera_id in plan.make_monitors else None,
            intake=plan.intakes[camera_id],
            input_hw=found.input_hw,
        )
        is_own = camera_id in plan.detections
        own = {"detect": StageMaker(found.name, batched(plan, found.make), found.share)} if is_own else {}
        return CameraMaker(make, own)

    async def _build(self, camera_id: str, plan: Plan) -> Camera:
        async with self._adding:
            return await self._processes.add_camera(f"{self._prefix}{camera_id}", self._maker(camera_id, plan))

    async def _drop(self, camera_id: str) -> None:
        await self._processes.drop_camera(f"{self._prefix}{camera_id}")

    async def _release(self) -> None:
        for camera_id, camera in self._membership.cameras.items():
            with suppress(TimeoutError, ProcessLostError):
                await asyncio.wait_for(camera.stop(), STOP_S)
            await self._drop(camera_id)
        self._processes.end(self.match)


def batched(plan: Plan, make: Callable[[], Any]) -> MakeStage:
    """Return a picklable factory of the actor of a stage."""
    return partial(BatchActor, make, max_items=plan.processes.max_items, max_wait_s=plan.processes.max_wait_s)


async def keep_as_it_is(tracklet: Tracklet) -> Tracklet:
    """Return the tracklet: the pose of an embedder that needs none."""
    return tracklet


def make_camera(calls: Calls, **options: Any) -> CameraActor:
    """Return a camera whose frames and tracklets these stages process."""
    pose = calls.get("pose", keep_as_it_is)
    return CameraActor(detect=calls["detect"], pose=pose, embed=calls["embed"], **options)


def _match_actor(plan: Plan) -> Callable[[], MatchActor]:
    """Return the factory of the match actor, with its part of the plan: the rest would load networks beside it."""
    return partial(
        MatchActor,
        camera_ids=tuple(plan.make_sources),
        make_match=plan.make_match,
        make_alert=plan.make_alert,
        make_topology=plan.make_topology,
        make_sinks=plan.make_sinks,
        ledger_path=plan.output_dir / "ledger.sqlite",
        window_s=plan.match.window_s,
        max_lateness_s=plan.match.max_lateness_s,
        flush_every_s=plan.match.flush_every_s,
        max_waiting_embeddings=plan.match.max_waiting_embeddings,
        retention_s=plan.match.retention_s,
        max_events=plan.match.max_events,
        edits=plan.edits,
    )
