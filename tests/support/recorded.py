"""Recorded video of a known kind: each picture is as bright as its time says."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from connectors.recording.monitor import RecordingMonitor
from connectors.sources.video_file import VideoFileSource
from pipeline.core import Frame, FrameStamp
from pipeline.runtime.cameras.monitors import show_packets

HW = (90, 160)
LEVELS_PER_S = 4
"""Levels of brightness by which a picture is brighter than one a second before."""


def brightness(at: float) -> int:
    """Return the brightness of the picture at a moment."""
    return 20 + round(LEVELS_PER_S * at) % 200


def record(
    folder: Path, camera_id: str, since: float, until: float, shade: Callable[[float], int] = brightness
) -> None:
    """Record single pictures of a camera, ten a second, which are encoded."""
    monitor = RecordingMonitor(camera_id, output_dir=str(folder), max_side_px=160, blur_heads=False)
    for index in range(round(10 * (until - since))):
        at = since + index / 10
        monitor.show(Frame(FrameStamp(camera_id, index, at), np.full((*HW, 3), shade(at), np.uint8)), {})
    monitor.close()


def record_file(folder: Path, camera_id: str, video: Path, starts_at: float = 0.0) -> None:
    """Record the packets of a file, as a camera's process does."""
    monitor = RecordingMonitor(camera_id, output_dir=str(folder), max_side_px=160, blur_heads=False)
    source = VideoFileSource(camera_id, str(video), starts_at=starts_at)
    show_packets(source, monitor)
    for frame in source.frames():
        monitor.show(frame, {})
    source.close()
    monitor.close()
