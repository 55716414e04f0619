"""A tiny world without the renderer: coloured rectangles are the people."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

FRAME_HW = (96, 128)
ATTRIBUTES = (
    *("top_colour", "bottom_colour", "age", "female", "long_hair", "hat", "glasses", "backpack", "shoulder_bag"),
    *("handbag", "long_sleeves", "long_bottom", "skirt"),
)


def make_world(
    folder: Path,
    number: int = 0,
    *,
    num_people: int = 6,
    num_cameras: int = 2,
    frames_per_camera: int = 4,
    leave_out: tuple[str, ...] = (),
) -> Path:
    """Write one world into ``folder/worlds``; a person is a colour, at another position in each frame."""
    rng = np.random.default_rng(number)
    height, width = FRAME_HW
    shirts, trousers = rng.integers(0, 256, (2, num_people, 3))
    frames: list[bytes] = []
    crops: list[bytes] = []
    masks: list[bytes] = []
    rows: list[dict[str, Any]] = []
    for _camera in range(num_cameras):
        background = rng.integers(90, 160, (6, 8, 3), np.uint8)
        background = cv2.resize(background, (width, height), interpolation=cv2.INTER_CUBIC)
        for _ in range(frames_per_camera):
            image = background.copy()
            placed = []
            for person, x in zip(rng.permutation(num_people)[:3], rng.permutation(3), strict=False):
                tall = int(rng.integers(36, 60))
                wide = tall * 2 // 5
                left, top = 4 + 42 * int(x) + int(rng.integers(0, 12)), int(rng.integers(2, height - tall - 2))
                image[top : top + tall // 2, left : left + wide] = shirts[person]
                image[top + tall // 2 : top + tall, left : left + wide] = trousers[person]
                image[top : top + tall // 7, left + wide // 4 : left + 3 * wide // 4] = (150, 180, 220)
                placed.append((int(person), np.array([left, top, left + wide, top + tall], np.float32)))
            for person, box in placed:
                margin = 0.1 * (box[2:] - box[:2])
                cut = np.concatenate([np.maximum(box[:2] - margin, 0), np.minimum(box[2:] + margin, [width, height])])
                left, top, right, bottom = (int(v) for v in np.round(cut))
                crops.append(_jpeg(image[top:bottom, left:right]))
                mask = np.zeros(FRAME_HW, np.uint8)
                mask[slice(*box[[1, 3]].astype(int)), slice(*box[[0, 2]].astype(int))] = 255
                masks.append(cv2.imencode(".png", mask[top:bottom, left:right])[1].tobytes())
                rows.append(
                    {
                        "box_frame": len(frames),
                        "box_person": 1000 * number + person,
                        "box_outfit": person % 2,
                        "full_xyxy": box,
                        "keypoints": _keypoints(box),
                        "crop_xyxy": np.array([left, top, right, bottom], np.float32),
                    }
                )
            frames.append(_jpeg(image))
    num_boxes = len(rows)
    arrays: dict[str, np.ndarray] = {
        "frame_camera": np.repeat(np.arange(num_cameras, dtype=np.int16), frames_per_camera),
        "frame_time": np.arange(len(frames), dtype=np.float64),
        "box_frame": np.array([row["box_frame"] for row in rows], np.int32),
        "box_person": np.array([row["box_person"] for row in rows], np.int32),
        "box_outfit": np.array([row["box_outfit"] for row in rows], np.int16),
        "full_xyxy": np.stack([row["full_xyxy"] for row in rows]),
        "visible_xyxy": np.stack([row["full_xyxy"] for row in rows]),
        "visibility": np.ones(num_boxes, np.float32),
        "truncation": np.zeros(num_boxes, np.float32),
        "keypoints": np.stack([row["keypoints"] for row in rows]),
        "heading": np.zeros(num_boxes, np.float32),
        "speed": np.zeros(num_boxes, np.float32),
        "crop_box": np.arange(num_boxes, dtype=np.int32),
        "crop_xyxy": np.stack([row["crop_xyxy"] for row in rows]),
        "person_id": np.arange(num_people, dtype=np.int32) + 1000 * number,
        "person_outfit": np.arange(num_people, dtype=np.int16) % 2,
        "attribute_names": np.array(ATTRIBUTES),
        "attributes": rng.integers(0, 2, (num_people, len(ATTRIBUTES))).astype(np.int16),
        "size_hw": np.array(FRAME_HW, np.int32),
        "camera_names": np.array([f"camera{n}" for n in range(num_cameras)]),
    }
    for kind, form, pictures in (("frame", "jpeg", frames), ("crop", "jpeg", crops), ("mask", "png", masks)):
        arrays[f"{kind}_{form}"] = np.frombuffer(b"".join(pictures), np.uint8)
        arrays[f"{kind}_offset"] = np.cumsum([0, *map(len, pictures)]).astype(np.int64)
    path = folder / "worlds" / f"{number:04d}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{name: array for name, array in arrays.items() if name not in leave_out})
    return path


def _jpeg(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def _keypoints(box: np.ndarray) -> np.ndarray:
    """Return 17 points at fixed positions in the box, from head to ankles."""
    places = [(0.5, 0.08), (0.55, 0.05), (0.45, 0.05), (0.6, 0.07), (0.4, 0.07)]
    for y in (0.2, 0.35, 0.48, 0.52, 0.75, 0.95):
        places += [(0.75, y), (0.25, y)]
    points = np.array(places) * (box[2:] - box[:2]) + box[:2]
    return np.concatenate([points, np.full((17, 1), 2.0)], axis=1).astype(np.float32)
