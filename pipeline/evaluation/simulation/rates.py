"""Rates of false links and of missed known people: the match stage, the naive pipeline and offline clustering.

At most the specified share of comparisons of different people should pass the acceptance threshold (the false match
rate of ISO/IEC 19795-1). The share of false *links* also depends on the number of people that can be confused; it is
measured separately.
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
from pipeline.evaluation.decisions import Share, ordered_decisions
from pipeline.evaluation.simulation.crowd import Crowd, Site, unit
from pipeline.evaluation.simulation.stage import MAX_FALSE_MATCH_RATE, Settings, make_calibration, make_stage
from pipeline.ledger.final_tracks import FinalTracks

NUM_COMPARED = 400
"""People whose pairs are compared for the rate of comparisons. A larger number narrows the confidence interval."""
THRESHOLDS = np.arange(0.3, 0.8, 0.02)
"""Cosine distances tried in hindsight by the naive pipeline and by offline clustering."""


@dataclass(frozen=True, slots=True)
class Linking:
    """Scores of one method over all seeds.

    Attributes:
        name: Name of the method.
        idf1: Share of the tracks whose identity is assigned to their person, one to one.
        hota: Geometric mean of detection, which is perfect here, and association.
        false_matches: Of all links, those between different people.
        false_news: Of the vectors_ofs of known people, those that got a new identity.
    """

    name: str
    idf1: float
    hota: float
    false_matches: Share
    false_news: Share


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """The results of one seed.

    Attributes:
        comparisons: Of the comparisons of different people, those that pass the acceptance threshold.
        true_ids: True person of each track in order of vectors_of, shape ``(N,)``.
        identities: By name of the method: identity of each track, shape ``(N,)``.
    """

    comparisons: Share
    true_ids: NDArray[np.int64]
    identities: dict[str, NDArray[np.int64]]


def run(seed: int, *, num_tracklets: int, num_cameras: int) -> Run:
    """Run all methods on a site whose appearance vectors are as hard to separate as those of the shipped networks."""
    crowd = Crowd(seed, well_separated=False)
    calibration = make_calibration(well_separated=False)
    stage = make_stage(
        calibration, Settings(10_000, recluster_every_s=10.0, recluster_window_s=300.0), transit_bounds(num_cameras)
    )
    final_tracks = FinalTracks()
    true_of: dict[str, int] = {}
    parts: dict[str, TrackPart] = {}
    vectors_of: dict[str, list[NDArray[np.float32]]] = {}
    immediate: dict[str, int] = {}
    for window in _windows(crowd, num_cameras, num_tracklets):
        records = stage.process([embedding for _, embedding in window])
        for person, embedding in window:
            track = str(embedding.track_id)
            true_of.setdefault(track, person)
            parts[track] = TrackPart(embedding.track_id, embedding.part)
            vectors_of.setdefault(track, []).append(embedding.vector)
        for record in records:
            if isinstance(record, Sighting):
                final_tracks.see(TrackPart(record.track_id, record.part), record.person_id)
                immediate.setdefault(str(record.track_id), record.person_id)
            else:
                final_tracks.correct(record)
    for correction in stage.flush():
        if not isinstance(correction, Sighting):
            final_tracks.correct(correction)
    vectors = unit(np.array([np.mean(of_one, axis=0) for of_one in vectors_of.values()], np.float32))
    true_ids = np.array(list(true_of.values()), np.int64)
    middle = (calibration.model.same_mean + calibration.model.different_mean) / 2
    return Run(
        _comparisons(crowd, calibration),
        true_ids,
        {
            "Passerby, immediate": np.array([immediate[track] for track in true_of], np.int64),
            "Passerby, final": np.array([final_tracks.person_of(parts[track]) for track in true_of], np.int64),
            "naive online, threshold halfway": _naive(vectors, middle),
            "naive online, best threshold": _best(true_ids, [_naive(vectors, t) for t in THRESHOLDS]),
            "offline clustering, best threshold": _best(true_ids, _clusters(vectors)),
        },
    )


def summary(runs: Sequence[Run]) -> list[Linking]:
    """Return the scores of each method over all seeds."""
    found = []
    for name in runs[0].identities:
        made = [
            ordered_decisions(
                (true, number, 1) for true, number in np.stack([r.true_ids, r.identities[name]], 1).tolist()
            )
            for r in runs
        ]
        scores = np.array([track_scores(r.true_ids, r.identities[name]) for r in runs]).mean(axis=0)
        shares = [
            Share(sum(share.count for share in of_all), sum(share.total for share in of_all))
            for of_all in ([d.false_matches for d in made], [d.false_news for d in made])
        ]
        found.append(Linking(name, float(scores[0]), float(scores[1]), *shares))
    return found


def transit_bounds(num_cameras: int) -> dict[tuple[str, str], TransitBounds]:
    """Return the transit bounds of the site: about 8 s to the next camera, or much later."""
    pairs = [sorted((f"camera{camera}", f"camera{(camera + 1) % num_cameras}")) for camera in range(num_cameras)]
    return {(one, two): TransitBounds(2.0, inf, typical_s=8.0) for one, two in pairs}


def _windows(crowd: Crowd, num_cameras: int, num_tracklets: int) -> list[list[tuple[int, Embedding]]]:
    windows, count = [], 0
    for window in Site(crowd, num_cameras=num_cameras, memory=60, per_window=3).windows():
        windows.append(window)
        count += len(window)
        if count >= num_tracklets:
            return windows
    raise AssertionError("a site yields windows without end")


def _comparisons(crowd: Crowd, calibration: Calibration) -> Share:
    needed = calibration.threshold(MAX_FALSE_MATCH_RATE)
    people = crowd.sample(NUM_COMPARED)
    one, two = crowd.observe(people), crowd.observe(people)
    distances = (1 - one @ two.T)[~np.eye(NUM_COMPARED, dtype=bool)].astype(np.float64)
    return Share(int((calibration.llrs(distances) > needed).sum()), len(distances))


def _naive(vectors: NDArray[np.float32], max_distance: float) -> NDArray[np.int64]:
    """Return for each track the nearest known person within a distance, or a new one; a person is a mean vector."""
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


def _best(true_ids: NDArray[np.int64], candidates: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return max(candidates, key=lambda numbers: track_scores(true_ids, numbers)[0])


def track_scores(true_ids: NDArray[np.int64], numbers: NDArray[np.int64]) -> tuple[float, float]:
    """Return IDF1 and HOTA of track labels, without boxes."""
    _, rows = np.unique(true_ids, return_inverse=True)
    _, columns = np.unique(numbers, return_inverse=True)
    both = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(both, (rows, columns), 1)
    right = both[linear_sum_assignment(both, maximize=True)].sum() / len(true_ids)
    together = both / (both.sum(1, keepdims=True) + both.sum(0, keepdims=True) - both)
    return float(right), float(np.sqrt((both * together).sum() / len(true_ids)))
