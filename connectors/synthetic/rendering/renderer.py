"""Rasterises people into the images of cameras and measures what each camera sees of each person."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import warp as wp
from numpy.typing import NDArray

from connectors.synthetic.people.figure import Figure
from connectors.synthetic.places.light import Light
from connectors.synthetic.rendering import kernels
from connectors.synthetic.rendering.background import Background
from connectors.synthetic.rendering.camera import Camera
from connectors.synthetic.rendering.warp_log import silence_warp

SLOT_VERTICES, SLOT_FACES = 17_000, 33_000
"""Capacity of a slot: vertices and faces of one figure. A test compares it with sampled figures."""
_SHADOW_TEXELS = 1024
_ANKLES = (15, 16)
_NOTHING = (0, 1 << 20, 1 << 20, -1, -1)
_SMALLEST_PX = 10.0
"""Height below which a person is not drawn, pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """A figure at its position in the world.

    Attributes:
        key: Person and outfit; the same key is the same figure.
        figure: Mesh and texture.
        bones: Shape ``(B, 3, 4)``: from rest to world coordinates.
    """

    key: tuple[int, int]
    figure: Figure
    bones: NDArray[np.float32]

    @property
    def keypoints(self) -> NDArray[np.float64]:
        """COCO keypoints in world coordinates, metres, shape ``(17, 3)``."""
        points: NDArray[np.float64] = np.einsum("bij,kbj->ki", self.bones.astype(np.float64), self.figure.keypoints)
        return points


@dataclass(frozen=True, slots=True, eq=False)
class Silhouette:
    """What a camera sees of one person, in pixels of its image.

    Attributes:
        own_px: Pixels that the person would cover without occlusion.
        visible_px: Pixels that the person covers.
        full_xyxy: Shape ``(4,)``: box of the silhouette without occlusion, clipped to the image.
        visible_xyxy: Shape ``(4,)``: box of the visible part; zeros if there is none.
        whole_xyxy: Shape ``(4,)``: box of the silhouette without occlusion, not clipped to the image.
        keypoints: Shape ``(17, 3)``: x, y, and 0 outside the image, 1 hidden, 2 visible.
        mask: Shape ``(h, w)``, bool: which of the whole pixels of ``full_xyxy`` the person covers.
    """

    own_px: float
    visible_px: float
    full_xyxy: NDArray[np.float32]
    visible_xyxy: NDArray[np.float32]
    whole_xyxy: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    mask: NDArray[np.bool_]


class _View:
    """Buffers of one camera."""

    def __init__(self, camera: Camera, background: Background, supersample: int, device: str) -> None:
        self.camera = camera
        self.scaled = camera.scaled(supersample)
        height, width = self.scaled.size_hw
        projection = self.scaled.intrinsics @ np.column_stack(
            [self.scaled.rotation, -self.scaled.rotation @ np.asarray(self.scaled.position)]
        )
        self.projection = kernels.mat34(projection.astype(np.float32))
        self.depth = wp.zeros((height, width), dtype=wp.uint64, device=device)
        self.image = wp.zeros((height, width), dtype=wp.vec3, device=device)
        self.owners = wp.zeros((height, width), dtype=wp.int32, device=device)
        self.ground_depth = wp.array(background.depth, dtype=wp.float32, device=device)
        self.ground_position = wp.array(background.position, dtype=wp.vec3, device=device)
        self.unlit = wp.array(background.unlit, dtype=wp.vec3, device=device)
        self.sunlit = wp.array(background.sunlit, dtype=wp.vec3, device=device)


