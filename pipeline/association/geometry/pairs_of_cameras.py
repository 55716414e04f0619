"""What people who went between two cameras show: whether both see one person at once, and how long transits take."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.association.chain import MAX_SHARED_S
from pipeline.association.geometry.topology import camera_pair
from pipeline.association.geometry.transit_times import DEVIATION
from pipeline.core.records.pair_evidence import PairEvidence

MAX_GAP_S = 120.0
"""Seconds of a transit that counts. More take in people who stood between the cameras."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A person in front of a camera, from one time to another, Unix seconds."""

    person_id: int
    camera_id: str
    first_at: float
    last_at: float


def pair_evidence(seen: Iterable[Seen], times: Mapping[tuple[str, str], Sequence[float]]) -> tuple[PairEvidence, ...]:
    """Return what is known of each two cameras between which somebody went, by their names.

    Args:
        seen: Who was seen where.
        times: Seconds of settled transits, by ordered pair of cameras.

    Example:
        >>> (pair,) = pair_evidence([Seen(1, "east", 0.0, 5.0), Seen(1, "west", 4.0, 9.0)], {})
        >>> pair.camera_ids, pair.num_people, pair.num_at_once
        (('east', 'west'), 1, 1)
    """
    people, at_once = _people(seen)
    gaps: dict[tuple[str, str], list[float]] = {}
    for cameras, of_pair in times.items():
        gaps.setdefault(camera_pair(*cameras), []).extend(of_pair)
    return tuple(
        PairEvidence(
            pair, len(people.get(pair, ())), len(at_once.get(pair, ())), *_times(np.array(gaps.get(pair, ()), float))
        )
        for pair in sorted(people.keys() | gaps.keys())
    )


def _people(seen: Iterable[Seen]) -> tuple[dict[tuple[str, str], set[int]], dict[tuple[str, str], set[int]]]:
    """Return by pair of cameras the people whom both saw within ``MAX_GAP_S``, and those whom both saw at once."""
    by_person: dict[int, list[Seen]] = {}
    for each in seen:
        by_person.setdefault(each.person_id, []).append(each)
    people: dict[tuple[str, str], set[int]] = {}
    at_once: dict[tuple[str, str], set[int]] = {}
    for person_id, of_person in by_person.items():
        of_person.sort(key=lambda each: each.first_at)
        for index, one in enumerate(of_person):
            for two in of_person[index + 1 :]:
                if two.first_at > one.last_at + MAX_GAP_S:
                    break
                if one.camera_id == two.camera_id:
                    continue
                pair = camera_pair(one.camera_id, two.camera_id)
                people.setdefault(pair, set()).add(person_id)
                if min(one.last_at, two.last_at) - two.first_at > MAX_SHARED_S:
                    at_once.setdefault(pair, set()).add(person_id)
    return people, at_once


def _times(gaps_s: np.ndarray) -> tuple[int, float, tuple[float, ...], float]:
    """Return number, shortest, quantiles and spread of transit times."""
    if not len(gaps_s):
        return 0, 0.0, (), 0.0
    logs = np.log(gaps_s)
    spread = DEVIATION * float(np.median(np.abs(logs - np.median(logs))))
    quantiles = tuple(round(float(each), 2) for each in np.quantile(gaps_s, (0.05, 0.5, 0.95)))
    return len(gaps_s), round(float(gaps_s.min()), 2), quantiles, round(spread, 3)
