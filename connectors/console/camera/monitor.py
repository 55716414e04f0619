"""The camera's end of the page: live pictures while there are viewers, and a picture and a clip of each track part.

Needs: websockets, opencv-python.
Guarantee: none. Only the newest live picture is sent; what cannot be sent is dropped.
When slow: pictures are dropped; no call waits.
Secrets: the key of the feed is read from a private file of this run.
"""

import json
import logging
import math
import ssl
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from connectors.console.camera.best_pictures import BestPictures, blurred, encoded, head_of
from connectors.console.camera.clips import ClipBuffer
from connectors.console.camera.drawn_shapes import DrawnShapes
from connectors.console.camera.message import pack
from pipeline.core import Frame, TrackId, Tracklet
from pipeline.core.errors import ConfigError

logger = logging.getLogger(__name__)

FEED = "feed.json"
"""File in the folder ``console`` of a run: the address at which the page receives pictures, and the key for it."""

WATCHED, UNWATCHED = "watched", "unwatched"
"""What the page sends a camera when its first viewer comes, and when its last viewer leaves."""

MAX_SHARE = 0.02
"""Largest share of a camera's time spent on live pictures.

Where all cores are busy and a picture takes long, fewer are sent. A larger share slows the pipeline more.
"""

POLL_S = 0.4
"""Seconds after which the thread checks for a message of the page; longer delays the first live picture."""

RETRY_S = 0.3
"""Seconds between two tries to connect."""

MAX_KEPT = 128
"""Pictures and clips that wait to be sent; the oldest are dropped, which bounds memory at about 100 MB."""

CLOSE_TIMEOUT_S = 2.0
"""Seconds that ``close`` waits for pictures to be sent; longer delays the end of a run without a page."""

MIN_SIDE_PX = 64
"""Smallest allowed ``max_side_px``."""

MIN_SCALED_PX = 4
"""Smallest side of a scaled picture: an extremely narrow frame must not scale to nothing."""


