"""People who are only numbers, and the tracklets that cameras would make of them."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core import Embedding, FrameStamp, TrackId, TrackPath

DIM = 256
SPACE = "simulation@1"
FRAME_HW = (1080, 1920)
PART_S = 3.0
PER_WINDOW = 20
WINDOW_S = 0.5
EFFECTIVE = 14.0
"""Spread of looks over directions: as that of the networks shipped, which is worth some 43 independent numbers."""
COMMON = 0.47
"""What everybody's looks have in common, as a part of their length."""
NOISE = 0.9
"""Of a look, against what it shows: two looks at one person are .42 apart on average, of two people .85."""

STILL_THERE = 1000
"""Newer people than these may still be walking about."""


class Crowd:
    """People as directions; a look at somebody is that direction with noise.

    Args:
        seed: Of everything.
        is_clear: Looks tell people apart with all their 256 numbers, and little noise; else as those of the networks
            shipped do, that is much worse.
    """

    def __init__(self, seed: int, *, is_clear: bool) -> None:
        self._rng = np.random.default_rng(seed)
        self._noise = 0.73 if is_clear else NOISE
        self._unequal = 0.0 if is_clear else 0.4
        self._common = 0.0 if is_clear else COMMON
        spread = np.ones(DIM) if is_clear else 1 / (1 + np.arange(DIM) / EFFECTIVE)
        self._spread = (spread / np.linalg.norm(spread)).astype(np.float32)

    def draw(self, count: int) -> NDArray[np.float32]:
        """Return people, shape ``(count, DIM)``, L2 norm 1."""
        people = self._rng.standard_normal((count, DIM), np.float32) * self._spread
        people[:, -1] += self._common / np.sqrt(1 - self._common**2)
        return unit(people)

    def look(self, people: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what each of some people, shape ``(N, DIM)``, looks like now; the same shape, L2 norm 1."""
        noise = self._rng.standard_normal(people.shape, np.float32) * self._spread
        much = self._noise * np.exp(self._unequal * self._rng.standard_normal((len(people), 1), np.float32))
        return unit(people + much * noise)

    def choose(self, among: int, count: int) -> list[int]:
        """Return ``count`` different numbers below ``among``."""
        return [int(i) for i in self._rng.choice(among, count, replace=False)]

    def number(self, below: int) -> int:
        """Return any number."""
        return int(self._rng.integers(below))


@dataclass(frozen=True, slots=True, order=True)
class Visit:
    """Somebody in front of a camera.

    Attributes:
        at: When the next part of the track is complete, Unix seconds.
        person: Who, by index.
        camera: Where, by index.
        part: Which part of the track it is.
        cameras_left: Where the person will be seen before leaving.
    """

    at: float
    person: int
    camera: int
    part: int
    cameras_left: int


class Site:
    """Cameras in a ring, and people who come, walk past some of them, and leave.

    Args:
        crowd: Whoever comes.
        num_cameras: In the ring; people walk on to the next.
        returning: Of those who come, this part was there before, among the last ``memory``.
        memory: Of whom somebody may return.
        per_window: Tracklets that a window has, about.
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
        """Yield windows of about ``PER_WINDOW`` tracklets in order of time, each with who it shows; for ever."""
        while True:
            self._at += WINDOW_S
            while len(self._waiting) < self._per_window * 2 * PART_S / WINDOW_S:
                self._arrive()
            due = []
            while self._waiting and self._waiting[0][0].at <= self._at:
                due.append(heapq.heappop(self._waiting))
            people = np.array([self._appearance[visit.person] for visit, _ in due], np.float32).reshape(-1, DIM)
            appearance = self._crowd.look(people)
            yield [
                (visit.person, tracklet(visit, track, look, is_last=visit.part == 1))
                for (visit, track), look in zip(due, appearance, strict=True)
            ]
            for visit, track in due:
                self._go_on(visit, track)

    def _arrive(self) -> None:
        known = min(self._num_people, self._memory)
        if known and self._crowd.number(1000) < 1000 * self._returning:
            person = self._num_people - 1 - self._crowd.number(known)
        else:
            person = self._num_people
            self._num_people += 1
            self._appearance[person] = self._crowd.draw(1)[0]
            self._appearance.pop(person - self._memory - STILL_THERE, None)
        if any(visit.person == person for visit, _ in self._waiting):
            return
        first = self._at + PART_S * (1.5 + self._crowd.number(1000) / 1000)  # may have been here until now
        self._begin(Visit(first, person, self._crowd.number(self._num_cameras), 0, 2 + self._crowd.number(5)))

    def _begin(self, visit: Visit) -> None:
        self._num_tracks += 1
        heapq.heappush(self._waiting, (visit, self._num_tracks))

    def _go_on(self, visit: Visit, track: int) -> None:
        if visit.part == 0:
            visit_on = Visit(visit.at + PART_S, visit.person, visit.camera, 1, visit.cameras_left)
            heapq.heappush(self._waiting, (visit_on, track))
        elif visit.cameras_left > 1:
            walk_s = 5.0 + self._crowd.number(100) / 20
            camera = (visit.camera + 1) % self._num_cameras
            self._begin(Visit(visit.at + PART_S + walk_s, visit.person, camera, 0, visit.cameras_left - 1))


def tracklet(visit: Visit, track: int, vector: NDArray[np.float32], *, is_last: bool) -> Embedding:
    """Return the part of a track that ends at a visit's moment; four boxes, somewhere in the picture."""
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
