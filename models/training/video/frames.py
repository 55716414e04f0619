"""Which frames of a tracklet make up a clip while training; in use ``models.reid.clips`` says so.

Each returns indices, shape ``(clip_len,)``, int64, into a tracklet of ``num_frames``; both are at least 1.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import ConfigError

Indices = NDArray[np.int64]
FrameScheme = Callable[[int, int, np.random.Generator], Indices]
_STRIDE = 8


def draw_consecutive(num_frames: int, clip_len: int, rng: np.random.Generator) -> Indices:
    """Return a run that begins anywhere; a short tracklet is gone through again (RAPA, STCA)."""
    start = int(rng.integers(0, max(0, num_frames - clip_len) + 1))
    return np.resize(np.arange(start, min(start + clip_len, num_frames)), clip_len)


def draw_restricted(num_frames: int, clip_len: int, rng: np.random.Generator) -> Indices:
    """Return one frame of each of ``clip_len`` chunks (LSTRL; "constrained random" of ASA-Net).

    Chunks have ``ceil(num_frames / clip_len)`` frames, the last ones perhaps but the last frame over and over.
    """
    step = -(-num_frames // clip_len)
    drawn = step * np.arange(clip_len) + rng.integers(0, step, clip_len)
    indices: Indices = np.minimum(drawn, num_frames - 1)
    return indices


def draw_balanced(num_frames: int, clip_len: int, rng: np.random.Generator) -> Indices:
    """Return one frame of each of ``clip_len`` chunks of equal duration, as restricted sampling was defined.

    Reference:
        Li et al., "Diversity Regularized Spatiotemporal Attention for Video-based Person Re-identification", CVPR
        2018, Sec. 3.1.
    """
    borders = np.arange(clip_len + 1) * num_frames // clip_len
    return rng.integers(borders[:-1], np.maximum(borders[1:], borders[:-1] + 1))


def draw_any(num_frames: int, clip_len: int, rng: np.random.Generator) -> Indices:
    """Return frames from anywhere, in order; none twice if there are enough (CTL)."""
    drawn = rng.choice(num_frames, clip_len, replace=num_frames < clip_len)
    return np.sort(drawn)


def draw_strided(num_frames: int, clip_len: int, rng: np.random.Generator) -> Indices:
    """Return every eighth frame of a run that begins anywhere; ``draw_any`` of shorter tracklets (AP3D)."""
    if num_frames < _STRIDE * clip_len:
        return draw_any(num_frames, clip_len, rng)
    start = rng.integers(0, num_frames - _STRIDE * (clip_len - 1))
    return start + _STRIDE * np.arange(clip_len)


def frame_scheme(name: str) -> FrameScheme:
    """Return the scheme of a name.

    Raises:
        ConfigError: If there is none.
    """
    schemes: dict[str, FrameScheme] = {
        "consecutive": draw_consecutive,
        "restricted": draw_restricted,
        "balanced": draw_balanced,
        "any": draw_any,
        "strided": draw_strided,
    }
    if name not in schemes:
        raise ConfigError(f"frames: expected one of {', '.join(schemes)}, got {name!r}")
    return schemes[name]
