"""Render training sets: many small worlds, each one file of images, boxes, crops and attributes.

``DIR/worlds/NNNN.npz``: see ``shard``. A world depends on the seed of the set and on its own number alone. So an
interrupted set resumes where it stopped, and a larger set contains the smaller one.
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

from connectors.synthetic.people import attributes
from connectors.synthetic.people.gait import ACTIONS
from connectors.synthetic.truth import TruePerson
from connectors.synthetic.world import Scenario, World
from pipeline.core.errors import ConfigError, ConnectorError

PLACES = ("plaza", "corridor", "shop")
MAX_WORLDS = 10_000
"""Most worlds of a set; file names have four digits."""
CROP_MARGIN = 0.1
"""Margin on each side of a crop, as a share of the box."""
MIN_CROP_HEIGHT_PX = 32.0
"""Least height of a box that is cropped. A smaller value adds crops with less detail."""
MIN_CROP_VISIBILITY = 0.3
"""Least visibility of a person who is cropped. A smaller value adds crops that mostly show something else."""


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """A training set.

    Attributes:
        worlds: Number of worlds.
        seed: Of the set.
        people: Per world.
        seconds: Per world.
        fps: Frames per second of each camera.
        device: cpu or cuda.
        fixed_places: Use variant 0 of each place; otherwise each world has its own layout, colours, light and
            cameras.
    """

    worlds: int
    seed: int
    people: int = 14
    seconds: float = 30.0
    fps: float = 2.0
    device: str = "cpu"
    fixed_places: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.worlds <= MAX_WORLDS or self.people < 1 or self.seconds <= 0:
            raise ConfigError(
                f"worlds, people, seconds: expected 1 to {MAX_WORLDS}, 1 or more, and above 0, "
                f"got {self.worlds}, {self.people}, {self.seconds}"
            )

    def scenario(self, number: int) -> Scenario:
        """Return the scenario of the world with this number."""
        rng = np.random.default_rng([self.seed, number])
        variant = 1 + int(rng.integers(1 << 30))
        return Scenario(
            place=PLACES[number % len(PLACES)],
            variant=0 if self.fixed_places else variant,
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
class _Encoded:
    """Concatenated files of images."""

    parts: list[NDArray[np.uint8]] = field(default_factory=list)

    def add_jpeg(self, image: NDArray[np.uint8], quality: int) -> None:
        self._add(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])

    def add_png(self, mask: NDArray[np.bool_]) -> None:
        self._add(".png", mask.astype(np.uint8) * 255, [cv2.IMWRITE_PNG_BILEVEL, 1])

    def _add(self, kind: str, image: NDArray[np.uint8], options: list[int]) -> None:
        done, coded = cv2.imencode(kind, image, options)
        assert done, "a non-empty image can be encoded"
        self.parts.append(coded.ravel())

    def arrays(self, name: str, kind: str = "jpeg") -> dict[str, NDArray[np.generic]]:
        sizes = np.array([0, *(len(part) for part in self.parts)], np.int64)
        joined = np.concatenate(self.parts) if self.parts else np.zeros(0, np.uint8)
        return {f"{name}_{kind}": joined, f"{name}_offset": np.cumsum(sizes)}


def shard(scenario: Scenario, *, seconds: float, number: int) -> dict[str, NDArray[Any]]:
    """Render a world and return its arrays; ``number`` makes its people unique in a set.

    F frames, B boxes, C crops, P pairs of person and outfit, K attributes:

    - ``frame_jpeg`` uint8, all frames; ``frame_offset`` (F+1,) where each begins; ``frame_camera``, ``frame_time``;
    - ``box_frame`` (B,) row of the frame, ``box_person`` (unique in the set), ``box_outfit``, ``full_xyxy`` and
      ``visible_xyxy`` (B, 4) pixels, ``visibility`` and ``truncation`` in [0, 1], ``keypoints`` (B, 17, 3) x, y and
      0 outside, 1 hidden, 2 visible, ``heading`` radians relative to the camera, ``speed`` m/s, ``action`` index
      into ``gait.ACTIONS``;
    - ``crop_jpeg``, ``crop_offset``, ``crop_box`` (C,) row of the box, ``crop_xyxy`` (C, 4) pixels of the crop;
      ``mask_png``, ``mask_offset``, white where a pixel of the crop shows the person;
    - ``person_id``, ``person_outfit`` (P,), ``attribute_names`` (K,), ``attributes`` (P, K);
    - ``size_hw`` (2,), ``camera_names``, ``scenario``.
    """
    world = World(scenario)
    frames, crops, masks = _Encoded(), _Encoded(), _Encoded()
    frame_rows: list[tuple[int, float]] = []
    boxes: list[tuple[int, TruePerson]] = []
    cuts: list[tuple[int, NDArray[np.float32]]] = []
    for views in world.moments(round(seconds * scenario.fps)):
        for camera, view in enumerate(views):
            frames.add_jpeg(view.frame.image, 90)
            frame_rows.append((camera, view.frame.stamp.captured_at))
            for person in view.people:
                boxes.append((len(frame_rows) - 1, person))
                if _is_worth_a_crop(person):
                    box = _widened(person.full_xyxy, view.frame.size_hw)
                    left, top, right, bottom = box.astype(int)
                    crops.add_jpeg(view.frame.image[top:bottom, left:right], 92)
                    masks.add_png(_mask_of_crop(person, box))
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
        **masks.arrays("mask", "png"),
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


def _is_worth_a_crop(person: TruePerson) -> bool:
    tall = person.full_xyxy[3] - person.full_xyxy[1] >= MIN_CROP_HEIGHT_PX
    return bool(tall and person.visibility >= MIN_CROP_VISIBILITY and person.truncation < 0.6)


def _widened(box_xyxy: NDArray[np.float32], size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """Return a box with its margin, rounded outwards to whole pixels and clipped to the image."""
    left, top, right, bottom = box_xyxy
    across, down = CROP_MARGIN * (right - left), CROP_MARGIN * (bottom - top)
    corners = [np.floor(left - across), np.floor(top - down), np.ceil(right + across), np.ceil(bottom + down)]
    return np.clip(corners, 0, [size_hw[1], size_hw[0]] * 2).astype(np.float32)


def _mask_of_crop(person: TruePerson, crop_xyxy: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which pixels of a crop, the box with its margin, show the person."""
    left, top, right, bottom = crop_xyxy.astype(int)
    mask = np.zeros((bottom - top, right - left), np.bool_)
    height, width = person.mask.shape
    down, across = np.floor(person.full_xyxy[[1, 0]]).astype(int) - (top, left)
    mask[down : down + height, across : across + width] = person.mask
    return mask


def render_dataset(spec: DatasetSpec, folder: Path, *, workers: int) -> None:
    """Render the worlds of ``spec`` that are missing in ``folder``, in parallel.

    Raises:
        ConfigError: If ``workers`` is below 1.
        ConnectorError: If writing fails; the files that exist are complete.
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
                f"{worlds}: expected room for a world, got: {error.strerror}; free some and start again: "
                "finished worlds are kept"
            ) from error


def _progress() -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


def _path(worlds: Path, number: int) -> Path:
    return worlds / f"{number:04d}.npz"


def _write(spec: DatasetSpec, number: int, worlds: Path) -> None:
    write_shard(_path(worlds, number), spec.scenario(number), seconds=spec.seconds, number=number)


def write_shard(path: Path, scenario: Scenario, *, seconds: float, number: int) -> None:
    """Render a world into ``path`` atomically: the file is complete or absent.

    Raises:
        OSError: If writing fails.
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
