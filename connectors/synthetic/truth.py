"""What is true of every picture: who is in it, where, and how much of them can be seen."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from connectors.synthetic.crowd_simulation import Stance
from connectors.synthetic.renderer import Actor, Silhouette
from pipeline.core import FrameStamp

SCHEMA = 1
MIN_OWN_PX = 40.0
"""A silhouette smaller than this is nobody's."""
MIN_COUNTED_SHARE = 0.5
"""Share of a silhouette that must be in the picture and unhidden for its person to have to be found."""
MIN_COUNTED_PX = 40.0
"""Height of the box from which on its person has to be found."""


@dataclass(frozen=True, slots=True, eq=False)
class TruePerson:
    """One person in one picture.

    Attributes:
        person_id: From 1; the same in every camera, whatever they wear.
        outfit: What they wear: 0 at first, 1 after they changed.
        full_xyxy: Shape ``(4,)``: box around the silhouette, hidden or not, cut by the picture.
        visible_xyxy: Shape ``(4,)``: box around what can be seen; zeros if nothing can.
        visibility: In [0, 1]: visible share of the silhouette.
        truncation: In [0, 1]: share of the box that lies outside the picture.
        keypoints: Shape ``(17, 3)``, COCO order: x, y, and 0 outside the picture, 1 hidden, 2 visible.
        ground_xy: Where they stand, metres.
        heading: Where they face in the world: radians, 0 along +x, counter-clockwise.
        facing: The same as the camera sees it: 0 towards the camera, counter-clockwise from above.
        speed_m_s: Metres per second.
        action: walk, stand, phone or talk.
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


def true_person(
    stance: Stance, actor: Actor, silhouette: Silhouette, *, camera_xy: tuple[float, float]
) -> TruePerson | None:
    """Return what is true of somebody in a picture; None if next to nothing of them is in it."""
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

    Who is smaller than ``MIN_COUNTED_PX``, or shows less than ``MIN_COUNTED_SHARE``, does not count: 0, else 1.

    Args:
        stamp: Of the picture; frames count from 1 there.
        people: Who is in it.
    """
    lines = []
    for person in people:
        shown = person.visibility * (1 - person.truncation)
        left, top, right, bottom = (float(value) for value in person.full_xyxy)
        box = f"{left:.1f},{top:.1f},{right - left:.1f},{bottom - top:.1f}"
        counts = shown >= MIN_COUNTED_SHARE and bottom - top >= MIN_COUNTED_PX
        lines.append(f"{stamp.index + 1},{person.person_id},{box},{counts:d},1,{shown:.3f}")
    return lines
