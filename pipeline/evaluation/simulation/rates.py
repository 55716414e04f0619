"""How often a link is false, and somebody known is missed: the stage beside the naive line and hindsight.

Of the real stage: the free labels it finds itself prove its threshold; then, of different people compared, at most the
stated part may look close enough. That is what users state (the false match rate of ISO/IEC 19795-1, of comparisons);
how many of the *links* are false depends on how many others there are to be confused with, and is measured beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.optimize import linear_sum_assignment

from pipeline.association.calibration.likelihood_ratio import Calibration
from pipeline.association.geometry.topology import TransitBounds
from pipeline.core import Embedding, Sighting, TrackPart
from pipeline.evaluation.decisions import Share, decisions_in_turn
from pipeline.evaluation.simulation.crowd import Crowd, Site, unit
from pipeline.evaluation.simulation.stage import MAX_FALSE_MATCH_RATE, Settings, make_calibration, make_stage
from pipeline.ledger.final_tracks import FinalTracks

NUM_COMPARED = 400
"""People of whom each two are compared, for the rate of comparisons."""
THRESHOLDS = np.arange(0.3, 0.8, 0.02)


@dataclass(frozen=True, slots=True)
class Linking:
    """What one way of giving numbers came to, over all seeds.

    Attributes:
        name: Of the way.
        idf1: Part of the tracks that have the number which their person has mostly, one to one.
        hota: Geometric mean of detection, which is perfect here, and association.
        false_matches: Links between different people, of all links.
        false_news: Of people who had been seen before, those who were given a new number.
    """

    name: str
    idf1: float
    hota: float
    false_matches: Share
    false_news: Share


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One seed.

    Attributes:
        comparisons: Of different people, those whose looks are close enough for the threshold proven.
        is_proven: There were enough labels.
        true_ids: Of every track in order of appearance, shape ``(N,)``.
        numbers: Given to it, by name of the way, each of shape ``(N,)``.
    """

    comparisons: Share
    is_proven: bool
    true_ids: NDArray[np.int64]
    numbers: dict[str, NDArray[np.int64]]


def run(seed: int, *, num_tracklets: int, num_cameras: int) -> Run:
    """Let the stage judge a site whose looks are as hard to tell apart as those of the networks shipped."""
    crowd = Crowd(seed, is_clear=False)
    calibration = make_calibration(is_clear=False)
    stage = make_stage(
        calibration, Settings(10_000, recluster_every_s=10.0, recluster_window_s=300.0), _ways(num_cameras)
    )
    finals = FinalTracks()
    true_of: dict[str, int] = {}
    parts: dict[str, TrackPart] = {}
    appearance: dict[str, list[NDArray[np.float32]]] = {}
    at_once: dict[str, int] = {}
    for window in _windows(crowd, num_cameras, num_tracklets):
        records = stage.process([embedding for _, embedding in window])
        for person, embedding in window:
            track = str(embedding.track_id)
            true_of.setdefault(track, person)
            parts[track] = TrackPart(embedding.track_id, embedding.part)
            appearance.setdefault(track, []).append(embedding.vector)
        for record in records:
            if isinstance(record, Sighting):
                finals.see(TrackPart(record.track_id, record.part), record.person_id)
                at_once.setdefault(str(record.track_id), record.person_id)
            else:
                finals.correct(record)
    for correction in stage.flush():
        if not isinstance(correction, Sighting):
            finals.correct(correction)
    vectors = unit(np.array([np.mean(of_one, axis=0) for of_one in appearance.values()], np.float32))
    true_ids = np.array(list(true_of.values()), np.int64)
    middle = (calibration.model.same_mean + calibration.model.different_mean) / 2
    return Run(
        _comparisons(crowd, calibration),
        calibration.status.is_proven,
        true_ids,
        {
            "this stage, at once": np.array([at_once[track] for track in true_of], np.int64),
            "this stage, in the end": np.array([finals.person_of(parts[track]) for track in true_of], np.int64),
            "naive online, threshold half-way": _naive(vectors, middle),
            "naive online, best threshold": _best(true_ids, [_naive(vectors, t) for t in THRESHOLDS]),
            "offline clustering, best threshold": _best(true_ids, _clusters(vectors)),
        },
    )


