"""A world: a place, its people and its cameras, rendered moment by moment."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from connectors.synthetic.crowd_simulation import CrowdSimulation
from connectors.synthetic.people.character_sampling import sample_characters
from connectors.synthetic.people.figure import Figure, make_figure
from connectors.synthetic.places.catalogue import build_place
from connectors.synthetic.rendering.background import render_background
from connectors.synthetic.rendering.camera import Camera
from connectors.synthetic.rendering.effects import develop
from connectors.synthetic.rendering.renderer import Actor, Renderer, bones_in_place
from connectors.synthetic.stance import Stance
from connectors.synthetic.truth import TruePerson, true_person
from pipeline.core import Frame, FrameStamp
from pipeline.core.errors import ConfigError

MAX_FIGURES = 64
"""Figures kept in memory, of people present and of people who may return; a figure takes 3 MB."""
_SHUTTER = (-0.4, -0.2, 0.0, 0.2, 0.4)
"""Sample times of a motion-blurred frame, as shares of the shutter time. More samples blur smoother and cost more."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """The settings of a world; equal scenarios give equal worlds, pixel by pixel on one machine.

    Attributes:
        place: plaza, corridor, shop or campus.
        variant: 0: the place as written; others differ in layout, colours, light and cameras.
        people: Number of people.
        seed: Of people and their motion.
        wardrobe: vivid, everyday, muted or uniform.
        lookalikes: In [0, 1]: share of people dressed like another person.
        returns: In [0, 1]: share of people who return after they left.
        changes: In [0, 1]: share of returns in other outerwear.
        groups: In [0, 1]: share of people who walk in groups.
        busy: Whether people are in the place at time 0.
        fps: Frames per second, above 0.
        scale: Of the width and height of images, 0.1 to 1.
        shutter_s: Exposure time, 0 to the time of a frame. Above 0, moving people are blurred and a frame costs five
            renderings.
        supersample: Samples per pixel along each side; 1 is fast, 2 has smooth edges.
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
    scale: float = 1.0
    shutter_s: float = 0.0
    supersample: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        shares = (self.lookalikes, self.returns, self.changes, self.groups)
        if not all(0 <= share <= 1 for share in shares):
            raise ConfigError(f"lookalikes, returns, changes, groups: expected values in [0, 1], got {shares}")
        if not 0.1 <= self.scale <= 1:
            raise ConfigError(f"scale: expected 0.1 to 1, got {self.scale}")
        if not 0 < self.fps <= 60 or self.supersample not in (1, 2, 3):
            raise ConfigError(
                f"fps, supersample: expected 0 to 60, and 1, 2 or 3, got {self.fps} and {self.supersample}"
            )
        if not 0 <= self.shutter_s <= 1 / self.fps:
            raise ConfigError(f"shutter_s: expected 0 to {1 / self.fps:g}, the time of a frame, got {self.shutter_s}")


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One frame and its ground truth."""

    frame: Frame
    people: tuple[TruePerson, ...]


class World:
    """A rendered world.

    Args:
        scenario: Its settings.
        cameras: Names of the cameras to render, in this order; empty: all of the place.

    Raises:
        ConfigError: If there is no such place or camera, or too many people for the place.
    """

    def __init__(self, scenario: Scenario, cameras: Sequence[str] = ()) -> None:
        self.scenario = scenario
        self.place = build_place(scenario.place, scenario.variant)
        wanted = tuple(self.place.camera(name) for name in cameras) or self.place.cameras
        self.cameras: tuple[Camera, ...] = tuple(camera.scaled(scenario.scale) for camera in wanted)
        self.people = sample_characters(
            scenario.people, seed=scenario.seed, wardrobe=scenario.wardrobe, lookalikes=scenario.lookalikes
        )
        self._crowd = CrowdSimulation(
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
        # Seeded by the camera, not by the order: a camera's images do not depend on which others are rendered.
        self._noise = [np.random.default_rng([scenario.seed, 7, names.index(each.name)]) for each in self.cameras]

    def moments(self, num_frames: int | None = None) -> Iterator[tuple[View, ...]]:
        """Yield the views of all cameras, moment by moment; endless without ``num_frames``."""
        index = 0
        while num_frames is None or index < num_frames:
            yield self._views_at(index)
            index += 1

    def stances_at(self, time_s: float) -> tuple[Stance, ...]:
        """Return the people at a time; times must not decrease."""
        # Time 0 is the first step.
        return self._crowd.at(time_s + self._crowd.step_s)

    def _views_at(self, index: int) -> tuple[View, ...]:
        time_s, shutter_s = index / self.scenario.fps, self.scenario.shutter_s
        exposures = [self._expose(time_s + shutter_s * share) for share in (_SHUTTER if shutter_s else (0.0,))]
        views = []
        for number, camera in enumerate(self.cameras):
            light, people = exposures[len(exposures) // 2][number]
            if shutter_s:
                light = np.mean([exposure[number][0] for exposure in exposures], axis=0)
            image = develop(light, camera.effects, self._noise[number], frame_index=index)
            stamp = FrameStamp(camera.name, index, time_s + camera.clock_offset_s)
            views.append(View(Frame(stamp, image), people))
        return tuple(views)

    def _expose(self, time_s: float) -> list[tuple[NDArray[np.float32], tuple[TruePerson, ...]]]:
        """Return for each camera the light at one moment, shape ``(H, W, 3)``, and the ground truth."""
        renderer = self._renderer = self._renderer or self._build_renderer()
        where = {(stance.person, stance.outfit): stance for stance in self.stances_at(time_s)}
        actors = {key: self._actor(stance, time_s) for key, stance in where.items()}
        while len(self._figures) > max(MAX_FIGURES, len(actors)):
            self._figures.popitem(last=False)
        renderer.place(list(actors.values()))
        exposed = []
        for number, camera in enumerate(self.cameras):
            light, seen = renderer.render(number)
            at = camera.position[:2]
            people = [true_person(where[key], actors[key], seen[key], camera_xy=at) for key in sorted(seen)]
            exposed.append((light, tuple(person for person in people if person)))
        return exposed

    def _actor(self, stance: Stance, time_s: float) -> Actor:
        key = (stance.person, stance.outfit)
        figure = self._figures.pop(key, None) or make_figure(self.people[stance.person], stance.outfit)
        self._figures[key] = figure
        # Different phases: people do not sway in step.
        own_time_s = time_s + 1.7 * stance.person
        bones = figure.pose(stance.action, walked_m=stance.walked_m, time_s=own_time_s, walking=stance.walking)
        return Actor(key, figure, bones_in_place(bones, x=stance.x, y=stance.y, heading=stance.heading))

    def _build_renderer(self) -> Renderer:
        scenario, places = self.scenario, np.array(list(self.place.nodes.values()), np.float64)
        left, back = places.min(axis=0)
        right, front = places.max(axis=0)
        backgrounds = [
            render_background(self.place, camera.scaled(scenario.supersample), device=scenario.device)
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
