"""The camera's end of the pictures for alerts: keeps a picture of each part of a track, before anybody knows of alerts.

Needs: opencv-python.
Guarantee: none. Pictures that come faster than they can be encoded are dropped and counted in the log.
When slow: pictures are dropped; no call waits.
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

from connectors.alerting.picture_store import FILE, AlertPicture, AlertPictureStore
from connectors.alerting.waiting_work import WaitingWork
from connectors.console.camera.best_pictures import BestPicture, BestPictures, blurred, encoded, head_of
from connectors.pictures.shape_painter import ShapePainter
from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.zones import parse_lines, parse_zones
from pipeline.core import Frame, TrackId, Tracklet, TrackPart
from pipeline.core.errors import ConfigError, ConnectorError
from pipeline.ledger import LedgerReader

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.25
"""Seconds of event time between two scenes. A larger value costs less, and shows less exactly where people were."""

MAX_WAITING = 64
"""Pictures that wait to be encoded, at most; bounds memory at about 100 MB of scenes of 960 pixels."""

BOX_COLOR = (64, 255, 96)
"""RGB, of the box around the person."""


@dataclass(frozen=True, slots=True)
class _Scene:
    """A scaled frame and where people stood in it, pixels of the scaled frame."""

    captured_at: float
    image: NDArray[np.uint8]
    scale: float
    people: Mapping[TrackId, NDArray[np.float32]]


class AlertPictureMonitor:
    """Keeps pictures of the people in one camera for the alerts that may follow, in the output folder of the run.

    Args:
        camera_id: The camera.
        output_dir: Output folder of the run; all cameras' processes must reach it.
        zones: Of the site; drawn into the scene.
        lines: Of the site; drawn into the scene.
        ground: By camera, three rows that take pixels to metres.
        max_side_px: Longer side of a scene, at most; larger frames are scaled down.
        jpeg_quality: In [1, 100].
        blur_others: Whether the heads of other people are made unrecognisable.

    Raises:
        ConfigError: If a number is out of range, or a zone or line is none.
    """

    def __init__(
        self,
        camera_id: str,
        *,
        output_dir: str,
        zones: Mapping[str, object],
        lines: Mapping[str, object],
        ground: Mapping[str, object],
        max_side_px: int,
        jpeg_quality: int,
        blur_others: bool,
    ) -> None:
        if max_side_px < 64 or not 1 <= jpeg_quality <= 100:
            raise ConfigError(
                "alert_pictures: expected max_side_px from 64 on and jpeg_quality in 1 to 100, got "
                f"{max_side_px} and {jpeg_quality}; correct them"
            )
        builder = AlertBuilder(name="alert_pictures", severity="info", group="sink")
        self._painter = ShapePainter(
            camera_id, parse_zones(zones, builder, ground), parse_lines(lines, builder, ground)
        )
        self._camera_id = camera_id
        self._path = Path(output_dir) / FILE
        self._max_side_px, self._jpeg_quality, self._blur_others = max_side_px, jpeg_quality, blur_others
        self._best = BestPictures()
        self._scenes: dict[TrackId, _Scene] = {}
        self._looked_at = -inf
        self._work: WaitingWork[tuple[TrackPart, BestPicture, _Scene]] = WaitingWork(
            self._store, name=f"alert pictures {camera_id}", max_size=MAX_WAITING
        )

    def show(self, frame: Frame, people: Mapping[TrackId, NDArray[np.float32]]) -> None:
        """Take one tracked frame."""
        self._best.see(frame, people)
        now = frame.stamp.captured_at
        if not people or (now < self._looked_at + LOOK_EVERY_S and people.keys() <= self._scenes.keys()):
            return
        self._looked_at = now
        scene = _scene(frame, people, self._max_side_px)
        self._scenes = {track_id: kept for track_id, kept in self._scenes.items() if kept.captured_at > now - 60}
        self._scenes |= dict.fromkeys(people, scene)

    def keep(self, tracklet: Tracklet) -> None:
        """Take a completed part of a track."""
        best, scene = self._best.take(tracklet.track_id), self._scenes.get(tracklet.track_id)
        if best is not None and scene is not None:
            self._work.put((TrackPart(tracklet.track_id, tracklet.part), best, scene))

    def close(self) -> None:
        """Write what waits, and stop; idempotent."""
        if num_dropped := self._work.close():
            logger.warning("camera %s: %d pictures for alerts were dropped: too many", self._camera_id, num_dropped)

    def _store(self, pictures: Iterator[tuple[TrackPart, BestPicture, _Scene]]) -> None:
        try:
            store = AlertPictureStore(self._path)
            ledger: LedgerReader | None = None
            for part, best, scene in pictures:
                ledger = ledger or _ledger_of(self._path.parent)
                if ledger is None or not ledger.was_erased(part):  # its recording is read again
                    store.put(self._encoded(part, best, scene))
            store.close()
            if ledger is not None:
                ledger.close()
        except ConnectorError as error:
            logger.error("camera %s: alerts go out without pictures: %s", self._camera_id, error)

    def _encoded(self, part: TrackPart, best: BestPicture, scene: _Scene) -> AlertPicture:
        image, crop = scene.image.copy(), best.image
        if self._blur_others:
            height, width = crop.shape[:2]
            heads = [(a * width, b * height, c * width, d * height) for a, b, c, d in best.heads_xyxy]
            crop = blurred(crop, heads)
            others = [box for track_id, box in scene.people.items() if track_id != part.track_id]
            image = blurred(image, [head_of(box.tolist()) for box in others])
        unit = max(1.0, max(image.shape[:2]) / 640)
        self._painter.paint(image, scale=scene.scale, unit=unit)
        left, top, right, bottom = scene.people[part.track_id].round().astype(int).tolist()
        cv2.rectangle(image, (left, top), (right, bottom), BOX_COLOR, round(2 * unit))
        quality = self._jpeg_quality
        return AlertPicture(part, scene.captured_at, encoded(crop, quality), encoded(image, quality))


def _ledger_of(folder: Path) -> LedgerReader | None:
    """Return the ledger of a run; None if there is none yet."""
    try:
        return LedgerReader(folder / "ledger.sqlite")
    except ConnectorError:
        return None


def _scene(frame: Frame, people: Mapping[TrackId, NDArray[np.float32]], max_side_px: int) -> _Scene:
    height, width = frame.size_hw
    scale = min(1.0, max_side_px / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    image = np.asarray(cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return _Scene(frame.stamp.captured_at, image, scale, {track_id: box * scale for track_id, box in people.items()})
