"""Synthetic appearance vectors of people, and the tracklets that cameras would make of them."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core import Embedding, FrameStamp, TrackId, TrackPath

DIM = 256
"""Length of an appearance vector, that of the shipped networks."""
SPACE = "simulation@1"
FRAME_HW = (1080, 1920)
PART_S = 3.0
"""Length of a part of a track, seconds."""
PER_WINDOW = 20
"""Tracklets per window. More raise the load of each window."""
WINDOW_S = 0.5
"""Length of a window, seconds, as ``matcher.window_s``."""
EFFECTIVE = 14.0
"""Decay of the spread over dimensions, as in the shipped networks: about 43 independent dimensions.

A larger value makes people easier to separate.
"""
COMMON = 0.47
"""Length of the component that all people share. A larger value brings different people closer together."""
NOISE = 0.9
"""Noise of an observation relative to the person's vector. Two observations of one person have a mean cosine distance
of .42, of two people .85; a larger value raises the first.
"""

STILL_THERE = 1000
"""People newer than the memory by this number may still be present, so their vectors are kept."""


class Crowd:
    """Samples people as unit vectors, and observations of them as these vectors with noise.

    Args:
        seed: Of all random numbers.
        well_separated: All 256 dimensions separate people, with little noise; otherwise as the shipped networks do,
            which separate people much less.
    """

    def __init__(self, seed: int, *, well_separated: bool) -> None:
        self._rng = np.random.default_rng(seed)
        self._noise = 0.73 if well_separated else NOISE
        self._unequal = 0.0 if well_separated else 0.4
        self._common = 0.0 if well_separated else COMMON
        spread = np.ones(DIM) if well_separated else 1 / (1 + np.arange(DIM) / EFFECTIVE)
        self._spread = (spread / np.linalg.norm(spread)).astype(np.float32)

    def sample(self, count: int) -> NDArray[np.float32]:
        """Return the vectors of new people, shape ``(count, DIM)``, L2 norm 1."""
        people = self._rng.standard_normal((count, DIM), np.float32) * self._spread
        people[:, -1] += self._common / np.sqrt(1 - self._common**2)
        return unit(people)

    def noise(self, count: int) -> NDArray[np.float32]:
        """Return noise as it is spread over the dimensions, shape ``(count, DIM)``, L2 norm about 1."""
        noise: NDArray[np.float32] = self._rng.standard_normal((count, DIM), np.float32) * self._spread
        return noise

    def observe(self, people: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return one observation of each person; input and output of shape ``(N, DIM)``, L2 norm 1."""
        noise = self.noise(len(people))
        scale = self._noise * np.exp(self._unequal * self._rng.standard_normal((len(people), 1), np.float32))
        return unit(people + scale * noise)

    def choose(self, among: int, count: int) -> list[int]:
        """Return ``count`` different integers below ``among``."""
        return [int(i) for i in self._rng.choice(among, count, replace=False)]

    def number(self, below: int) -> int:
        """Return a random integer from 0 to ``below - 1``."""
        return int(self._rng.integers(below))


@dataclass(frozen=True, slots=True, order=True)
class Visit:
    """A person in front of a camera.

    Attributes:
        at: Time at which the next part of the track is complete, Unix seconds.
        person: Index of the person.
        camera: Index of the camera.
        part: Index of the part of the track.
        cameras_left: Number of cameras, this one included, that see the person before leaving.
    """

    at: float
    person: int
    camera: int
    part: int
    cameras_left: int


class Site:
    """A site of cameras in a ring; people enter, pass some cameras, and leave.

    Args:
        crowd: Source of people.
        num_cameras: In the ring; people walk from each camera to the next.
        returning: Share of arrivals by people among the last ``memory`` ones.
        memory: Number of recent people who may return.
        per_window: Approximate number of tracklets in a window.
    """

    def __init__(
        self,
        crowd: Crowd,
        *,
        num_cameras: int,
        returning: float = 0.2,
        memory: int = 1000,
        per_window: int = PER_WINDOW,
    ) -> None:
        self._crowd = crowd
        self._num_cameras = num_cameras
        self._returning = returning
        self._memory = memory
        self._per_window = per_window
        self._appearance: dict[int, NDArray[np.float32]] = {}
        self._num_people = 0
        self._num_tracks = 0
        self._waiting: list[tuple[Visit, int]] = []
        self._at = 10_000.0

    def windows(self) -> Iterator[list[tuple[int, Embedding]]]:
        """Yield windows of about ``per_window`` pairs of person and tracklet in order of time, without end."""
        while True:
            self._at += WINDOW_S
            while len(self._waiting) < self._per_window * 2 * PART_S / WINDOW_S:
                self._arrive()
            due = []
            while self._waiting and self._waiting[0][0].at <= self._at:
                due.append(heapq.heappop(self._waiting))
            people = np.array([self._appearance[visit.person] for visit, _ in due], np.float32).reshape(-1, DIM)
            vectors = self._crowd.observe(people)
            yield [
                (visit.person, make_tracklet(visit, track, vector, is_last=visit.part == 1))
                for (visit, track), vector in zip(due, vectors, strict=True)
            ]
            for visit, track in due:
                self._continue(visit, track)

    def _arrive(self) -> None:
        known = min(self._num_people, self._memory)
        if known and self._crowd.number(1000) < 1000 * self._returning:
            person = self._num_people - 1 - self._crowd.number(known)
        else:
            person = self._num_people
            self._num_people += 1
            self._appearance[person] = self._crowd.sample(1)[0]
            self._appearance.pop(person - self._memory - STILL_THERE, None)
        if any(visit.person == person for visit, _ in self._waiting):
            return
        first = self._at + PART_S * (
            1.5 + self._crowd.number(1000) / 1000
        )  # later than a possible visit that has just ended
        self._begin(Visit(first, person, self._crowd.number(self._num_cameras), 0, 2 + self._crowd.number(5)))

    def _begin(self, visit: Visit) -> None:
        self._num_tracks += 1
        heapq.heappush(self._waiting, (visit, self._num_tracks))

    def _continue(self, visit: Visit, track: int) -> None:
        if visit.part == 0:
            next_part = Visit(visit.at + PART_S, visit.person, visit.camera, 1, visit.cameras_left)
            heapq.heappush(self._waiting, (next_part, track))
        elif visit.cameras_left > 1:
            transit_s = 5.0 + self._crowd.number(100) / 20
            camera = (visit.camera + 1) % self._num_cameras
            self._begin(Visit(visit.at + PART_S + transit_s, visit.person, camera, 0, visit.cameras_left - 1))


def make_tracklet(visit: Visit, track: int, vector: NDArray[np.float32], *, is_last: bool) -> Embedding:
    """Return the part of a track that ends at the time of a visit, with four boxes in the image."""
    camera_id = f"camera{visit.camera}"
    times = visit.at - PART_S + np.arange(4) * (PART_S - 0.1) / 3
    left = 60.0 * (track % 29)
    boxes = np.tile(np.array([left, 300, left + 50, 450], np.float32), (4, 1))
    path = TrackPath(4 * visit.part + np.arange(4, dtype=np.int64), times, boxes, np.full(4, 0.9, np.float32), FRAME_HW)
    first, last = (FrameStamp(camera_id, int(path.indices[row]), float(times[row])) for row in (0, 3))
    return Embedding(
        TrackId(camera_id, 0, track), visit.part, first, last, boxes[-1], SPACE, vector, 0.8, path, visit.at, is_last
    )


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return rows of L2 norm 1."""
    rows: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return rows
