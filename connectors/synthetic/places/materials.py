"""Materials: the appearance of a surface, computed per point in linear light."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import ConfigError

Color = tuple[int, int, int]
"""sRGB, 0 to 255."""
Pixels = NDArray[np.float32]
Numbers = NDArray[np.floating]

KINDS = (
    *("plain", "tiles", "brick", "planks", "asphalt", "lawn", "carpet", "panel", "ceiling"),
    *("glass", "door", "poster", "sign", "goods", "leaf", "lamp"),
)


@dataclass(frozen=True, slots=True)
class Material:
    """The material of a surface.

    Attributes:
        kind: One of `KINDS`. ``ceiling`` and ``lamp`` let the light from above through, because it comes from them.
        color: Main colour.
        second: Colour of mortar, joints, frames or letters, depending on the kind.
        size_m: Period of the pattern, metres: a tile, a plank, a window, a shelf board.
        seed: Seed of the pattern.
    """

    kind: str
    color: Color
    second: Color = (90, 90, 90)
    size_m: float = 0.6
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"material: expected one of {', '.join(KINDS)}, got {self.kind!r}; name another")
        if not self.size_m > 0:
            raise ConfigError(f"material {self.kind}: expected size_m above 0, got {self.size_m}; enlarge it")


def linear_rgb(color: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return an sRGB colour (0 to 255) as linear reflectance, shape ``(3,)``, float32, 0 to 1."""
    return ((np.asarray(color, np.float32) / 255) ** np.float32(2.2)).astype(np.float32)


def noise(u: Numbers, v: Numbers, seed: int) -> Pixels:
    """Return smooth value noise in [0, 1] with period 256 and features of size 1."""
    rng = np.random.default_rng(seed % 64)
    grid = rng.random((256, 256), np.float32)
    i, j = np.floor(u), np.floor(v)
    a, b = u - i, v - j
    a, b = a * a * (3 - 2 * a), b * b * (3 - 2 * b)
    i0, j0 = i.astype(np.int32) & 255, j.astype(np.int32) & 255
    i1, j1 = (i0 + 1) & 255, (j0 + 1) & 255
    low = grid[j0, i0] * (1 - a) + grid[j0, i1] * a
    return np.asarray(low * (1 - b) + (grid[j1, i0] * (1 - a) + grid[j1, i1] * a) * b, np.float32)


def clouds(u: Numbers, v: Numbers, seed: int) -> Pixels:
    """Return noise of three octaves in [0, 1]."""
    big, mid = noise(u, v, seed), noise(u * 2.1 + 7, v * 2.1 + 3, seed + 1)
    return np.asarray((big + 0.5 * mid + 0.25 * noise(u * 4.3 + 1, v * 4.3 + 9, seed + 2)) / 1.75, np.float32)


def _cell(u: Numbers, v: Numbers, seed: int) -> Pixels:
    """Return one number in [0, 1] per integer cell."""
    grid = np.random.default_rng(seed % 64 + 64).random((64, 64), np.float32)
    return np.asarray(grid[np.floor(v).astype(np.int64) & 63, np.floor(u).astype(np.int64) & 63])


