"""Hours of people who come, walk past cameras and leave: does the stage stay as fast and as small as it was?"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.evaluation.simulation.crowd import Crowd, Site
from pipeline.evaluation.simulation.stage import Settings, make_calibration, make_stage, resident_mb


@dataclass(frozen=True, slots=True)
class Lap:
    """A stretch of a soak.

    Attributes:
        num_tracklets: Judged so far.
        tracklet_ms: Processor time of the stage a tracklet, in this stretch, milliseconds.
        resident_mb: Of this process, megabytes.
        num_identities: Known now.
        event_h: Hours of event time so far.
    """

    num_tracklets: int
    tracklet_ms: float
    resident_mb: float
    num_identities: int
    event_h: float


def soak(num_tracklets: int, *, max_identities: int, num_cameras: int, seed: int, num_laps: int) -> Iterator[Lap]:
    """Judge tracklets and yield laps, ``num_laps`` of about the same length.

    Args:
        num_tracklets: In all.
        max_identities: That the stage may know.
        num_cameras: Of the site.
        seed: Of the people.
        num_laps: At least 1.
    """
    site = Site(Crowd(seed, is_clear=True), num_cameras=num_cameras, memory=max_identities // 2)
    stage = make_stage(make_calibration(is_clear=True), Settings(max_identities=max_identities, forget_after_s=3600.0))
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
