"""A camera's view of a place without people: ray-traced once, then shown behind all people."""

from dataclasses import dataclass

import cv2
import numpy as np
import warp as wp
from numpy.typing import NDArray

from connectors.synthetic.places.light import Light
from connectors.synthetic.places.materials import Material, Pixels, clouds, noise, surface
from connectors.synthetic.places.place import Place
from connectors.synthetic.places.primitives import Box, Ellipsoid, Primitive
from connectors.synthetic.rendering.camera import Camera
from connectors.synthetic.rendering.warp_log import silence_warp

FAR = 1000.0
"""Depth of the sky, metres."""
_SUN_RAYS = 4
"""Shadow rays per pixel. More make the edges of shadows smoother and the tracing slower."""
_SKY_RAYS = 12
"""Ambient-occlusion rays per pixel. More make corners less noisy and the tracing slower."""
_NEAR_M = 2.5
"""Length of ambient-occlusion rays, metres: corners darken over about this distance. Longer is darker and slower."""
_BURIED = Box((0.0, 0.0, -1000.0), (1.0, 1.0, -999.0), Material("plain", (0, 0, 0)))


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """One camera's view of a place without people.

    Attributes:
        depth: Shape ``(H, W)``, float32, metres along the optical axis; `FAR` where there is sky.
        position: Shape ``(H, W, 3)``, float32, world coordinates, metres.
        unlit: Shape ``(H, W, 3)``, float32, linear radiance from ambient light and lamps, darker in corners.
        sunlit: Shape ``(H, W, 3)``, float32, linear radiance added by the sun; 0 in the shadow of objects.
    """

    depth: Pixels
    position: Pixels
    unlit: Pixels
    sunlit: Pixels


def render_background(place: Place, camera: Camera, *, device: str = "cpu") -> Background:
    """Ray-trace a camera's view of a place without people, at the camera's size.

    Args:
        place: Its primitives and light are used.
        camera: The view.
        device: ``cpu`` or ``cuda:0``.
    """
    silence_warp()
    depth, normal, primitive, sun, sky = _trace_rays(place, camera, device)
    height, width = camera.size_hw
    x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / camera.focal_px
    y = (np.arange(height, dtype=np.float32) + 0.5 - height / 2) / camera.focal_px
    to_world = camera.rotation.astype(np.float32)
    rays = x[None, :, None] * to_world[0] + y[:, None, None] * to_world[1] + to_world[2]
    position = np.asarray(camera.position, np.float32) + rays * depth[..., None]
    albedo, glow = _surface_colours(place, primitive, position, normal, depth / np.float32(camera.focal_px))
    light = place.light
    open_sky = _smooth(sky, depth)[..., None]
    facing = np.clip(normal @ np.asarray(light.to_sun, np.float32), 0, 1)
    unlit = albedo * np.asarray(light.ambient_rgb, np.float32) * (0.62 + 0.38 * normal[..., 2:]) * open_sky + glow
    sunlit = albedo * np.asarray(light.sun_rgb, np.float32) * (facing * sun)[..., None]
    above = primitive < 0
    unlit[above] = _sky(light, rays[above])
    sunlit[above] = 0
    return Background(depth, position, unlit.astype(np.float32), sunlit.astype(np.float32))


