"""Textures of skin, faces, cloth and hair, computed per texel in linear light."""

import cv2
import numpy as np
from numpy.typing import NDArray

from connectors.synthetic.people.colour import linear
from connectors.synthetic.people.person import Colour, Fabric, Outfit, Person
from connectors.synthetic.people.surface import Covered, Mask, Surface

Image = NDArray[np.float32]


def smooth_noise(shape: tuple[int, int], rng: np.random.Generator, *octaves: tuple[int, float]) -> Image:
    """Return noise with standard deviation 1; ``octaves`` are pairs of cells across and weight."""
    total = np.zeros(shape, np.float32)
    for cells, weight in octaves:
        grid = rng.standard_normal((cells, cells)).astype(np.float32)
        total += weight * cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return total / total.std()


def body_texture(surface: Surface, covered: Covered, person: Person, outfit: Outfit, rng: np.random.Generator) -> Image:
    """Return the texture of a dressed body, shape ``(S, S, 3)``, linear light."""
    shape = (surface.x.shape[0], surface.x.shape[1])
    skin = np.broadcast_to(linear(person.skin), (*shape, 3))
    image = skin * (1 + 0.05 * smooth_noise(shape, rng, (12, 1.0), (40, 0.6)))[..., None]
    image = _add_face(image.astype(np.float32), surface, covered, person)
    image = _add_clothes(image, surface, covered, outfit, rng)
    strands = 1 + 0.25 * smooth_noise(shape, rng, (24, 1.0), (64, 1.0))
    image = np.where(covered.hair[..., None], linear(person.hair.colour) * strands[..., None], image)
    image = _over(image, covered.gloves, linear((25, 25, 28)))
    image = _over(image, covered.shoes, linear(outfit.shoes))
    image = _over(image, covered.shoes & (surface.rise < 0.012), linear(outfit.soles))
    return _add_creases(image, surface, covered, rng)


def _over(image: Image, mask: Mask, colour: NDArray[np.floating]) -> Image:
    return np.where(mask[..., None], colour, image).astype(np.float32)


def _add_face(image: Image, s: Surface, covered: Covered, person: Person) -> Image:
    hair = linear(person.hair.colour)
    across, up = np.abs(s.x), s.face_up
    front = (s.face_back < -0.05) & (s.head > 0.5)
    cheeks = np.exp(-(((across - 0.04) / 0.02) ** 2 + (up / 0.02) ** 2)) * front
    sockets = np.exp(-(((across - 0.031) / 0.018) ** 2 + ((up - 0.042) / 0.012) ** 2)) * front
    flushed = image * (1 - np.array([0, 0.15, 0.15], np.float32) * cheeks[..., None])
    image = _over(flushed, front & (np.abs(across - 0.032) < 0.018) & (np.abs(up - 0.063) < 0.005), hair * 0.7)
    image = np.asarray(image * (1 - 0.45 * sockets)[..., None], np.float32)
    lips = front & (across < 0.024) & (np.abs(up + 0.030) < 0.006)
    image = np.where(lips[..., None], image * np.array([0.85, 0.42, 0.42], np.float32), image)
    if person.glasses:
        rims = np.abs(np.hypot((across - 0.032) / 1.2, up - 0.042) - 0.020) < 0.004
        bridge = (across < 0.012) & (np.abs(up - 0.048) < 0.003)
        image = _over(image, front & (rims | bridge), np.full(3, 0.01))
    pupil = np.hypot(across - 0.031, up - 0.041) < 0.006
    image = np.where((s.eye > 0.5)[..., None], np.where(pupil[..., None], 0.02, 0.45), image)
    return np.where(covered.beard[..., None], image * 0.25 + hair * 0.75, image).astype(np.float32)


