"""Who was seen when and where last: what would take a look at everybody is answered from here."""

import heapq
from collections.abc import Set
from dataclasses import dataclass, field

HERE_S = 60.0
"""Whoever was last seen in a camera this long ago is not looked for there any more, but by looks."""
MIN_HEAP = 64


@dataclass(slots=True)
class LastSeen:
    """The last sighting of everybody.

    Attributes:
        last: Moment, Unix seconds, and camera, by person.
        by_camera: Who was lately last seen in each camera.
        unsettled: Who was seen since somebody looked back.
        queue: A heap of (moment, less the number); what is out of date is dropped when it comes up.
    """

    last: dict[int, tuple[float, str]] = field(default_factory=dict)
    by_camera: dict[str, set[int]] = field(default_factory=dict)
    unsettled: set[int] = field(default_factory=set)
    queue: list[tuple[float, int]] = field(default_factory=list)

    def see(self, person_id: int, at: float, camera_id: str) -> None:
        """Learn when and where a person was last seen."""
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
        """Know nothing of a person."""
        self.last.pop(person_id, None)
        self.unsettled.discard(person_id)

    def here(self, camera_id: str, at: float, within_s: float) -> set[int]:
        """Return who was last seen in a camera, at most this long before or after a moment."""
        people = self.by_camera.get(camera_id, set())
        gone = {
            i for i in people if i not in self.last or self.last[i][1] != camera_id or self.last[i][0] < at - HERE_S
        }
        people -= gone
        return {person_id for person_id in people if abs(self.last[person_id][0] - at) <= within_s}

    def oldest(self, but: Set[int]) -> tuple[int, float] | None:
        """Return who was seen last before everybody else, and when; of several, the highest number."""
        while self.queue:
            at, number = self.queue[0]
            if -number in self.last and self.last[-number][0] == at and -number not in but:
                return -number, at
            heapq.heappop(self.queue)
        return None
