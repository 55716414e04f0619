"""The camera's end of the clips for alerts: keeps the newest seconds of one camera, before anybody knows of alerts.

Needs, guarantee, when slow, secrets: as of ``connectors.footage.segment_monitor``.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from connectors.alerting.clip_store import AlertClipStore
from connectors.footage.segment_monitor import SegmentMonitor
from connectors.footage.segments import Segment
from pipeline.core.errors import ConfigError


class AlertClipMonitor(SegmentMonitor):
    """Keeps the newest seconds of one camera, as a ring of segments in the output folder of the run.

    Args:
        camera_id: The camera.
        output_dir: Output folder of the run; all cameras' processes must reach it.
        ring_s: Seconds that the ring keeps, at most, above 0.
        ring_mb: Megabytes of the ring, at most, above 0.
        max_side_px: See ``SegmentMonitor``; at least 64.
        blur_heads: Likewise.

    Raises:
        ConfigError: If a number is out of range.
    """

    def __init__(
        self,
        camera_id: str,
        *,
        output_dir: str,
        ring_s: float,
        ring_mb: float,
        max_side_px: int,
        blur_heads: bool,
    ) -> None:
        if not min(ring_s, ring_mb) > 0 or max_side_px < 64:
            raise ConfigError(
                "alert_clips: expected ring_s and ring_mb above 0 and max_side_px from 64 on, got "
                f"{ring_s}, {ring_mb} and {max_side_px}; correct them"
            )
        store = partial(_store, camera_id, Path(output_dir), ring_s, round(ring_mb * 1e6))
        super().__init__(camera_id, store, purpose="clips of alerts", max_side_px=max_side_px, blur_heads=blur_heads)


def _store(camera_id: str, output_dir: Path, keep_s: float, max_bytes: int, segments: Iterator[Segment]) -> None:
    store = AlertClipStore(output_dir)
    store.note_end(camera_id, has_ended=False)
    for segment in segments:
        store.put_segment(camera_id, segment, keep_s=keep_s, max_bytes=max_bytes)
    store.note_end(camera_id, has_ended=True)
    store.close()
