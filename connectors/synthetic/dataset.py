"""Renders training sets: many small worlds, each one file of pictures, boxes, cut-outs and attributes.

``DIR/worlds/NNNN.npz``: see ``shard``. A world is drawn from the set's seed and its own number, so a set that was
broken off goes on where it stopped, and a larger set contains the smaller one.
"""

import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from connectors.synthetic import attributes
from connectors.synthetic.gait import ACTIONS
from connectors.synthetic.truth import TruePerson
from connectors.synthetic.world import Scenario, World
from pipeline.core.errors import ConfigError, ConnectorError

PLACES = ("plaza", "corridor", "shop")
MAX_WORLDS = 10_000
CROP_MARGIN = 0.1
MIN_CROP_HEIGHT_PX = 32.0
MIN_CROP_VISIBILITY = 0.3


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """What to render.

    Attributes:
        worlds: How many.
        seed: Of all of them.
        people: Of each world.
        seconds: Of each world.
        fps: Pictures a second of every camera.
        device: cpu or cuda.
        as_known: Places look as they are known; else each world has its own layout, colours, light and cameras.
    """

    worlds: int
    seed: int
    people: int = 14
    seconds: float = 30.0
    fps: float = 2.0
    device: str = "cpu"
    as_known: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.worlds <= MAX_WORLDS or self.people < 1 or self.seconds <= 0:
            raise ConfigError(
                f"worlds, people, seconds: expected 1 to {MAX_WORLDS}, 1 or more, and above 0, "
                f"got {self.worlds}, {self.people}, {self.seconds}"
            )

    def scenario(self, number: int) -> Scenario:
        """Return the world of this number: its place, wardrobe and habits are drawn by seed."""
        rng = np.random.default_rng([self.seed, number])
        variant = 1 + int(rng.integers(1 << 30))
        return Scenario(
            place=PLACES[number % len(PLACES)],
            variant=0 if self.as_known else variant,
            people=self.people,
            seed=int(rng.integers(1 << 30)),
            wardrobe=str(
                rng.choice(["vivid", "everyday", "everyday", "muted", "uniform"], p=[0.2, 0.3, 0.25, 0.2, 0.05])
            ),
            lookalikes=float(rng.choice([0.0, 0.1, 0.3])),
            returns=0.6,
            changes=0.3,
            groups=float(rng.uniform(0, 0.3)),
            fps=self.fps,
            device=self.device,
        )


@dataclass(slots=True)
class _Pictures:
    """JPEG pictures, one after the other."""

    parts: list[NDArray[np.uint8]] = field(default_factory=list)

    def add(self, image: NDArray[np.uint8], quality: int) -> None:
        done, coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        assert done, "a picture of pixels can be written as JPEG"
        self.parts.append(coded.ravel())

    def arrays(self, name: str) -> dict[str, NDArray[np.generic]]:
        sizes = np.array([0, *(len(part) for part in self.parts)], np.int64)
        joined = np.concatenate(self.parts) if self.parts else np.zeros(0, np.uint8)
        return {f"{name}_jpeg": joined, f"{name}_offset": np.cumsum(sizes)}


