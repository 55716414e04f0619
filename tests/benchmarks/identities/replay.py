"""One evaluation of the matcher on a set: what a run would write, from kept embeddings."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from overlapping import OverlappingSite
from recorded_sets import RecordedSet

from connectors.sinks.mot import MotSink
from pipeline.association.calibration.likelihood_ratio import Calibration, DistanceModel
from pipeline.association.matcher import Matcher
from pipeline.core import Embedding, Sighting, TrackPart
from pipeline.evaluation.decisions import Share, decisions, ordered_decisions
from pipeline.evaluation.error_split import ErrorSplit
from pipeline.evaluation.naive import best_threshold, cluster_offline, link_by_truth, naive_online, to_tables
from pipeline.evaluation.simulation.crowd import Crowd, Site
from pipeline.evaluation.simulation.rates import track_scores, transit_bounds
from pipeline.evaluation.simulation.stage import Settings, make_calibration, make_stage
from pipeline.evaluation.site_truth import read_run_tables
from pipeline.evaluation.track_table import TrackTable
from pipeline.evaluation.tracking import score_tracks
from pipeline.ledger.final_tracks import FinalTracks
from pipeline.runtime.event_time import EventTimeBuffer

Windows = Iterator[list[tuple[int, Embedding]]]
OTHER_FOOTAGE = DistanceModel(same_mean=0.35, same_std=0.16, different_mean=0.86, different_std=0.175)
"""Start values of the shipped network, for a simulated site: its distances differ a little, as those of sites do."""
THRESHOLDS = np.arange(0.20, 0.81, 0.02).tolist()


@dataclass(frozen=True, slots=True)
class Row:
    """Figures of one method on one set; None where a set has no such figure."""

    set: str
    method: str
    idf1: float
    hota: float
    assa: float | None
    link_precision: float | None
    link_recall: float | None
    false_matches: Share
    false_news: Share
    people: str
    split: Sequence[float] = ()


def passerby(of: RecordedSet) -> Row:
    """Return the figures of Passerby."""
    return _row(of, "Passerby", matched(of))


def matched(of: RecordedSet) -> Mapping[str, TrackTable]:
    """Return the boxes of a run with their final identities."""
    plan = of.plan
    matcher = plan.make_match()
    cameras = list(plan.make_sources)
    with tempfile.TemporaryDirectory() as folder:
        sink = MotSink(output_dir=folder, camera_ids=cameras, max_gap_s=of.max_gap_s)
        for _, batch in windows(of.embeddings, plan.match.window_s):
            sink.write(matcher.process(batch))
        sink.write(matcher.flush())
        sink.close()
        return read_run_tables(of.truth, Path(folder))


def windows(embeddings: Sequence[Embedding], window_s: float) -> list[tuple[float, list[Embedding]]]:
    """Return the windows of event time in which a run matches these embeddings."""
    buffer = EventTimeBuffer(["all"], window_s=window_s)
    for embedding in embeddings:
        buffer.add(embedding)
    buffer.advance("all", inf)
    return buffer.release()


def baselines(of: RecordedSet, other_footage: float) -> list[Row]:
    """Return the figures of the simpler methods.

    Args:
        of: The set.
        other_footage: Threshold that is best on other sets, cosine distance.
    """
    empty = dict.fromkeys(of.truth, TrackTable.empty())

    def tables(people: Sequence[int]) -> Mapping[str, TrackTable]:
        return {**empty, **to_tables(of.tracks, people)}

    def online(threshold: float) -> list[int]:
        return naive_online(of.tracks, max_distance=threshold)

    def offline(threshold: float) -> list[int]:
        return cluster_offline(of.tracks, max_distance=threshold)

    found = []
    for name, link in (("naive online", online), ("offline clustering", offline)):
        found.append(_row(of, f"{name}, threshold of other footage", tables(link(other_footage))))
        split_of = lambda people: ErrorSplit.of(of.truth, tables(people)).right  # noqa: E731
        found.append(_row(of, f"{name}, in hindsight", tables(link(best_threshold(link, split_of, THRESHOLDS)))))
    return [*found, _row(of, "tracks linked by the truth", tables(link_by_truth(of.tracks, of.truth)))]


def _row(of: RecordedSet, method: str, result: Mapping[str, TrackTable]) -> Row:
    score, decided = score_tracks(of.truth, result), decisions(of.truth, result)
    return Row(
        of.name,
        method,
        score.idf1,
        score.hota,
        score.assa,
        score.link_precision,
        score.link_recall,
        decided.false_matches,
        decided.false_news,
        f"{score.num_ids} of {score.num_true_ids}",
        ErrorSplit.of(of.truth, result).rounded(),
    )


def simulated(name: str, *, seed: int, minutes: float, cameras: int, memory: int, per_window: int) -> Row:
    """Return the figures of the matcher on a simulated site.

    Args:
        name: Of the set.
        seed: Of all random numbers.
        minutes: Of event time.
        cameras: In a ring.
        memory: Recent people who may return.
        per_window: Tracklets in a window of half a second.
    """
    site = Site(Crowd(seed, well_separated=False), num_cameras=cameras, memory=memory, per_window=per_window)
    settings = Settings(10_000, recluster_every_s=30.0, recluster_window_s=120.0)
    stage = make_stage(make_calibration(well_separated=False), settings, transit_bounds(cameras))
    return _simulated(name, stage, _until(site.windows(), minutes))


def overlapping(name: str, *, overlap: bool = True, **options: Any) -> Row:
    """Return the figures of the matcher on a simulated site where all cameras look at the same ground.

    Args:
        name: Of the set.
        overlap: The site says that the cameras overlap. False: it says nothing, as where nobody configured it.
        options: Of ``OverlappingSite``.
    """
    site = OverlappingSite(**options)
    pairs = combinations([f"camera{each}" for each in range(site.cameras)], 2)
    stage = make_stage(
        Calibration(OTHER_FOOTAGE, caution=1.0, max_llr=6.0),
        Settings(10_000, recluster_every_s=10.0, recluster_window_s=300.0),
        overlaps=frozenset(pairs) if overlap else None,
    )
    return _simulated(name, stage, site.windows())


def _until(windows: Windows, minutes: float) -> Windows:
    """Yield windows until so much event time has passed."""
    began: float | None = None
    for window in windows:
        yield window
        now = window[-1][1].completed_at if window else began
        began = now if began is None else began
        if began is not None and now is not None and now - began >= 60 * minutes:
            return


def _simulated(name: str, stage: Matcher, windows: Windows) -> Row:
    true_of: dict[TrackPart, int] = {}
    final = FinalTracks()
    for window in windows:
        for record in stage.process([embedding for _, embedding in window]):
            final.see(TrackPart(record.track_id, record.part), record.person_id) if isinstance(
                record, Sighting
            ) else final.correct(record)
        for person, e in window:
            if e.part == 0:
                true_of[TrackPart(e.track_id, 0)] = person
    for record in stage.flush():
        final.correct(record)  # type: ignore[arg-type]
    pairs = [(true, final.person_of(part)) for part, true in true_of.items()]
    decided = ordered_decisions((true, found, 1) for true, found in pairs)
    true_ids, numbers = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    idf1, hota = track_scores(true_ids, numbers)
    both, made, true = (_num_pairs(keys) for keys in (pairs, numbers.tolist(), true_ids.tolist()))
    people = f"{len(set(numbers.tolist()))} of {len(set(true_ids.tolist()))}"
    shares = decided.false_matches, decided.false_news
    return Row(name, "Passerby", idf1, hota, None, both / made if made else None, both / true, *shares, people)


def _num_pairs(labels: Sequence[object]) -> int:
    return sum(count * (count - 1) // 2 for count in Counter(labels).values())
