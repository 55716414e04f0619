"""Coordinates on the skin in terms of garments: how far down the arm, how high on the trunk."""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from connectors.synthetic.people.body import BodyAsset, load_body_asset
from connectors.synthetic.people.person import Hair, Outfit
from connectors.synthetic.people.skeleton import BONE, BONES, Skeleton

Field = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """Points on the skin of the mean body, all arrays of one shape.

    Attributes:
        x: To the left, metres from the middle.
        y: Backwards, metres.
        rise: Height above the floor, metres.
        trunk: Height: 0 below the hips, 1 at the neck.
        around: Angle around the trunk, radians, 0 in front.
        along_arm: 0 shoulder, 1 elbow, 2 wrist, 3 finger tips.
        along_leg: 0 hip, 1 knee, 2 ankle.
        face_up: Metres above the joint of the head.
        face_back: Metres behind it.
        arm, hand, leg, foot, head, neck, eye: In [0, 1]: how much the point belongs to that part.
    """

    x: Field
    y: Field
    rise: Field
    trunk: Field
    around: Field
    along_arm: Field
    along_leg: Field
    face_up: Field
    face_back: Field
    arm: Field
    hand: Field
    leg: Field
    foot: Field
    head: Field
    neck: Field
    eye: Field


@dataclass(frozen=True, slots=True, eq=False)
class Covered:
    """Masks of the shape of a surface: what covers each point."""

    top: Mask
    bottom: Mask
    shoes: Mask
    hair: Mask
    hood: Mask
    beard: Mask
    gloves: Mask


@cache
def vertex_surface() -> Surface:
    """Return the surface at the vertices of the body, shape ``(V,)``."""
    asset = load_body_asset()
    return _surface(asset, asset.mean[: asset.num_vertices], _belonging(asset))


@cache
def texel_surface() -> Surface:
    """Return the surface at the texels of the body's texture, shape ``(S, S)``."""
    asset = load_body_asset()
    return _surface(asset, asset.at_texels(asset.mean[: asset.num_vertices]), asset.at_texels(_belonging(asset)))


def _belonging(asset: BodyAsset) -> NDArray[np.float32]:
    """Return arm, hand, leg, foot, head, neck and eye of each vertex, shape ``(V, 7)``."""
    groups = (("upper_arm", "lower_arm", "hand"), ("hand",), ("upper_leg", "lower_leg", "foot", "toes"))
    shares = np.zeros((asset.num_vertices, 7), np.float32)
    for column, stems in enumerate((*groups, ("foot", "toes"), ("head",), ("neck",))):
        bones = [number for number, name in enumerate(BONES) if name.partition(".")[0] in stems]
        shares[:, column] = (asset.bone_weights * np.isin(asset.bone_ids, bones)).sum(axis=1)
    shares[:, 6] = asset.eyes
    return shares


def _surface(asset: BodyAsset, points: NDArray[np.float32], belonging: NDArray[np.float32]) -> Surface:
    heads = asset.mean[asset.num_vertices :].astype(np.float64)
    skeleton = Skeleton(heads)
    hips, neck, head = heads[BONE["upper_leg.L"]][2] - 0.06, heads[BONE["neck"]][2], heads[BONE["head"]]
    x, y, z = np.moveaxis(points.astype(np.float64), -1, 0)
    mirrored = np.stack([np.abs(x), y, z], axis=-1)
    hand = skeleton.head("hand.L")
    finger_tips = hand + 0.16 * _unit(hand - skeleton.head("lower_arm.L"))
    arm = [skeleton.head("upper_arm.L"), skeleton.head("lower_arm.L"), hand, finger_tips]
    leg = [skeleton.head("upper_leg.L"), skeleton.head("lower_leg.L"), skeleton.head("foot.L")]
    fields = {
        "x": x,
        "y": y,
        "rise": z - asset.mean[: asset.num_vertices, 2].min(),
        "trunk": (z - hips) / (neck - hips),
        "around": np.arctan2(x, -y),
        "along_arm": _along(mirrored, arm),
        "along_leg": _along(mirrored, leg),
        "face_up": z - head[2],
        "face_back": y - head[1],
        **dict(zip(("arm", "hand", "leg", "foot", "head", "neck", "eye"), np.moveaxis(belonging, -1, 0), strict=True)),
    }
    return Surface(**{name: np.ascontiguousarray(field, np.float32) for name, field in fields.items()})


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / np.linalg.norm(vector)


def _along(points: NDArray[np.float64], joints: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the positions of points along a chain of joints: 1 at the second joint, 2 at the third; ends are open."""
    nearest, position = np.full(points.shape[:-1], np.inf), np.zeros(points.shape[:-1])
    last = len(joints) - 2
    for number, (start, end) in enumerate(pairwise(joints)):
        segment = end - start
        share = (points - start) @ segment / (segment @ segment)
        share = np.clip(share, 0.0 if number else -0.6, 1.0 if number < last else 1.3)
        distance = np.linalg.norm(points - start - share[..., None] * segment, axis=-1)
        closer = distance < nearest
        position = np.where(closer, number + share, position)
        nearest = np.minimum(nearest, distance)
    return position


def cover(surface: Surface, outfit: Outfit, hair: Hair) -> Covered:
    """Return which points the clothes and the hair cover."""
    s, top = surface, outfit.top
    on_arm, on_leg = s.arm > 0.5, s.leg > 0.5
    shoes = s.foot > 0.55
    bottom = (s.trunk < 0.27) & ~on_arm & ~shoes & ((s.along_leg < outfit.bottom.length) | ~on_leg)
    neckline = 1.0 + top.collar - 0.10 * np.exp(-((s.around / 0.5) ** 2)) * top.vneck
    trunk = (s.trunk > top.hem) & (s.trunk < neckline) & ~on_arm & (s.head < 0.5)
    covered_top = (trunk | (on_arm & (s.along_arm < top.sleeve))) & ~shoes
    grown = _hairline(s, hair)
    hood = np.zeros_like(grown)
    if top.hood:
        hood = (s.head + s.neck > 0.5) & ((s.face_up > 0.10) | (s.face_back > -0.03) | (np.abs(s.x) > 0.065))
    chin = (s.head > 0.4) & (s.face_up < 0.012) & (s.face_up > -0.09) & (s.face_back < -0.045)
    return Covered(
        top=covered_top,
        bottom=bottom,
        shoes=shoes,
        hair=grown & ~hood,
        hood=hood,
        beard=chin & hair.beard,
        gloves=(s.hand > 0.5) & outfit.gloves & ~covered_top,
    )


def _hairline(s: Surface, hair: Hair) -> Mask:
    """Return where hair grows: above a line that is high in front and low behind."""
    if hair.style == "bald":
        return np.zeros(s.x.shape, bool)
    behind = np.clip((s.face_back + 0.02) / 0.05, 0, 1) * (0.09 if hair.style == "short" else 0.11)
    line = 0.085 + 0.035 * np.clip((-s.face_back - 0.02) / 0.08, 0, 1) - behind
    temples = (np.abs(s.x) > 0.055) & (s.face_back < -0.045)
    line = np.where(temples, np.maximum(line, 0.06), line) + hair.recede_m * (s.face_back < -0.02)
    grown: Mask = (s.head > 0.5) & (s.face_up > line) & (s.eye < 0.3)
    return grown
