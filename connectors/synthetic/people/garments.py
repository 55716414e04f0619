"""Garments: cloth that stands off the skin, and parts worn on top of it."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from connectors.synthetic.people.body import Body, load_body_asset
from connectors.synthetic.people.person import Bag, Colour, Hair, Hat, Outfit, Person, Skirt
from connectors.synthetic.people.skeleton import BONE, BONES, Skeleton
from connectors.synthetic.people.surface import Covered, Surface, vertex_surface
from connectors.synthetic.people.textures import accessory_texture, band_texture, hair_texture

Points = NDArray[np.float64]
Weights = NDArray[np.float64]
"""Shape ``(N, B)``: how much each bone moves each point; rows sum to 1."""

SLOTS = ("skirt", "hair", "bag", "hat", "shoes")
"""Slots of the texture that hold the images of parts."""
SLOT_TEXELS = 128


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Something worn on top of the body.

    Attributes:
        slot: One of ``SLOTS``.
        vertices: Shape ``(N, 3)``, metres, at rest.
        weights: Shape ``(N, B)``.
        faces: Shape ``(F, 3)``.
        uv: Shape ``(N, 2)`` in [0, 1].
        image: Shape ``(SLOT_TEXELS, SLOT_TEXELS, 3)``, linear light.
    """

    slot: str
    vertices: Points
    weights: Weights
    faces: NDArray[np.int64]
    uv: NDArray[np.float64]
    image: NDArray[np.float32]


@cache
def _neighbours() -> csr_matrix:
    """Return the matrix that averages every vertex's neighbours."""
    asset = load_body_asset()
    edges = np.concatenate([asset.faces[:, [0, 1]], asset.faces[:, [1, 2]], asset.faces[:, [2, 0]]])
    ones = np.ones(len(edges))
    joined = csr_matrix((ones, (edges[:, 0], edges[:, 1])), shape=(asset.num_vertices, asset.num_vertices))
    joined = ((joined + joined.T) > 0).astype(np.float64)
    return diags(1 / np.asarray(joined.sum(axis=1)).ravel()) @ joined


def normals_of(vertices: Points, faces: NDArray[np.integer]) -> Points:
    """Return unit normals of vertices, shape ``(V, 3)``, weighted by the area of the faces around."""
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.stack(
        [np.bincount(faces.T.ravel(), np.tile(across[:, axis], 3), minlength=len(vertices)) for axis in range(3)],
        axis=1,
    )
    normals: Points = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
    return normals


def dress_skin(body: Body, person: Person, outfit: Outfit, covered: Covered, rng: np.random.Generator) -> Points:
    """Return the vertices of the body moved outwards by clothes and hair, shape ``(V, 3)``.

    Cloth hides the shape under it: covered skin is smoothed before it is moved.
    """
    faces, neighbours = load_body_asset().faces, _neighbours()
    clothed = (covered.top | covered.bottom | covered.hood)[:, None]
    vertices = body.vertices
    for _ in range(12):
        vertices = np.where(clothed, 0.4 * vertices + 0.6 * (neighbours @ vertices), vertices)
    for _ in range(40):
        vertices = np.where(covered.shoes[:, None], 0.3 * vertices + 0.7 * (neighbours @ vertices), vertices)
    offset = _offsets(vertex_surface(), person.hair, outfit, covered, rng)
    for _ in range(2):
        offset = 0.5 * offset + 0.5 * (neighbours @ offset)
    return vertices + normals_of(vertices, faces) * offset[:, None]


