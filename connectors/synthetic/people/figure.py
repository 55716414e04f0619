"""A person ready to render: a skinned mesh, a texture, and animation clips."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from connectors.synthetic.people.body import Body, load_body_asset
from connectors.synthetic.people.colour import to_srgb
from connectors.synthetic.people.gait import ACTIONS, NUM_PHASES, SECONDS_PER_CYCLE, rotations
from connectors.synthetic.people.garments import SLOT_TEXELS, SLOTS, Part, dress_skin, make_parts, normals_of
from connectors.synthetic.people.person import Person
from connectors.synthetic.people.skeleton import BONES, Skeleton
from connectors.synthetic.people.surface import cover, texel_surface, vertex_surface
from connectors.synthetic.people.textures import body_texture

NUM_WEIGHTS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """One person in one outfit.

    Attributes:
        vertices: Shape ``(V, 3)``, float32, metres, at rest.
        normals: Shape ``(V, 3)``, float32, unit.
        bone_ids: Shape ``(V, 4)``, int32.
        bone_weights: Shape ``(V, 4)``, float32, rows sum to 1.
        faces: Shape ``(F, 3)``, int32.
        uv: Shape ``(F, 3, 2)``, float32, in [0, 1] of ``texture``.
        texture: Shape ``(S, 2 S, 3)``, uint8, sRGB: the body on the left, the parts on the right.
        clips: For each action, shape ``(P, B, 3, 4)``: from rest to a pose on the ground at the origin, facing -y.
        shares: Shape ``(P + 1,)``, from 0 to 1: share of a cycle's distance covered at each phase of walking.
        cycle_m: Distance of one cycle (two steps), metres.
        keypoints: Shape ``(17, B, 4)``: a COCO keypoint is the sum over bones of each matrix times its row.
        height_m: Height of the highest vertex when standing, metres.
    """

    vertices: NDArray[np.float32]
    normals: NDArray[np.float32]
    bone_ids: NDArray[np.int32]
    bone_weights: NDArray[np.float32]
    faces: NDArray[np.int32]
    uv: NDArray[np.float32]
    texture: NDArray[np.uint8]
    clips: dict[str, NDArray[np.float32]]
    shares: NDArray[np.float64]
    cycle_m: float
    keypoints: NDArray[np.float64]
    height_m: float

    def pose(self, action: str, *, walked_m: float, time_s: float, walking: float) -> NDArray[np.float32]:
        """Return the matrices of the bones, shape ``(B, 3, 4)``, at the origin, facing -y.

        Args:
            action: One of ``ACTIONS``: what the person does while standing.
            walked_m: Distance walked since entering, metres.
            time_s: Any clock, seconds; animates a standing person.
            walking: From 0, standing, to 1, walking.
        """
        share = (walked_m / self.cycle_m) % 1.0
        walk = _at_phase(self.clips["walk"], float(np.interp(share, self.shares, np.arange(NUM_PHASES + 1))))
        if walking >= 1.0:
            return walk
        resting = "stand" if action == "walk" else action
        phase = (time_s / SECONDS_PER_CYCLE[resting]) % 1.0 * NUM_PHASES
        return walk * np.float32(walking) + _at_phase(self.clips[resting], phase) * np.float32(1 - walking)


def _at_phase(clip: NDArray[np.float32], phase: float) -> NDArray[np.float32]:
    """Return the matrices between two phases; neighbours are so close that linear mixing keeps them rigid."""
    first = int(phase) % NUM_PHASES
    share = np.float32(phase - int(phase))
    return clip[first] * (1 - share) + clip[(first + 1) % NUM_PHASES] * share


def make_figure(person: Person, outfit_number: int) -> Figure:
    """Return a person dressed in one of their outfits; the same arguments give the same figure, bit for bit."""
    asset, outfit = load_body_asset(), person.outfits[outfit_number]
    rng = np.random.default_rng([person.seed, outfit_number])
    body = _scaled(asset.body(asset.coefficients[person.body]), person.height_m)
    carries = ""
    if outfit.bag and outfit.bag.kind == "hand":
        carries = "L" if outfit.bag.side > 0 else "R"
    clips = {
        action: body.skeleton.pose(rotations(action, body.skeleton, person.gait, carries=carries)) for action in ACTIONS
    }
    shares, cycle_m = _advance(clips["walk"], body.skeleton)
    skin = dress_skin(body, person, outfit, cover(vertex_surface(), outfit, person.hair), rng)
    parts = make_parts(body, person, outfit, clips["stand"][0], rng)
    weights = np.zeros((asset.num_vertices, len(BONES)))
    np.put_along_axis(weights, asset.bone_ids.astype(np.int64), asset.bone_weights, axis=1)
    texels = texel_surface()
    painted = body_texture(texels, cover(texels, outfit, person.hair), person, outfit, rng)
    texture, slots = _lay_out(painted, parts)
    vertices, all_weights, faces, uv = _join(skin, weights, parts, slots)
    top_weights = np.argsort(-all_weights, axis=1, kind="stable")[:, :NUM_WEIGHTS]
    grounded = {action: _on_ground(clip, vertices, all_weights) for action, clip in clips.items()}
    standing = np.tensordot(all_weights, grounded["stand"][0], axes=1)
    heights = np.einsum("vj,vj->v", standing[:, 2, :3], vertices) + standing[:, 2, 3]
    homogeneous = np.concatenate([body.vertices, np.ones((len(body.vertices), 1))], axis=1)
    return Figure(
        vertices=vertices.astype(np.float32),
        normals=normals_of(vertices, faces).astype(np.float32),
        bone_ids=top_weights.astype(np.int32),
        bone_weights=np.take_along_axis(all_weights, top_weights, axis=1).astype(np.float32),
        faces=faces.astype(np.int32),
        uv=uv.astype(np.float32),
        texture=texture,
        clips={action: clip.astype(np.float32) for action, clip in grounded.items()},
        shares=shares,
        cycle_m=cycle_m,
        keypoints=np.einsum("kv,vb,vi->kbi", asset.keypoint_weights, weights, homogeneous, optimize=True),
        height_m=float(heights.max()),
    )


def _scaled(body: Body, height_m: float) -> Body:
    """Return the body at this height, feet on the floor."""
    floor = body.vertices[:, 2].min()
    scale = height_m / np.ptp(body.vertices[:, 2])
    lowered = np.array([0.0, 0.0, floor])
    return Body((body.vertices - lowered) * scale, Skeleton((body.skeleton.heads - lowered) * scale))


def _advance(clip: NDArray[np.float64], skeleton: Skeleton) -> tuple[NDArray[np.float64], float]:
    """Return ``Figure.shares`` and ``Figure.cycle_m``, such that the foot on the ground does not slide."""
    ankles = []
    for side in "LR":
        bone = BONES.index(f"foot.{side}")
        ankles.append(clip[:, bone, :, :3] @ skeleton.heads[bone] + clip[:, bone, :, 3])
    placed = np.stack(ankles)  # 2, P, 3
    stands = placed[:, :, 2].argmin(axis=0)
    phases = np.arange(NUM_PHASES)
    backwards = placed[stands, (phases + 1) % NUM_PHASES, 1] - placed[stands, phases, 1]
    distance = np.concatenate([[0.0], np.cumsum(np.maximum(backwards, 1e-4))])
    return distance / distance[-1], float(distance[-1])


def _on_ground(
    clip: NDArray[np.float64], vertices: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the clip shifted vertically so that the lowest point touches the floor at each phase."""
    low = np.flatnonzero(
        weights[:, [BONES.index(f"{bone}.{side}") for bone in ("foot", "toes") for side in "LR"]].sum(1) > 0.5
    )
    blended = np.tensordot(weights[low], clip, axes=([1], [1]))  # N, P, 3, 4
    heights = np.einsum("vpj,vj->pv", blended[:, :, 2, :3], vertices[low]) + blended[:, :, 2, 3].T
    raised = clip.copy()
    raised[:, :, 2, 3] -= heights.min(axis=1)[:, None]
    return raised