def _smooth(sky: Pixels, depth: Pixels) -> Pixels:
    """Denoise: average over neighbouring pixels of about the same depth."""
    total, weight = np.zeros_like(sky), np.zeros_like(sky)
    log_depth = np.log(depth)
    for dy, dx in ((0, 0), (0, 2), (2, 0), (0, -2), (-2, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)):
        move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
        size = (sky.shape[1], sky.shape[0])
        near = cv2.warpAffine(sky, move, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        there = cv2.warpAffine(log_depth, move, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        same = (np.abs(there - log_depth) < 0.02).astype(np.float32)
        total += near * same
        weight += same
    return total / weight


def _sky(light: Light, rays: Pixels) -> Pixels:
    up = rays[:, 2] / np.linalg.norm(rays, axis=1)
    wisps = clouds(rays[:, 0] / (np.abs(rays[:, 2]) + 0.2), rays[:, 1] / (np.abs(rays[:, 2]) + 0.2), 3)
    bright = 0.75 + 0.4 * np.clip(up, 0, 1) + 0.35 * (wisps - 0.5)
    return np.asarray(bright[:, None] * np.asarray(light.ambient_rgb) * (0.85, 0.97, 1.1), np.float32)


@wp.func
def _hit(kind: int, a: wp.vec3, b: wp.vec3, start: wp.vec3, direction: wp.vec3) -> float:
    """Return the distance to one primitive; 1e9 if the ray misses it or starts inside it."""
    miss = wp.float32(1.0e9)
    if kind == 0:
        near = wp.float32(-1.0e9)
        far = wp.float32(1.0e9)
        for i in range(3):
            step = direction[i]
            if wp.abs(step) < 1.0e-9:
                step = 1.0e-9
            t1 = (a[i] - start[i]) / step
            t2 = (b[i] - start[i]) / step
            near = wp.max(near, wp.min(t1, t2))
            far = wp.min(far, wp.max(t1, t2))
        if far >= near and near > 1.0e-3:
            return float(near)
        return miss
    if kind == 1:
        p = wp.cw_div(start - a, b)
        q = wp.cw_div(direction, b)
        qq = wp.dot(q, q)
        pq = wp.dot(p, q)
        root = pq * pq - qq * (wp.dot(p, p) - 1.0)
        if root > 0.0:
            t = (-pq - wp.sqrt(root)) / qq
            if t > 1.0e-3:
                return t
        return miss
    # Vertical cylinder: a is the centre of its base, b holds radius, unused, top.
    best = miss
    px = start[0] - a[0]
    py = start[1] - a[1]
    flat = direction[0] * direction[0] + direction[1] * direction[1]
    if flat > 1.0e-12:
        half = px * direction[0] + py * direction[1]
        root = half * half - flat * (px * px + py * py - b[0] * b[0])
        if root > 0.0:
            t = (-half - wp.sqrt(root)) / flat
            z = start[2] + t * direction[2]
            if t > 1.0e-3 and z > a[2] and z < b[2]:
                best = t
    if direction[2] < -1.0e-9:
        t = (b[2] - start[2]) / direction[2]
        x = px + t * direction[0]
        y = py + t * direction[1]
        if t > 1.0e-3 and t < best and x * x + y * y < b[0] * b[0]:
            best = t
    return best


@wp.func
def _first(
    tree: wp.uint64,
    kinds: wp.array[int],
    firsts: wp.array[wp.vec3],
    seconds: wp.array[wp.vec3],
    start: wp.vec3,
    direction: wp.vec3,
    until: float,
    skip_lamps: bool,
) -> wp.vec2:
    """Return the distance to the first primitive and its index; -1: none before ``until``.

    With ``skip_lamps`` any blocking primitive is returned: the ray asks only whether light is blocked.
    """
    best = until
    found = wp.int32(-1)
    query = wp.bvh_query_ray(tree, start, direction)
    i = wp.int32(0)
    while wp.bvh_query_next(query, i, best):
        kind = kinds[i]
        if skip_lamps and kind >= 4:
            continue
        t = _hit(kind % 4, firsts[i], seconds[i], start, direction)
        if t < best:
            best = t
            found = i
            # Any primitive blocks the light.
            if skip_lamps:
                best = 0.0
    return wp.vec2(best, float(found))


@wp.func
def _normal(kind: int, a: wp.vec3, b: wp.vec3, p: wp.vec3) -> wp.vec3:
    if kind == 0:
        q = wp.cw_div(p - (a + b) * 0.5, (b - a) * 0.5)
        size = wp.vec3(wp.abs(q[0]), wp.abs(q[1]), wp.abs(q[2]))
        if size[0] >= size[1] and size[0] >= size[2]:
            return wp.vec3(wp.sign(q[0]), 0.0, 0.0)
        if size[1] >= size[2]:
            return wp.vec3(0.0, wp.sign(q[1]), 0.0)
        return wp.vec3(0.0, 0.0, wp.sign(q[2]))
    if kind == 1:
        return wp.normalize(wp.cw_div(p - a, wp.cw_mul(b, b)))
    if p[2] > b[2] - 1.0e-3:
        return wp.vec3(0.0, 0.0, 1.0)
    return wp.normalize(wp.vec3(p[0] - a[0], p[1] - a[1], 0.0))


@wp.kernel(enable_backward=False)
def _trace_kernel(
    tree: wp.uint64,
    kinds: wp.array[int],
    firsts: wp.array[wp.vec3],
    seconds: wp.array[wp.vec3],
    eye: wp.vec3,
    rotation: wp.mat33,
    focal: float,
    to_sun: wp.vec3,
    sun_spread: float,
    depth: wp.array2d[float],
    normal: wp.array2d[wp.vec3],
    primitive: wp.array2d[int],
    sun: wp.array2d[float],
    sky: wp.array2d[float],
) -> None:
    y, x = wp.tid()
    across = (float(x) + 0.5 - 0.5 * float(depth.shape[1])) / focal
    down = (float(y) + 0.5 - 0.5 * float(depth.shape[0])) / focal
    forward = wp.transpose(rotation) * wp.vec3(across, down, 1.0)
    length = wp.length(forward)
    direction = forward / length
    n = wp.vec3(0.0, 0.0, 1.0)
    which = wp.int32(-1)
    until = FAR * length
    if direction[2] < -1.0e-6 and -eye[2] / direction[2] < until:
        until = -eye[2] / direction[2]
        which = 0
    hit = _first(tree, kinds, firsts, seconds, eye, direction, until, False)
    if hit[1] >= 0.0:
        i = int(hit[1])
        which = i + 1
        n = _normal(kinds[i] % 4, firsts[i], seconds[i], eye + direction * hit[0])
    depth[y, x] = wp.min(hit[0] / length, FAR)
    primitive[y, x] = which
    normal[y, x] = n
    if which < 0:
        sun[y, x] = 0.0
        sky[y, x] = 1.0
        return
    p = eye + direction * hit[0] + n * (0.004 + 2.0e-4 * hit[0])
    state = wp.rand_init(7, y * depth.shape[1] + x)
    light = wp.float32(0.0)
    if wp.dot(n, to_sun) > 0.0:
        for _ in range(_SUN_RAYS):
            toward = wp.normalize(to_sun + sun_spread * wp.sample_unit_sphere(state))
            if _first(tree, kinds, firsts, seconds, p, toward, 200.0, True)[1] < 0.0:
                light += 1.0 / float(_SUN_RAYS)
    sun[y, x] = light
    dark = wp.float32(0.0)
    # Directions spread evenly over the sphere (a spiral), turned at random, pushed to the side of the normal.
    turn = wp.randf(state) * 6.2831853
    for k in range(_SKY_RAYS):
        z = 1.0 - (2.0 * float(k) + 1.0) / float(_SKY_RAYS)
        r = wp.sqrt(1.0 - z * z)
        angle = 2.3999632 * float(k) + turn
        toward = wp.normalize(n * 1.05 + wp.vec3(r * wp.cos(angle), r * wp.sin(angle), z))
        near = float(_NEAR_M)
        if toward[2] < -1.0e-3:
            near = wp.min(near, -p[2] / toward[2])
        near = _first(tree, kinds, firsts, seconds, p, toward, near, False)[0]
        if near < _NEAR_M:
            dark += wp.exp(-near / 0.9)
    sky[y, x] = 1.0 - 0.75 * dark / float(_SKY_RAYS)


def _trace_rays(place: Place, camera: Camera, device: str) -> tuple[Pixels, Pixels, NDArray[np.int32], Pixels, Pixels]:
    # The tree must not be empty: an empty place gets a box far below the ground.
    primitives = place.primitives or (_BURIED,)
    low = wp.array(np.array([s.bounds[0] for s in primitives], np.float32), dtype=wp.vec3, device=device)
    high = wp.array(np.array([s.bounds[1] for s in primitives], np.float32), dtype=wp.vec3, device=device)
    packed = [_packed(primitive) for primitive in primitives]
    kinds = wp.array(np.array([kind for kind, _, _ in packed], np.int32), dtype=int, device=device)
    firsts = wp.array(np.array([first for _, first, _ in packed], np.float32), dtype=wp.vec3, device=device)
    seconds = wp.array(np.array([second for _, _, second in packed], np.float32), dtype=wp.vec3, device=device)
    tree = wp.Bvh(low, high)
    shape = camera.size_hw
    depth, sun, sky = (wp.empty(shape, dtype=float, device=device) for _ in range(3))
    normal, primitive = wp.empty(shape, dtype=wp.vec3, device=device), wp.empty(shape, dtype=int, device=device)
    wp.launch(
        _trace_kernel,
        dim=shape,
        inputs=[
            *(tree.id, kinds, firsts, seconds, wp.vec3(*camera.position), wp.mat33(*camera.rotation.ravel())),
            *(camera.focal_px, wp.vec3(*place.light.to_sun), 0.006 * place.light.softness_px),
        ],
        outputs=[depth, normal, primitive, sun, sky],
        device=device,
    )
    # Copies: on the CPU, numpy() shares memory with the warp array, which is freed.
    return depth.numpy().copy(), normal.numpy().copy(), primitive.numpy().copy(), sun.numpy().copy(), sky.numpy().copy()


def _packed(primitive: Primitive) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
    lamp = 4 * (primitive.material.kind in ("ceiling", "lamp"))
    if isinstance(primitive, Box):
        return lamp, primitive.low, primitive.high
    if isinstance(primitive, Ellipsoid):
        return 1 + lamp, primitive.center, primitive.radii
    return 2 + lamp, (*primitive.center_xy, primitive.z_range[0]), (primitive.radius, 0.0, primitive.z_range[1])


def _surface_colours(
    place: Place, primitive: NDArray[np.int32], position: Pixels, normal: Pixels, footprint_m: Pixels
) -> tuple[Pixels, Pixels]:
    """Return reflectance and emission of each pixel, each ``(H, W, 3)``."""
    albedo, glow = np.zeros_like(position), np.zeros_like(position)
    flat = primitive.ravel()
    order = np.argsort(flat, kind="stable")
    edges = np.searchsorted(flat[order], np.arange(len(place.primitives) + 2))
    for number in range(len(place.primitives) + 1):
        here = order[edges[number] : edges[number + 1]]
        if not len(here):
            continue
        p, n, size = position.reshape(-1, 3)[here], normal.reshape(-1, 3)[here], footprint_m.ravel()[here]
        material = place.ground if number == 0 else place.primitives[number - 1].material
        low, high = ((0.0,) * 3, (1.0,) * 3) if number == 0 else place.primitives[number - 1].bounds
        flat_top = np.abs(n[:, 2]) > 0.5
        u = np.where(flat_top, p[:, 0], np.where(np.abs(n[:, 0]) > 0.5, p[:, 1], p[:, 0]))
        v = np.where(flat_top, p[:, 1], p[:, 2])
        share = (p - np.asarray(low, np.float32)) / (np.subtract(high, low).astype(np.float32))
        uu = np.where(np.abs(n[:, 0]) > 0.5, share[:, 1], share[:, 0])
        base, light = surface(material, u, v, uu, share[:, 2], size)
        rough = 0.22 * (clouds(u * 1.3 + 11, v * 1.3 + 5, 40) - 0.5) + 0.10 * (noise(u * 40, v * 40, 41) - 0.5)
        albedo.reshape(-1, 3)[here] = np.clip(base * (1 + rough[:, None]), 0.01, 0.95)
        glow.reshape(-1, 3)[here] = light
    return albedo, glow