class LiveViewMonitor:
    """Sends pictures of one camera to the page of the same run, from its own thread.

    It scales and encodes live pictures only while the camera has viewers.

    Args:
        camera_id: The camera.
        output_dir: Output folder of the run; the page writes its address there.
        max_rate_hz: Live pictures a second, at most.
        max_side_px: Longer side of a live picture, at most; larger pictures are scaled down.
        jpeg_quality: In [1, 100].
        blur_heads: Whether heads are made unrecognisable in live pictures.
        clip_rate_hz: Small frames a second that are kept of each track; 0: no clips.
        zones: Of the site; the page draws them.
        lines: Of the site; the page draws them.
        ground: By camera, three rows that take pixels to metres.

    Raises:
        ConfigError: If a number is out of range, or a zone or line is none.
    """

    def __init__(
        self,
        camera_id: str,
        *,
        output_dir: str,
        max_rate_hz: float,
        max_side_px: int,
        jpeg_quality: int,
        blur_heads: bool,
        clip_rate_hz: float,
        zones: Mapping[str, object] | None = None,
        lines: Mapping[str, object] | None = None,
        ground: Mapping[str, object] | None = None,
    ) -> None:
        if max_rate_hz <= 0 or max_side_px < MIN_SIDE_PX or not 1 <= jpeg_quality <= 100 or clip_rate_hz < 0:
            raise ConfigError(
                f"monitor: expected max_rate_hz above 0, max_side_px from {MIN_SIDE_PX} on, jpeg_quality in 1 to 100, "
                f"clip_rate_hz from 0 on, got {max_rate_hz}, {max_side_px}, {jpeg_quality} and {clip_rate_hz}; "
                "correct them"
            )
        self._shapes = DrawnShapes(zones, lines, ground)
        self._camera_id = camera_id
        self._feed = Path(output_dir) / "console" / FEED
        self._period_s = 1 / max_rate_hz
        self._max_side_px = max_side_px
        self._jpeg_quality = jpeg_quality
        self._blur_heads = blur_heads
        self._best = BestPictures()
        self._clips = ClipBuffer(clip_rate_hz)
        self._changed = threading.Condition()
        self._newest: tuple[Frame, dict[TrackId, NDArray[np.float32]], float] | None = None
        self._kept: deque[tuple[dict[str, Any], Sequence[NDArray[np.uint8]]]] = deque(maxlen=MAX_KEPT)
        self._is_watched = False
        self._is_closed = False
        self._next_at = 0.0
        self._thread = threading.Thread(target=self._run, name=f"monitor {camera_id}", daemon=True)
        self._thread.start()

    def show(self, frame: Frame, people: Mapping[TrackId, NDArray[np.float32]]) -> None:
        """Take one tracked frame; only the newest is sent to viewers."""
        self._best.see(frame, people)
        self._clips.see(frame, people)
        if not self._is_watched or time.monotonic() < self._next_at:
            return
        with self._changed:
            self._newest = (frame, dict(people), time.time())
            self._changed.notify()

    def keep(self, tracklet: Tracklet) -> None:
        """Send the best picture of a part of a track, and its clip, to be stored."""
        track = {"track": str(tracklet.track_id), "part": tracklet.part}
        kept: list[tuple[dict[str, Any], Sequence[NDArray[np.uint8]]]] = []
        best, clip = self._best.take(tracklet.track_id), self._clips.take(tracklet.track_id)
        if best is not None:
            details = {"captured_at": best.captured_at, "quality": best.quality, "heads": best.heads_xyxy}
            kept.append(({"kind": "picture", **track, **details}, [best.image]))
        if clip is not None:
            kept.append(
                ({"kind": "clip", **track, "captured_at": clip.captured_at, "heads": clip.heads_xyxy}, clip.frames)
            )
        if kept:
            with self._changed:
                self._kept.extend(kept)
                self._changed.notify()

    def close(self) -> None:
        """Send what waits, for at most ``CLOSE_TIMEOUT_S``, and stop; idempotent."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        while not self._is_closed:
            try:
                with self._connected() as socket:
                    self._serve(socket)
            except (OSError, WebSocketException, ValueError, KeyError) as error:
                logger.debug("camera %s: the page is not reachable: %s", self._camera_id, error)
            self._is_watched = False
            with self._changed:
                if not self._is_closed:
                    self._changed.wait(RETRY_S)

    def _connected(self) -> ClientConnection:
        """Return a connection; raise ``OSError``, ``ValueError`` or ``KeyError`` if there is no page yet."""
        feed = json.loads(self._feed.read_text())
        context = None
        if feed["certificate"]:
            context = ssl.create_default_context(cafile=feed["certificate"])
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # trust this certificate itself, even self-signed
        return connect(
            feed["url"],
            additional_headers={"authorization": f"Bearer {feed['key']}", "x-camera": json.dumps(self._camera_id)},
            compression=None,
            ssl=context,
            proxy=None,
            open_timeout=5,
            close_timeout=1,
        )

    def _serve(self, socket: ClientConnection) -> None:
        while True:
            with self._changed:
                if not self._kept and self._newest is None and not self._is_closed:
                    self._changed.wait(POLL_S)
                kept = list(self._kept)
                self._kept.clear()
                newest, self._newest = self._newest, None
                if newest is not None:
                    self._next_at = math.inf  # until this one is sent
                is_last = self._is_closed
            for header, images in kept:
                socket.send(pack(header, encoded(np.hstack(images), self._jpeg_quality)))
            if newest is not None:
                began_at = time.monotonic()
                socket.send(self._live_message(*newest))
                took_s = time.monotonic() - began_at
                self._next_at = began_at + max(self._period_s, took_s / MAX_SHARE)
            if is_last:
                return
            try:
                self._is_watched = socket.recv(timeout=0) == WATCHED
            except TimeoutError:
                continue

    def _live_message(self, frame: Frame, people: dict[TrackId, NDArray[np.float32]], shown_at: float) -> bytes:
        image = frame.image
        height, width = frame.size_hw
        if self._blur_heads:
            image = blurred(image, [head_of(box.tolist()) for box in people.values()])
        scale = self._max_side_px / max(height, width)
        if scale < 1:
            size = (max(MIN_SCALED_PX, round(width * scale)), max(MIN_SCALED_PX, round(height * scale)))
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        header = {
            "kind": "live",
            "index": frame.stamp.index,
            "captured_at": frame.stamp.captured_at,
            "shown_at": shown_at,
            "people": [
                [str(track_id), *(round(float(box[side]) / (width, height)[side % 2], 4) for side in range(4))]
                for track_id, box in people.items()
            ],
            "shapes": self._shapes.of(self._camera_id, (height, width)),
            "frame_hw": (height, width),
        }
        return pack(header, encoded(image, self._jpeg_quality))
