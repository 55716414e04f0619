"""Builds the pipeline of a plan: which actor calls which."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from math import inf
from typing import Any

from pipeline.camera.detection import letterbox
from pipeline.core import Frame, Tracklet
from pipeline.core.errors import ConfigError
from pipeline.embedding.enrolment import MIN_SCORE, enrolment_tracklet, framed, judge
from pipeline.runtime.batch_actor import BatchActor
from pipeline.runtime.cameras.camera import Camera
from pipeline.runtime.cameras.camera_actor import CameraActor
from pipeline.runtime.cameras.camera_host import Calls, CameraMaker, StageMaker
from pipeline.runtime.cameras.membership import Membership
from pipeline.runtime.match_actor import MatchActor
from pipeline.runtime.plan import Plan
from pipeline.runtime.processes import InlineProcesses, Processes, RayProcesses
from pipeline.runtime.running_pipeline import RunningPipeline

logger = logging.getLogger(__name__)


async def start_pipeline(plan: Plan) -> RunningPipeline:
    """Return the pipeline of a plan, ready for its first frame, with the people of ``plan.make_enrolled`` enrolled.

    On Ray, this process has to be part of a cluster: see ``join_cluster``.

    Raises:
        ConfigError: If pictures to enrol show no person well, or a plug-in refuses its options.
        WeightsError: If weights are no network.
    """
    processes = RayProcesses(plan.processes) if plan.processes.kind == "ray" else InlineProcesses(plan.processes)
    pipeline = await _assemble(plan, processes)
    await _enrol(plan, pipeline)
    return pipeline


async def keep_as_it_is(tracklet: Tracklet) -> Tracklet:
    """Return the tracklet: the pose of an embedder that needs none."""
    return tracklet


async def _assemble(plan: Plan, processes: Processes) -> RunningPipeline:
    batch = partial(BatchActor, max_items=plan.processes.max_items, max_wait_s=plan.processes.max_wait_s)
    stages = {"detect": plan.make_detect, "pose": plan.make_pose, "embed": plan.make_embed}
    match = processes.start("match", _match_actor(plan))
    make = partial(
        make_camera,
        make_track=plan.make_track,
        deliver=match.method("deliver"),
        limits=plan.camera,
    )

    def maker(camera_id: str, plan: Plan) -> CameraMaker:
        found = plan.detection(camera_id)
        make_parts = partial(
            make,
            make_source=plan.make_sources[camera_id],
            make_monitor=plan.make_monitors.get(camera_id),
            intake=plan.intakes[camera_id],
            input_hw=found.input_hw,
        )
        is_own = camera_id in plan.detections
        own = {"detect": StageMaker(found.name, partial(batch, found.make), found.share)} if is_own else {}
        return CameraMaker(make_parts, own)

    place = processes.start_cameras(
        {camera_id: maker(camera_id, plan) for camera_id in plan.make_sources},
        {name: partial(batch, make) for name, make in stages.items() if make is not None},
    )

    async def build_camera(camera_id: str, plan: Plan) -> Camera:
        return await processes.add_camera(camera_id, maker(camera_id, plan))

    await processes.wait_for_places()
    await asyncio.gather(*(camera.ready() for camera in place.cameras.values()), *(ready() for ready in place.ready))
    await match.call("ready")  # last: it opens files, which would be in vain if a network could not be built
    return RunningPipeline(
        membership=Membership(place.cameras, processes.drop_camera),
        detect=place.process["detect"],
        pose=place.process.get("pose", keep_as_it_is),
        embed=place.process["embed"],
        enrol=match.method("enrol"),
        deliver=match.method("deliver"),
        finish=match.method("finish"),
        match_status=match.method("status"),
        watch_processes=processes.watch,
        has_live=plan.match.max_lateness_s < inf,
        busy=place.busy,
        build_camera=build_camera,
        join=match.method("join"),
    )


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


async def _enrol(plan: Plan, pipeline: RunningPipeline) -> None:
    """Enrol the people whom the plan has pictures of; they are 1, 2, … in its order."""
    for person_id, (name, make_source) in enumerate(plan.make_enrolled.items(), start=1):
        with closing(make_source()) as source:
            pictures = list(source.frames())
        tracklet = enrolment_tracklet(name, person_id, pictures, plan.crop_size_hw)
        await _warn_of_pictures(name, pictures, plan, pipeline)
        embedding = await pipeline.embed(await pipeline.pose(tracklet))
        if embedding is None:
            raise ConfigError(f"enrol.{name}: expected pictures that show a person well, got none; add better ones")
        await pipeline.enrol(person_id, embedding)


async def _warn_of_pictures(name: str, pictures: Sequence[Frame], plan: Plan, pipeline: RunningPipeline) -> None:
    """Warn of pictures that show no person, or show the person badly."""
    poor = []
    for number, frame in enumerate(map(framed, pictures), start=1):
        people = await pipeline.detect(letterbox(frame, plan.input_hw))
        faults = judge(frame.image, people.boxes_xyxy[people.scores >= MIN_SCORE].tolist()).faults
        poor += [f"number {number}: {', '.join(faults)}"] if faults else []
    if poor:
        logger.warning(
            "enrol.%s: %d of %d pictures, by name, are poor (%s); they are used all the same, and may keep the person "
            "from being recognised: replace them",
            *(name, len(poor), len(pictures)),
            "; ".join(poor[:10]),
        )
