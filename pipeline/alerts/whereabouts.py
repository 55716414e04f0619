"""Where people were, twice a second, and who was near whom.

On the ground that cameras share, distances are in metres, whichever camera sees a person. In a camera without ground
they are taken from the heights of people.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import floor, hypot

import numpy as np
from numpy.typing import NDArray

from pipeline.alerts.plane_geometry import ground_points, is_on_ground, mapped
from pipeline.core import Correction, Sighting, TrackPart
from pipeline.core.records.moves import moves_of
from pipeline.core.serialisation import deserialise, serialise

STEP_S = 0.5
"""Seconds between two looks. A larger value costs less, and compares places that people have left meanwhile."""

PERSON_M = 1.7
"""Height of a person, metres, where a camera knows no ground. A larger value makes people seem further apart."""

MAX_HEIGHT_RATIO = 1.4
"""Ratio of heights in a picture from which one of two people is much further away. A larger value takes people for
neighbours who only overlap in the picture."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a person stood.

    Attributes:
        plane: The camera in whose picture it is; empty for the ground.
        x: Metres, or pixels.
        y: Metres, or pixels.
        height: Of the person, pixels; 0 on the ground.
    """

    plane: str
    x: float
    y: float
    height: float

    def distance_m(self, other: "Spot") -> float:
        """Return the distance in metres; infinite between two planes, and where one is much further away."""
        if self.plane != other.plane:
            return float("inf")
        apart = hypot(self.x - other.x, self.y - other.y)
        if not self.plane:
            return apart
        low, high = sorted((self.height, other.height))
        return PERSON_M * apart / ((low + high) / 2) if high <= MAX_HEIGHT_RATIO * low else float("inf")


class Whereabouts:
    """Remembers where people were.

    Args:
        ground: By camera, three rows that take pixels to metres.
        max_distance_m: Metres up to which two people are near each other.
        forget_after_s: Seconds of event time after which a place is forgotten.
    """

    def __init__(self, *, ground: Mapping[str, object], max_distance_m: float, forget_after_s: float) -> None:
        self._ground = {camera_id: np.array(rows, np.float64) for camera_id, rows in ground.items()}
        self._max_distance_m = max_distance_m
        self._num_steps = floor(forget_after_s / STEP_S)
        self._people: dict[TrackPart, int] = {}
        self._last: dict[TrackPart, int] = {}
        # By step, in order of arrival.
        self._spots: dict[int, dict[TrackPart, Spot]] = {}
        self._newest = 0

    @property
    def oldest_at(self) -> float:
        """Unix seconds: before this time nothing is remembered."""
        return (self._newest - self._num_steps) * STEP_S

    @property
    def steps(self) -> list[int]:
        """The steps at which anybody was seen, ascending."""
        return sorted(self._spots)

    def see(self, sighting: Sighting, is_counted: NDArray[np.bool_] | None = None) -> list[int]:
        """Remember where a sighting shows its person, and return the steps at which it does.

        Args:
            sighting: A part of a track.
            is_counted: Shape ``(N,)``: which of its moments count; None for all.
        """
        path, part = sighting.path, TrackPart(sighting.track_id, sighting.part)
        points = ground_points(path)
        heights = (path.boxes_xyxy[:, 3] - path.boxes_xyxy[:, 1]).astype(np.float64)
        plane = sighting.track_id.camera_id
        is_seen = np.ones(len(points), bool) if is_counted is None else is_counted.copy()
        if plane in self._ground:
            is_seen &= is_on_ground(self._ground[plane], points, path.frame_hw)
            points, heights, plane = mapped(self._ground[plane], points), np.zeros(len(points)), ""
        places = np.flatnonzero(is_seen)
        steps, first = np.unique(np.floor(path.captured_at[places] / STEP_S).astype(np.int64), return_index=True)
        kept = []
        for step, place in zip(steps.tolist(), places[first].tolist(), strict=True):
            if step > self._newest - self._num_steps or not self._people:
                x, y = points[place].tolist()
                self._spots.setdefault(step, {})[part] = Spot(plane, x, y, float(heights[place]))
                kept.append(step)
        if kept:
            self._people[part] = sighting.person_id
            self._last[part] = max(kept[-1], self._last.get(part, kept[-1]))
            self._forget(max(self._newest, kept[-1]))
        return kept

    def near(self, step: int, part: TrackPart) -> list[TrackPart]:
        """Return the parts that show other people near the one of a part."""
        spots = self._spots.get(step, {})
        spot = spots.get(part)
        if spot is None:
            return []
        return [
            other
            for other, there in spots.items()
            if self._people[other] != self._people[part] and spot.distance_m(there) <= self._max_distance_m
        ]

    def group(self, step: int, part: TrackPart) -> list[TrackPart]:
        """Return the parts that show the people around the one of a part: each near another one of them."""
        found = {part: None}
        waiting = [part]
        while waiting:
            for other in self.near(step, waiting.pop()):
                if other not in found:
                    found[other] = None
                    waiting.append(other)
        return list(found)

    def parts_at(self, step: int) -> list[TrackPart]:
        """Return the parts that show anybody at a step."""
        return list(self._spots.get(step, ()))

    def person_of(self, part: TrackPart) -> int | None:
        """Return the person whom a part shows; None if it is forgotten."""
        return self._people.get(part)

    def walked_m(self, person_id: int, since: float, until: float) -> float:
        """Return how far a person got about between two moments, Unix seconds, metres."""
        by_plane: dict[str, list[Spot]] = {}
        for step in range(floor(since / STEP_S), floor(until / STEP_S) + 1):
            for part, spot in self._spots.get(step, {}).items():
                if self._people[part] == person_id:
                    by_plane.setdefault(spot.plane, []).append(spot)
        return sum(_extent_m(spots) for spots in by_plane.values())

    def on_correction(self, correction: Correction) -> None:
        """Give parts to the people they show now."""
        for move in moves_of(correction):
            for part, person_id in list(self._people.items()):
                if move.takes(part, person_id):
                    if move.target is None:
                        self._drop(part)
                    else:
                        self._people[part] = move.target

    def snapshot(self) -> bytes:
        """Return the state."""
        spots = [(step, list(by_part.items())) for step, by_part in self._spots.items()]
        return serialise((self._newest, list(self._people.items()), spots))

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        self._newest, people, spots = deserialise(
            state, tuple[int, list[tuple[TrackPart, int]], list[tuple[int, list[tuple[TrackPart, Spot]]]]]
        )
        self._people, self._spots, self._last = dict(people), {step: dict(by_part) for step, by_part in spots}, {}
        for step, by_part in sorted(self._spots.items()):
            self._last |= dict.fromkeys(by_part, step)

    def _forget(self, newest: int) -> None:
        self._newest = newest
        # In the order of their first sight, apart from late ones.
        while self._spots and (step := next(iter(self._spots))) <= newest - self._num_steps:
            for part in self._spots.pop(step):
                if self._last.get(part) == step:
                    del self._people[part], self._last[part]

    def _drop(self, part: TrackPart) -> None:
        del self._people[part], self._last[part]
        for by_part in self._spots.values():
            by_part.pop(part, None)


def _extent_m(spots: Iterable[Spot]) -> float:
    """Return the diagonal of the box around spots of one plane, metres."""
    spots = list(spots)
    xs, ys = [spot.x for spot in spots], [spot.y for spot in spots]
    extent = hypot(max(xs) - min(xs), max(ys) - min(ys))
    heights = [spot.height for spot in spots if spot.height]
    return PERSON_M * extent / float(np.mean(heights)) if heights else extent
