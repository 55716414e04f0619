"""Runs a built pipeline to its end: watches it, stops it in order, and finishes it."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from math import inf

from pipeline.core.errors import ProcessLostError
from pipeline.runtime.running_pipeline import Camera, RunningPipeline
from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.match_report import MatchReport
from pipeline.telemetry.match_status import MatchStatus


async def supervise(
    pipeline: RunningPipeline,
    *,
    stop: asyncio.Event,
    drain_s: float,
    watch: Callable[[Mapping[str, CameraStatus], MatchStatus], None],
    watch_every_s: float,
) -> tuple[dict[str, CameraStatus], MatchReport | None]:
    """Run every camera until it ends or ``stop`` is set, then publish what is left.

    Args:
        pipeline: Built.
        stop: Set from outside: read no further, drain, finish.
        drain_s: Seconds that draining may take.
        watch: Called with the status of every camera and of the match actor.
        watch_every_s: Seconds between two such calls.

    Returns:
        The last status of every camera, and the report of the run; None if draining took too long.

    Raises:
        ProcessLostError: If a process other than a camera's is lost.
    """
    latest = dict.fromkeys(pipeline.cameras, CameraStatus())
    runs = {camera_id: asyncio.create_task(_run(pipeline, camera_id, latest)) for camera_id in pipeline.cameras}
    stopping = asyncio.create_task(stop.wait())
    deadline = inf
    loop = asyncio.get_running_loop()
    epoch = ""
    try:
        while not all(run.done() for run in runs.values()):
            waiting = [run for run in runs.values() if not run.done()]
            await asyncio.wait(
                waiting if stop.is_set() else [*waiting, stopping],
                timeout=watch_every_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if stop.is_set() and deadline == inf:
                deadline = loop.time() + drain_s
                await asyncio.gather(*(camera.stop() for camera in pipeline.cameras.values()), return_exceptions=True)
            if loop.time() >= deadline:
                return latest, None
            for camera_id, run in runs.items():
                latest[camera_id] = run.result() if run.done() else await _status(pipeline, camera_id, latest)
            match = await pipeline.match_status()
            if match.epoch != epoch:
                epoch = match.epoch
                ended = [camera_id for camera_id, run in runs.items() if run.done() and not run.result().stopped_early]
                await asyncio.gather(*(_report_end(pipeline, camera_id) for camera_id in ended))
            watch(latest, match)
        is_whole = not any(run.result().stopped_early for run in runs.values())
        report = await pipeline.finish(min(drain_s, deadline - loop.time()), is_whole)
        if not report.behind:
            await asyncio.gather(*(_settle(camera) for camera in pipeline.cameras.values()))
        return {camera_id: run.result() for camera_id, run in runs.items()}, report
    finally:
        for task in (stopping, *runs.values()):
            task.cancel()
        await asyncio.gather(stopping, *runs.values(), return_exceptions=True)


async def _run(pipeline: RunningPipeline, camera_id: str, latest: Mapping[str, CameraStatus]) -> CameraStatus:
    """Run one camera; give it up if its process is lost, so that the others go on."""
    try:
        return await pipeline.cameras[camera_id].run()
    except ProcessLostError as error:
        if error.process != f"camera {camera_id}":
            raise
        await _report_end(pipeline, camera_id)
        return replace(latest[camera_id], error=str(error))


async def _report_end(pipeline: RunningPipeline, camera_id: str) -> None:
    """Report to the match actor that a camera has ended; one that came back from its ledger does not know."""
    await pipeline.deliver(camera_id, [], inf, time.time(), None)


async def _settle(camera: Camera) -> None:
    with suppress(ProcessLostError):  # reported by run()
        await camera.settle()


async def _status(pipeline: RunningPipeline, camera_id: str, latest: Mapping[str, CameraStatus]) -> CameraStatus:
    try:
        return await pipeline.cameras[camera_id].status()
    except ProcessLostError:
        return latest[camera_id]  # reported by run()
