"""The camera's end of the clips for alerts: keeps the newest seconds of one camera, before anybody knows of alerts.

Needs: av; opencv-python where pictures are encoded here.
Guarantee: none. Segments and pictures that come faster than they can be stored are dropped, and counted in the log.
When slow: segments and pictures are dropped; no call waits.
Secrets: none.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from connectors.alerting.clip_segments import PacketSegments, PictureSegments, Segment
from connectors.alerting.clip_store import AlertClipStore
from connectors.alerting.waiting_work import WaitingWork
from connectors.console.camera.best_pictures import blurred, head_of
from pipeline.core import Frame, TrackId, Tracklet
from pipeline.core.errors import ConfigError, ConnectorError
from pipeline.core.interfaces import PacketTap

logger = logging.getLogger(__name__)

MAX_WAITING_BYTES = 100_000_000
"""Bytes of the segments or pictures that wait to be stored, at most; the same as of the pictures for alerts."""

MAX_FPS = 12.5
"""Pictures a second that are encoded, at most. More cost more, and show fast movements better."""


@dataclass(frozen=True, slots=True)
class _Picture:
    """A scaled frame to encode, and the boxes of people in it, pixels of it."""

    captured_at: float
    image: NDArray[np.uint8]
    people: tuple[NDArray[np.float32], ...]

    @property
    def num_bytes(self) -> int:
        return self.image.nbytes


class AlertClipMonitor:
    """Keeps the newest seconds of one camera, as a ring of segments in the output folder of the run.

    Where the source is a stream of H.264 or H.265 and nothing is to be blurred, its packets are copied. Otherwise the
    pictures are encoded, at most ``MAX_FPS`` a second.

    Args:
        camera_id: The camera.
        output_dir: Output folder of the run; all cameras' processes must reach it.
        ring_s: Seconds that the ring keeps, at most, above 0.
        ring_mb: Megabytes of the ring, at most, above 0.
        max_side_px: Longer side of encoded pictures, at most; at least 64.
        blur_heads: Whether all heads are made unrecognisable. It needs the pictures to be encoded.

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
        self._max_side_px, self._blur_heads = max_side_px, blur_heads
        self._shown_at = -inf
        self._work: WaitingWork[Segment | _Picture] = WaitingWork(
            self._store,
            name=f"alert clips {camera_id}",
            max_size=MAX_WAITING_BYTES,
            size_of=lambda piece: piece.num_bytes,
        )
        self._packets = PacketSegments(self._work.put)
        self._is_closed = False

    def packet_tap(self) -> PacketTap | None:
        """Return what is to see the packets of the source; None where pictures must be changed."""
        return None if self._blur_heads else self._packets

    def show(self, frame: Frame, people: Mapping[TrackId, NDArray[np.float32]]) -> None:
        """Take one tracked frame, where there are no packets."""
        now = frame.stamp.captured_at
        if self._packets.is_fed or self._shown_at < now < self._shown_at + 1 / MAX_FPS:
            return
        self._shown_at = now
        height, width = frame.size_hw
        scale = min(1.0, self._max_side_px / max(height, width))
        size = max(2, round(width * scale)), max(2, round(height * scale))
        image = np.asarray(cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA), np.uint8)
        self._work.put(_Picture(now, image, tuple(box * scale for box in people.values())))

    def keep(self, tracklet: Tracklet) -> None:
        """Do nothing: a clip needs no parts of tracks."""

    def close(self) -> None:
        """Store what waits, and stop; idempotent."""
        if not self._is_closed:
            self._packets.close()
        self._is_closed = True
        if num_dropped := self._work.close():
            logger.warning(
                "camera %s: %d pieces of video for clips were dropped: they came too fast", self._camera_id, num_dropped
            )

    def _store(self, pieces: Iterator[Segment | _Picture]) -> None:
        try:
            store = AlertClipStore(self._output_dir)
            store.note_end(self._camera_id, has_ended=False)

            def put(segment: Segment) -> None:
                store.put_segment(self._camera_id, segment, keep_s=self._ring_s, max_bytes=self._ring_bytes)

            encoded = PictureSegments(put)
            for piece in pieces:
                if isinstance(piece, Segment):
                    put(piece)
                else:
                    encoded.add(self._drawn(piece), piece.captured_at)
            encoded.close()
            store.note_end(self._camera_id, has_ended=True)
            store.close()
        except (ConnectorError, OSError) as error:
            logger.error("camera %s: alerts go out without clips: %s", self._camera_id, error)

    def _drawn(self, picture: _Picture) -> NDArray[np.uint8]:
        if not self._blur_heads:
            return picture.image
        return blurred(picture.image, [head_of(box.tolist()) for box in picture.people])
