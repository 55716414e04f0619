"""Test-time schemes: which crops of a tracklet make up the clips that a network sees.

Each returns indices, shape ``(clips, clip_len)``, int64, into a tracklet of ``num_crops``; both are at least 1. A
tracklet that is shorter than a clip is gone through again and again, or its last crop stands in.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import ConfigError

Indices = NDArray[np.int64]
_MAX_CLIPS_EVENLY = 50


def cut_dense(num_crops: int, clip_len: int) -> Indices:
    """Return runs of consecutive crops, all of them once; the last run repeats its own (RAPA, STCA, CTL).

    Example:
        >>> cut_dense(5, 3)
        array([[0, 1, 2],
               [3, 4, 3]])
    """
    starts = range(0, num_crops, clip_len)
    return np.stack([np.resize(np.arange(start, min(start + clip_len, num_crops)), clip_len) for start in starts])


def cut_interleaved(num_crops: int, clip_len: int) -> Indices:
    """Return clips that each span the tracklet with gaps of ``num_crops // clip_len`` (group of LSTRL).

    Example:
        >>> cut_interleaved(7, 3)
        array([[0, 2, 4],
               [1, 3, 5]])
    """
    if num_crops <= clip_len:
        return np.resize(np.arange(num_crops), (1, clip_len))
    step = num_crops // clip_len
    indices: Indices = np.arange(step)[:, None] + step * np.arange(clip_len)
    return indices


def cut_rrs_first(num_crops: int, clip_len: int) -> Indices:
    """Return one clip: the first crop of each of ``clip_len`` chunks (LSTRL).

    Example:
        >>> cut_rrs_first(7, 3)
        array([[0, 3, 6]])
    """
    step = -(-num_crops // clip_len)
    return np.minimum(step * np.arange(clip_len), num_crops - 1)[None]


def cut_evenly(num_crops: int, clip_len: int) -> Indices:
    """Return clips that each span the tracklet with gaps of ``num_crops / clip_len``, rounded up (AGW, ASA-Net).

    Example:
        >>> cut_evenly(7, 3)
        array([[0, 3, 6],
               [1, 4, 6],
               [2, 5, 6]])
    """
    step = -(-num_crops // clip_len)
    first = np.arange(min(step, _MAX_CLIPS_EVENLY))
    indices: Indices = np.minimum(first[:, None] + step * np.arange(clip_len), num_crops - 1)
    return indices


def clip_scheme(name: str) -> Callable[[int, int], Indices]:
    """Return the scheme of a name: dense, interleaved, rrs_first or evenly.

    Raises:
        ConfigError: If there is none.
    """
    schemes = {
        "dense": cut_dense,
        "interleaved": cut_interleaved,
        "rrs_first": cut_rrs_first,
        "evenly": cut_evenly,
    }
    if name not in schemes:
        raise ConfigError(f"clip_scheme: expected one of {', '.join(schemes)}, got {name!r}")
    return schemes[name]
