"""What a tracklet costs the stage among so many people, against the bare FAISS search among as many."""

import time
from dataclasses import dataclass

import faiss
import numpy as np
from rich.progress import track as progress_bar

from models.gallery.faiss_index import FaissGallery
from pipeline.core import Embedding, Identity, Sighting
from pipeline.evaluation.simulation.crowd import DIM, PART_S, PER_WINDOW, SPACE, Crowd, Visit, tracklet
from pipeline.evaluation.simulation.stage import Settings, make_calibration, make_stage, resident_mb

NEIGHBOURS = 80
"""Rows that the bare search is asked for: as many as the gallery asks for at first."""
FIRST_AT = 10_000.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What a stage came to; times are of the processor, so that other programs on it count little.

    Attributes:
        people: Known when it was measured.
        tracklet_ms: Of the stage, milliseconds a tracklet, median over windows.
        search_ms: Of the bare exact FAISS search among as many vectors, milliseconds a query, median.
        ratio: Of the two.
        kb_each: Memory that a person took: kilobytes of this process, looks (1 kB) and everything else.
        false_match_rate: Part of the tracklets of new people that were given to somebody else.
        false_new_rate: Part of the tracklets of known people that were not given to them.
    """

    people: int
    tracklet_ms: float
    search_ms: float
    ratio: float
    kb_each: float
    false_match_rate: float
    false_new_rate: float


def measure(num_people: int, num_tracklets: int, *, seed: int, num_cameras: int, approximate_above: float) -> Cost:
    """Enrol people, then judge tracklets, one in five of somebody new, and return what that cost.

    Args:
        num_people: Known from the start.
        num_tracklets: Whole tracks of one part, in windows of ``PER_WINDOW``.
        seed: Of everything.
        num_cameras: They come from.
        approximate_above: As in ``FaissGallery``.
    """
    crowd = Crowd(seed, is_clear=True)
    before_mb = resident_mb()
    settings = Settings(max_identities=num_people + num_tracklets, approximate_above=approximate_above)
    stage = make_stage(make_calibration(is_clear=True), settings)
    everybody = crowd.draw(num_people)
    index = faiss.IndexFlatIP(DIM)
    for person in progress_bar(range(num_people), description=f"{num_people:,} people", transient=True):
        stage.enrol(person + 1, tracklet(Visit(0.0, person, 0, 0, 0), person, everybody[person], is_last=True))
    stage.process([_seen(0, FIRST_AT - 60, everybody[:1], num_cameras)])  # the index takes everybody in
    kb_each = 1000 * (resident_mb() - before_mb - everybody.nbytes / 1e6) / num_people
    index.add(everybody)
    stage_s, search_s = [], []
    wrong, missed, num_new, num_known = 0, 0, 0, 0
    for start in progress_bar(range(0, num_tracklets, PER_WINDOW), description="tracklets", transient=True):
        chosen = crowd.choose(num_people, PER_WINDOW - PER_WINDOW // 5)
        people = np.concatenate([everybody[chosen], crowd.draw(PER_WINDOW // 5)])
        at = FIRST_AT + 2 * PART_S * start / PER_WINDOW
        batch = [_seen(start + i + 1, at, look[None], num_cameras) for i, look in enumerate(crowd.look(people))]
        began = time.process_time()
        records = stage.process(batch)
        stage_s.append((time.process_time() - began) / len(batch))
        given = [record.person_id for record in records if isinstance(record, Sighting)]
        num_known, num_new = num_known + len(chosen), num_new + len(batch) - len(chosen)
        missed += sum(who != person + 1 for who, person in zip(given, chosen, strict=False))
        wrong += sum(who <= num_people for who in given[len(chosen) :])
        for embedding in batch:
            began = time.process_time()
            index.search(embedding.vector[None], NEIGHBOURS)
            search_s.append(time.process_time() - began)
    tracklet_ms, search_ms = 1000 * float(np.median(stage_s)), 1000 * float(np.median(search_s))
    return Cost(
        num_people, tracklet_ms, search_ms, tracklet_ms / search_ms, kb_each, wrong / num_new, missed / num_known
    )


def _seen(number: int, at: float, look: np.ndarray, num_cameras: int) -> Embedding:
    return tracklet(Visit(at, 0, number % num_cameras, 0, 0), number, look[0], is_last=True)


@dataclass(frozen=True, slots=True)
class Search:
    """What the approximate index gains and loses.

    Attributes:
        people: With one prototype each, spread as the looks of the networks shipped.
        exact_ms: Processor time of a search of everything, median.
        part_ms: Of a search of the likeliest part.
        recall: Of those who have the person among the first 20 by the exact search: also by the other.
    """

    people: int
    exact_ms: float
    part_ms: float
    recall: float


def compare_searches(num_people: int, num_queries: int, *, seed: int) -> Search:
    """Ask the real gallery, with its approximate index and without, for people by a new look at them."""
    crowd = Crowd(seed, is_clear=False)
    everybody = crowd.draw(num_people)
    chosen = crowd.choose(num_people, num_queries)
    appearance = crowd.look(everybody[chosen])
    stages = {}
    for above in (float("inf"), 0.0):
        gallery = FaissGallery(device="cpu", threads=1, approximate_above=above)
        for person, vector in enumerate(everybody):
            gallery.put(Identity(person, SPACE, vector[None], 0.0, 0.0, ()))
        found, spent_s = [], []
        for number, look in enumerate(appearance):
            query = _seen(number, FIRST_AT, look[None], 1)
            began = time.process_time()
            matches = gallery.nearest(query, 20)
            spent_s.append(time.process_time() - began)
            found.append(chosen[number] in {match.person_id for match in matches})
        stages[above] = np.array(found), 1000 * float(np.median(spent_s[1:]))
    (exact, exact_ms), (part, part_ms) = stages.values()
    return Search(num_people, exact_ms, part_ms, float(part[exact].mean()) if exact.any() else float("nan"))