def _offsets(s: Surface, hair: Hair, outfit: Outfit, covered: Covered, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return how far each vertex moves outwards, metres."""
    a, b, c, d = rng.uniform(0, 6, 4)
    folds = np.sin(37 * s.rise + 9 * s.x + a) * np.sin(23 * s.x + 31 * s.y + 11 * s.rise + b)
    folds = folds + 0.6 * np.sin(61 * s.rise + 20 * np.abs(s.x) + c)
    wide = 1 + (0.25 + 0.55 * outfit.bottom.flare) * np.clip(s.along_leg - 0.6, 0, 1.4) * (s.leg > 0.5)
    curls = 1 + 0.25 * np.sin(55 * s.x + d) * np.sin(47 * s.y)
    crown = 0.55 + 0.45 * np.clip((s.face_up - 0.05) / 0.1, 0, 1)
    offset = np.where(covered.bottom, outfit.bottom.ease_m * (1 + 0.25 * folds) * wide, 0.0)
    offset = np.where(covered.top, outfit.top.ease_m * (1 + 0.30 * folds) + 0.004 * (s.trunk < 0.25), offset)
    offset = np.where(covered.shoes, -0.004, offset)
    offset = np.where(covered.hair, hair.volume_m * crown * curls, offset)
    offset = np.where(covered.hood, 0.03, offset)
    offset = np.where(covered.beard, 0.008, offset)
    return np.where(covered.gloves, 0.004, offset)


def make_parts(
    body: Body, person: Person, outfit: Outfit, standing: NDArray[np.float64], rng: np.random.Generator
) -> list[Part]:
    """Return the parts worn on top of the body.

    Args:
        body: Unclothed, at rest.
        person: The wearer.
        outfit: What is worn.
        standing: Shape ``(B, 3, 4)``: from rest to standing; hanging parts are shaped in that pose.
        rng: For cloth and hair.
    """
    skeleton = body.skeleton
    parts = [_shoe(body, side, outfit.shoes, outfit.soles, rng) for side in "LR"]
    if outfit.skirt:
        parts.append(_skirt(body, outfit.skirt, standing, rng))
    if person.hair.style not in ("short", "bald"):
        parts.append(_hair(skeleton, person.hair, rng))
    if outfit.bag:
        parts.append(_bag(body, outfit.bag, outfit.top.ease_m, standing, rng))
    if outfit.hat:
        parts.append(_hat(skeleton, outfit.hat, rng))
    return parts


@cache
def _sphere(columns: int, rows: int) -> tuple[Points, NDArray[np.int64], NDArray[np.float64]]:
    """Return points, faces and texture coordinates of the unit sphere."""
    down, around = np.mgrid[: rows + 1, : columns + 1]
    u, v = around.ravel() / columns, down.ravel() / rows
    longitude, polar = 2 * np.pi * u, np.pi * v
    points = np.stack([np.sin(polar) * np.cos(longitude), np.sin(polar) * np.sin(longitude), np.cos(polar)], axis=1)
    return points, _grid_faces(rows, columns), np.stack([u, v], axis=1)


def _grid_faces(rows: int, columns: int) -> NDArray[np.int64]:
    """Return the triangles of a grid of ``rows`` by ``columns`` cells."""
    first = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    below = first + columns + 1
    return np.concatenate([np.stack([first, below, first + 1], 1), np.stack([first + 1, below, below + 1], 1)])


def _rounded(points: Points, power: float) -> Points:
    """Return the points of a sphere pulled towards a box; ``power`` 1 is a sphere, 0 a box."""
    pulled = np.sign(points) * np.abs(points) ** power
    rounded: Points = pulled / np.abs(pulled).max(axis=0)
    return rounded


def _rigid(count: int, bone: str) -> Weights:
    weights = np.zeros((count, len(BONES)))
    weights[:, BONE[bone]] = 1
    return weights


def _at_rest(points: Points, weights: Weights, standing: NDArray[np.float64]) -> Points:
    """Return the rest positions of points that were placed on the standing body."""
    blended = np.tensordot(weights, standing, axes=1)
    return np.asarray(np.linalg.solve(blended[:, :, :3], (points - blended[:, :, 3])[..., None])[..., 0], np.float64)


def _posed(points: Points, bone: str, standing: NDArray[np.float64]) -> Points:
    matrix = standing[BONE[bone]]
    return points @ matrix[:, :3].T + matrix[:, 3]


def _skirt(body: Body, skirt: Skirt, standing: NDArray[np.float64], rng: np.random.Generator) -> Part:
    """Return a skirt of rings around hips and legs of the standing body; lower rings follow the thighs."""
    columns, rows = 35, 13
    asset, surface = load_body_asset(), vertex_surface()
    blended = (standing[asset.bone_ids] * asset.bone_weights[..., None, None]).sum(axis=1)
    posed = np.einsum("vij,vj->vi", blended[:, :, :3], body.vertices) + blended[:, :, 3]
    legs = posed[(surface.arm < 0.2) & (surface.head + surface.neck < 0.2) & (surface.trunk < 0.55)]
    hips = _posed(body.skeleton.head("root"), "root", standing)
    angles = np.linspace(0, 2 * np.pi, columns + 1)
    outwards = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    centre = legs[np.abs(legs[:, 2] - hips[2]) < 0.06][:, :2].mean(axis=0)
    heights = np.linspace(hips[2] + skirt.top_m, hips[2] - skirt.length_m, rows + 1)
    step_m = heights[0] - heights[1]
    rings, radii = [], np.zeros(columns + 1)
    for row, height in enumerate(heights):
        near = legs[np.abs(legs[:, 2] - height) < 0.045]
        reach = ((near[:, :2] - centre) @ outwards.T).max(axis=0) if len(near) else radii
        below = height < hips[2] + 0.02
        radii = np.maximum(
            np.maximum(reach, 0.02) + skirt.ease_m, (radii + skirt.flare * step_m) * (1.0 if below else 0.97)
        )
        inner = radii[:-1]
        radii = np.append((inner + np.roll(inner, 1) + np.roll(inner, -1)) / 3, 0.0)
        radii[-1] = radii[0]
        waved = radii * (1 + 0.02 * np.sin(9 * angles + 0.3 * row) * row / rows)
        rings.append(np.column_stack([centre + waved[:, None] * outwards, np.full(columns + 1, height)]))
    points = np.concatenate(rings)
    depth = np.clip((hips[2] - points[:, 2]) / 0.30, 0, 1)
    follow = 0.85 * depth * depth * (3 - 2 * depth)
    left = 0.5 + 0.5 * np.tanh((points[:, 0] - centre[0]) / 0.07)
    weights = _rigid(len(points), "root")
    weights[:, BONE["root"]] = 1 - follow
    weights[:, BONE["upper_leg.L"]] = follow * left
    weights[:, BONE["upper_leg.R"]] = follow * (1 - left)
    faces = _grid_faces(rows, columns)
    if skirt.open_front:
        # The body faces -y: that is three quarters around.
        column = faces[:, 0] % (columns + 1)
        faces = faces[np.abs(column / columns - 0.75) > 0.045]
    uv = np.stack([np.tile(angles / (2 * np.pi), rows + 1), np.repeat(np.arange(rows + 1) / rows, columns + 1)], axis=1)
    image = band_texture(skirt.fabric, SLOT_TEXELS, rng)
    return Part("skirt", _at_rest(points, weights, standing), weights, faces, uv, image)


def _hair(skeleton: Skeleton, hair: Hair, rng: np.random.Generator) -> Part:
    points, faces, uv = _sphere(19, 13)
    head = skeleton.head("head")
    length = {"long": 0.30, "bob": 0.16, "pony": 0.26}.get(hair.style, 0.0)
    if hair.style == "bun":
        shape = points * 0.045 + (0, 0.10, 0.13)
    elif hair.style == "afro":
        shape = points * (0.125, 0.125, 0.115) + (0, 0.02, 0.12)
    elif hair.style == "pony":
        shape = points * (0.03, 0.028, length / 2) + (0, 0.11, 0.08 - length / 2)
    else:
        half = (length + 0.16) / 2
        shape = points * (0.092, 0.062, half) + (0, 0.045, 0.12 - half)
        shape[:, 1] -= 0.02 * np.minimum(points[:, 2], 0)
    weights = _rigid(len(points), "head")
    if hair.style == "long":
        loose = 0.6 * np.clip(-points[:, 2], 0, 1)
        weights[:, BONE["head"]], weights[:, BONE["spine_high"]] = 1 - loose, loose
    return Part("hair", shape + head, weights, faces, uv, hair_texture(hair.colour, SLOT_TEXELS, rng))


def _hat(skeleton: Skeleton, hat: Hat, rng: np.random.Generator) -> Part:
    points, faces, uv = _sphere(19, 13)
    shape = points.copy()
    shape[:, 2] = np.maximum(shape[:, 2], -0.15)
    shape = shape * (0.098, 0.115, 0.11) + (0, 0.015, 0.115)
    brims = {"cap": ((0.075, 0.075, 0.008), (0, -0.12, 0.115)), "brim": ((0.17, 0.18, 0.008), (0, 0.01, 0.11))}
    if hat.kind in brims:
        radii, centre = brims[hat.kind]
        shape = np.concatenate([shape, points * radii + centre])
        faces, uv = np.concatenate([faces, faces + len(points)]), np.concatenate([uv, uv])
    second: Colour = tuple(0.6 * value for value in hat.colour) if hat.kind == "beanie" else hat.colour  # type: ignore[assignment]
    image = accessory_texture(hat.colour, second, SLOT_TEXELS, rng)
    return Part("hat", shape + skeleton.head("head"), _rigid(len(shape), "head"), faces, uv, image)


def _bag(body: Body, bag: Bag, ease_m: float, standing: NDArray[np.float64], rng: np.random.Generator) -> Part:
    points, faces, uv = _sphere(15, 11)
    skeleton, shape = body.skeleton, _rounded(points, 0.35) * bag.size
    back = skeleton.head("spine_mid")
    image = accessory_texture(bag.colour, bag.second, SLOT_TEXELS, rng)
    if bag.kind == "backpack":
        near = (np.abs(body.vertices[:, 2] - back[2]) < 0.05) & (np.abs(body.vertices[:, 0]) < 0.08)
        behind = body.vertices[near][:, 1].max() + 0.05 + ease_m
        placed = shape * (0.15, 0.075, 0.22) + (0, behind, back[2] + 0.08)
        return Part("bag", placed, _rigid(len(points), "spine_mid"), faces, uv, image)
    if bag.kind == "shoulder":
        placed = shape * (0.06, 0.15, 0.12) + (0.23 * bag.side, 0.0, skeleton.head("root")[2] + 0.02)
        return Part("bag", placed, _rigid(len(points), "spine_low"), faces, uv, image)
    hand = "hand.L" if bag.side > 0 else "hand.R"
    hangs = _posed(skeleton.head(hand), hand, standing) - (0, 0, 0.28)
    weights = _rigid(len(points), hand)
    placed = shape * (0.06, 0.19, 0.14) + hangs
    return Part("bag", _at_rest(placed, weights, standing), weights, faces, uv, image)


def _shoe(body: Body, side: str, colour: Colour, sole: Colour, rng: np.random.Generator) -> Part:
    """Return a shoe around the foot at rest; its tip bends with the toes."""
    points, faces, _ = _sphere(19, 13)
    sign = 1.0 if side == "L" else -1.0
    foot = body.vertices[(vertex_surface().foot > 0.5) & (body.vertices[:, 0] * sign > 0)]
    ankle, toe = body.skeleton.head(f"foot.{side}"), body.skeleton.head(f"toes.{side}")
    forward = (toe - ankle)[:2] / np.linalg.norm((toe - ankle)[:2])
    sideways = np.array([-forward[1], forward[0]])
    along, across = (foot[:, :2] - ankle[:2]) @ forward, (foot[:, :2] - ankle[:2]) @ sideways
    shape = _rounded(points, 0.6)
    share = (shape[:, 0] + 1) / 2
    reach = along.min() - 0.012 + share * (np.ptp(along) + 0.030)
    height = np.interp(share, [0, 0.3, 0.45, 0.7, 1], [0.085, 0.098, 0.082, 0.056, 0.040])
    width = np.interp(share, [0, 0.15, 0.35, 0.7, 0.9, 1], [0.6, 0.75, 0.78, 1.0, 0.9, 0.6])
    half = width * (np.ptp(across) / 2 + 0.006)
    up = np.where(shape[:, 2] < 0, np.maximum(0.02 * shape[:, 2], -0.016), shape[:, 2] * height)
    flat = ankle[:2] + reach[:, None] * forward
    flat += (shape[:, 1] * half + (across.max() + across.min()) / 2)[:, None] * sideways
    placed = np.column_stack([flat, foot[:, 2].min() + up + 0.004])
    bend = np.clip((share - 0.62) / 0.12, 0, 1)
    weights = _rigid(len(points), f"foot.{side}")
    weights[:, BONE[f"foot.{side}"]], weights[:, BONE[f"toes.{side}"]] = 1 - bend, bend
    image = accessory_texture(colour, colour, SLOT_TEXELS, rng)
    image[-SLOT_TEXELS // 5 :] = accessory_texture(sole, sole, SLOT_TEXELS, rng)[-SLOT_TEXELS // 5 :]
    lower = np.where(up < 0.012, 0.95, 0.3)
    return Part("shoes", placed, weights, faces, np.stack([np.full(len(points), 0.5), lower], axis=1), image)
