"""Warp kernels per vertex, face and pixel; one source for CPU and GPU.

Each person has a slot of fixed size, so that entering and leaving changes no other data: vertex ``i`` of slot ``s``
is at ``s * slot_vertices + i``, face ``i`` at ``s * slot_faces + i``. A depth buffer holds depth and face in one
64-bit number, so that the nearest face wins in any order of threads: the image is the same, bit for bit, each time.
"""

import warp as wp

DEPTH_STEPS = wp.constant(20000.0)
"""Depth steps per metre. A larger number resolves finer and overflows 32 bits sooner."""
EMPTY = (1 << 63) - 1
_EMPTY = wp.constant(wp.uint64(EMPTY))
_LOW = wp.constant(wp.uint64(0xFFFFFFFF))
NEAR_M = wp.constant(0.05)
FAR_M = wp.constant(900.0)

CELL = wp.constant(16)
"""Side of a cell in texels of the shadow map; cells without people are skipped."""

mat34 = wp.types.matrix(shape=(3, 4), dtype=wp.float32)


@wp.kernel(enable_backward=False)
def skin(
    first: int,
    vertices: wp.array(dtype=wp.vec3),
    normals: wp.array(dtype=wp.vec3),
    bone_ids: wp.array2d(dtype=wp.int32),
    bone_weights: wp.array2d(dtype=wp.float32),
    bones: wp.array(dtype=mat34),
    out_positions: wp.array(dtype=wp.vec3),
    out_normals: wp.array(dtype=wp.vec3),
):
    """Move the vertices of a figure with its bones: linear blend skinning."""
    i = first + wp.tid()
    m = bones[bone_ids[i, 0]] * bone_weights[i, 0]
    for k in range(1, 4):
        if bone_weights[i, k] > 0.0:
            m += bones[bone_ids[i, k]] * bone_weights[i, k]
    v = vertices[i]
    n = normals[i]
    out_positions[i] = m * wp.vec4(v[0], v[1], v[2], 1.0)
    out_normals[i] = wp.normalize(m * wp.vec4(n[0], n[1], n[2], 0.0))


@wp.kernel(enable_backward=False)
def project(
    first: int,
    positions: wp.array(dtype=wp.vec3),
    camera: mat34,
    parallel: int,
    out_screen: wp.array(dtype=wp.vec3),
):
    """Write pixels and depth; ``parallel`` 1 is an orthographic projection (the sun), 0 a perspective one."""
    i = first + wp.tid()
    p = positions[i]
    q = camera * wp.vec4(p[0], p[1], p[2], 1.0)
    if parallel == 1:
        out_screen[i] = q
    elif q[2] > NEAR_M:
        out_screen[i] = wp.vec3(q[0] / q[2], q[1] / q[2], q[2])
    else:
        out_screen[i] = wp.vec3(0.0, 0.0, -1.0)


@wp.func
def mark(box: wp.array2d(dtype=wp.int32), row: int, x: int, y: int):
    """Count a pixel and widen the box: pixels, left, top, right, bottom."""
    wp.atomic_add(box, row, 0, 1)
    wp.atomic_min(box, row, 1, x)
    wp.atomic_min(box, row, 2, y)
    wp.atomic_max(box, row, 3, x)
    wp.atomic_max(box, row, 4, y)


@wp.func
def double_area(a: wp.vec3, b: wp.vec3, c: wp.vec3):
    """Return twice the area of a triangle on the screen; its sign gives its orientation."""
    return (b[1] - c[1]) * (a[0] - c[0]) + (c[0] - b[0]) * (a[1] - c[1])


@wp.func
def shares(a: wp.vec3, b: wp.vec3, c: wp.vec3, area: float, x: int, y: int):
    """Return the barycentric coordinates of the centre of a pixel in a triangle on the screen."""
    px = float(x) + 0.5
    py = float(y) + 0.5
    u = ((b[1] - c[1]) * (px - c[0]) + (c[0] - b[0]) * (py - c[1])) / area
    v = ((c[1] - a[1]) * (px - c[0]) + (a[0] - c[0]) * (py - c[1])) / area
    return wp.vec3(u, v, 1.0 - u - v)


