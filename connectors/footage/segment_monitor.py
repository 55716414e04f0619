"""The camera's end of recordings and clips: makes segments of what a camera shows, in a thread of its own.

Needs: av; opencv-python where pictures are encoded here.
Guarantee: none. Segments and pictures that come faster than they can be stored are dropped, and counted in the log.
When slow: segments and pictures are dropped; no call waits.
Secrets: none.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import inf

import cv2
import numpy as np
from numpy.typing import NDArray

from connectors.alerting.waiting_work import WaitingWork
from connectors.console.camera.best_pictures import blurred, head_of
from connectors.footage.segments import SEGMENT_S, PacketSegments, PictureSegments, Segment
from pipeline.core import Frame, TrackId, Tracklet
from pipeline.core.errors import ConnectorError
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


class SegmentMonitor:
    """A monitor that makes segments of one camera.

    Where the source is a stream of H.264 or H.265 and nothing is to be blurred, its packets are copied. Otherwise the
    pictures are encoded, at most ``MAX_FPS`` a second. What comes faster than it can be stored is dropped, and counted
    in the log.

    Args:
        camera_id: The camera.
        store: Stores the segments, which it is given one after another in a thread of its own; they end with ``close``.
        purpose: What goes without video if they cannot be stored, for the log.
        max_side_px: Longer side of encoded pictures, at most.
        blur_heads: Whether all heads are made unrecognisable. It needs the pictures to be encoded.
        segment_s: Seconds of a segment, at most.
    """

    def __init__(
        self,
        camera_id: str,
        store: Callable[[Iterator[Segment]], None],
        *,
        purpose: str,
        max_side_px: int,
        blur_heads: bool,
        segment_s: float = SEGMENT_S,
    ) -> None:
        self._camera_id, self._purpose, self._store = camera_id, purpose, store
        self._max_side_px, self._blur_heads, self._segment_s = max_side_px, blur_heads, segment_s
        self._shown_at = -inf
        self._work: WaitingWork[Segment | _Picture] = WaitingWork(
            self._run,
            name=f"{purpose} {camera_id}",
            max_size=MAX_WAITING_BYTES,
            size_of=lambda piece: piece.num_bytes,
        )
        self._packets = PacketSegments(self._work.put, segment_s)
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
        """Do nothing: video needs no parts of tracks."""

    def close(self) -> None:
        """Store what waits, and stop; idempotent."""
        if not self._is_closed:
            self._packets.close()
        self._is_closed = True
        if num_dropped := self._work.close():
            logger.warning(
                "camera %s: %d pieces of video for %s were dropped: they came too fast",
                *(self._camera_id, num_dropped, self._purpose),
            )

    def _run(self, pieces: Iterator[Segment | _Picture]) -> None:
        try:
            self._store(self._segments(pieces))
        except (ConnectorError, OSError) as error:
            logger.error("camera %s: no video for %s from now on: %s", self._camera_id, self._purpose, error)

    def _segments(self, pieces: Iterator[Segment | _Picture]) -> Iterator[Segment]:
        encoded: list[Segment] = []
        encoder = PictureSegments(encoded.append, self._segment_s)
        for piece in pieces:
            if isinstance(piece, Segment):
                yield piece
            else:
                encoder.add(self._drawn(piece), piece.captured_at)
                yield from encoded
                encoded.clear()
        encoder.close()
        yield from encoded

    def _drawn(self, picture: _Picture) -> NDArray[np.uint8]:
        if not self._blur_heads:
            return picture.image
        return blurred(picture.image, [head_of(box.tolist()) for box in picture.people])
