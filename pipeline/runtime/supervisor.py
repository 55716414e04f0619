"""Runs a built pipeline to its end: watches it, stops it in order, and finishes it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from math import inf
from typing import TypeVar

from pipeline.core.errors import ProcessLostError
from pipeline.runtime.running_pipeline import RunningPipeline
from pipeline.telemetry.camera_status import CameraStatus, given_up
from pipeline.telemetry.match_report import MatchReport
from pipeline.telemetry.match_status import MatchStatus
from pipeline.telemetry.tasks import end

STATUS_S = 2.0
"""Seconds that a process has to tell its status. A longer time lets a hung one delay the picture of all others."""

Result = TypeVar("Result")


async def supervise(
    pipeline: RunningPipeline,
    *,
    stop: asyncio.Event,
    drain_s: float,
    watch: Callable[[Mapping[str, CameraStatus], MatchStatus], None],
    watch_every_s: float,
) -> tuple[dict[str, CameraStatus], MatchReport | None]:
    """Run every camera until it ends or ``stop`` is set, then publish what is left.

    A part that hangs harms only itself: a status that does not come is shown as silent, and a camera that does not stop
    in time is given up.

    Args:
        pipeline: Built.
        stop: Set from outside: read no further, drain, finish.
        drain_s: Seconds that draining may take, of all cameras or of one that is removed.
        watch: Called with the status of every camera and of the match actor.
        watch_every_s: Seconds between two such calls.

    Returns:
        The last status of every camera, and the report of the run; None if publishing took too long.

    Raises:
        ProcessLostError: If a process other than a camera's is lost.
    """
    latest: dict[str, CameraStatus] = {}
    match = MatchStatus()
    watching = asyncio.ensure_future(pipeline.watch_processes())
    runs: dict[str, asyncio.Task[CameraStatus]] = {}
    _start_new(pipeline, runs, latest)
    stopping = asyncio.create_task(stop.wait())
    changing = asyncio.create_task(pipeline.membership.changed.wait())
    deadline = inf
    loop = asyncio.get_running_loop()
    epoch = ""
    reported: set[str] = set()
    try:
        while any(not run.done() for run in runs.values()) or runs.keys() != pipeline.cameras.keys():
            if changing.done():
                changing = asyncio.create_task(pipeline.membership.changed.wait())
            waiting = [run for run in runs.values() if not run.done()]
            await asyncio.wait(
                [*waiting, watching, changing] if stop.is_set() else [*waiting, watching, changing, stopping],
                timeout=watch_every_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if watching.done():
                watching.result()
            if stop.is_set() and deadline == inf:
                deadline = loop.time() + drain_s
                await pipeline.membership.close()
                await asyncio.gather(*(_within(camera.stop(), drain_s) for camera in pipeline.cameras.values()))
            if loop.time() >= deadline:
                break
            await _change(pipeline, runs, latest, drain_s)
            statuses = await asyncio.gather(
                *(_status(pipeline, camera_id, latest[camera_id], run) for camera_id, run in runs.items())
            )
            latest.update(zip(runs, statuses, strict=True))
            match = await _within(pipeline.match_status(), STATUS_S) or replace(match, is_silent=True)
            if match.epoch != epoch:
                epoch = match.epoch
                reported.clear()
            ended = {camera_id for camera_id, run in runs.items() if run.done() and _holds_nobody(pipeline, run)}
            await asyncio.gather(*(_report_end(pipeline, camera_id) for camera_id in ended - reported))
            reported |= ended
            watch(latest, match)
        await pipeline.membership.close()
        latest |= {camera_id: _ended(run, latest[camera_id], drain_s) for camera_id, run in runs.items()}
        is_whole = not any(status.stopped_early for status in latest.values())
        finishing = asyncio.ensure_future(pipeline.finish(max(0.0, min(drain_s, deadline - loop.time())), is_whole))
        await asyncio.wait([finishing, watching], return_when=asyncio.FIRST_COMPLETED)
        if not finishing.done():
            watching.result()
        report = finishing.result()
        if not report.behind:
            cameras = [camera for camera_id, camera in pipeline.cameras.items() if latest[camera_id].error is None]
            await asyncio.gather(*(_within(camera.settle(), drain_s) for camera in cameras))
        return {**pipeline.removed, **latest}, report
    finally:
        await end(stopping, watching, changing, *runs.values())


def _start_new(
    pipeline: RunningPipeline, runs: "dict[str, asyncio.Task[CameraStatus]]", latest: dict[str, CameraStatus]
) -> None:
    """Run the cameras that have been added."""
    for camera_id in [camera_id for camera_id in pipeline.cameras if camera_id not in runs]:
        latest[camera_id] = CameraStatus()
        runs[camera_id] = asyncio.create_task(_run(pipeline, camera_id, latest))


async def _change(
    pipeline: RunningPipeline,
    runs: "dict[str, asyncio.Task[CameraStatus]]",
    latest: dict[str, CameraStatus],
    drain_s: float,
) -> None:
    """Run the cameras that are new, let go of those that have left or hang, and ask those that are to leave.

    Event time waits for none of them: a camera that leaves says so once it has ended its tracks, or it is said for it.
    """
    membership = pipeline.membership
    membership.changed.clear()
    _start_new(pipeline, runs, latest)  # first: one may be asked to leave before it has begun
    for camera_id, asked_at in list(membership.leaving.items()):
        run = runs[camera_id]
        if not run.done() and time.monotonic() < asked_at + drain_s:
            await _within(pipeline.cameras[camera_id].remove(), STATUS_S)
            continue
        if run.done():
            status = run.result()
        else:
            run.cancel()
            why = f"expected it to end its tracks within flow.drain_s = {drain_s:g} s, it did not; they are lost"
            status = given_up(latest[camera_id], why)
        await _report_end(pipeline, camera_id)
        await _within(pipeline.cameras[camera_id].settle(), STATUS_S)
        del runs[camera_id], latest[camera_id]
        await membership.let_go(camera_id, status)


async def _run(pipeline: RunningPipeline, camera_id: str, latest: Mapping[str, CameraStatus]) -> CameraStatus:
    """Run one camera; give it up if its process is lost, so that the others go on."""
    try:
        return await pipeline.cameras[camera_id].run()
    except ProcessLostError as error:
        if error.process != f"camera {pipeline.prefix}{camera_id}":
            raise
        await _report_end(pipeline, camera_id)
        return given_up(latest[camera_id], str(error))


def _holds_nobody(pipeline: RunningPipeline, run: "asyncio.Task[CameraStatus]") -> bool:
    """Return whether the others go on without a camera that is done.

    A recording that was stopped early goes on in a run that continues this one. Beside live cameras it does not, and
    what they saw after its last frame would wait for it.
    """
    return pipeline.has_live or not run.result().stopped_early


async def _report_end(pipeline: RunningPipeline, camera_id: str) -> None:
    """Report to the match actor that a camera has ended; one that came back from its ledger does not know."""
    await pipeline.deliver(camera_id, [], inf, time.time(), None)


def _ended(run: "asyncio.Task[CameraStatus]", latest: CameraStatus, drain_s: float) -> CameraStatus:
    """Return the last status of a camera; one that did not end in time is given up."""
    if run.done():
        return run.result()
    return given_up(latest, f"expected it to stop within flow.drain_s = {drain_s:g} s, it did not")


async def _status(
    pipeline: RunningPipeline, camera_id: str, latest: CameraStatus, run: "asyncio.Task[CameraStatus]"
) -> CameraStatus:
    if run.done():
        return run.result()
    status = await _within(pipeline.cameras[camera_id].status(), STATUS_S)
    return status or replace(latest, is_silent=True)


async def _within(call: Awaitable[Result], seconds: float) -> Result | None:
    """Return what a call returns; None if it takes too long, or its process is lost, which run() reports."""
    with suppress(TimeoutError, ProcessLostError):
        return await asyncio.wait_for(call, seconds)
    return None
