"""The camera's end of the clips for alerts: keeps the newest seconds of one camera, before anybody knows of alerts.

Needs: av; opencv-python where pictures are encoded here.
Guarantee: none. Segments and pictures that come faster than they can be stored are dropped, and counted in the log.
When slow: segments and pictures are dropped; no call waits.
Secrets: none.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from connectors.alerting.clip_store import AlertClipStore
from connectors.footage.feed import SegmentFeed
from connectors.footage.segments import Segment
from pipeline.core import Frame, TrackId, Tracklet
from pipeline.core.errors import ConfigError
from pipeline.core.interfaces import PacketTap


class AlertClipMonitor:
    """Keeps the newest seconds of one camera, as a ring of segments in the output folder of the run.

    Args:
        camera_id: The camera.
        output_dir: Output folder of the run; all cameras' processes must reach it.
        ring_s: Seconds that the ring keeps, at most, above 0.
        ring_mb: Megabytes of the ring, at most, above 0.
        max_side_px: See ``SegmentFeed``; at least 64.
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
        self._camera_id, self._output_dir = camera_id, Path(output_dir)
        self._ring_s, self._ring_bytes = ring_s, round(ring_mb * 1e6)
        self._feed = SegmentFeed(
            camera_id, self._store, purpose="clips of alerts", max_side_px=max_side_px, blur_heads=blur_heads
        )

    def packet_tap(self) -> PacketTap | None:
        """Return what is to see the packets of the source; None where pictures must be changed."""
        return self._feed.packet_tap()

    def show(self, frame: Frame, people: Mapping[TrackId, NDArray[np.float32]]) -> None:
        """Take one tracked frame, where there are no packets."""
        self._feed.show(frame, people)

    def keep(self, tracklet: Tracklet) -> None:
        """Do nothing: a clip needs no parts of tracks."""

    def close(self) -> None:
        """Store what waits, and stop; idempotent."""
        self._feed.close()

    def _store(self, segments: Iterator[Segment]) -> None:
        store = AlertClipStore(self._output_dir)
        store.note_end(self._camera_id, has_ended=False)
        for segment in segments:
            store.put_segment(self._camera_id, segment, keep_s=self._ring_s, max_bytes=self._ring_bytes)
        store.note_end(self._camera_id, has_ended=True)
        store.close()
