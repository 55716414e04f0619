"""People for tests of the matcher: vectors at a chosen distance, embeddings at a chosen time, and a matcher."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import inf, sqrt

import numpy as np
from factories import BOX, make_embedding, make_path
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.association.adaptation.adaptation import Adaptation
from pipeline.association.calibration.likelihood_ratio import Calibration, DistanceModel
from pipeline.association.constraints import LinkConstraints
from pipeline.association.geometry.ground_plane import Ground
from pipeline.association.geometry.topology import Topology
from pipeline.association.matcher import Matcher
from pipeline.core import Correction, CorrectionKind, Embedding, Identity, Match, Sighting, TrackId, TrackPart
from pipeline.core.distance import check_same_space

DIM = 16
MODEL = DistanceModel(same_mean=0.35, same_std=0.1, different_mean=0.8, different_std=0.15)
AT_THE_BORDER = (0.0, 10.0, 30.0, 90.0)


class DictGallery:
    """Known people, in a dictionary."""

    def __init__(self) -> None:
        self.people: dict[int, Identity] = {}

    def __len__(self) -> int:
        return len(self.people)

    def nearest(self, embedding: Embedding, k: int) -> list[Match]:
        for identity in self.people.values():
            check_same_space(identity.space, embedding.space)
        distances = {i: float(1 - (p.prototypes @ embedding.vector).max()) for i, p in self.people.items()}
        return [Match(i, d) for i, d in sorted(distances.items(), key=lambda item: (item[1], item[0]))[:k]]

    def put(self, identity: Identity) -> None:
        self.people[identity.person_id] = identity

    def drop(self, person_id: int) -> None:
        self.people.pop(person_id, None)


def appearance(person: int, distance: float = 0.0) -> NDArray[np.float32]:
    """Return a vector at this cosine distance to ``appearance(person)``, and at 1 to those of all other people."""
    vector = np.zeros(DIM, np.float32)
    vector[person] = 1 - distance
    vector[-1] = sqrt(1 - (1 - distance) ** 2)
    return vector


def see(
    camera_id: str = "east",
    number: int = 1,
    start: float = 0.0,
    stop: float = 1.0,
    person: int = 0,
    *,
    distance: float = 0.0,
    vector: NDArray[np.float32] | None = None,
    part: int = 0,
    box: Sequence[float] | None = None,
    quality: float = 0.8,
    is_last: bool = False,
    is_continuous: bool = True,
    completed_at: float | None = None,
) -> Embedding:
    """Return the embedding of a person on a track between two moments, Unix seconds, at ten frames a second.

    Without ``box`` the first five tracks are side by side.
    """
    if box is None:
        left, top, right, bottom = BOX
        aside = 20.0 * ((number - 1) % 5)
        box = (left + aside, top, right + aside, bottom)
    path = make_path(first=round(start * 10), length=max(1, round((stop - start) * 10) + 1), box=box)
    embedding = make_embedding(
        TrackId(camera_id, 0, number),
        part,
        path,
        appearance(person, distance) if vector is None else vector,
        quality=quality,
        is_last=is_last,
    )
    at = embedding.completed_at if completed_at is None else completed_at
    return replace(embedding, is_continuous=is_continuous, completed_at=at)


def make_match(
    gallery: DictGallery | None = None,
    *,
    topology: Topology | None = None,
    ground: Ground | None = None,
    adaptation: Adaptation | None = None,
    leave_after_s: float = inf,
    model: DistanceModel = MODEL,
    max_false_match_rate: float = 0.01,
    recluster_every_s: float = 1e9,
    recluster_window_s: float = 300.0,
    forget_after_s: float = 3600.0,
    max_identities: int = 1000,
    max_prototypes: int = 8,
) -> Matcher:
    return Matcher(
        DictGallery() if gallery is None else gallery,
        Calibration(model, caution=1.0, max_llr=6.0),
        LinkConstraints(topology or Topology(), leave_after_s),
        ground or Ground(),
        adaptation,
        max_false_match_rate=max_false_match_rate,
        recluster_every_s=recluster_every_s,
        recluster_window_s=recluster_window_s,
        forget_after_s=forget_after_s,
        max_identities=max_identities,
        max_prototypes=max_prototypes,
    )


def windows(embeddings: Iterable[Embedding], window_s: float = 0.5) -> list[list[Embedding]]:
    """Return the embeddings as the matcher gets them: in order of time, by windows."""
    held: dict[int, list[Embedding]] = {}
    for embedding in sorted(embeddings, key=lambda e: (e.completed_at, e.track_id, e.part)):
        held.setdefault(int(embedding.completed_at // window_s), []).append(embedding)
    return [held[window] for window in sorted(held)]


def run_matcher(stage: Matcher, embeddings: Iterable[Embedding]) -> list[Sighting | Correction]:
    """Return all records of a matcher, to the end of the stream."""
    records = [record for window in windows(embeddings) for record in stage.process(window)]
    return [*records, *stage.flush()]


def person_of_part(records: Iterable[Sighting | Correction]) -> Mapping[TrackPart, int]:
    """Return the person of each part after all corrections, as a reader of the records would find it."""
    people: dict[TrackPart, int] = {}
    for record in records:
        if isinstance(record, Sighting):
            people[TrackPart(record.track_id, record.part)] = record.person_id
        elif record.kind is CorrectionKind.MERGED:
            kept, absorbed = record.person_ids
            people = {part: kept if who == absorbed else who for part, who in people.items()}
        elif record.kind is not CorrectionKind.CONFIRMED:
            assert record.kind is CorrectionKind.SPLIT
            source, target = record.person_ids
            assert record.parts
            assert all(people[part] == source for part in record.parts)
            people |= dict.fromkeys(record.parts, target)
    return people


TRACKS = st.tuples(
    st.sampled_from(["east", "west"]),
    st.integers(0, 200),  # tenths of a second
    st.integers(1, 8),  # parts
    st.integers(0, 3),  # person whose appearance it has
    st.lists(st.sampled_from([0.0, 0.2, 0.45, 0.6]), min_size=8, max_size=8),
    st.lists(st.booleans(), min_size=8, max_size=8),
    st.booleans(),
)


def separate_box(number: int, border: bool) -> tuple[float, ...]:
    """Return a box that does not overlap those of other tracks."""
    aside = 14.0 * number
    return (0.0, 5.0 + aside, 30.0, 18.0 + aside) if border else (50.0 + aside, 10.0, 63.0 + aside, 90.0)


def embeddings_of(tracks) -> list[Embedding]:
    """Return the parts of tracks with any beginning, length and appearance."""
    return [
        see(
            camera_id,
            number,
            start=(begin + 12 * part) / 10,
            stop=(begin + 12 * part + 11) / 10,
            person=person,
            distance=distances[part],
            part=part,
            box=separate_box(number, border),
            is_last=part == num_parts - 1,
            is_continuous=part == 0 or continuous[part],
        )
        for number, (camera_id, begin, num_parts, person, distances, continuous, border) in enumerate(tracks)
        for part in range(num_parts)
    ]
