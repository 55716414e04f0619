"""Soak test: whether the match stage stays as fast and as small over hours of people who come and leave."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.evaluation.simulation.crowd import Crowd, Site
from pipeline.evaluation.simulation.stage import Settings, make_calibration, make_stage, resident_mb


@dataclass(frozen=True, slots=True)
class Lap:
    """Measurements of one interval of a soak test.

    Attributes:
        num_tracklets: Matched so far.
        tracklet_ms: Processor time of the stage per tracklet in this interval, milliseconds.
        resident_mb: Resident memory of this process, megabytes.
        num_identities: Known identities at the end of the interval.
        event_h: Hours of event time so far.
    """

    num_tracklets: int
    tracklet_ms: float
    resident_mb: float
    num_identities: int
    event_h: float


def soak(num_tracklets: int, *, max_identities: int, num_cameras: int, seed: int, num_laps: int) -> Iterator[Lap]:
    """Match tracklets and yield ``num_laps`` intervals of about the same length.

    Args:
        num_tracklets: Total number.
        max_identities: Limit of the stage.
        num_cameras: Of the site.
        seed: Of the people.
        num_laps: At least 1.
    """
    site = Site(Crowd(seed, well_separated=True), num_cameras=num_cameras, memory=max_identities // 2)
    stage = make_stage(
        make_calibration(well_separated=True), Settings(max_identities=max_identities, forget_after_s=3600.0)
    )
    done, lap_done, spent_s, began_at = 0, 0, 0.0, None
    for window in site.windows():
        batch = [embedding for _, embedding in window]
        began = time.process_time()
        stage.process(batch)
        spent_s += time.process_time() - began
        done += len(batch)
        if batch and began_at is None:
            began_at = batch[0].completed_at
        if batch and (done - lap_done) * num_laps >= num_tracklets:
            hours = (batch[-1].completed_at - (began_at or 0.0)) / 3600
            yield Lap(done, 1000 * spent_s / (done - lap_done), resident_mb(), stage.num_identities, hours)
            lap_done, spent_s = done, 0.0
            if done >= num_tracklets:
                return
