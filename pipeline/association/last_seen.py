"""When and where each person was last seen: answers without a pass over all people."""

import heapq
from collections.abc import Set
from dataclasses import dataclass, field

MAX_RECENT_S = 60.0
"""Seconds after which a person is no longer listed under the camera of the last sighting; the gallery still finds them.

At least the longest ``within_s`` that is asked for.
"""
MIN_HEAP = 64
"""Entries of the heap below which it is never rebuilt."""


@dataclass(slots=True)
class LastSeen:
    """The last sighting of each person.

    Attributes:
        last: Unix seconds and camera, by person.
        by_camera: People by the camera that saw them last, if that was recently.
        unsettled: People seen since re-clustering last settled them.
        queue: A heap of (Unix seconds, negative person number). Outdated entries are dropped when they reach the top.
    """

    last: dict[int, tuple[float, str]] = field(default_factory=dict)
    by_camera: dict[str, set[int]] = field(default_factory=dict)
    unsettled: set[int] = field(default_factory=set)
    queue: list[tuple[float, int]] = field(default_factory=list)

    def see(self, person_id: int, at: float, camera_id: str) -> None:
        """Record when and where a person was last seen."""
        self.unsettled.add(person_id)
        if self.last.get(person_id) == (at, camera_id):
            return
        self.last[person_id] = at, camera_id
        self.by_camera.setdefault(camera_id, set()).add(person_id)
        heapq.heappush(self.queue, (at, -person_id))
        if len(self.queue) > 2 * len(self.last) + MIN_HEAP:
            self.queue = [(moment, -number) for number, (moment, _) in self.last.items()]
            heapq.heapify(self.queue)

    def forget(self, person_id: int) -> None:
        """Remove a person."""
        self.last.pop(person_id, None)
        self.unsettled.discard(person_id)

    def recently_in(self, camera_id: str, at: float, within_s: float) -> set[int]:
        """Return the people last seen in a camera, at most ``within_s`` before or after a moment."""
        people = self.by_camera.get(camera_id, set())
        gone = {
            i
            for i in people
            if i not in self.last or self.last[i][1] != camera_id or self.last[i][0] < at - MAX_RECENT_S
        }
        people -= gone
        return {person_id for person_id in people if abs(self.last[person_id][0] - at) <= within_s}

    def oldest(self, excluded: Set[int]) -> tuple[int, float] | None:
        """Return the person whose last sighting is oldest, and its time; of several, the highest number."""
        while self.queue:
            at, number = self.queue[0]
            if -number in self.last and self.last[-number][0] == at and -number not in excluded:
                return -number, at
            heapq.heappop(self.queue)
        return None