def _add_clothes(image: Image, s: Surface, covered: Covered, outfit: Outfit, rng: np.random.Generator) -> Image:
    top, bottom = outfit.top, outfit.bottom
    image = np.where(covered.bottom[..., None], fabric_texture(bottom.fabric, s, rng), image)
    if bottom.belt is not None:
        image = _over(image, covered.bottom & (np.abs(s.trunk - 0.22) < 0.014), linear(bottom.belt))
    image = np.where((covered.top | covered.hood)[..., None], fabric_texture(top.fabric, s, rng), image)
    front, back = (s.y < 0) & (s.arm < 0.3), (s.y > 0) & (s.arm < 0.3)
    if top.open_on is not None:
        width = 0.30 - 0.10 * np.clip(s.trunk, 0, 1)
        shown = covered.top & (np.abs(s.around) < width) & front & (s.trunk > 0)
        image = _over(image, shown, linear(top.open_on))
    elif top.zip_line:
        image = np.where((covered.top & (np.abs(s.x) < 0.006) & front)[..., None], 0.3 * image + 0.1, image)
    if top.logo is not None:
        side = back if top.logo_on_back else front
        place = covered.top & side & (np.abs(s.x) < 0.09) & (np.abs(s.trunk - 0.70) < 0.07)
        shape = (image.shape[0], image.shape[1])
        image = _over(image, place & (smooth_noise(shape, rng, (60, 1.0), (120, 0.6)) > -0.2), linear(top.logo))
    cuffs = covered.top & (s.arm > 0.5) & (s.along_arm > top.sleeve - 0.06)
    image = np.where(cuffs[..., None], 0.75 * image, image)
    return _add_straps(image.astype(np.float32), s, covered, outfit)


def _add_straps(image: Image, s: Surface, covered: Covered, outfit: Outfit) -> Image:
    """Add the straps of a bag across the chest."""
    if outfit.bag is None or outfit.bag.kind == "hand":
        return image
    body = covered.top & (s.arm < 0.5)
    if outfit.bag.kind == "backpack":
        strap = body & (np.abs(np.abs(s.x) - 0.085) < 0.02) & (s.trunk > 0.45) & (s.y < 0.02)
    else:
        strap = body & (np.abs((s.trunk - 0.5) * 0.55 + outfit.bag.side * s.x) < 0.018) & (s.trunk > 0.1)
    return _over(image, strap, 0.75 * linear(outfit.bag.colour))


def fabric_texture(fabric: Fabric, s: Surface, rng: np.random.Generator) -> Image:
    """Return cloth over the whole surface, shape ``(*surface, 3)``, linear light."""
    first, second, scale = linear(fabric.colour), linear(fabric.second), fabric.scale
    image = np.broadcast_to(first, (*s.x.shape, 3))
    down = np.where(s.arm > 0.5, 0.45 * s.along_arm, s.trunk)
    down = np.where((s.leg > 0.5) & (s.trunk < 0.1), -0.6 * s.along_leg, down)
    across = np.where(s.leg > 0.5, 14 * s.x, 3.2 * s.around)
    square = np.mod(14 * s.x * scale, 1)
    if fabric.pattern == "plaid":
        share = 0.5 * ((np.mod(9 * down * scale, 1) < 0.3).astype(np.float32) + (square < 0.3))
        return (image * (1 - share[..., None]) + second * share[..., None]).astype(np.float32)
    if fabric.pattern == "camouflage":
        spots = smooth_noise((s.x.shape[0], s.x.shape[1]), rng, (14, 1.0), (28, 0.6))
        image = _over(np.asarray(image), spots > 0.4, second)
        return _over(image, spots < -0.7, 0.35 * first)
    marked: dict[str, Mask] = {
        "stripes": np.mod(9 * down * scale, 1) < 0.42,
        "pinstripes": np.mod(across * scale, 1) < 0.25,
        "check": (np.mod(8 * down * scale, 1) < 0.5) ^ (square < 0.5),
        "dots": np.hypot(square - 0.5, np.mod(9 * down * scale, 1) - 0.5) < 0.25,
        "block": s.trunk < 0.52,
        "band": (s.trunk > 0.55) & (s.trunk < 0.68) & (s.arm < 0.5),
        "yoke": (s.trunk > 0.72) | (s.arm > 0.5),
    }
    return _over(np.asarray(image), marked[fabric.pattern], second) if fabric.pattern in marked else np.array(image)


