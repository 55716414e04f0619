"""Crowd simulation: people enter, walk, avoid each other, stop, talk, leave and return."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from connectors.synthetic.places.obstacles import Obstacles
from connectors.synthetic.places.place import (
    Place,
    lane_middles,
    lengths_m,
    offset_route,
    pushed_apart,
    shortest_route,
)
from connectors.synthetic.places.primitives import Point2
from connectors.synthetic.stance import Stance
from pipeline.core.errors import ConfigError

_ARRIVE_WITHIN_S = 25.0
"""Expected time in which all units enter for the first time. Larger fills the place more slowly."""
_WARM_UP_S = 40.0
"""Simulated time before time 0 of a busy start. It exceeds ``_ARRIVE_WITHIN_S``, so that most people have entered."""
_GONE_S = 120.0
"""Least absence of people who do not return soon, and the mean of the further absence."""
_DWELL_S = {"stand": (4.0, 14.0), "phone": (6.0, 20.0), "talk": (10.0, 30.0)}
"""Shortest and longest stop by action."""

Vectors = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Stop:
    """A point of a person's plan; at a spot (``spot`` at least 0) the person stops for ``stay_s``."""

    xy: Point2
    spot: int = -1
    heading: float = 0.0
    stay_s: float = 0.0
    action: str = "walk"


