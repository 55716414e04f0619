"""A busy site at the default settings: how long the match stage takes, and how right it is in the end."""

import time
from dataclasses import dataclass

import numpy as np

from pipeline.core import Correction, Sighting, TrackPart
from pipeline.evaluation.simulation.crowd import Crowd, Site
from pipeline.evaluation.simulation.rates import track_scores, transit_bounds
from pipeline.evaluation.simulation.stage import Settings, make_calibration, make_stage
from pipeline.ledger.final_tracks import FinalTracks


@dataclass(frozen=True, slots=True)
class Busy:
    """Measurements of a busy site; times are processor times.

    Attributes:
        tracklets_hz: Tracklets a second of event time.
        tracklet_ms: Time of the stage per tracklet, milliseconds.
        window_p50_ms: Time of a window of half a second, median, milliseconds.
        window_p99_ms: Its 99th percentile.
        window_max_ms: Its maximum: for so long the writer does nothing else.
        num_corrections: Merges and splits.
        idf1: Of the final numbers.
        hota: Of the final numbers; detection is perfect here.
    """

    tracklets_hz: float
    tracklet_ms: float
    window_p50_ms: float
    window_p99_ms: float
    window_max_ms: float
    num_corrections: int
    idf1: float
    hota: float


def run_busy(seed: int, *, num_cameras: int, per_window: int, seconds: float) -> Busy:
    """Match the tracklets of a site whose people are as hard to separate as the shipped networks do.

    Args:
        seed: Of all random numbers.
        num_cameras: Of the site.
        per_window: Tracklets in half a second, about.
        seconds: Of event time.
    """
    settings = Settings(10_000, forget_after_s=3600.0, recluster_every_s=10.0, recluster_window_s=300.0)
    stage = make_stage(make_calibration(well_separated=False), settings, transit_bounds(num_cameras))
    final, person_of, spent_s = FinalTracks(), dict[TrackPart, int](), list[float]()
    num_tracklets = num_corrections = 0
    site = Site(Crowd(seed, well_separated=False), num_cameras=num_cameras, per_window=per_window)
    for number, window in enumerate(site.windows()):
        batch = [embedding for _, embedding in window]
        began = time.process_time()
        records = stage.process(batch)
        spent_s.append(time.process_time() - began)
        num_tracklets += len(batch)
        person_of |= {TrackPart(each.track_id, 0): person for person, each in window}
        if number / 2 >= seconds:
            records += stage.flush()
        for record in records:
            if isinstance(record, Sighting):
                final.see(TrackPart(record.track_id, record.part), record.person_id)
            elif isinstance(record, Correction):
                final.correct(record)
                num_corrections += record.kind != "confirmed"
        if number / 2 >= seconds:
            break
    true_ids = np.array(list(person_of.values()), np.int64)
    scores = track_scores(true_ids, np.array([final.person_of(part) for part in person_of], np.int64))
    p50, p99 = np.percentile(spent_s, [50, 99]) * 1000
    each_ms = 1000 * sum(spent_s) / num_tracklets
    worst = 1000 * max(spent_s)
    return Busy(num_tracklets / seconds, each_ms, float(p50), float(p99), worst, num_corrections, *scores)