def _add_creases(image: Image, s: Surface, covered: Covered, rng: np.random.Generator) -> Image:
    """Darken folds at knees and elbows, armpits, crotch and chin."""
    folds = smooth_noise((image.shape[0], image.shape[1]), rng, (10, 1.0), (26, 0.9), (60, 0.5))
    crease = np.exp(-(((s.along_leg - 1) / 0.07) ** 2)) * (s.leg > 0.5)
    crease += np.exp(-(((s.along_arm - 1) / 0.10) ** 2)) * (s.arm > 0.5)
    crease += np.exp(-(((s.trunk - 0.2) / 0.05) ** 2)) * (s.arm < 0.5)
    cloth = np.clip(1 + 0.07 * folds - 0.10 * crease * (1 + 0.5 * folds), 0.4, 1.4)
    image = np.where((covered.top | covered.bottom)[..., None], image * cloth[..., None], image)
    shade = 1 - 0.35 * np.exp(-((s.trunk / 0.06) ** 2)) * np.exp(-((s.x / 0.05) ** 2))
    shade -= 0.30 * ((s.neck > 0.4) & (s.y < 0))
    shade -= 0.25 * ((s.arm < 0.6) & (np.abs(s.x) > 0.13) & (s.trunk > 0.5) & (s.trunk < 0.82))
    return np.clip(image * np.clip(shade, 0.3, 1)[..., None], 0.002, 0.95).astype(np.float32)


def band_texture(fabric: Fabric, size: int, rng: np.random.Generator) -> Image:
    """Return the cloth of a skirt, shape ``(size, size, 3)``: once around from left to right, top to hem."""
    down, around = np.mgrid[:size, :size] / (size - 1.0)
    first, second, scale = linear(fabric.colour), linear(fabric.second), fabric.scale
    marked: dict[str, Mask] = {
        "stripes": np.mod(5 * down * scale, 1) < 0.4,
        "pinstripes": np.mod(16 * around * scale, 1) < 0.25,
        "check": (np.mod(6 * down * scale, 1) < 0.5) ^ (np.mod(14 * around * scale, 1) < 0.5),
        "plaid": (np.mod(6 * down * scale, 1) < 0.3) | (np.mod(14 * around * scale, 1) < 0.3),
        "dots": np.hypot(np.mod(18 * around * scale, 1) - 0.5, np.mod(9 * down * scale, 1) - 0.5) < 0.25,
        "band": (down > 0.75) & (down < 0.9),
    }
    image = np.broadcast_to(first, (size, size, 3)).astype(np.float32)
    if fabric.pattern in marked:
        image = _over(image, marked[fabric.pattern], second)
    folds = 1 + 0.10 * np.sin(18 * np.pi * around + 2 * down) * down
    return (image * (folds + 0.05 * smooth_noise((size, size), rng, (8, 1.0), (16, 0.4)))[..., None]).astype(np.float32)


def hair_texture(colour: Colour, size: int, rng: np.random.Generator) -> Image:
    """Return hair, shape ``(size, size, 3)``."""
    waves = 1 + 0.22 * np.sin(np.linspace(0, 120, size))[None, :] + 0.15 * smooth_noise((size, size), rng, (8, 1.0))
    return np.asarray(linear(colour) * np.clip(waves, 0.2, 2)[..., None], np.float32)


def accessory_texture(colour: Colour, second: Colour, size: int, rng: np.random.Generator) -> Image:
    """Return the surface of a bag or a hat with a band of another colour, shape ``(size, size, 3)``."""
    down = np.linspace(0, 1, size)[:, None, None]
    image = np.where(np.abs(down - 0.45) < 0.03, linear(second), linear(colour))
    grain = 1 + 0.06 * smooth_noise((size, size), rng, (8, 1.0), (16, 0.6))
    return np.asarray(image * grain[..., None], np.float32)