def _lay_out(body: NDArray[np.float32], parts: list[Part]) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.float64]]]:
    """Return the texture, and for each slot its left, top, width and height as shares of the texture."""
    size = body.shape[0]
    image = np.zeros((size, 2 * size, 3), np.float32)
    image[:, :size] = body
    slots = {}
    for number, name in enumerate(SLOTS):
        left, top = size + number % 2 * SLOT_TEXELS, number // 2 * SLOT_TEXELS
        for part in parts:
            if part.slot == name:
                image[top : top + SLOT_TEXELS, left : left + SLOT_TEXELS] = part.image
        slots[name] = np.array([left + 1, top + 1, SLOT_TEXELS - 2, SLOT_TEXELS - 2]) / (2 * size, size, 2 * size, size)
    return to_srgb(image), slots


def _join(
    skin: NDArray[np.float64], weights: NDArray[np.float64], parts: list[Part], slots: dict[str, NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Return vertices, weights, faces and texture coordinates of body and parts."""
    asset = load_body_asset()
    all_faces = [asset.faces.astype(np.int64)]
    all_uv = [asset.uv * np.array([0.5, 1.0])]
    count = len(skin)
    for part in parts:
        slot = slots[part.slot]
        all_faces.append(part.faces + count)
        all_uv.append((slot[:2] + part.uv * slot[2:])[part.faces])
        count += len(part.vertices)
    return (
        np.concatenate([skin, *(part.vertices for part in parts)]),
        np.concatenate([weights, *(part.weights for part in parts)]),
        np.concatenate(all_faces),
        np.concatenate(all_uv),
    )