def surface(m: Material, u: Pixels, v: Pixels, uu: Pixels, vv: Pixels, size: Pixels) -> tuple[Pixels, Pixels | float]:
    """Return reflectance and emission of points of one material.

    Args:
        m: The material.
        u: Metres along the surface, shape ``(N,)``.
        v: Metres up (or across) the surface.
        uu: Position across the primitive, 0 to 1.
        vv: Position up the primitive, 0 to 1.
        size: Metres that one pixel covers; finer detail fades.
    """
    color, second = linear_rgb(m.color), linear_rgb(m.second)
    s, seed = np.float32(m.size_m), m.seed * 7
    plain = np.broadcast_to(color, (len(u), 3))

    def mixed(
        other: Pixels | NDArray[np.float64], where: NDArray[np.bool_] | Pixels, width_m: float, base: Pixels
    ) -> Pixels:
        weight = where * np.clip(width_m / np.maximum(size, 1e-6), 0, 1)
        return np.asarray(base + (other - base) * weight[:, None], np.float32)

    if m.kind in ("tiles", "carpet", "panel", "ceiling"):
        width = {"tiles": 0.012, "carpet": 0.004, "panel": 0.02, "ceiling": 0.03}[m.kind]
        tone = 1 + {"tiles": 0.3, "carpet": 0.18, "panel": 0.06, "ceiling": 0.05}[m.kind] * (
            _cell(u / s, v / s, seed) - 0.5
        )
        joint = (np.mod(u, s) < width) | (np.mod(v, s) < width)
        base = mixed(second, joint, width, plain * tone[:, None])
        if m.kind == "ceiling":
            lamp = (np.mod(np.floor(u / s), 4) == 1) & (np.mod(np.floor(v / s), 3) == 1) & ~joint
            # The second term is the light that the floor reflects.
            return base, lamp[:, None] * np.float32(1.6) + 0.3 * base
        return base, 0.0
    if m.kind == "brick":
        row = np.floor(v / 0.085)
        along = u / 0.24 + 0.5 * np.mod(row, 2)
        head, bed = 0.05, 0.13  # shares that are mortar
        joint = (np.mod(along, 1) < head) | (np.mod(v / 0.085, 1) < bed)
        tone = 1 + 0.6 * (_cell(along, row, seed) - 0.5) * np.clip(0.2 / np.maximum(size, 1e-6), 0, 1)
        # Courses finer than about a pixel would alias with the rows of the image: their mean is used instead.
        fine = np.clip((0.021 - size) / 0.011, 0, 1)
        mortar = fine * joint + (1 - fine) * (1 - (1 - head) * (1 - bed))
        return mixed(second, mortar, np.inf, plain * tone[:, None]), 0.0
    if m.kind == "planks":
        tone = 1 + 0.4 * (_cell(u / s, np.zeros_like(u), seed) - 0.5) + 0.25 * (noise(u * 8, v * 50, seed) - 0.5)
        return mixed(color * 0.4, np.mod(u, s) < 0.1 * s, 0.1 * float(s), plain * tone[:, None]), 0.0
    if m.kind in ("asphalt", "lawn"):
        grain = noise(u * 60, v * 60, seed) - 0.5
        patch = clouds(u * 0.35, v * 0.35, seed + 3) - 0.5
        strength = (0.5, 0.5) if m.kind == "asphalt" else (0.9, 0.7)
        return np.asarray(plain * (1 + strength[0] * grain + strength[1] * patch)[:, None], np.float32), 0.0
    if m.kind == "leaf":
        return np.asarray(plain * (0.35 + 1.4 * clouds(u * 9, v * 9, seed))[:, None], np.float32), 0.0
    if m.kind == "glass":
        frame = (np.mod(u, s) < 0.07) | (np.mod(v, 1.3) < 0.07)
        mirror = 0.03 + 0.30 * clouds(u * 1.1 + v * 0.3, v * 0.8, seed) ** 2
        return mixed(second, frame, 0.07, plain * 0.6 + mirror[:, None] * (0.85, 0.95, 1.08)), 0.0
    if m.kind == "poster":
        # Four tints: the paper, the ink, and two from the seed.
        tints = np.random.default_rng(m.seed).random((2, 3)) ** 2 * 0.8
        shapes = clouds(uu * 3 + 3.1 * m.seed, vv * 4 + 1.7 * m.seed, seed)
        base = np.where((shapes > 0.47)[:, None], color, tints[0])
        base = np.where((clouds(uu * 5, vv * 5 + m.seed, seed + 5) > 0.58)[:, None], tints[1], base)
        base = base * (0.75 + 0.5 * clouds(uu * 9, vv * 9, seed + 9))[:, None]
        text = (np.mod(vv * 14, 1) < 0.45) & (vv < 0.33) & (_cell(uu * 26, vv * 14, seed) > 0.4)
        base = np.where(text[:, None], second, base)
        edge = (uu < 0.03) | (uu > 0.97) | (vv < 0.03) | (vv > 0.97)
        return np.where(edge[:, None], np.float32(0.75), base).astype(np.float32), 0.0
    if m.kind == "sign":
        letter = (vv > 0.28) & (vv < 0.74) & (noise(uu * 16, vv * 4, seed) > 0.5) & (uu > 0.06) & (uu < 0.94)
        return mixed(second, letter, 0.1, plain), 0.0
    if m.kind == "door":
        frame = (uu < 0.06) | (uu > 0.94) | (vv > 0.965)
        pane = (uu > 0.25) & (uu < 0.75) & (vv > 0.5) & (vv < 0.88)
        base = np.where(pane[:, None], np.float32(0.10), plain)
        base = np.where(((uu > 0.84) & (uu < 0.9) & (np.abs(vv - 0.48) < 0.02))[:, None], np.float32(0.6), base)
        return np.where(frame[:, None], second, base).astype(np.float32), 0.0
    if m.kind == "goods":
        packets = _goods(u, v, s, color, second, seed)
        return np.where((vv > 0.995)[:, None], second, packets).astype(np.float32), 0.0
    if m.kind == "lamp":
        return plain, plain * np.float32(2.5)
    return plain, 0.0


def _goods(u: Pixels, v: Pixels, board_m: np.float32, color: Pixels, second: Pixels, seed: int) -> Pixels:
    """Return shelf boards full of packets: runs of one product, some gaps, price labels on the edge of the board."""
    board = np.floor(v / board_m)
    run = np.floor(u / 0.55 + 3.7 * board)
    width = 0.08 + 0.12 * _cell(run, board, seed)
    one = np.mod(u / width, 1)
    hue = np.stack([_cell(run + 11 * k, board + 17 * k, seed + k) for k in (1, 2, 3)], 1) ** 1.5
    hue = hue.mean(1, keepdims=True) * 0.35 + hue * 0.65
    label = _cell(run + 5, board + 3, seed + 4)[:, None]
    up = np.mod(v / board_m, 1)
    band = ((up > 0.3) & (up < 0.3 + 0.3 * label[:, 0]))[:, None]
    base = np.where(band, 1 - 0.8 * hue, 0.05 + 0.75 * hue)
    top = 0.5 + 0.42 * _cell(run + 23, board, seed + 5)
    gap = (one < 0.07) | (up > top) | (_cell(u / width, board, seed + 6) > 0.93)
    base = np.where(gap[:, None], second * 0.4, base)
    tag = (up < 0.1) & (np.mod(u, 0.27) < 0.09)
    base = np.where((up < 0.1)[:, None], color, base)
    return np.where(tag[:, None], np.float32(0.8), base).astype(np.float32)
