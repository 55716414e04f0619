"""Cost of a tracklet in the match stage by number of people, against a plain FAISS search."""

import time
from dataclasses import dataclass

import faiss
import numpy as np
from rich.progress import track as progress_bar

from models.gallery.faiss_index import FaissGallery
from pipeline.core import Embedding, Identity, Sighting
from pipeline.evaluation.simulation.crowd import DIM, PART_S, PER_WINDOW, SPACE, Crowd, Visit, make_tracklet
from pipeline.evaluation.simulation.stage import Settings, make_calibration, make_stage, resident_mb

NEIGHBOURS = 80
"""Neighbours of the plain search: as many as the gallery asks for at first. More make the plain search slower."""
FIRST_AT = 10_000.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Measured cost of a match stage; times are processor times, so that other load matters little.

    Attributes:
        people: Number of known people.
        tracklet_ms: Time of the stage per tracklet, milliseconds, median over windows.
        search_ms: Time of the exact FAISS search among as many vectors per query, milliseconds, median.
        ratio: ``tracklet_ms / search_ms``.
        kb_each: Memory of this process per person, kilobytes, of which the appearance vector is 1.
        false_match_rate: Share of the tracklets of new people that got a known identity.
        false_new_rate: Share of the tracklets of known people that did not get their identity.
    """

    people: int
    tracklet_ms: float
    search_ms: float
    ratio: float
    kb_each: float
    false_match_rate: float
    false_new_rate: float


def measure(num_people: int, num_tracklets: int, *, seed: int, num_cameras: int, approximate_above: float) -> Cost:
    """Enrol people, match tracklets, one in five of a new person, and return the cost.

    Args:
        num_people: Enrolled at the start.
        num_tracklets: Tracks of one part each, in windows of ``PER_WINDOW``.
        seed: Of all random numbers.
        num_cameras: Cameras of the tracklets.
        approximate_above: As in ``FaissGallery``.
    """
    crowd = Crowd(seed, well_separated=True)
    before_mb = resident_mb()
    settings = Settings(max_identities=num_people + num_tracklets, approximate_above=approximate_above)
    stage = make_stage(make_calibration(well_separated=True), settings)
    enrolled = crowd.sample(num_people)
    index = faiss.IndexFlatIP(DIM)
    for person in progress_bar(range(num_people), description=f"{num_people:,} people", transient=True):
        stage.enrol(person + 1, make_tracklet(Visit(0.0, person, 0, 0, 0), person, enrolled[person], is_last=True))
    stage.process([_seen(0, FIRST_AT - 60, enrolled[:1], num_cameras)])  # the index adds all enrolled people
    kb_each = 1000 * (resident_mb() - before_mb - enrolled.nbytes / 1e6) / num_people
    index.add(enrolled)
    stage_s, search_s = [], []
    false_matches, false_news, num_new, num_known = 0, 0, 0, 0
    for start in progress_bar(range(0, num_tracklets, PER_WINDOW), description="tracklets", transient=True):
        chosen = crowd.choose(num_people, PER_WINDOW - PER_WINDOW // 5)
        people = np.concatenate([enrolled[chosen], crowd.sample(PER_WINDOW // 5)])
        at = FIRST_AT + 2 * PART_S * start / PER_WINDOW
        batch = [_seen(start + i + 1, at, vector[None], num_cameras) for i, vector in enumerate(crowd.observe(people))]
        began = time.process_time()
        records = stage.process(batch)
        stage_s.append((time.process_time() - began) / len(batch))
        given = [record.person_id for record in records if isinstance(record, Sighting)]
        num_known, num_new = num_known + len(chosen), num_new + len(batch) - len(chosen)
        false_news += sum(who != person + 1 for who, person in zip(given, chosen, strict=False))
        false_matches += sum(who <= num_people for who in given[len(chosen) :])
        for embedding in batch:
            began = time.process_time()
            index.search(embedding.vector[None], NEIGHBOURS)
            search_s.append(time.process_time() - began)
    tracklet_ms, search_ms = 1000 * float(np.median(stage_s)), 1000 * float(np.median(search_s))
    return Cost(
        num_people,
        tracklet_ms,
        search_ms,
        tracklet_ms / search_ms,
        kb_each,
        false_matches / num_new,
        false_news / num_known,
    )


def _seen(number: int, at: float, vector: np.ndarray, num_cameras: int) -> Embedding:
    return make_tracklet(Visit(at, 0, number % num_cameras, 0, 0), number, vector[0], is_last=True)


@dataclass(frozen=True, slots=True)
class Search:
    """Time and recall of the approximate index.

    Attributes:
        people: With one prototype each, distributed like the vectors of the shipped networks.
        exact_ms: Processor time of an exact search, milliseconds, median.
        part_ms: Processor time of an approximate search, milliseconds, median.
        recall: Of the queries that find their person among the first 20 exactly: share that does approximately.
    """

    people: int
    exact_ms: float
    part_ms: float
    recall: float


def compare_searches(num_people: int, num_queries: int, *, seed: int) -> Search:
    """Search the real gallery, exactly and approximately, for people by new observations."""
    crowd = Crowd(seed, well_separated=False)
    enrolled = crowd.sample(num_people)
    chosen = crowd.choose(num_people, num_queries)
    appearance = crowd.observe(enrolled[chosen])
    stages = {}
    for above in (float("inf"), 0.0):
        gallery = FaissGallery(device="cpu", threads=1, approximate_above=above)
        for person, vector in enumerate(enrolled):
            gallery.put(Identity(person, SPACE, vector[None], 0.0, 0.0, ()))
        found, spent_s = [], []
        for number, vector in enumerate(appearance):
            query = _seen(number, FIRST_AT, vector[None], 1)
            began = time.process_time()
            matches = gallery.nearest(query, 20)
            spent_s.append(time.process_time() - began)
            found.append(chosen[number] in {match.person_id for match in matches})
        stages[above] = np.array(found), 1000 * float(np.median(spent_s[1:]))
    (exact, exact_ms), (part, part_ms) = stages.values()
    return Search(num_people, exact_ms, part_ms, float(part[exact].mean()) if exact.any() else float("nan"))