class Renderer:
    """Renders people in one place, camera by camera.

    Args:
        cameras: The views.
        backgrounds: Of each camera, at ``supersample`` times its width and height.
        light: Sun and sky.
        bounds: Left, back, right, front of the area with people, metres; the shadow map covers it.
        supersample: Samples per pixel along each side.
        device: cpu or cuda.
    """

    def __init__(
        self,
        cameras: Sequence[Camera],
        backgrounds: Sequence[Background],
        light: Light,
        *,
        bounds: tuple[float, float, float, float],
        supersample: int,
        device: str,
    ) -> None:
        silence_warp()
        self._device = device
        self._supersample = supersample
        self._light = light
        self._to_light = kernels.mat34(_light_matrix(light, bounds).astype(np.float32))
        self._views = [
            _View(camera, background, supersample, device)
            for camera, background in zip(cameras, backgrounds, strict=True)
        ]
        self._shadows = wp.zeros((_SHADOW_TEXELS, _SHADOW_TEXELS), dtype=wp.uint64, device=device)
        cells = _SHADOW_TEXELS // int(kernels.CELL)
        self._occupied = wp.zeros((cells, cells), dtype=wp.int32, device=device)
        self._slots: dict[tuple[int, int], int] = {}
        self._num_slots = 0
        self._actors: dict[int, Actor] = {}
        self._grow(8)

    def place(self, actors: Sequence[Actor]) -> None:
        """Set the people of one moment, which ``render`` then draws."""
        self._assign_slots(actors)
        self._actors = {self._slots[actor.key]: actor for actor in actors}
        self._shadows.fill_(kernels.EMPTY)
        for slot, actor in self._actors.items():
            count, first = len(actor.figure.vertices), slot * SLOT_VERTICES
            bones = wp.array(actor.bones, dtype=kernels.mat34, device=self._device)
            rest = (self._vertices, self._normals, self._bone_ids, self._bone_weights)
            self._launch(kernels.skin, count, first, *rest, bones, self._positions, self._turned)
            self._draw(slot, self._to_light, self._shadows, parallel=1)
        self._occupied.zero_()
        self._launch(kernels.occupy, self._shadows.shape, self._shadows, self._occupied)

    def render(self, number: int) -> tuple[NDArray[np.float32], dict[tuple[int, int], Silhouette]]:
        """Draw the image of camera ``number``.

        Returns:
            Linear light, shape ``(H, W, 3)``, and the silhouette of each person in the image by key.
        """
        view = self._views[number]
        view.depth.fill_(kernels.EMPTY)
        self._seen.zero_()
        nothing = np.tile(np.array(_NOTHING, np.int32), (self._num_slots, 1))
        silhouettes = wp.array(nothing, dtype=wp.int32, device=self._device)
        visible = wp.array(nothing, dtype=wp.int32, device=self._device)
        near = [slot for slot, actor in self._actors.items() if _in_sight(actor, view.scaled)]
        height, width = view.scaled.size_hw
        seen = self._seen[:, :height, :width] if self._seen.shape[1:] != (height, width) else self._seen
        for slot in near:
            self._draw(slot, view.projection, view.depth, parallel=0, seen=seen, silhouettes=silhouettes)
        self._shade(view, near, visible)
        image = view.image.numpy()
        if self._supersample > 1:
            image = cv2.resize(image, view.camera.size_hw[::-1], interpolation=cv2.INTER_AREA)
        else:
            image = image.copy()
        return image, self._silhouettes(view, near, silhouettes.numpy(), visible.numpy())

    def _launch(self, kernel: wp.Kernel, dim: int | tuple[int, ...], *inputs: object) -> None:
        wp.launch(kernel, dim, inputs=list(inputs), device=self._device)

    def _draw(
        self,
        slot: int,
        camera: object,
        depth: wp.array,
        *,
        parallel: int,
        seen: wp.array | None = None,
        silhouettes: wp.array | None = None,
    ) -> None:
        figure = self._actors[slot].figure
        first = slot * SLOT_VERTICES
        self._launch(kernels.project, len(figure.vertices), first, self._positions, camera, parallel, self._screen)
        into = (depth, self._seen if seen is None else seen, self._boxes if silhouettes is None else silhouettes)
        first = slot * SLOT_FACES
        self._launch(kernels.rasterise, len(figure.faces), first, slot, self._faces, self._screen, parallel, *into)

    def _shade(self, view: _View, near: list[int], visible: wp.array) -> None:
        feet, boxes = _feet([self._actors[slot] for slot in near], view.scaled)
        detail = np.ones(self._num_slots, np.int32)
        for slot in near:
            centre = self._actors[slot].keypoints[11:13].mean(axis=0)
            distance = max(float(np.linalg.norm(centre - np.asarray(view.camera.position))), 0.5)
            detail[slot] = 0 if 1.7 * view.scaled.focal_px / distance > 220 else 1
        self._launch(
            kernels.shade,
            view.scaled.size_hw,
            *(view.depth, self._faces, self._uv, self._screen, self._positions, self._turned, SLOT_FACES),
            *(self._fine, self._coarse, wp.array(detail, dtype=wp.int32, device=self._device)),
            *(view.ground_depth, view.ground_position, view.unlit, view.sunlit),
            *(self._shadows, self._occupied, self._to_light),
            *(wp.vec3(*self._light.to_sun), wp.vec3(*self._light.sun_rgb)),
            *(wp.vec3(*self._light.ambient_rgb), wp.vec3(*view.camera.position), int(self._light.softness_px)),
            *(wp.array(feet, dtype=wp.vec3, device=self._device), wp.array(boxes, dtype=wp.vec4, device=self._device)),
            *(len(feet) if near else 0, view.image, view.owners, visible),
        )

    def _silhouettes(
        self, view: _View, near: list[int], silhouettes: NDArray[np.int32], visible: NDArray[np.int32]
    ) -> dict[tuple[int, int], Silhouette]:
        """Return the silhouettes from the counted pixels of each person in the image."""
        scale = self._supersample
        depth, owners, screen = view.depth.numpy(), view.owners.numpy(), self._screen.numpy()
        seen = {}
        for slot in near:
            if not silhouettes[slot, 0]:
                continue
            actor, first = self._actors[slot], slot * SLOT_VERTICES
            vertices = screen[first : first + len(actor.figure.vertices)]
            seen[actor.key] = Silhouette(
                own_px=float(silhouettes[slot, 0]) / scale**2,
                visible_px=float(visible[slot, 0]) / scale**2,
                full_xyxy=(full := _box(silhouettes[slot], scale)),
                visible_xyxy=_box(visible[slot], scale),
                whole_xyxy=_whole_box(silhouettes[slot], vertices, view.scaled.size_hw, scale),
                keypoints=_visible_keypoints(actor, slot, view, depth, owners, scale),
                mask=_mask(owners, slot, full, scale),
            )
        return seen

    def _assign_slots(self, actors: Sequence[Actor]) -> None:
        """Give each new person a slot, and free the slots of people who left."""
        present = {actor.key for actor in actors}
        for key in [key for key in self._slots if key not in present]:
            del self._slots[key]
        if len(actors) > self._num_slots:
            self._grow(len(actors) + max(8, len(actors) // 4))
        free = iter(sorted(set(range(self._num_slots)) - set(self._slots.values())))
        for actor in actors:
            if actor.key not in self._slots:
                self._slots[actor.key] = next(free)
                self._load(self._slots[actor.key], actor.figure)

    def _load(self, slot: int, figure: Figure) -> None:
        """Copy a figure into its slot."""
        first = slot * SLOT_VERTICES
        pairs = (
            (self._vertices, figure.vertices, wp.vec3, first),
            (self._normals, figure.normals, wp.vec3, first),
            (self._bone_ids, figure.bone_ids, wp.int32, first),
            (self._bone_weights, figure.bone_weights, wp.float32, first),
            (self._faces, figure.faces + np.int32(first), wp.vec3i, slot * SLOT_FACES),
            (self._uv, figure.uv, wp.vec2, slot * SLOT_FACES),
        )
        for target, values, dtype, start in pairs:
            source = wp.array(np.ascontiguousarray(values), dtype=dtype, device=self._device)
            wp.copy(target[start : start + len(values)], source)
        size = (figure.texture.shape[1] // 2, figure.texture.shape[0] // 2)
        small = cv2.resize(figure.texture, size, interpolation=cv2.INTER_AREA)
        for textures, image in ((self._fine, figure.texture), (self._coarse, small)):
            wp.copy(textures[slot], wp.array(image, dtype=wp.uint8, device=self._device))

    def _grow(self, num_slots: int) -> None:
        """Allocate this many slots; all figures must be loaded again."""
        self._num_slots, self._slots = num_slots, {}
        vertices, faces, on = num_slots * SLOT_VERTICES, num_slots * SLOT_FACES, {"device": self._device}
        self._vertices, self._normals, self._positions, self._turned, self._screen = (
            wp.zeros(vertices, dtype=wp.vec3, **on) for _ in range(5)
        )
        self._bone_ids = wp.zeros((vertices, 4), dtype=wp.int32, **on)
        self._bone_weights = wp.zeros((vertices, 4), dtype=wp.float32, **on)
        self._faces = wp.zeros(faces, dtype=wp.vec3i, **on)
        self._uv = wp.zeros((faces, 3), dtype=wp.vec2, **on)
        self._boxes = wp.zeros((num_slots, 5), dtype=wp.int32, **on)
        height = max(view.scaled.size_hw[0] for view in self._views)
        width = max(view.scaled.size_hw[1] for view in self._views)
        self._seen = wp.zeros(((num_slots + 31) // 32, height, width), dtype=wp.int32, **on)
        self._fine = wp.zeros((num_slots, *_TEXTURE_HW, 3), dtype=wp.uint8, **on)
        self._coarse = wp.zeros((num_slots, _TEXTURE_HW[0] // 2, _TEXTURE_HW[1] // 2, 3), dtype=wp.uint8, **on)


_TEXTURE_HW = (384, 768)


def bones_in_place(bones: NDArray[np.float32], *, x: float, y: float, heading: float) -> NDArray[np.float32]:
    """Return the matrices moved from the origin, facing -y, to ``x``, ``y``, facing ``heading``.

    Args:
        bones: Shape ``(B, 3, 4)``.
        x: Metres.
        y: Metres.
        heading: Radians; 0 faces +x, counter-clockwise.
    """
    angle = heading + np.pi / 2
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]], np.float32)
    placed = np.einsum("ij,bjk->bik", turn, bones)
    placed[:, :, 3] += np.array([x, y, 0.0], np.float32)
    return np.ascontiguousarray(placed, np.float32)


def _light_matrix(light: Light, bounds: tuple[float, float, float, float]) -> NDArray[np.float64]:
    """Return the matrix from world coordinates to texels and depth of the shadow map, shape ``(3, 4)``."""
    away = np.asarray(light.to_sun, np.float64)
    right = np.cross(away, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    up = np.cross(away, right)
    left, back, far_right, front = bounds
    centre = np.array([(left + far_right) / 2, (back + front) / 2, 1.0])
    reach = np.hypot(far_right - left, front - back) / 2 + 2.5
    scale = _SHADOW_TEXELS / (2 * reach)
    rows = np.stack([right * scale, up * scale, -away])
    # Depth is measured from a plane above all people, towards the ground.
    offset = np.array([_SHADOW_TEXELS / 2, _SHADOW_TEXELS / 2, 2 * reach + 20.0])
    return np.column_stack([rows, offset - rows @ centre])


def _in_sight(actor: Actor, camera: Camera) -> bool:
    """Return whether a person may be in the image: their keypoints with an arm's length around."""
    points = camera.project(actor.keypoints)
    depth = points[:, 2]
    if depth.max() < 0.3 or 1.7 * camera.focal_px < _SMALLEST_PX * depth.min():
        return False
    margin = 0.5 * camera.focal_px / max(float(depth.min()), 0.3)
    height, width = camera.size_hw
    x, y = points[:, 0], points[:, 1]
    if depth.min() < 0.3:
        return True
    return bool(x.max() > -margin and x.min() < width + margin and y.max() > -margin and y.min() < height + margin)


def _feet(actors: Sequence[Actor], camera: Camera) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the ground points below the feet, shape ``(N, 3)``, and boxes of the pixels they darken, ``(N, 4)``."""
    if not actors:
        return np.zeros((1, 3), np.float32), np.zeros((1, 4), np.float32)
    feet = np.concatenate([actor.keypoints[list(_ANKLES)] for actor in actors])
    feet[:, 2] = 0
    points = camera.project(feet)
    reach = 0.65 * camera.focal_px / np.maximum(points[:, 2], 0.5)
    boxes = np.column_stack([points[:, :2] - reach[:, None], points[:, :2] + reach[:, None]])
    return feet.astype(np.float32), boxes.astype(np.float32)


def _box(counted: NDArray[np.int32], scale: int) -> NDArray[np.float32]:
    """Return the box of counted pixels: left, top, right, bottom."""
    if not counted[0]:
        return np.zeros(4, np.float32)
    return (counted[1:] + np.array([0, 0, 1, 1])).astype(np.float32) / np.float32(scale)


def _mask(owners: NDArray[np.int32], slot: int, box_xyxy: NDArray[np.float32], scale: int) -> NDArray[np.bool_]:
    """Return the pixels of a box of which most samples are owned by a slot; a pixel has ``scale`` samples a side."""
    left, top = np.floor(box_xyxy[:2]).astype(int)
    right, bottom = np.ceil(box_xyxy[2:]).astype(int)
    samples = owners[top * scale : bottom * scale, left * scale : right * scale] == slot
    mask: NDArray[np.bool_] = samples.reshape(bottom - top, scale, right - left, scale).mean((1, 3)) >= 0.5
    return mask


def _whole_box(
    counted: NDArray[np.int32], vertices: NDArray[np.float32], size_hw: tuple[int, int], scale: int
) -> NDArray[np.float32]:
    """Return the box of a silhouette not clipped to the image; ``vertices`` are its screen points, shape ``(V, 3)``."""
    if counted[1] > 0 and counted[2] > 0 and counted[3] < size_hw[1] - 1 and counted[4] < size_hw[0] - 1:
        return _box(counted, scale)
    points = vertices[vertices[:, 2] > 0, :2]
    return np.asarray(np.concatenate([points.min(axis=0), points.max(axis=0)]) / scale, np.float32)


def _visible_keypoints(
    actor: Actor, slot: int, view: _View, depth: NDArray[np.uint64], owners: NDArray[np.int32], scale: int
) -> NDArray[np.float32]:
    """Return keypoints in the image, shape ``(17, 3)``: visible unless something else is in front."""
    points = view.scaled.project(actor.keypoints)
    height, width = view.scaled.size_hw
    columns, rows = np.floor(points[:, 0]).astype(int), np.floor(points[:, 1]).astype(int)
    inside = (points[:, 2] > 0) & (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    columns, rows = np.clip(columns, 0, width - 1), np.clip(rows, 0, height - 1)
    in_front = (depth[rows, columns] >> np.uint64(32)).astype(np.float64) / 20000
    # Joints lie inside the body, up to 16 cm below the skin.
    visible = inside & (owners[rows, columns] == slot) & (points[:, 2] - in_front < 0.16)
    state = np.where(visible, 2, np.where(inside, 1, 0))
    return np.column_stack([points[:, :2] / scale, state]).astype(np.float32)
