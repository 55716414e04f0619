"""What networks are scored with: frames and crops of rendered worlds, as the pipeline would see them, with the truth.

Frames and crops are drawn by seed; worlds are read one at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.training.pictures import Image
from models.training.worlds import World
from pipeline.core import Frame, FrameStamp
from pipeline.core.boxes import clip
from pipeline.core.errors import ConfigError

CAMERAS_PER_WORLD = 1000


@dataclass(frozen=True, slots=True, eq=False)
class TrueFrame:
    """A frame and who is in it.

    Attributes:
        frame: RGB, as cameras give it.
        boxes_xyxy: Shape ``(N, 4)``, float32, pixels: whole people, hidden or not, as far as they are in the frame.
        visibility: Shape ``(N,)``, float32 in [0, 1]: part of the person that nothing hides.
        truncation: Shape ``(N,)``, float32 in [0, 1]: part of the person that lies outside the frame.
    """

    frame: Frame
    boxes_xyxy: NDArray[np.float32]
    visibility: NDArray[np.float32]
    truncation: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TrueCrop:
    """A person, cut out of a frame as a perfect detector would.

    Attributes:
        image: Shape ``(h, w, 3)``, uint8, RGB.
        box_xyxy: Shape ``(4,)``, float32, pixels of the frame: what the image shows.
        frame_hw: Height and width of the frame, pixels.
        person_id: Unique among all worlds.
        outfit: What they wear.
        camera: Unique among all worlds.
        keypoints: Shape ``(17, 3)``, float32, COCO order: x, y in [0, 1] of the image, and 0 outside the frame,
            1 hidden, 2 visible.
    """

    image: Image
    box_xyxy: NDArray[np.float32]
    frame_hw: tuple[int, int]
    person_id: int
    outfit: int
    camera: int
    keypoints: NDArray[np.float32]


def read_true_frames(worlds: Sequence[World], *, max_frames: int, seed: int) -> Iterator[TrueFrame]:
    """Yield frames, in the order of the worlds; the same ones for the same seed.

    Raises:
        DataError: If a world is damaged.
    """
    lengths = [len(world.read("frame_camera")["frame_camera"]) for world in worlds]
    for number, rows in _drawn([np.arange(length) for length in lengths], max_frames, seed):
        world = worlds[number]
        read = world.read("frame_camera", "frame_time", "box_frame", "full_xyxy", "visibility", "truncation")
        jpegs = world.encoded("frame")
        for row in rows:
            image = _rgb(world, jpegs[row])
            people = read["box_frame"] == row
            camera = f"{number}/{read['frame_camera'][row]}"
            frame = Frame(FrameStamp(camera, int(row), float(read["frame_time"][row])), image)
            boxes = clip(read["full_xyxy"][people], frame.size_hw)
            yield TrueFrame(frame, boxes, read["visibility"][people], read["truncation"][people])


def read_true_crops(
    worlds: Sequence[World], *, min_visibility: float, min_height_px: float, max_crops: int, seed: int
) -> list[TrueCrop]:
    """Return crops, in the order of the worlds; the same ones for the same seed.

    Args:
        worlds: To draw from.
        min_visibility: Crops that show no more of the person are left out.
        min_height_px: So are those of smaller people.
        max_crops: In all.
        seed: Seed of the sampling.

    Raises:
        ConfigError: If nothing is left.
        DataError: If a world is damaged.
    """
    usable = []
    for world in worlds:
        read = world.read("box_frame", "full_xyxy", "visibility", "crop_box")
        tall = read["full_xyxy"][:, 3] - read["full_xyxy"][:, 1] >= min_height_px
        usable.append(np.flatnonzero((tall & (read["visibility"] > min_visibility))[read["crop_box"]]))
    crops = [
        crop
        for number, rows in _drawn(usable, max_crops, seed)
        for crop in _read_crops(worlds[number], rows, first_camera=number * CAMERAS_PER_WORLD)
    ]
    if not crops:
        raise ConfigError(
            f"data: expected crops of people over {min_height_px} px, more than {min_visibility} visible, got none; "
            "render longer worlds"
        )
    return crops


def _drawn(rows_of: Sequence[NDArray[np.intp]], most: int, seed: int) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield the numbers of worlds and ascending rows of each, ``most`` in all."""
    numbers = np.repeat(np.arange(len(rows_of)), [len(rows) for rows in rows_of])
    rows = np.concatenate([np.empty(0, np.intp), *rows_of])
    drawn = np.sort(np.random.default_rng(seed).permutation(len(rows))[:most])
    for number in np.unique(numbers[drawn]):
        yield int(number), rows[drawn[numbers[drawn] == number]]


def _read_crops(world: World, rows: NDArray[np.intp], *, first_camera: int) -> Iterator[TrueCrop]:
    read = world.read(
        *("frame_camera", "box_frame", "box_person", "box_outfit", "full_xyxy", "keypoints", "crop_box", "crop_xyxy"),
        "size_hw",
    )
    jpegs = world.encoded("crop")
    height, width = (int(side) for side in read["size_hw"])
    for row in rows:
        box_row = read["crop_box"][row]
        cut = read["crop_xyxy"][row]
        # Whole pixels of the cut-out, which is a little larger than the person.
        box = np.concatenate([np.floor(read["full_xyxy"][box_row][:2]), np.ceil(read["full_xyxy"][box_row][2:])])
        box = np.clip(box, np.tile(cut[:2], 2), np.tile(cut[2:], 2)).astype(np.float32)
        left, top, right, bottom = (box - np.tile(cut[:2], 2)).astype(int)
        keypoints = read["keypoints"][box_row].copy()
        keypoints[:, :2] = (keypoints[:, :2] - box[:2]) / (box[2:] - box[:2])
        yield TrueCrop(
            image=_rgb(world, jpegs[row])[top:bottom, left:right],
            box_xyxy=box,
            frame_hw=(height, width),
            person_id=int(read["box_person"][box_row]),
            outfit=int(read["box_outfit"][box_row]),
            camera=first_camera + int(read["frame_camera"][read["box_frame"][box_row]]),
            keypoints=keypoints,
        )


def _rgb(world: World, jpeg: NDArray[np.uint8]) -> Image:
    return np.ascontiguousarray(world.decode(jpeg)[..., ::-1])