@wp.kernel(enable_backward=False)
def rasterise(
    first: int,
    slot: int,
    faces: wp.array(dtype=wp.vec3i),
    screen: wp.array(dtype=wp.vec3),
    parallel: int,
    depth: wp.array2d(dtype=wp.uint64),
    seen: wp.array3d(dtype=wp.int32),
    silhouettes: wp.array2d(dtype=wp.int32),
):
    """Draw a figure's faces into the depth buffer, and note its silhouette whether or not something hides it."""
    i = first + wp.tid()
    f = faces[i]
    a = screen[f[0]]
    b = screen[f[1]]
    c = screen[f[2]]
    if a[2] > 0.0 and b[2] > 0.0 and c[2] > 0.0:
        height = depth.shape[0]
        width = depth.shape[1]
        x0 = wp.max(int(wp.ceil(wp.min(wp.min(a[0], b[0]), c[0]) - 0.5)), 0)
        x1 = wp.min(int(wp.floor(wp.max(wp.max(a[0], b[0]), c[0]) - 0.5)), width - 1)
        y0 = wp.max(int(wp.ceil(wp.min(wp.min(a[1], b[1]), c[1]) - 0.5)), 0)
        y1 = wp.min(int(wp.floor(wp.max(wp.max(a[1], b[1]), c[1]) - 0.5)), height - 1)
        area = double_area(a, b, c)
        if x0 <= x1 and y0 <= y1 and wp.abs(area) > 1.0e-12:
            ia = a[2]
            ib = b[2]
            ic = c[2]
            if parallel == 0:
                ia = 1.0 / a[2]
                ib = 1.0 / b[2]
                ic = 1.0 / c[2]
            bit = wp.int32(1) << (slot % 32)
            word = slot / 32
            for y in range(y0, y1 + 1):
                for x in range(x0, x1 + 1):
                    share = shares(a, b, c, area, x, y)
                    if share[0] >= 0.0 and share[1] >= 0.0 and share[2] >= 0.0:
                        z = share[0] * ia + share[1] * ib + share[2] * ic
                        if parallel == 0:
                            z = 1.0 / z
                        key = (wp.uint64(int(z * DEPTH_STEPS)) << wp.uint64(32)) | wp.uint64(i)
                        wp.atomic_min(depth, y, x, key)
                        if parallel == 0:
                            before = wp.atomic_or(seen, word, y, x, bit)
                            if (before & bit) == 0:
                                mark(silhouettes, slot, x, y)


@wp.func
def metres(key: wp.uint64):
    """Return the depth in a key of the depth buffer, metres."""
    return float(int(key >> wp.uint64(32))) / DEPTH_STEPS


@wp.func
def lit(shadows: wp.array2d(dtype=wp.uint64), q: wp.vec3, bias: float, reach: int):
    """Return the share of sunlight that people do not block: 1 in full light."""
    blocked = float(0.0)
    total = float(0.0)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            x = int(q[0]) + dx
            y = int(q[1]) + dy
            total += 1.0
            inside = x >= 0 and y >= 0 and x < shadows.shape[1] and y < shadows.shape[0]
            if inside and metres(shadows[y, x]) < q[2] - bias:
                blocked += 1.0
    return 1.0 - blocked / total


@wp.kernel(enable_backward=False)
def occupy(shadows: wp.array2d(dtype=wp.uint64), occupied: wp.array2d(dtype=wp.int32)):
    """Mark the cells of the shadow map that contain people, and their neighbours."""
    y, x = wp.tid()
    if shadows[y, x] < _EMPTY:
        for dy in range(-1, 2):
            for dx in range(-1, 2):
                cy = wp.clamp(y / CELL + dy, 0, occupied.shape[0] - 1)
                cx = wp.clamp(x / CELL + dx, 0, occupied.shape[1] - 1)
                occupied[cy, cx] = 1


@wp.func
def is_near_people(occupied: wp.array2d(dtype=wp.int32), q: wp.vec3):
    """Return whether a point, in coordinates of the shadow map, lies in a marked cell."""
    if q[0] < 0.0 or q[1] < 0.0:
        return False
    cx = int(q[0]) / CELL
    cy = int(q[1]) / CELL
    return cx < occupied.shape[1] and cy < occupied.shape[0] and occupied[cy, cx] == 1


@wp.func
def channel(textures: wp.array4d(dtype=wp.uint8), slot: int, y: int, x: int, fx: float, fy: float, c: int):
    """Return one channel, interpolated between four texels, in linear light."""
    upper = float(textures[slot, y, x, c]) * (1.0 - fx) + float(textures[slot, y, x + 1, c]) * fx
    lower = float(textures[slot, y + 1, x, c]) * (1.0 - fx) + float(textures[slot, y + 1, x + 1, c]) * fx
    return wp.pow((upper * (1.0 - fy) + lower * fy) / 255.0, 2.2)


@wp.func
def texel(textures: wp.array4d(dtype=wp.uint8), slot: int, u: float, v: float):
    """Return the colour of a slot's texture at u, v in [0, 1], linear light."""
    height = float(textures.shape[1])
    width = float(textures.shape[2])
    x = wp.clamp(u * width - 0.5, 0.0, width - 1.001)
    y = wp.clamp(v * height - 0.5, 0.0, height - 1.001)
    fx = x - wp.floor(x)
    fy = y - wp.floor(y)
    return wp.vec3(
        channel(textures, slot, int(y), int(x), fx, fy, 0),
        channel(textures, slot, int(y), int(x), fx, fy, 1),
        channel(textures, slot, int(y), int(x), fx, fy, 2),
    )


