"""Ground truth of each image: the people in it, their boxes, visibility, keypoints and positions."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from connectors.synthetic.rendering.renderer import Actor, Silhouette
from connectors.synthetic.stance import Stance
from pipeline.core import FrameStamp

SCHEMA = 1
MIN_OWN_PX = 40.0
"""Least area of a silhouette, pixels. People below it are left out of the ground truth."""
MIN_COUNTED_SHARE = 0.5
"""Least visible share of a person who counts. With less, a missed person is no error."""
MIN_COUNTED_PX = 40.0
"""Least height of the box of a person who counts, pixels. Below it, a missed person is no error."""


@dataclass(frozen=True, slots=True, eq=False)
class TruePerson:
    """One person in one image.

    Attributes:
        person_id: From 1; the same in each camera and each outfit.
        outfit: 0 at first, 1 after a change of clothes.
        full_xyxy: Shape ``(4,)``: box of the silhouette without occlusion, clipped to the image.
        visible_xyxy: Shape ``(4,)``: box of the visible part; zeros if there is none.
        visibility: In [0, 1]: visible share of the silhouette.
        truncation: In [0, 1]: share of the box outside the image.
        keypoints: Shape ``(17, 3)``, COCO order: x, y, and 0 outside the image, 1 hidden, 2 visible.
        ground_xy: Position on the ground, metres.
        heading: Direction the body faces: radians, 0 along +x, counter-clockwise.
        facing: Heading relative to the camera: 0 towards the camera, counter-clockwise from above.
        speed_m_s: Metres per second.
        action: walk, stand, phone or talk.
        mask: Shape ``(h, w)``, bool: which of the whole pixels of ``full_xyxy`` the person covers.
    """

    person_id: int
    outfit: int
    full_xyxy: NDArray[np.float32]
    visible_xyxy: NDArray[np.float32]
    visibility: float
    truncation: float
    keypoints: NDArray[np.float32]
    ground_xy: tuple[float, float]
    heading: float
    facing: float
    speed_m_s: float
    action: str
    mask: NDArray[np.bool_]


def true_person(
    stance: Stance, actor: Actor, silhouette: Silhouette, *, camera_xy: tuple[float, float]
) -> TruePerson | None:
    """Return the ground truth of a person in an image; None if the silhouette is below ``MIN_OWN_PX``."""
    if silhouette.own_px < MIN_OWN_PX:
        return None
    whole, full = silhouette.whole_xyxy, silhouette.full_xyxy
    inside = _area(full) / max(_area(whole), 1e-6)
    to_camera = np.arctan2(camera_xy[1] - stance.y, camera_xy[0] - stance.x)
    return TruePerson(
        person_id=actor.key[0] + 1,
        outfit=actor.key[1],
        full_xyxy=full,
        visible_xyxy=silhouette.visible_xyxy,
        visibility=min(1.0, silhouette.visible_px / silhouette.own_px),
        truncation=float(np.clip(1 - inside, 0, 1)),
        keypoints=silhouette.keypoints,
        ground_xy=(stance.x, stance.y),
        heading=stance.heading,
        facing=float((stance.heading - to_camera + np.pi) % (2 * np.pi) - np.pi),
        speed_m_s=stance.speed_m_s,
        action=stance.action,
        mask=silhouette.mask,
    )


def _area(box_xyxy: NDArray[np.float32]) -> float:
    return float((box_xyxy[2] - box_xyxy[0]) * (box_xyxy[3] - box_xyxy[1]))


def to_json(stamp: FrameStamp, people: Sequence[TruePerson]) -> str:
    """Return one line of a truth file (``connectors/schemas/truth.schema.json``)."""
    return json.dumps(
        {
            "schema": SCHEMA,
            "camera_id": stamp.camera_id,
            "frame_index": stamp.index,
            "captured_at": stamp.captured_at,
            "people": [
                {
                    "person_id": person.person_id,
                    "outfit": person.outfit,
                    "full_xyxy": _rounded(person.full_xyxy),
                    "visible_xyxy": _rounded(person.visible_xyxy),
                    "visibility": round(person.visibility, 4),
                    "truncation": round(person.truncation, 4),
                    "keypoints": [_rounded(point) for point in person.keypoints],
                    "ground_xy": [round(value, 3) for value in person.ground_xy],
                    "heading": round(person.heading, 4),
                    "facing": round(person.facing, 4),
                    "speed_m_s": round(person.speed_m_s, 3),
                    "action": person.action,
                }
                for person in people
            ],
        },
        separators=(",", ":"),
    )


def _rounded(values: NDArray[np.float32]) -> list[float]:
    return [round(float(value), 2) for value in values]


def to_mot(stamp: FrameStamp, people: Sequence[TruePerson]) -> list[str]:
    """Return lines of MOTChallenge ground truth: ``frame,id,left,top,width,height,counts,1,visibility``.

    ``counts`` is 0 for a person below ``MIN_COUNTED_PX`` or ``MIN_COUNTED_SHARE``, otherwise 1.

    Args:
        stamp: Of the image; MOTChallenge counts frames from 1.
        people: The people in it.
    """
    lines = []
    for person in people:
        shown = person.visibility * (1 - person.truncation)
        left, top, right, bottom = (float(value) for value in person.full_xyxy)
        box = f"{left:.1f},{top:.1f},{right - left:.1f},{bottom - top:.1f}"
        counts = shown >= MIN_COUNTED_SHARE and bottom - top >= MIN_COUNTED_PX
        lines.append(f"{stamp.index + 1},{person.person_id},{box},{counts:d},1,{shown:.3f}")
    return lines
