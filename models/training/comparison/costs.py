"""What an embedder costs: size, operations, time and memory."""

import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from models.reid.video import VideoEmbedder
from models.summary import summarise
from pipeline.config.plugins import attribute
from pipeline.core import Embedder, Tracklet
from pipeline.core.errors import ConfigError

_WARM_UP, _RUNS = 2, 7
_KB, _MB = 1024, 1e6


@dataclass(frozen=True, slots=True)
class Cost:
    """What one embedder costs.

    Attributes:
        parameters: Without classifiers; None where its file does not say.
        gmacs_per_frame: As ``models.summary`` counts; None likewise.
        ms_per_tracklet: Median of seven, one tracklet at a time.
        peak_mb: Memory of its process at most, above what the libraries take.
    """

    parameters: int | None
    gmacs_per_frame: float | None
    ms_per_tracklet: float
    peak_mb: float


def measure(make: Callable[[], Embedder], tracklet: Tracklet) -> Cost:
    """Return what an embedder costs on a tracklet, in a process of its own.

    Args:
        make: Its factory.
        tracklet: With the pose that it needs.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure, make, tracklet).result()


def _measure(make: Callable[[], Embedder], tracklet: Tracklet) -> Cost:
    before = _memory_bytes("VmRSS")
    embedder = make()
    times_s = []
    for run in range(_WARM_UP + _RUNS):
        started = time.perf_counter()
        embedder.embed([tracklet])
        if run >= _WARM_UP:
            times_s.append(time.perf_counter() - started)
    parameters = gmacs = None
    if isinstance(embedder, VideoEmbedder):
        size_hw = embedder.crop_size_hw
        summary = summarise(attribute(make, "network"), num_ids=0, clip_len=embedder.clip_len, crop_size_hw=size_hw)
        parameters, gmacs = summary.parameters, summary.gmacs_per_frame
    return Cost(parameters, gmacs, 1000 * statistics.median(times_s), (_memory_bytes("VmHWM") - before) / _MB)


def _memory_bytes(line: str) -> int:
    """Return what Linux says of this process: VmRSS now, VmHWM at most."""
    for entry in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if entry.startswith(f"{line}:"):
            return int(entry.split()[1]) * _KB
    raise ConfigError(f"memory: expected {line} in /proc/self/status, got none; set costs=false")
