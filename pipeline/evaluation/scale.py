"""A model of a site of many cameras, from what few of them cost: processors, GPUs, memory, network, first bottleneck.

Frames, tracklets and sightings cost what they cost in the measured runs, each camera shows as many people as those did,
and networks, decoders and trackers are added with the cameras. Only the matcher is one thread: it limits a site.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LINK_MBIT_S = 10_000.0
"""Megabits a second of a machine's network, one direction. A larger one moves that bottleneck to more cameras."""
FILL = 0.7
"""Share of a processor, of the matcher's time and of a link that is planned with. More leave no room for peaks."""


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """What one run cost.

    Attributes:
        cameras: In it.
        frames: Of all cameras.
        cpu_s: Seconds of processor time.
        memory_mb: Of our processes.
        sightings: That were published.
    """

    cameras: int
    frames: int
    cpu_s: float
    memory_mb: float
    sightings: int


@dataclass(frozen=True, slots=True)
class UnitCosts:
    """What one frame and one sighting cost.

    Attributes:
        frame_cpu_ms: Processor time of a frame, its part of tracklets and sightings included.
        frame_gpu_ms: Time of a GPU for a frame, its part of tracklets included; 0 where none was measured.
        sighting_match_ms: Of the matcher's thread: match, alert, publish.
        search_us: Microseconds by which that grows with each person known.
        sightings_per_frame: How many a frame gives, on average.
        video_kb: Kilobytes of a frame as it comes from the camera; 0 where it is not known.
        pixels_kb: Kilobytes of a frame that go to another process; 0 where the detector works beside the camera.
        base_mb: Memory of a run without cameras.
        camera_mb: Memory of each camera.
    """

    frame_cpu_ms: float
    frame_gpu_ms: float
    sighting_match_ms: float
    search_us: float
    sightings_per_frame: float
    video_kb: float
    pixels_kb: float
    base_mb: float
    camera_mb: float


@dataclass(frozen=True, slots=True)
class Need:
    """What a site needs.

    Attributes:
        cameras: Of the site.
        cores: Processors, filled to ``FILL``.
        gpus: GPUs, filled likewise.
        machines: Of so many cores as was asked for.
        memory_gb: Of our processes, over all machines.
        video_mbit_s: From the cameras, over all machines.
        pixels_mbit_s: To detectors in other processes, over all machines.
        matcher_load: Share of its time that the matcher works; above 1 it falls behind.
        bottleneck: What is full first, and with how many cameras.
    """

    cameras: int
    cores: float
    gpus: float
    machines: int
    memory_gb: float
    video_mbit_s: float
    pixels_mbit_s: float
    matcher_load: float
    bottleneck: str


def fit_line(at: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """Return the value at 0 and the slope of the line nearest to the values, neither below 0.

    Example:
        >>> fit_line([1, 2, 4], [30, 40, 60])
        (20.0, 10.0)
    """
    if len(at) == 1:
        return 0.0, values[0] / at[0]
    slope, start = (float(number) for number in np.polyfit(at, values, 1))
    if start < 0:
        return 0.0, float(np.dot(at, values) / np.dot(at, at))
    return round(max(0.0, start), 6), round(max(0.0, slope), 6)


def need_of(cameras: int, costs: UnitCosts, *, fps: float, cores_a_machine: int, people: int) -> Need:
    """Return what so many cameras need.

    Args:
        cameras: At least 1.
        costs: Measured.
        fps: Frames a second of each camera.
        cores_a_machine: Processors of each machine.
        people: Whom the matcher knows at once.
    """
    frames_s = cameras * fps
    cores = frames_s * costs.frame_cpu_ms / 1000 / FILL
    machines = max(1, -(-int(np.ceil(cores)) // cores_a_machine))
    sighting_ms = costs.sighting_match_ms + people * costs.search_us / 1000
    load_a_camera = fps * costs.sightings_per_frame * sighting_ms / 1000
    video_mbit_s, pixels_mbit_s = (frames_s * kb * 8 / 1000 for kb in (costs.video_kb, costs.pixels_kb))
    limits = {"the matcher, one thread": FILL / load_a_camera if load_a_camera else np.inf}
    cameras_a_machine = cores_a_machine * FILL * 1000 / (fps * costs.frame_cpu_ms) if costs.frame_cpu_ms else np.inf
    link_mbit_s = fps * (costs.video_kb + costs.pixels_kb) * 8 / 1000
    if link_mbit_s * cameras_a_machine > FILL * LINK_MBIT_S:
        limits["the network of a machine"] = FILL * LINK_MBIT_S / link_mbit_s
    limits["the processors of one machine"] = cameras_a_machine
    first = min(limits, key=lambda name: limits[name])
    hard = "the matcher, one thread"
    bottleneck = f"{first} at {limits[first]:,.0f} cameras"
    if first != hard:
        bottleneck += f"; then {hard} at {limits[hard]:,.0f}"
    return Need(
        cameras=cameras,
        cores=cores,
        gpus=frames_s * costs.frame_gpu_ms / 1000 / FILL,
        machines=machines,
        memory_gb=(costs.base_mb * machines + costs.camera_mb * cameras) / 1000,
        video_mbit_s=video_mbit_s,
        pixels_mbit_s=pixels_mbit_s,
        matcher_load=cameras * load_a_camera,
        bottleneck=bottleneck,
    )
