"""The sightings of a run beside the truth: who was seen where in which seconds, under which identity."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from chaos_run.feed import BY_KAFKA, CAMERAS, FPS, Feed
from pipeline.core import TrackId
from pipeline.core.boxes import iou_matrix
from pipeline.ledger import NOBODY, LedgerReader

MIN_IOU = 0.3
"""The detector of the tests cuts off legs and joins people who cross: with .5, two sightings in five are unclear."""
UNCLEAR = -1
"""The person of a sighting whose last box shows nobody of the truth well, as where two people cross."""
MAX_SHIFT = 3 * FPS
"""Frames by which a picture by RTSP arrives late: a client that connects gets the present second from its beginning,
and a server whose client was slow goes on where it was."""


NOBODY_THERE = (np.empty(0, np.int64), np.empty((0, 4), np.float32))


@dataclass(frozen=True)
class Raw:
    """A sighting: first and last frame since the feed began, box in the last one, and identity after corrections."""

    track_id: TrackId
    first: int
    last: int
    box_xyxy: NDArray[np.float32]
    identity: int


@dataclass(frozen=True)
class Seen:
    """A sighting of somebody of the truth, or ``UNCLEAR``; frames since the feed began."""

    camera_id: str
    person: int
    identity: int
    first: int
    last: int


def sightings_of(feed: Feed, ledger: Path) -> list[Seen]:
    """Return the sightings in a ledger, and whom of the truth each shows.

    Frames by Kafka have the feed's own numbers. Those by RTSP have a time, and each opening of a camera its own delay
    in each turn: the one with which most sightings show somebody.
    """
    reader = LedgerReader(ledger)
    raw = []
    for event in reader.events(limit=-1, kind="sighting"):
        body, track_id = event.body, event.part.track_id
        first, last = (
            end[0] if track_id.camera_id in BY_KAFKA else round((end[1] - feed.began_at) * FPS)
            for end in (body["first"], body["last"])
        )
        identity = reader.person_of(event.part)
        if identity != NOBODY:
            raw.append(Raw(track_id, first, last, np.array([body["box_xyxy"]], np.float32), identity))
    reader.close()
    raw.sort(key=lambda one: (one.track_id.camera_id, one.track_id.session, one.last))
    found: list[Seen] = []
    period = feed.period_s * FPS
    for camera_id, of_camera in groupby(raw, lambda one: one.track_id.camera_id):
        truth = feed.truth(camera_id)
        shifts = [0] if camera_id in BY_KAFKA else range(MAX_SHIFT)
        for _, group in groupby(of_camera, lambda one: (one.track_id.session, one.last // period)):
            together = list(group)
            found += max((_people(together, truth, shift, period) for shift in shifts), key=_num_clear)
    return found


def _people(
    together: Sequence[Raw], truth: dict[int, tuple[NDArray[np.int64], NDArray[np.float32]]], shift: int, period: int
) -> list[Seen]:
    found = []
    for one in together:
        ids, boxes_xyxy = truth.get((one.last - shift) % period, NOBODY_THERE)
        overlaps = iou_matrix(one.box_xyxy, boxes_xyxy)[0]
        is_clear = len(ids) > 0 and overlaps.max() >= MIN_IOU
        person = int(ids[overlaps.argmax()]) if is_clear else UNCLEAR
        found.append(Seen(one.track_id.camera_id, person, one.identity, one.first - shift, one.last - shift))
    return found


def _num_clear(seen: Sequence[Seen]) -> int:
    return sum(one.person != UNCLEAR for one in seen)


def ids_kept(seen: Iterable[Seen], period_s: int) -> tuple[float, float]:
    """Return the share of sightings whose identity is that of their person, within turns, and over the whole run.

    Identities and people are assigned one to one so that the share is as large as possible: a person with two
    identities, and two people with one, both lower it. The first assigns them anew in each turn.
    """
    by_turn: dict[int, list[Seen]] = defaultdict(list)
    for one in (each for each in seen if each.person != UNCLEAR):
        by_turn[one.last // (period_s * FPS)].append(one)
    num = sum(map(len, by_turn.values()))
    within = sum(_num_right(turn) for turn in by_turn.values())
    whole = _num_right([one for turn in by_turn.values() for one in turn])
    return within / max(1, num), whole / max(1, num)


def _num_right(seen: Sequence[Seen]) -> int:
    counts = Counter((one.person, one.identity) for one in seen)
    people, identities = (sorted({pair[place] for pair in counts}) for place in (0, 1))
    table = np.array([[counts[person, identity] for identity in identities] for person in people])
    return int(table[linear_sum_assignment(-table)].sum())


Cell = tuple[str, int]
"""Camera and person."""


def seconds_seen(seen: Iterable[Seen]) -> dict[Cell, set[int]]:
    """Return the seconds since the feed began that sightings cover, by camera and person."""
    found: dict[Cell, set[int]] = defaultdict(set)
    for one in seen:
        found[one.camera_id, one.person].update(range(one.first // FPS, one.last // FPS + 1))
    return found


def always_seen(seen: Iterable[Seen], period_s: int, first_s: int, num_turns: int) -> dict[Cell, set[int]]:
    """Return the seconds of a turn in which each person is seen in each of some turns, by camera and person.

    Args:
        seen: Of the undisturbed run.
        period_s: Seconds of a turn.
        first_s: Where the first of these turns begins, seconds since the feed began.
        num_turns: Number of turns.
    """
    turns = [range(first_s + turn * period_s, first_s + (turn + 1) * period_s) for turn in range(num_turns)]
    return {
        cell: set.intersection(*({second % period_s for second in turn if second in seconds} for turn in turns))
        for cell, seconds in seconds_seen(seen).items()
        if cell[1] != UNCLEAR
    }


@dataclass(frozen=True)
class Missing:
    """A person whom a camera should have shown and did not: seconds since the feed began."""

    camera_id: str
    person: int
    first_s: int
    last_s: int


def missing(
    seen: Iterable[Seen],
    expected: dict[Cell, set[int]],
    period_s: int,
    watched: dict[str, set[int]],
    min_s: int,
) -> tuple[list[Missing], int, int]:
    """Return spans of at least ``min_s`` watched seconds in which a person is missing; seconds missing, and expected.

    Nobody is missing while the camera has an unclear sighting, which may be theirs.

    Args:
        seen: Of the disturbed run.
        expected: Of ``always_seen``.
        period_s: Seconds of a turn.
        watched: By camera, the seconds since the feed began in which it was not blind.
        min_s: Seconds of a span, at least.
    """
    covered = seconds_seen(seen)
    spans: list[Missing] = []
    num_missing = num_expected = 0
    for camera_id in CAMERAS:
        for (of_camera, person), phases in expected.items():
            if of_camera != camera_id:
                continue
            wanted = sorted(second for second in watched[camera_id] if second % period_s in phases)
            there = covered.get((camera_id, person), set()) | covered.get((camera_id, UNCLEAR), set())
            absent = [second for second in wanted if second not in there]
            num_expected += len(wanted)
            num_missing += len(absent)
            for _, group in groupby(enumerate(absent), lambda item: item[1] - item[0]):
                run = [second for _, second in group]
                if len(run) >= min_s:
                    spans.append(Missing(camera_id, person, run[0], run[-1]))
    return spans, num_missing, num_expected
