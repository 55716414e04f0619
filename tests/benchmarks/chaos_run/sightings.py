"""The sightings of a run beside the truth: who was seen where in which seconds."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chaos_run.scene import BY_KAFKA, CAMERAS, FPS, Scene, Truth
from connectors.sinks.box_store import read_boxes
from connectors.sinks.final_boxes import SPOOLED
from pipeline.core import TrackPart
from pipeline.core.boxes import area, intersection_matrix, iou_matrix

MIN_COVERED = 0.5
"""Share of a person's box inside a box of the run from which on it shows them. People who cross may share one."""
MIN_IOU = 0.3
"""Overlap from which on a box is one person's, as far as identities go."""
NOBODY = -1
"""The person of a sighting of which no box is one person's."""
MAX_SHIFT = 3 * FPS
"""Frames by which a picture by RTSP arrives late: a client that connects gets the present second from its beginning,
and a server whose client was slow goes on where it was."""

NOBODY_THERE = (np.empty(0, np.int64), np.empty((0, 4), np.float32))


@dataclass(frozen=True)
class Start:
    """When a run was started: with a turn, so many seconds after its feed began at a time, Unix seconds."""

    feed_began_at: float
    after_s: int

    @property
    def at(self) -> float:
        """When that was, Unix seconds. All frames and seconds here count from it."""
        return self.feed_began_at + self.after_s


@dataclass(frozen=True)
class Raw:
    """A part of a track: its frames, its box in each, and its identity at the end of the run."""

    part: TrackPart
    identity: int
    frames: list[int]
    boxes_xyxy: NDArray[np.float32]

    @property
    def camera_id(self) -> str:
        return self.part.track_id.camera_id


@dataclass(frozen=True)
class Seen:
    """A sighting: whose it is, or ``NOBODY``'s, and whom its boxes show in which frame."""

    camera_id: str
    person: int
    identity: int
    shown: tuple[tuple[int, frozenset[int]], ...]


def sightings_of(scene: Scene, run: Path, start: Start) -> list[Seen]:
    """Return the sightings of a run that has ended, and whom of the truth each shows.

    Frames by Kafka have the feed's own numbers. Those by RTSP have a time, and each opening of a camera its own delay
    in each turn: the one with which most boxes show somebody.
    """
    raw = [_raw(start, stored.part, stored.person_id, stored.boxes) for stored in read_boxes(run / "mot/boxes.sqlite")]
    raw.sort(key=lambda one: (one.camera_id, one.part.track_id.session, one.frames[-1]))
    found: list[Seen] = []
    period = scene.num_frames
    for camera_id, of_camera in groupby(raw, lambda one: one.camera_id):
        truth = scene.truth(camera_id)
        shifts = [0] if camera_id in BY_KAFKA else range(MAX_SHIFT)
        for _, group in groupby(of_camera, lambda one: (one.part.track_id.session, one.frames[-1] // period)):
            together = list(group)
            shift = max(shifts, key=lambda shift: sum(len(_owners(one, truth, shift, period)) for one in together))
            found += [_seen(one, truth, shift, period) for one in together]
    return found


def _raw(start: Start, part: TrackPart, identity: int, boxes: bytes) -> Raw:
    rows = np.frombuffer(boxes, SPOOLED)
    if part.track_id.camera_id in BY_KAFKA:  # a sender's clock may be wrong
        frames = rows["index"].astype(np.int64) - start.after_s * FPS
    else:
        frames = np.rint((rows["captured_at"] - start.at) * FPS).astype(np.int64)
    return Raw(part, identity, frames.tolist(), rows["box_xyxy"])


def _owners(one: Raw, truth: Truth, shift: int, period: int) -> list[int]:
    """Return whose each box is, without those that are nobody's."""
    found = []
    for frame, box_xyxy in zip(one.frames, one.boxes_xyxy, strict=True):
        ids, boxes_xyxy = truth.get((frame - shift) % period, NOBODY_THERE)
        overlaps = iou_matrix(box_xyxy[None], boxes_xyxy)[0]
        if overlaps.max(initial=0.0) >= MIN_IOU:
            found.append(int(ids[overlaps.argmax()]))
    return found


def _seen(one: Raw, truth: Truth, shift: int, period: int) -> Seen:
    shown = []
    for frame, box_xyxy in zip(one.frames, one.boxes_xyxy, strict=True):
        ids, boxes_xyxy = truth.get((frame - shift) % period, NOBODY_THERE)
        covered = intersection_matrix(box_xyxy[None], boxes_xyxy)[0] / np.maximum(area(boxes_xyxy), 1e-6)
        shown.append((frame - shift, frozenset(ids[covered >= MIN_COVERED].tolist())))
    owners = Counter(_owners(one, truth, shift, period)).most_common(1)
    return Seen(one.camera_id, owners[0][0] if owners else NOBODY, one.identity, tuple(shown))


Cell = tuple[str, int]
"""Camera and person."""


def seconds_seen(seen: Iterable[Seen]) -> dict[Cell, set[int]]:
    """Return the seconds in which a box of a sighting shows a person, by camera and person."""
    found: dict[Cell, set[int]] = defaultdict(set)
    for one in seen:
        for frame, people in one.shown:
            for person in people:
                found[one.camera_id, person].add(frame // FPS)
    return found


def always_seen(seen: Iterable[Seen], period_s: int, first_s: int, num_turns: int) -> dict[Cell, set[int]]:
    """Return the seconds of a turn in which each person is seen in each of some turns, by camera and person.

    Args:
        seen: Of the undisturbed run.
        period_s: Seconds of a turn.
        first_s: The second in which the first of these turns begins.
        num_turns: Number of turns.
    """
    turns = [range(first_s + turn * period_s, first_s + (turn + 1) * period_s) for turn in range(num_turns)]
    return {
        cell: set.intersection(*({second % period_s for second in turn if second in seconds} for turn in turns))
        for cell, seconds in seconds_seen(seen).items()
    }


@dataclass(frozen=True)
class Missing:
    """A person whom a camera should have shown and did not: from the first to the last second."""

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

    Args:
        seen: Of the disturbed run.
        expected: Of ``always_seen``.
        period_s: Seconds of a turn.
        watched: By camera, the seconds in which it was not blind.
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
            absent = [second for second in wanted if second not in covered.get((camera_id, person), ())]
            num_expected += len(wanted)
            num_missing += len(absent)
            for _, group in groupby(enumerate(absent), lambda item: item[1] - item[0]):
                run = [second for _, second in group]
                if len(run) >= min_s:
                    spans.append(Missing(camera_id, person, run[0], run[-1]))
    return spans, num_missing, num_expected
