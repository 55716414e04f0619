"""A simulated site of overlapping cameras and few people, whose tracks break and sometimes begin with poor pictures."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core import Embedding, FrameStamp, TrackId, TrackPath
from pipeline.evaluation.simulation.crowd import FRAME_HW, PART_S, SPACE, WINDOW_S, Crowd, unit

FRAMES_A_S = 10
SEEN_S, HIDDEN_S = 12.0, 5.0
"""Mean seconds for which a camera sees a person, and loses them."""
VIEW, MOMENT = 0.5, 0.5
"""Noise of a track, which its camera and its view cause, and of a part, relative to the person's vector.

Two parts of one person in two tracks are .38 apart on average, those of two people .76, those of one track .17.
"""
POOR = 0.2
"""Share of tracks whose first part has poor pictures: twice the noise of a part, a quarter of the quality."""


@dataclass(frozen=True, slots=True)
class OverlappingSite:
    """People who walk about where all cameras look.

    Attributes:
        seed: Of all random numbers.
        people: In the whole time; each is there half of it.
        cameras: That all see the same ground.
        minutes: Of event time.
    """

    seed: int
    people: int
    cameras: int
    minutes: float

    def windows(self) -> Iterator[list[tuple[int, Embedding]]]:
        """Yield windows of event time as pairs of person and tracklet, in order of time."""
        waiting = [(each.completed_at, number, person, each) for number, (person, each) in enumerate(self._tracklets())]
        heapq.heapify(waiting)
        until = 0.0
        while waiting:
            until += WINDOW_S
            window = []
            while waiting and waiting[0][0] <= until:
                _, _, person, embedding = heapq.heappop(waiting)
                window.append((person, embedding))
            yield window

    def _tracklets(self) -> Iterator[tuple[int, Embedding]]:
        rng = np.random.default_rng(self.seed)
        appearance = Crowd(self.seed, well_separated=False).sample(self.people)
        spread = Crowd(self.seed + 1, well_separated=False)
        numbers = dict.fromkeys(range(self.cameras), 0)
        for person in range(self.people):
            at, end = float(rng.uniform(0, 30)), 60 * self.minutes
            while at < end:
                left = min(end, at + float(rng.uniform(20, 120)))
                for camera in range(self.cameras):
                    seen = at + float(rng.exponential(HIDDEN_S))
                    while seen + 1 < left:
                        gone = min(left, seen + 1 + float(rng.exponential(SEEN_S)))
                        numbers[camera] += 1
                        track = TrackId(f"camera{camera}", 0, numbers[camera])
                        yield from (
                            (person, e) for e in _track(rng, spread, appearance[person], track, person, seen, gone)
                        )
                        seen = gone + 0.5 + float(rng.exponential(HIDDEN_S))
                at = left + float(rng.uniform(20, 120))


def _track(
    rng: np.random.Generator,
    spread: Crowd,
    appearance: NDArray[np.float32],
    track: TrackId,
    person: int,
    began: float,
    ended: float,
) -> Iterator[Embedding]:
    """Yield the parts of one track."""
    of_view = appearance + VIEW * np.exp(0.4 * rng.standard_normal()) * spread.noise(1)[0]
    times = np.arange(began, ended, 1 / FRAMES_A_S)
    rows = np.array_split(np.arange(len(times)), max(1, round((ended - began) / PART_S)))
    is_poor = rng.random() < POOR
    for part, row in enumerate(rows):
        poor = part == 0 and is_poor
        vector = unit((of_view + (2 if poor else 1) * MOMENT * spread.noise(1)[0])[None])[0]
        boxes = _boxes(person, track.camera_id, times[row])
        path = TrackPath(row.astype(np.int64), times[row], boxes, np.full(len(row), 0.9, np.float32), FRAME_HW)
        first, last = (FrameStamp(track.camera_id, int(row[i]), float(times[row[i]])) for i in (0, -1))
        quality = 0.2 if poor else 0.8
        yield Embedding(
            track, part, first, last, boxes[-1], SPACE, vector, quality, path, last.captured_at, part == len(rows) - 1
        )


def _boxes(person: int, camera_id: str, times: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the boxes of a person who walks to and fro, each at a pace of their own."""
    phase = 2 * np.pi * (times / (40 + 3 * person) + 0.37 * person) + ord(camera_id[-1])
    left = (FRAME_HW[1] - 200) * (1 + np.sin(phase)) / 2 + 75
    return np.stack([left, np.full_like(left, 300), left + 50, np.full_like(left, 450)], axis=1).astype(np.float32)