def shard(scenario: Scenario, *, seconds: float, number: int) -> dict[str, NDArray[Any]]:
    """Render a world and return its arrays; ``number`` makes its people unique in a set.

    F pictures, B boxes, C cut-outs, P people and outfits, K attributes:

    - ``frame_jpeg`` uint8, all pictures; ``frame_offset`` (F+1,) where each begins; ``frame_camera``, ``frame_time``;
    - ``box_frame`` (B,) row of the picture, ``box_person`` (unique in the set), ``box_outfit``, ``full_xyxy`` and
      ``visible_xyxy`` (B, 4) pixels, ``visibility`` and ``truncation`` in [0, 1], ``keypoints`` (B, 17, 3) x, y and
      0 outside, 1 hidden, 2 visible, ``heading`` radians as the camera sees it, ``speed`` m/s, ``action`` place in
      ``gait.ACTIONS``;
    - ``crop_jpeg``, ``crop_offset``, ``crop_box`` (C,) row of the box, ``crop_xyxy`` (C, 4) what was cut;
    - ``person_id``, ``person_outfit`` (P,), ``attribute_names`` (K,), ``attributes`` (P, K);
    - ``size_hw`` (2,), ``camera_names``, ``scenario``.
    """
    world = World(scenario)
    frames, crops = _Pictures(), _Pictures()
    frame_rows: list[tuple[int, float]] = []
    boxes: list[tuple[int, TruePerson]] = []
    cuts: list[tuple[int, NDArray[np.float32]]] = []
    for views in world.moments(round(seconds * scenario.fps)):
        for camera, view in enumerate(views):
            frames.add(view.frame.image, 90)
            frame_rows.append((camera, view.frame.stamp.captured_at))
            for person in view.people:
                boxes.append((len(frame_rows) - 1, person))
                if _is_worth_a_look(person):
                    box = _widened(person.full_xyxy, view.frame.size_hw)
                    left, top, right, bottom = box.astype(int)
                    crops.add(view.frame.image[top:bottom, left:right], 92)
                    cuts.append((len(boxes) - 1, box))
    outfits = [(number, worn) for number, person in enumerate(world.people) for worn in range(len(person.outfits))]
    people = [person for _, person in boxes]
    first_id = number * 1000
    return {
        **frames.arrays("frame"),
        "frame_camera": np.array([camera for camera, _ in frame_rows], np.int16),
        "frame_time": np.array([at for _, at in frame_rows], np.float64),
        "box_frame": np.array([row for row, _ in boxes], np.int32),
        "box_person": np.array([first_id + person.person_id for person in people], np.int32),
        "box_outfit": np.array([person.outfit for person in people], np.int16),
        "full_xyxy": np.array([person.full_xyxy for person in people], np.float32).reshape(-1, 4),
        "visible_xyxy": np.array([person.visible_xyxy for person in people], np.float32).reshape(-1, 4),
        "visibility": np.array([person.visibility for person in people], np.float32),
        "truncation": np.array([person.truncation for person in people], np.float32),
        "keypoints": np.array([person.keypoints for person in people], np.float32).reshape(-1, 17, 3),
        "heading": np.array([person.facing for person in people], np.float32),
        "speed": np.array([person.speed_m_s for person in people], np.float32),
        "action": np.array([ACTIONS.index(person.action) for person in people], np.int16),
        **crops.arrays("crop"),
        "crop_box": np.array([row for row, _ in cuts], np.int32),
        "crop_xyxy": np.array([box for _, box in cuts], np.float32).reshape(-1, 4),
        "person_id": np.array([first_id + who + 1 for who, _ in outfits], np.int32),
        "person_outfit": np.array([worn for _, worn in outfits], np.int16),
        "attribute_names": np.array(attributes.NAMES),
        "attributes": np.array(
            [attributes.attributes(world.people[who], world.people[who].outfits[worn]) for who, worn in outfits],
            np.int16,
        ),
        "size_hw": np.array(world.cameras[0].size_hw, np.int32),
        "camera_names": np.array([camera.name for camera in world.cameras]),
        "scenario": np.array(repr(world.scenario)),
    }


def _is_worth_a_look(person: TruePerson) -> bool:
    tall = person.full_xyxy[3] - person.full_xyxy[1] >= MIN_CROP_HEIGHT_PX
    return bool(tall and person.visibility >= MIN_CROP_VISIBILITY and person.truncation < 0.6)


def _widened(box_xyxy: NDArray[np.float32], size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """Return whole pixels around a box and a margin, inside the picture."""
    left, top, right, bottom = box_xyxy
    across, down = CROP_MARGIN * (right - left), CROP_MARGIN * (bottom - top)
    corners = [np.floor(left - across), np.floor(top - down), np.ceil(right + across), np.ceil(bottom + down)]
    return np.clip(corners, 0, [size_hw[1], size_hw[0]] * 2).astype(np.float32)


def render_dataset(spec: DatasetSpec, folder: Path, *, workers: int) -> None:
    """Render all worlds of ``spec`` that are not there yet, in parallel.

    Raises:
        ConfigError: If ``workers`` is below 1.
        ConnectorError: If the disk does not take a file; those that are there are whole.
    """
    if workers < 1:
        raise ConfigError(f"workers: expected at least 1, got {workers}")
    worlds = folder / "worlds"
    worlds.mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(spec.worlds) if not _path(worlds, number).exists()]
    with _progress() as progress, ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        task = progress.add_task(f"rendering {folder}", total=spec.worlds, completed=spec.worlds - len(missing))
        waiting = [pool.submit(_write, spec, number, worlds) for number in missing]
        try:
            for future in as_completed(waiting):
                future.result()
                progress.advance(task)
        except OSError as error:
            pool.shutdown(cancel_futures=True)
            raise ConnectorError(
                f"{worlds}: expected room for a world, got: {error.strerror}; free some and begin again: "
                "what is finished stays"
            ) from error


def _progress() -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


def _path(worlds: Path, number: int) -> Path:
    return worlds / f"{number:04d}.npz"


def _write(spec: DatasetSpec, number: int, worlds: Path) -> None:
    write_shard(_path(worlds, number), spec.scenario(number), seconds=spec.seconds, number=number)


def write_shard(path: Path, scenario: Scenario, *, seconds: float, number: int) -> None:
    """Render a world into the file ``path``, which is whole or not there.

    Raises:
        OSError: If the disk does not take it.
    """
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with unfinished.open("wb") as file:
            np.savez(file, allow_pickle=False, **shard(scenario, seconds=seconds, number=number))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()
        raise
