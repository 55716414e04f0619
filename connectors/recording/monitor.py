"""The camera's end of the recording: stores what one camera shows, in segments.

Needs, guarantee, when slow, secrets: as of ``connectors.footage.segment_monitor``.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from connectors.footage.segment_monitor import SegmentMonitor
from connectors.footage.segments import Segment
from connectors.recording.store import RecordingStore
from pipeline.core.errors import ConfigError

SEGMENT_S = 10.0
"""Seconds of a segment, at most. An erasure deletes whole segments, so longer ones lose more; shorter ones need more
files: at ten seconds, at most 17,280 a camera and day."""


class RecordingMonitor(SegmentMonitor):
    """Records one camera, into the output folder of the run.

    Args:
        camera_id: The camera.
        output_dir: Output folder of the run; all cameras' processes must reach it.
        max_side_px: See ``SegmentMonitor``; at least 64.
        blur_heads: Likewise.

    Raises:
        ConfigError: If a number is out of range.
    """

    def __init__(self, camera_id: str, *, output_dir: str, max_side_px: int, blur_heads: bool) -> None:
        if max_side_px < 64:
            raise ConfigError(f"recording.max_side_px: expected a number from 64 on, got {max_side_px}; correct it")
        super().__init__(
            camera_id,
            partial(_store, camera_id, Path(output_dir)),
            purpose="the recording",
            max_side_px=max_side_px,
            blur_heads=blur_heads,
            segment_s=SEGMENT_S,
        )


def _store(camera_id: str, output_dir: Path, segments: Iterator[Segment]) -> None:
    store = RecordingStore(output_dir)
    for segment in segments:
        store.footage.put_segment(camera_id, segment)
    store.close()
