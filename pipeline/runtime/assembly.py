"""Builds the pipelines of one site or several: which actor calls which."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import closing

from pipeline.camera.detection import letterbox
from pipeline.core import Frame
from pipeline.core.errors import ConfigError, ReidError
from pipeline.embedding.enrolment import MIN_SCORE, enrolment_tracklet, framed, judge
from pipeline.runtime.plan import Plan
from pipeline.runtime.processes import Cameras, InlineProcesses, RayProcesses
from pipeline.runtime.running_pipeline import RunningPipeline
from pipeline.runtime.site_assembly import SiteAssembly, batched

logger = logging.getLogger(__name__)


async def start_pipeline(plan: Plan) -> RunningPipeline:
    """Return the pipeline of a plan, ready for its first frame, with the people of ``plan.make_enrolled`` enrolled.

    On Ray, this process has to be part of a cluster: see ``join_cluster``.

    Raises:
        ConfigError: If pictures to enrol show no person well, or a plug-in refuses its options.
        WeightsError: If weights are no network.
    """
    started = (await start_sites({"": plan}))[""]
    if isinstance(started, ReidError):
        raise started
    return started


async def start_sites(plans: Mapping[str, Plan]) -> dict[str, RunningPipeline | ReidError]:
    """Return the pipeline of each site as ``start_pipeline`` does, or what keeps it from starting.

    Sites with the same networks share them, and the processes that their cameras are in. The matcher, the ledger and
    the sinks of each are its own, so that its result is the one that it has alone.

    Args:
        plans: By name of the site.
    """
    together: dict[str, dict[str, Plan]] = {}
    for site, plan in plans.items():
        together.setdefault(f"{plan.networks} {plan.processes}", {})[site] = plan
    started = await asyncio.gather(*(_start_together(alike) for alike in together.values()))
    return {site: pipeline for each in started for site, pipeline in each.items()}


async def _start_together(plans: Mapping[str, Plan]) -> dict[str, RunningPipeline | ReidError]:
    """Return the pipelines of sites with the same networks, in the same processes, or what keeps each from starting."""
    plan = next(iter(plans.values()))
    processes = RayProcesses(plan.processes) if plan.processes.kind == "ray" else InlineProcesses(plan.processes)
    stages = {"detect": plan.make_detect, "pose": plan.make_pose, "embed": plan.make_embed}
    adding = asyncio.Lock()
    try:
        sites = [SiteAssembly(site, plan, processes, adding) for site, plan in plans.items()]
        place = processes.start_cameras(
            {name: maker for site in sites for name, maker in site.make_cameras().items()},
            {name: batched(plan, make) for name, make in stages.items() if make is not None},
        )
        await processes.wait_for_places()
        await asyncio.gather(*(ready() for ready in place.ready))
    except ReidError as error:
        return dict.fromkeys(plans, error)
    return {site.name: await _ready(site, place) for site in sites}


async def _ready(site: SiteAssembly, place: Cameras) -> RunningPipeline | ReidError:
    """Return the pipeline of a site, its people enrolled; what keeps it from that does not concern the others."""
    pipeline = site.pipeline(place)
    try:
        await asyncio.gather(*(camera.ready() for camera in pipeline.cameras.values()))
        await site.match.call("ready")  # last: it opens files, which would be in vain if a network could not be built
        await _enrol(site.plan, pipeline)
    except ReidError as error:
        await pipeline.release()
        return error
    return pipeline


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