def summary(runs: Sequence[Run]) -> list[Linking]:
    """Return what each way of giving numbers came to."""
    found = []
    for name in runs[0].numbers:
        made = [
            decisions_in_turn((true, number, 1) for true, number in np.stack([r.true_ids, r.numbers[name]], 1).tolist())
            for r in runs
        ]
        scores = np.array([_scores(r.true_ids, r.numbers[name]) for r in runs]).mean(axis=0)
        shares = [
            Share(sum(share.count for share in of_all), sum(share.total for share in of_all))
            for of_all in ([d.false_matches for d in made], [d.false_news for d in made])
        ]
        found.append(Linking(name, float(scores[0]), float(scores[1]), *shares))
    return found


def _ways(num_cameras: int) -> dict[tuple[str, str], TransitBounds]:
    """Return what the file of such a site would state: to the next camera people take some 8 s, or come much later."""
    pairs = [sorted((f"camera{camera}", f"camera{(camera + 1) % num_cameras}")) for camera in range(num_cameras)]
    return {(one, two): TransitBounds(2.0, inf, typical_s=8.0) for one, two in pairs}


def _windows(crowd: Crowd, num_cameras: int, num_tracklets: int) -> list[list[tuple[int, Embedding]]]:
    windows, count = [], 0
    for window in Site(crowd, num_cameras=num_cameras, memory=60, per_window=3).windows():
        windows.append(window)
        count += len(window)
        if count >= num_tracklets:
            return windows
    raise AssertionError("a site never ends")


def _comparisons(crowd: Crowd, calibration: Calibration) -> Share:
    needed = calibration.threshold(MAX_FALSE_MATCH_RATE)
    people = crowd.draw(NUM_COMPARED)
    one, two = crowd.look(people), crowd.look(people)
    distances = (1 - one @ two.T)[~np.eye(NUM_COMPARED, dtype=bool)].astype(np.float64)
    return Share(int((calibration.llrs(distances) > needed).sum()), len(distances))


def _naive(vectors: NDArray[np.float32], max_distance: float) -> NDArray[np.int64]:
    """Return the nearest known person within a threshold for each track, or somebody new; looks are means."""
    sums: list[NDArray[np.float32]] = []
    numbers = []
    for vector in vectors:
        distances = 1 - unit(np.array(sums)) @ vector if sums else np.array([np.inf])
        nearest = int(distances.argmin())
        if distances[nearest] > max_distance:
            nearest = len(sums)
            sums.append(np.zeros_like(vector))
        sums[nearest] = sums[nearest] + vector
        numbers.append(nearest)
    return np.array(numbers, np.int64)


def _clusters(vectors: NDArray[np.float32]) -> list[NDArray[np.int64]]:
    distances = np.clip(1 - vectors @ vectors.T, 0, 2)[np.triu_indices(len(vectors), 1)].astype(np.float64)
    tree = linkage(distances, "average")
    return [fcluster(tree, threshold, "distance").astype(np.int64) for threshold in THRESHOLDS]


def _best(true_ids: NDArray[np.int64], ways: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return max(ways, key=lambda numbers: _scores(true_ids, numbers)[0])


def _scores(true_ids: NDArray[np.int64], numbers: NDArray[np.int64]) -> tuple[float, float]:
    """Return IDF1 and HOTA of labels without boxes."""
    _, rows = np.unique(true_ids, return_inverse=True)
    _, columns = np.unique(numbers, return_inverse=True)
    both = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(both, (rows, columns), 1)
    right = both[linear_sum_assignment(both, maximize=True)].sum() / len(true_ids)
    together = both / (both.sum(1, keepdims=True) + both.sum(0, keepdims=True) - both)
    return float(right), float(np.sqrt((both * together).sum() / len(true_ids)))
