"""One place with its people, moment by moment, as its cameras see it."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from connectors.world.background import cast_background
from connectors.world.camera import Camera
from connectors.world.casting import draw_people
from connectors.world.effects import develop
from connectors.world.figure import Figure, make_figure
from connectors.world.places import build_place
from connectors.world.renderer import Actor, Renderer, bones_in_place
from connectors.world.traffic import Stance, Traffic
from connectors.world.truth import TruePerson, true_person
from pipeline.core import Frame, FrameStamp
from pipeline.core.errors import ConfigError

MAX_FIGURES = 64
"""Figures kept for people who come back; a figure takes 3 MB."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What world it is; equal scenarios are equal worlds, pixel by pixel on one machine.

    Attributes:
        place: plaza, corridor, shop, …
        variant: 0 is the place as it is known; others differ in layout, colours, light and cameras.
        people: Who live here.
        seed: Of people and ways.
        wardrobe: vivid, everyday, muted or uniform.
        lookalikes: In [0, 1]: share of people dressed like somebody else.
        returns: In [0, 1]: share of people who come back after they left.
        changes: In [0, 1]: share of those who come back in other outer wear.
        groups: In [0, 1]: share of people who walk with others.
        busy: Whether people are on their way from the start.
        fps: Frames a second, above 0.
        supersample: Samples a pixel and side; 1 is fast, 2 has smooth edges.
        device: cpu or cuda.
    """

    place: str = "plaza"
    variant: int = 0
    people: int = 15
    seed: int = 0
    wardrobe: str = "everyday"
    lookalikes: float = 0.0
    returns: float = 0.3
    changes: float = 0.0
    groups: float = 0.15
    busy: bool = True
    fps: float = 10.0
    supersample: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        shares = (self.lookalikes, self.returns, self.changes, self.groups)
        if not all(0 <= share <= 1 for share in shares):
            raise ConfigError(f"lookalikes, returns, changes, groups: expected values in [0, 1], got {shares}")
        if not 0 < self.fps <= 60 or self.supersample not in (1, 2, 3):
            raise ConfigError(
                f"fps, supersample: expected 0 to 60, and 1, 2 or 3, got {self.fps} and {self.supersample}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One picture, and what is true of it."""

    frame: Frame
    people: tuple[TruePerson, ...]


class World:
    """People who walk through a place, and its cameras.

    Args:
        scenario: Which world.
        cameras: Names of the cameras to draw, in this order; empty: all of the place.

    Raises:
        ConfigError: If there is no such place or camera, or the place does not hold as many people.
    """

    def __init__(self, scenario: Scenario, cameras: Sequence[str] = ()) -> None:
        self.scenario = scenario
        self.place = build_place(scenario.place, scenario.variant)
        self.cameras: tuple[Camera, ...] = tuple(self.place.camera(name) for name in cameras) or self.place.cameras
        self.people = draw_people(
            scenario.people, seed=scenario.seed, wardrobe=scenario.wardrobe, lookalikes=scenario.lookalikes
        )
        self._traffic = Traffic(
            self.place,
            people=scenario.people,
            speeds_m_s=[person.speed_m_s for person in self.people],
            seed=scenario.seed,
            start_busy=scenario.busy,
            returns=scenario.returns,
            changes=scenario.changes,
            groups=scenario.groups,
        )
        self._figures: OrderedDict[tuple[int, int], Figure] = OrderedDict()
        self._renderer: Renderer | None = None
        names = [camera.name for camera in self.place.cameras]
        # Of the camera, not of the order: a camera's pictures are the same whichever others are drawn.
        self._noise = [np.random.default_rng([scenario.seed, 7, names.index(each.name)]) for each in self.cameras]

    def moments(self, num_frames: int | None = None) -> Iterator[tuple[View, ...]]:
        """Yield the pictures of all cameras at one moment after the other; endless without ``num_frames``."""
        index = 0
        while num_frames is None or index < num_frames:
            stances = self.stances_at(index / self.scenario.fps)
            yield self._see(index, stances)
            index += 1

    def stances_at(self, time_s: float) -> tuple[Stance, ...]:
        """Return who is where; times must not descend."""
        # Time 0 shows the first step.
        return self._traffic.at(time_s + self._traffic.step_s)

    def _see(self, index: int, stances: Sequence[Stance]) -> tuple[View, ...]:
        renderer = self._renderer = self._renderer or self._build_renderer()
        time_s = index / self.scenario.fps
        actors = {(stance.person, stance.outfit): self._actor(stance, time_s) for stance in stances}
        where = {(stance.person, stance.outfit): stance for stance in stances}
        renderer.place(list(actors.values()))
        views = []
        for number, camera in enumerate(self.cameras):
            light, seen = renderer.render(number)
            image = develop(light, camera.effects, self._noise[number], frame_index=index)
            stamp = FrameStamp(camera.name, index, time_s + camera.clock_offset_s)
            at = (camera.position[0], camera.position[1])
            people = [true_person(where[key], actors[key], seen[key], camera_xy=at) for key in sorted(seen)]
            views.append(View(Frame(stamp, image), tuple(person for person in people if person)))
        return tuple(views)

    def _actor(self, stance: Stance, time_s: float) -> Actor:
        key = (stance.person, stance.outfit)
        figure = self._figures.pop(key, None) or make_figure(self.people[stance.person], stance.outfit)
        self._figures[key] = figure
        while len(self._figures) > MAX_FIGURES:
            self._figures.popitem(last=False)
        # Nobody sways in step with others.
        own_time_s = time_s + 1.7 * stance.person
        bones = figure.pose(stance.action, walked_m=stance.walked_m, time_s=own_time_s, walking=stance.walking)
        return Actor(key, figure, bones_in_place(bones, x=stance.x, y=stance.y, heading=stance.heading))

    def _build_renderer(self) -> Renderer:
        scenario, places = self.scenario, np.array(list(self.place.nodes.values()), np.float64)
        left, back = places.min(axis=0)
        right, front = places.max(axis=0)
        backgrounds = [
            cast_background(self.place, camera.scaled(scenario.supersample), device=scenario.device)
            for camera in self.cameras
        ]
        return Renderer(
            self.cameras,
            backgrounds,
            self.place.light,
            bounds=(float(left), float(back), float(right), float(front)),
            supersample=scenario.supersample,
            device=scenario.device,
        )
