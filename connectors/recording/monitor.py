"""The camera's end of the recording: stores what one camera shows, in segments.

Needs: av; opencv-python where pictures are encoded here.
Guarantee: none. Segments and pictures that come faster than they can be stored are dropped, and counted in the log.
When slow: segments and pictures are dropped; no call waits.
Secrets: none.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from connectors.footage.feed import SegmentFeed
from connectors.footage.segments import Segment
from connectors.recording.store import RecordingStore
from pipeline.core import Frame, TrackId, Tracklet
from pipeline.core.errors import ConfigError
from pipeline.core.interfaces import PacketTap

SEGMENT_S = 10.0
"""Seconds of a segment, at most. An erasure deletes whole segments, so longer ones lose more; shorter ones need more
files: at ten seconds, at most 17,280 a camera and day."""


class RecordingMonitor:
    """Records one camera, into the output folder of the run.

    Args:
        camera_id: The camera.
        output_dir: Output folder of the run; all cameras' processes must reach it.
        max_side_px: See ``SegmentFeed``; at least 64.
        blur_heads: Likewise.

    Raises:
        ConfigError: If a number is out of range.
    """

    def __init__(self, camera_id: str, *, output_dir: str, max_side_px: int, blur_heads: bool) -> None:
        if max_side_px < 64:
            raise ConfigError(f"recording.max_side_px: expected a number from 64 on, got {max_side_px}; correct it")
        self._camera_id, self._output_dir = camera_id, Path(output_dir)
        self._feed = SegmentFeed(
            camera_id,
            self._store,
            purpose="the recording",
            max_side_px=max_side_px,
            blur_heads=blur_heads,
            segment_s=SEGMENT_S,
        )

    def packet_tap(self) -> PacketTap | None:
        """Return what is to see the packets of the source; None where pictures must be changed."""
        return self._feed.packet_tap()

    def show(self, frame: Frame, people: Mapping[TrackId, NDArray[np.float32]]) -> None:
        """Take one tracked frame, where there are no packets."""
        self._feed.show(frame, people)

    def keep(self, tracklet: Tracklet) -> None:
        """Do nothing: the sink notes who was seen."""

    def close(self) -> None:
        """Store what waits, and stop; idempotent."""
        self._feed.close()

    def _store(self, segments: Iterator[Segment]) -> None:
        store = RecordingStore(self._output_dir)
        for segment in segments:
            store.footage.put_segment(self._camera_id, segment)
        store.close()
