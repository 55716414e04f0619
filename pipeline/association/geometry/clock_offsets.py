"""What people whom several cameras saw show of the site: how far clocks are apart, and what pairs of cameras have seen.

Two cameras that see the same ground: for each two tracks, the shift of time that lays one ground trajectory on the
other. Those of one person agree, whatever number they have: a wrong clock breaks links first. Those of two people
scatter.

Other cameras, by the links: if the clock of B is ahead, everybody seems to take longer from A to B, and less long from
B to A. Half of the difference is the offset, provided that people walk as fast in both directions; against a stated
``typical_s`` one direction is enough.

The offsets of pairs give one of each camera, by weighted least squares, against the median camera. Nothing is corrected
here, and no decision depends on it.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import hypot, sqrt

import numpy as np

from pipeline.association.geometry.ground_plane import Ground, GroundTrajectory
from pipeline.association.geometry.pairs_of_cameras import MAX_GAP_S, Seen, pair_evidence
from pipeline.association.geometry.topology import Topology, camera_pair
from pipeline.core import Correction, CorrectionKind, Sighting, TrackId
from pipeline.core.records.clock_offset import ClockOffset
from pipeline.core.records.pair_evidence import PairEvidence

MAX_OFFSET_S = 10.0
"""Seconds up to which the clocks of cameras on one ground are compared. More takes longer, and finds chance."""
STEP_S = 0.1
"""Seconds between two shifts that are tried. More makes the estimate coarser."""
MIN_SHARED_S = 2.0
"""Seconds that two shifted trajectories must have in common. Fewer find more by chance; more use fewer people."""
MIN_WALKED_M = 1.5
"""Metres that a person must have walked in that time: who stands shows no shift."""
MAX_APART_M = 1.0
"""Metres between two shifted trajectories, in the mean, up to which they are those of one person."""
AGREE_S = 1.0
"""Seconds within which shifts agree: trajectories of a real ground plane are off by decimetres. More take in chance."""
MIN_AGREEING = 0.4
"""Share of the shifts that must agree. More estimates nothing in a crowd; less takes a chance peak for the offset."""
MIN_PEOPLE = 5
"""People in a pair of cameras, and in each direction, below which nothing is estimated. More: it is known later."""
MAX_COMPARED = 20
"""Tracks of other cameras that one is compared with; bounds time. More estimate sooner."""
MAX_SHIFTS = 200
"""Newest shifts of a pair of cameras that are kept. More: a change of a clock shows later."""
MIN_ERROR_S = 0.1
"""Least standard error of a pair, seconds: frames are not finer. More gives few exact transits less weight."""
DEVIATION = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
MEDIAN_ERROR = 1.2533
"""Standard error of a median over that of a mean, for a normal distribution."""
MAX_TRACKS = 2000
"""Newest tracks that are looked at; bounds memory and time. More: a change of a clock shows later."""
MAX_LENGTH_S = 300.0
"""Seconds after which a track that goes on is no longer looked for; bounds time."""
SAMPLE_S = 0.25
"""Seconds between two moments at which trajectories are compared. More is faster, and coarser."""
RENEW_EVERY_S = 10.0
"""Seconds of event time after which an estimate is made again."""

Found = tuple[float, float, int]
"""Of a pair of cameras: by how many seconds the second is ahead, the standard error, and how many links show it."""


@dataclass(slots=True)
class _Visit:
    """One track."""

    camera_id: str
    person_id: int
    first_at: float
    last_at: float
    trajectory: GroundTrajectory
    has_ended: bool = False


@dataclass(slots=True)
class _Transits:
    """Seconds that people took between the cameras of a pair, there and back."""

    there: list[float] = field(default_factory=list)
    back: list[float] = field(default_factory=list)


class ClockOffsets:
    """Collects the tracks of a run, and estimates offsets from them.

    Args:
        topology: Which cameras may see the same ground, and stated transit times.
        ground: How their pictures map to it.

    Attributes:
        topology: As given; may be replaced.
    """

    def __init__(self, topology: Topology, ground: Ground) -> None:
        self.topology = topology
        self._ground = ground
        self._visits: dict[TrackId, _Visit] = {}
        self._order: deque[TrackId] = deque()
        self._shifts: dict[tuple[str, str], deque[float]] = {}
        self._now = self._renewed_at = float("-inf")
        self._found: tuple[ClockOffset, ...] = ()
        self._pairs: tuple[PairEvidence, ...] = ()

    def take(self, records: Iterable[Sighting | Correction]) -> None:
        """Learn what the matcher decided."""
        for record in records:
            if isinstance(record, Sighting):
                self._see(record)
            elif record.kind is CorrectionKind.MERGED:
                kept, absorbed = record.person_ids[:2]
                for visit in self._visits.values():
                    if visit.person_id == absorbed:
                        visit.person_id = kept
            elif record.kind is CorrectionKind.SPLIT:
                for part in record.parts:
                    if part.track_id in self._visits:
                        self._visits[part.track_id].person_id = record.person_ids[1]
            elif record.kind is CorrectionKind.ERASED:
                erased = [track for track, visit in self._visits.items() if visit.person_id in record.person_ids]
                for track_id in erased:
                    del self._visits[track_id]
                    self._order.remove(track_id)

    def forget(self, camera_id: str) -> None:
        """Forget the tracks of a camera: its times are corrected otherwise from now on."""
        for track_id in [track_id for track_id in self._order if track_id.camera_id == camera_id]:
            del self._visits[track_id]
            self._order.remove(track_id)
        self._shifts = {pair: shifts for pair, shifts in self._shifts.items() if camera_id not in pair}
        self._renewed_at = float("-inf")

    def estimates(self, *, is_last: bool = False) -> tuple[ClockOffset, ...]:
        """Return the offsets that are known, by name of the camera.

        Args:
            is_last: The run has ended: look at everything once more.
        """
        self._renew(is_last=is_last)
        return self._found

    def pairs(self, *, is_last: bool = False) -> tuple[PairEvidence, ...]:
        """Return what is known of each two cameras between which somebody went; ``is_last`` as in ``estimates``."""
        self._renew(is_last=is_last)
        return self._pairs

    def _renew(self, *, is_last: bool) -> None:
        if is_last or self._now - self._renewed_at >= RENEW_EVERY_S:
            self._renewed_at = self._now
            known = {**self._by_transits(), **self._by_ground()}
            self._found = tuple(_solved(known))
            visits = self._visits.values()
            seen = (Seen(each.person_id, each.camera_id, each.first_at, each.last_at) for each in visits)
            self._pairs = pair_evidence(seen, self.topology.learned.times)

    def _see(self, sighting: Sighting) -> None:
        self._now = max(self._now, sighting.last.captured_at)
        camera_id = sighting.track_id.camera_id
        trajectory = self._ground.trajectory(camera_id, sighting.path)
        visit = self._visits.get(sighting.track_id)
        if visit is None:
            first_at, last_at = sighting.first.captured_at, sighting.last.captured_at
            visit = _Visit(camera_id, sighting.person_id, first_at, last_at, trajectory)
            self._visits[sighting.track_id] = visit
            self._order.append(sighting.track_id)
            if len(self._order) > MAX_TRACKS:
                del self._visits[self._order.popleft()]
        elif len(trajectory) and (not len(visit.trajectory) or trajectory[0, 0] > visit.trajectory[-1, 0]):
            visit.trajectory = np.concatenate([visit.trajectory, trajectory])
        visit.person_id, visit.last_at = sighting.person_id, sighting.last.captured_at
        if sighting.is_last:
            self._compare(visit)
            visit.has_ended = True

    def _compare(self, ended: _Visit) -> None:
        """Learn the shifts between a track that has ended and those of cameras that may see the same ground."""
        num_compared = 0
        for track_id in reversed(self._order):
            other = self._visits[track_id]
            if num_compared == MAX_COMPARED or other.last_at < ended.first_at - MAX_LENGTH_S:
                return
            may_coincide = other.has_ended and self.topology.may_coincide(ended.camera_id, other.camera_id)
            if not may_coincide or not _are_near(ended, other):
                continue
            num_compared += 1
            pair = camera_pair(ended.camera_id, other.camera_id)
            first, second = (ended, other) if pair[0] == ended.camera_id else (other, ended)
            shift_s = best_shift_s(first.trajectory, second.trajectory)
            if shift_s is not None:
                self._shifts.setdefault(pair, deque(maxlen=MAX_SHIFTS)).append(shift_s)

    def _by_ground(self) -> dict[tuple[str, str], Found]:
        found = {}
        for cameras, shifts in self._shifts.items():
            agreeing = _agreeing(shifts)
            if len(agreeing) >= max(MIN_PEOPLE, MIN_AGREEING * len(shifts)):
                found[cameras] = (*_median(agreeing), len(agreeing))
        return found

    def _by_transits(self) -> dict[tuple[str, str], Found]:
        people: dict[int, list[_Visit]] = {}
        for visit in self._visits.values():
            people.setdefault(visit.person_id, []).append(visit)
        pairs: dict[tuple[str, str], _Transits] = {}
        for visits in people.values():
            visits.sort(key=lambda visit: (visit.first_at, visit.last_at))
            for before, after in pairwise(visits):
                gap_s = after.first_at - before.last_at
                if before.camera_id != after.camera_id and abs(gap_s) <= MAX_GAP_S:
                    pair = pairs.setdefault(camera_pair(before.camera_id, after.camera_id), _Transits())
                    (pair.there if before.camera_id < after.camera_id else pair.back).append(gap_s)
        return {cameras: found for cameras, pair in pairs.items() if (found := self._of_pair(cameras, pair))}

    def _of_pair(self, cameras: tuple[str, str], pair: _Transits) -> Found | None:
        there, back = _median(pair.there), _median(pair.back)
        if min(len(pair.there), len(pair.back)) >= MIN_PEOPLE:
            error_s = hypot(there[1], back[1]) / 2
            return (there[0] - back[0]) / 2, error_s, len(pair.there) + len(pair.back)
        stated = self.topology.transit_times.get(cameras)
        if stated is None or stated.typical_s is None:
            return None
        if len(pair.there) >= MIN_PEOPLE:
            return there[0] - stated.typical_s, there[1], len(pair.there)
        if len(pair.back) >= MIN_PEOPLE:
            return stated.typical_s - back[0], back[1], len(pair.back)
        return None


def _solved(known: Mapping[tuple[str, str], Found]) -> Iterator[ClockOffset]:
    """Yield the offset of each camera against the median of those that are connected with it."""
    for names in _connected(known):
        place = {name: index for index, name in enumerate(names)}
        rows = [(cameras, found) for cameras, found in sorted(known.items()) if cameras[0] in place]
        equations = np.zeros((len(rows) + 1, len(names)))
        right = np.zeros(len(rows) + 1)
        for row, ((first, second), (ahead_s, error_s, _)) in enumerate(rows):
            equations[row, place[second]], equations[row, place[first]] = 1 / error_s, -1 / error_s
            right[row] = ahead_s / error_s
        equations[-1] = 1.0  # their sum is 0, so that there is one solution
        inverse = np.linalg.inv(equations.T @ equations)
        offsets = inverse @ equations.T @ right
        middle = int(np.argsort(offsets, kind="stable")[(len(names) - 1) // 2])
        for name in names:
            here = place[name]
            variance = inverse[here, here] + inverse[middle, middle] - 2 * inverse[here, middle]
            num_links = sum(count for cameras, (_, _, count) in rows if name in cameras)
            ahead_s = float(offsets[here] - offsets[middle])
            yield ClockOffset(name, round(ahead_s, 3), round(sqrt(max(variance, 0.0)), 3), num_links)


def best_shift_s(first: GroundTrajectory, second: GroundTrajectory) -> float | None:
    """Return by how many seconds the times of the second trajectory are ahead; None if they do not show it.

    Example:
        >>> walk = np.array([[t, 1.2 * t, 0.0, 0.1, 0.0, 0.1] for t in np.arange(0.0, 8.0, 0.5)])
        >>> best_shift_s(walk, walk + [2.0, 0, 0, 0, 0, 0])
        2.0
    """
    if len(first) < 2 or len(second) < 2:
        return None
    shifts = np.arange(-MAX_OFFSET_S, MAX_OFFSET_S + STEP_S / 2, STEP_S)
    times = np.arange(first[0, 0], first[-1, 0], SAMPLE_S)
    moved = times + shifts[:, None]
    one = np.stack([np.interp(times, first[:, 0], first[:, axis]) for axis in (1, 2)])
    two = np.stack([np.interp(moved, second[:, 0], second[:, axis]) for axis in (1, 2)])
    is_shared = (moved >= second[0, 0]) & (moved <= second[-1, 0])
    num_shared = is_shared.sum(axis=1)
    begins = is_shared.argmax(axis=1)
    ends = np.minimum(begins + np.maximum(num_shared, 1), len(times)) - 1
    walked_m = np.hypot(*(one[:, ends] - one[:, begins]))
    apart_m = (np.hypot(*(one[:, None] - two)) * is_shared).sum(axis=1) / np.maximum(num_shared, 1)
    is_told = (num_shared * SAMPLE_S >= MIN_SHARED_S) & (walked_m >= MIN_WALKED_M)
    if not is_told.any():
        return None
    best = int(np.where(is_told, apart_m, np.inf).argmin())
    return round(float(shifts[best]), 3) if apart_m[best] <= MAX_APART_M else None


def _are_near(one: _Visit, two: _Visit) -> bool:
    """Return whether two tracks may be at the same time, but for their clocks."""
    return one.first_at <= two.last_at + MAX_OFFSET_S and two.first_at <= one.last_at + MAX_OFFSET_S


def _agreeing(shifts: Iterable[float]) -> list[float]:
    """Return the most shifts that lie within ``AGREE_S``."""
    ordered = sorted(shifts)
    groups = (ordered[place : bisect_right(ordered, first + AGREE_S)] for place, first in enumerate(ordered))
    return max(groups, key=len, default=[])


def _median(values: Sequence[float]) -> tuple[float, float]:
    """Return the median and its standard error; of nothing, 0 and infinity."""
    if not values:
        return 0.0, float("inf")
    middle = float(np.median(values))
    spread = DEVIATION * float(np.median(np.abs(np.array(values) - middle)))
    return middle, max(MIN_ERROR_S, MEDIAN_ERROR * spread / sqrt(len(values)))


def _connected(pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Return the groups of cameras that pairs connect, each sorted by name."""
    groups: list[set[str]] = []
    for pair in pairs:
        touched = [group for group in groups if group & set(pair)]
        groups = [group for group in groups if not group & set(pair)] + [set(pair).union(*touched)]
    return sorted(sorted(group) for group in groups)