class CrowdSimulation:
    """Moves the people of a place in steps; the same arguments give the same motion.

    People do not overlap each other or obstacles. Companions keep together. People who leave may return, mostly
    through the same door.

    Args:
        place: Lanes, doors, spots and obstacles.
        people: Number of different people, 0 to the capacity of the place.
        speeds_m_s: Preferred walking speed of each person, above 0.
        seed: Of all random numbers.
        start_busy: Whether people are in the place at time 0; otherwise they enter from then on.
        returns: Share of exits followed by a return within about a minute; after the others the person is away for
            at least two minutes.
        changes: Share of returns in the other outerwear.
        groups: Share of people who walk in groups.

    Attributes:
        step_s: Length of a step, seconds.
        time_s: Time of the last step, seconds.

    Raises:
        ConfigError: If an argument is out of range.
    """

    def __init__(
        self,
        place: Place,
        *,
        people: int,
        speeds_m_s: Sequence[float],
        seed: int,
        start_busy: bool = True,
        returns: float = 0.5,
        changes: float = 0.2,
        groups: float = 0.3,
    ) -> None:
        _check(place, people, speeds_m_s, {"returns": returns, "changes": changes, "groups": groups})
        self.step_s = 0.1
        self.time_s = 0.0
        self._place = place
        self._rng = np.random.default_rng(seed)
        self._returns, self._changes = returns, changes
        self._obstacles = Obstacles(place.primitives)
        self._lengths = lengths_m(place)
        self._middles, self._ends = lane_middles(place)
        self._speed = np.array(speeds_m_s, np.float64)
        self._xy, self._velocity, self._goal, self._direction = np.zeros((4, people, 2))
        self._heading, self._walked, self._walking, self._until, self._stuck_s = np.zeros((5, people))
        self._inside, self._standing = np.zeros((2, people), bool)
        self._outfit = np.zeros(people, np.int64)
        self._plans: list[list[_Stop]] = [[] for _ in range(people)]
        self._taken: dict[int, dict[int, int]] = {spot: {} for spot in range(len(place.spots))}
        self._units = self._form_units(people, groups)
        unit_of = {person: number for number, unit in enumerate(self._units) for person in unit}
        self._unit_of = np.array([unit_of[person] for person in range(people)], np.int64)
        gaps = self._rng.exponential(_ARRIVE_WITHIN_S / max(len(self._units), 1), len(self._units))
        self._due = np.cumsum(gaps)
        self._waiting: dict[str, list[int]] = {}
        self._door: list[str | None] = [None] * len(self._units)
        self._before, self._now = list[Stance](), list[Stance]()
        self._steps = -round(_WARM_UP_S / self.step_s) if start_busy else 0
        self._due += self._steps * self.step_s
        while self._steps < 0:
            self.advance()

    def advance(self) -> tuple[Stance, ...]:
        """Simulate one step and return the people in the place, sorted by person."""
        self._steps += 1
        self.time_s = self._steps * self.step_s
        for unit in np.flatnonzero(self._due <= self.time_s).tolist():
            self._arrive(unit)
        for door in [door for door, queue in self._waiting.items() if queue]:
            self._enter(door)
        who = np.flatnonzero(self._inside)
        if len(who):
            self._move(who)
            self._advance_plans(who)
        self._before, self._now = self._now, [self._stance(person) for person in np.flatnonzero(self._inside).tolist()]
        return tuple(self._now)

    def at(self, time_s: float) -> tuple[Stance, ...]:
        """Return the people in the place at any time, interpolated between steps.

        Raises:
            ConfigError: If the time is more than one step in the past.
        """
        while time_s > self.time_s + 1e-9:
            self.advance()
        share = round(1 - (self.time_s - time_s) / self.step_s, 9)
        if share < 0:
            raise ConfigError(
                f"time_s: expected {self.time_s - self.step_s:.2f} or later, got {time_s}; start a new simulation"
            )
        before = {stance.person: stance for stance in self._before}
        pairs = [(before.get(stance.person, stance), stance) for stance in self._now]
        # A person who has just entered has no earlier stance of this visit.
        return tuple(a.toward(b, share) if share < 1 and a.walked_m <= b.walked_m else b for a, b in pairs)

    def _stance(self, person: int) -> Stance:
        speed = float(np.hypot(*self._velocity[person]))
        stop = self._plans[person][0]
        action = stop.action if self._standing[person] else "walk"
        if action == "talk" and not any(self._standing[other] for other in self._taken[stop.spot] if other != person):
            action = "stand"
        x, y = self._xy[person].tolist()
        return Stance(
            *(person, int(self._outfit[person]), x, y, float(self._heading[person]), float(self._walked[person])),
            *(speed, float(self._walking[person]), action),
        )

    def _form_units(self, people: int, groups: float) -> list[list[int]]:
        """Divide people into units: single people, and groups of two or three."""
        order = self._rng.permutation(people).tolist()
        units: list[list[int]] = []
        while order:
            # A group has 2.3 people on average, so it is drawn less often.
            size = 1
            if self._rng.random() < groups / (2.3 - 1.3 * groups):
                size = 2 if self._rng.random() < 0.7 else 3
            units.append(order[:size])
            order = order[size:]
        return units

    def _arrive(self, unit: int) -> None:
        """Send a unit to its door; its members enter one after the other."""
        start = self._door[unit] or self._place.sample_door(self._rng, None)
        self._due[unit] = math.inf
        members = self._units[unit]
        for person, plan in zip(members, self._plan_routes(members, start), strict=True):
            self._plans[person] = plan
            self._waiting.setdefault(start, []).append(person)

    def _enter(self, door: str) -> None:
        """Let the first person in the queue of a door enter, unless another person stands there."""
        others = self._xy[self._inside]
        if len(others) and np.hypot(*(others - self._place.nodes[door]).T).min() < 0.75:
            return
        person = self._waiting[door].pop(0)
        here, ahead = self._plans[person][:2]
        direction = np.subtract(ahead.xy, here.xy)
        direction /= max(float(np.hypot(*direction)), 1e-9)
        self._xy[person] = here.xy
        self._velocity[person] = direction * self._speed[person]
        self._heading[person] = math.atan2(direction[1], direction[0])
        self._walked[person] = self._stuck_s[person] = 0.0
        self._walking[person], self._inside[person], self._standing[person] = 1.0, True, False
        self._next(person)

    def _plan_routes(self, members: list[int], start: str) -> list[list[_Stop]]:
        """Return the plans of the members of a unit, from door to door, some with a stop."""
        rng, place = self._rng, self._place
        end = place.sample_door(rng, start)
        self._door[self._unit_of[members[0]]] = end if rng.random() < 0.7 else None
        # Random lane lengths give each unit its own shortest route.
        taste = {pair: length * rng.uniform(1.0, 1.8) for pair, length in self._lengths.items()}
        route = shortest_route(taste, start, end)
        stop = self._sample_spot(route, len(members))
        # Most people keep to the right.
        keep = float(np.clip(rng.normal(0.3, 0.35), -0.8, 0.8))
        stay_s = float(rng.uniform(*_DWELL_S[place.spots[stop].action])) if stop is not None else 0.0
        plans: list[list[_Stop]] = []
        for rank, person in enumerate(members):
            abreast = 0.75 * (rank - (len(members) - 1) / 2)
            plan = [_Stop(xy) for xy in offset_route(place, route, keep, abreast)]
            if stop is not None:
                at = route.index(place.spots[stop].node)
                plan[at + 1 : at + 1] = [self._slot(stop, person, stay_s), plan[at]]
            plans.append(plan)
        return plans

    def _sample_spot(self, route: list[str], size: int) -> int | None:
        """Sample a free spot on the route, or none."""
        if self._rng.random() < 0.45:
            return None
        free = [
            number
            for number, spot in enumerate(self._place.spots)
            if spot.node in route[1:-1] and len(self._taken[number]) + size <= (3 if spot.action == "talk" else 1)
        ]
        return free[int(self._rng.integers(len(free)))] if free else None

    def _slot(self, number: int, person: int, stay_s: float) -> _Stop:
        spot, taken = self._place.spots[number], self._taken[number]
        if spot.action != "talk":
            taken[person] = 0
            return _Stop(spot.xy, number, spot.heading, stay_s, spot.action)
        taken[person] = slot = min({0, 1, 2} - set(taken.values()))
        angle = spot.heading + slot * 2 * math.pi / 3
        xy = spot.xy[0] + 0.5 * math.cos(angle), spot.xy[1] + 0.5 * math.sin(angle)
        return _Stop(xy, number, angle + math.pi, stay_s, "talk")

    def _next(self, person: int) -> None:
        """Set the goal to the next point of the plan."""
        done = self._plans[person].pop(0)
        ahead = self._plans[person][0]
        self._goal[person] = ahead.xy
        direction = np.subtract(ahead.xy, done.xy)
        self._direction[person] = direction / max(float(np.hypot(*direction)), 1e-9)

    def _unstick(self, person: int) -> None:
        """Send a stuck person to the middle of the nearest lane, which is free, and along it."""
        near = int(np.hypot(*(self._middles - self._xy[person]).T).argmin())
        x, y = self._middles[near].tolist()
        end = min(self._ends[near], key=lambda xy: math.dist(xy, self._plans[person][0].xy))
        self._plans[person] = [_Stop((x, y)), _Stop((x, y)), _Stop(end), *self._plans[person]]
        self._stuck_s[person] = 0
        self._next(person)

    def _advance_plans(self, who: NDArray[np.int64]) -> None:
        """Let people who reached their goal go on, stop or leave."""
        for person in who[self._stuck_s[who] > 2.0].tolist():
            self._unstick(person)
        to_goal = self._goal[who] - self._xy[who]
        left = np.hypot(*to_goal.T)
        passed = np.sum(to_goal * self._direction[who], axis=1) < 0
        for i in np.flatnonzero((left < 0.6) | (passed & (left < 1.8))).tolist():
            person = int(who[i])
            stop = self._plans[person][0]
            if self._standing[person]:
                if self.time_s >= self._until[person]:
                    del self._taken[stop.spot][person]
                    self._standing[person] = False
                    self._next(person)
            elif stop.spot >= 0:
                if left[i] < 0.12 or (left[i] < 0.5 and np.hypot(*self._velocity[person]) < 0.1):
                    self._standing[person], self._velocity[person] = True, 0
                    self._until[person] = self.time_s + stop.stay_s
            elif len(self._plans[person]) == 1:
                self._leave(person)
            else:
                self._next(person)

    def _leave(self, person: int) -> None:
        self._inside[person] = False
        unit = int(self._unit_of[person])
        waiting = {other for queue in self._waiting.values() for other in queue}
        if self._inside[self._units[unit]].any() or not waiting.isdisjoint(self._units[unit]):
            return
        rng = self._rng
        if rng.random() < self._returns:
            away_s = max(8.0, float(rng.lognormal(math.log(25.0), 0.6)))
        else:
            away_s = _GONE_S + float(rng.exponential(_GONE_S))
        self._due[unit] = self.time_s + away_s
        for member in self._units[unit]:
            if rng.random() < self._changes:
                self._outfit[member] = 1 - self._outfit[member]

    def _move(self, who: NDArray[np.int64]) -> None:
        xy, velocity, standing = self._xy[who], self._velocity[who], self._standing[who]
        to_goal = self._goal[who] - xy
        left = np.hypot(*to_goal.T)
        toward = to_goal / np.maximum(left, 1e-6)[:, None]
        pace = self._speed[who] * self._companions_factor(who, toward)
        stops = np.array([self._plans[person][0].spot >= 0 for person in who.tolist()])
        pace = np.where(stops, np.minimum(pace, 0.15 + 1.1 * left), pace)
        pull = (toward * pace[:, None] - velocity) / 0.5
        pull += self._avoidance(who, toward)
        velocity = velocity + pull * self.step_s
        speed = np.hypot(*velocity.T)
        velocity *= np.minimum(1, 1.3 * self._speed[who] / np.maximum(speed, 1e-6))[:, None]
        velocity[standing] = 0
        moved = pushed_apart(xy + velocity * self.step_s, standing, self._obstacles)
        step = moved - xy
        self._xy[who] = moved
        length = np.hypot(*step.T)
        self._walked[who] += length
        self._velocity[who] = 0.5 * velocity + 0.5 * step / self.step_s
        self._velocity[who[standing]] = 0
        self._turn(who, length / self.step_s)
        slow = (length / self.step_s < 0.15) & ~standing
        self._stuck_s[who] = np.where(slow, self._stuck_s[who] + self.step_s, 0)

    def _companions_factor(self, who: NDArray[np.int64], toward: Vectors) -> Vectors:
        """Return speed factors that keep groups together: slower when ahead, faster when behind; shape ``(N,)``."""
        unit, count = self._unit_of[who], len(self._units)
        together = np.bincount(unit, minlength=count)
        total = np.stack([np.bincount(unit, self._xy[who, k], count) for k in (0, 1)], 1)
        middle = total / np.maximum(together, 1)[:, None]
        ahead = np.sum((middle[unit] - self._xy[who]) * toward, axis=1)
        return np.asarray(np.clip(1 + 0.5 * ahead, 0.6, 1.3))

    def _avoidance(self, who: NDArray[np.int64], toward: Vectors) -> Vectors:
        """Return accelerations that keep people apart, shape ``(N, 2)``.

        Social forces after Helbing and Molnár (1995), with stepping aside added.
        """
        push = np.zeros((len(who), 2))
        xy, velocity, unit = self._xy[who], self._velocity[who], self._unit_of[who]
        pairs = cKDTree(xy).query_pairs(3.0, output_type="ndarray")
        for i, j in ((pairs[:, 0], pairs[:, 1]), (pairs[:, 1], pairs[:, 0])):
            apart = xy[i] - xy[j]
            distance = np.maximum(np.hypot(*apart.T), 0.05)
            away = apart / distance[:, None]
            friends = unit[i] == unit[j]
            closing = -np.sum((velocity[i] - velocity[j]) * away, axis=1)
            in_front = -np.sum(toward[i] * away, axis=1)
            force = 2.5 * np.exp((0.6 - distance) / 0.3)
            np.add.at(push, i, away * np.where(friends, 0.3 * force, force)[:, None])
            # Step aside early: to the side where the person already is, otherwise to the right.
            right = np.stack([toward[i][:, 1], -toward[i][:, 0]], 1)
            lateral = np.sum(right * apart, axis=1)
            side = np.where(lateral > -0.15, 1.0, -1.0)
            aside = 1.8 * np.clip(closing, 0, 2) * np.exp((0.6 - distance) / 1.1) * (in_front > 0.5)
            aside *= ~friends & (np.abs(lateral) < 0.9)
            np.add.at(push, i, right * (side * aside)[:, None])
        return push

    def _turn(self, who: NDArray[np.int64], speed: Vectors) -> None:
        """Turn walking people to their direction of motion and standing people to the heading of their spot."""
        moving = np.arctan2(self._velocity[who, 1], self._velocity[who, 0])
        looking = np.array([self._plans[person][0].heading for person in who.tolist()])
        wanted = np.where(self._standing[who], looking, np.where(speed > 0.2, moving, self._heading[who]))
        turn = (wanted - self._heading[who] + np.pi) % (2 * np.pi) - np.pi
        most = np.where(self._standing[who], 1.8, 3.0) * self.step_s
        heading = self._heading[who] + np.clip(0.4 * turn, -most, most)
        self._heading[who] = (heading + np.pi) % (2 * np.pi) - np.pi
        target = np.where(self._standing[who], 0.0, np.clip(speed / 0.5, 0, 1))
        change = 2.5 * self.step_s
        self._walking[who] += np.clip(target - self._walking[who], -change, change)


def _check(place: Place, people: int, speeds_m_s: Sequence[float], shares: dict[str, float]) -> None:
    if not 0 <= people <= place.capacity:
        raise ConfigError(
            f"people: expected 0 to {place.capacity}, the capacity of {place.name}, got {people}; change it"
        )
    if len(speeds_m_s) != people or not all(0 < speed < math.inf for speed in speeds_m_s):
        raise ConfigError(f"speeds_m_s: expected {people} numbers above 0, got {list(speeds_m_s)}; give one per person")
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ConfigError(f"{name}: expected a share from 0 to 1, got {share}; change it")