@wp.kernel(enable_backward=False)
def shade(
    depth: wp.array2d(dtype=wp.uint64),
    faces: wp.array(dtype=wp.vec3i),
    uv: wp.array2d(dtype=wp.vec2),
    screen: wp.array(dtype=wp.vec3),
    positions: wp.array(dtype=wp.vec3),
    normals: wp.array(dtype=wp.vec3),
    slot_faces: int,
    fine: wp.array4d(dtype=wp.uint8),
    coarse: wp.array4d(dtype=wp.uint8),
    detail: wp.array(dtype=wp.int32),
    ground_depth: wp.array2d(dtype=wp.float32),
    ground_position: wp.array2d(dtype=wp.vec3),
    unlit: wp.array2d(dtype=wp.vec3),
    sunlit: wp.array2d(dtype=wp.vec3),
    shadows: wp.array2d(dtype=wp.uint64),
    occupied: wp.array2d(dtype=wp.int32),
    light: mat34,
    to_sun: wp.vec3,
    sun: wp.vec3,
    ambient: wp.vec3,
    eye: wp.vec3,
    softness: int,
    feet: wp.array(dtype=wp.vec3),
    feet_boxes: wp.array(dtype=wp.vec4),
    num_feet: int,
    image: wp.array2d(dtype=wp.vec3),
    owners: wp.array2d(dtype=wp.int32),
    visible: wp.array2d(dtype=wp.int32),
):
    """Colour one pixel: the nearest person, or the background with the shadows of people."""
    y, x = wp.tid()
    key = depth[y, x]
    has_sun = sun[0] + sun[1] + sun[2] > 0.0
    if key < _EMPTY and metres(key) < ground_depth[y, x]:
        i = int(key & _LOW)
        slot = i / slot_faces
        f = faces[i]
        a = screen[f[0]]
        b = screen[f[1]]
        c = screen[f[2]]
        share = shares(a, b, c, double_area(a, b, c), x, y)
        wa = share[0] / a[2]
        wb = share[1] / b[2]
        wc = share[2] / c[2]
        total = wa + wb + wc
        wa = wa / total
        wb = wb / total
        wc = wc / total
        p = positions[f[0]] * wa + positions[f[1]] * wb + positions[f[2]] * wc
        n = wp.normalize(normals[f[0]] * wa + normals[f[1]] * wb + normals[f[2]] * wc)
        e = wp.normalize(eye - p)
        if wp.dot(n, e) < 0.0:
            n = -n
        t = uv[i, 0] * wa + uv[i, 1] * wb + uv[i, 2] * wc
        albedo = texel(fine, slot, t[0], t[1]) if detail[slot] == 0 else texel(coarse, slot, t[0], t[1])
        # Cloth scatters light at its edge; less sky light reaches low points and surfaces seen at a flat angle.
        facing = wp.abs(wp.dot(n, e))
        sky = (0.62 + 0.38 * n[2]) * (0.72 + 0.28 * wp.min(p[2] / 0.6, 1.0)) * (0.55 + 0.45 * facing)
        colour = wp.cw_mul(albedo, ambient * sky)
        falls = wp.dot(n, to_sun)
        if has_sun and falls > 0.0:
            q = light * wp.vec4(p[0] + 0.02 * n[0], p[1] + 0.02 * n[1], p[2] + 0.02 * n[2], 1.0)
            reaches = lit(shadows, q, 0.03, 1)
            gloss = wp.pow(wp.max(wp.dot(n, wp.normalize(e + to_sun)), 0.0), 24.0) * 0.05
            colour += wp.cw_mul(albedo, sun * falls * reaches) + sun * (gloss * reaches)
        image[y, x] = colour
        owners[y, x] = slot
        mark(visible, slot, x, y)
    else:
        owners[y, x] = -1
        colour = unlit[y, x]
        reaches = float(1.0)
        near = float(1.0)
        if ground_depth[y, x] < FAR_M:
            p = ground_position[y, x]
            q = light * wp.vec4(p[0], p[1], p[2], 1.0)
            if is_near_people(occupied, q):
                if has_sun and sunlit[y, x][1] > 0.0:
                    reaches = lit(shadows, q, 0.04, softness)
                px = float(x)
                py = float(y)
                for j in range(num_feet):
                    box = feet_boxes[j]
                    if px >= box[0] and py >= box[1] and px <= box[2] and py <= box[3]:
                        d = p - feet[j]
                        r2 = d[0] * d[0] + d[1] * d[1] + 4.0 * d[2] * d[2]
                        if r2 < 0.4:
                            near = near * (1.0 - 0.45 * wp.exp(-r2 / 0.05))
        image[y, x] = (colour + sunlit[y, x] * reaches) * near
