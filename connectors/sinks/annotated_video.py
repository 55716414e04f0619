"""Videos with the final person numbers, and one sheet with images of all people: ``annotated/``.

Needs: av, opencv-python, supervision, rich.
Guarantee: written once, by ``close``, from the recordings as they are then. A run that is killed before leaves none.
The box store ``boxes.sqlite`` beside them keeps the boxes, so that ``passerby re-export`` can draw the videos again.
When slow: ``write`` waits for the disk; ``close`` reads and encodes every recording again.
Secrets: none.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from connectors.pictures.contact_sheet import CropPlace, choose_crops, cut, draw_sheet
from connectors.pictures.drawing import Image
from connectors.pictures.people_painter import PeoplePainter
from connectors.pictures.video_writer import VideoWriter
from connectors.sinks.final_boxes import FinalBoxes
from connectors.sources.images import ImagesSource
from connectors.sources.video_file import VideoFileSource
from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.zones import parse_lines, parse_zones
from pipeline.camera.privacy_mask import masked, parse_masks
from pipeline.core import Frame, Source, TrackPart
from pipeline.core.camera_uri import IMAGES, parse_camera
from pipeline.core.errors import ConnectorError, SourceLostError

logger = logging.getLogger(__name__)

JPEG_QUALITY = 92
"""Of the sheet, 1 to 100. Higher values make the file larger."""

COVER_MARGIN = 0.1
"""By how much the cover of an erased person is larger on each side, in sizes of the box. Larger: it hides more."""
COVER_GREY = 128
"""Colour of the cover of an erased person."""

MASKS = "masks.json"
"""File of the output folder with every privacy mask that a film of it was drawn with."""

Crops = dict[tuple[int, str], list[Image]]
"""Crops by person and camera."""


class AnnotatedVideoSink:
    """Draws the people into the recordings once the run is over and the identities are final.

    ``annotated/<camera_id>.mp4`` has boxes, numbers and fading trajectories. ``annotated/people.jpg`` has a row for
    each person and a column for each camera. All videos end soon after the last person was seen in any camera. Live
    cameras are left out, because their frames cannot be read again. People who were erased are covered in grey: of them
    the box store keeps where they were tracked, and not who it was.

    Args:
        output_dir: The files are written to its subfolder ``annotated``.
        cameras: By name: a URI, or a block with ``uri`` and options of the source.
        max_gap_s: Gaps inside a track of up to this many seconds are filled by linear interpolation.
        trail_s: Seconds of a person's trajectory that are drawn.
        max_side_px: Larger frames are scaled down to this.
        crf: Quality of the videos, libx264: 18 is very good, 28 is small.
        threads: Threads of the encoder; at least 1.
        num_crops: Crops of a person from each camera on the sheet, at most.
        max_people: Rows of the sheet, at most.
        zones: Of the site, as alert rules have them; drawn into every frame.
        lines: Of the site, the same.
        ground: By camera, three rows that take pixels to metres.
        masks: Of the site; covered in every frame, with those of earlier sinks of this folder: a film that is written
            again shows nothing more.

    Raises:
        ConfigError: If a camera's name cannot be the name of a file.
        ConnectorError: If the folder cannot be written.
    """

    def __init__(
        self,
        *,
        output_dir: str,
        cameras: Mapping[str, object],
        max_gap_s: float,
        trail_s: float,
        max_side_px: int,
        crf: int,
        threads: int,
        num_crops: int,
        max_people: int,
        zones: Mapping[str, object] | None = None,
        lines: Mapping[str, object] | None = None,
        ground: Mapping[str, object] | None = None,
        masks: Mapping[str, object] | None = None,
    ) -> None:
        note_masks(Path(output_dir), masks or {})
        self._folder = Path(output_dir) / "annotated"
        self._boxes = boxes = FinalBoxes(self._folder, cameras, self._draw_all, keeps_masks=True)
        self.write, self.flush, self.close = boxes.write, boxes.flush, boxes.close
        self.mark, self.rewind = boxes.mark, boxes.rewind
        self._cameras = dict(cameras)
        self._max_gap_s = max_gap_s
        self._trail_s = trail_s
        self._max_side_px = max_side_px
        self._crf = crf
        self._threads = threads
        self._num_crops = num_crops
        self._max_people = max_people
        builder = AlertBuilder(name="annotated_video", severity="info", group="sink")
        self._zones = parse_zones(zones or {}, builder, ground)
        self._lines = parse_lines(lines or {}, builder, ground)

    def re_export(self, person_of: Callable[[TrackPart], int]) -> None:
        """Make ``close`` write the files of an earlier run again."""
        self._boxes.re_export(person_of)

    def _draw_all(self) -> None:
        self._site_masks = parse_masks(note_masks(self._folder.parent, {}))
        boxes = {camera_id: self._boxes.boxes(camera_id, max_gap_s=self._max_gap_s) for camera_id in self._cameras}
        if any(len(of_camera) for of_camera in boxes.values()):
            self._draw(boxes)
        else:
            logger.info("no person was seen: no video is drawn")

    def _draw(self, boxes: Mapping[str, NDArray[np.void]]) -> None:
        """Draw a video of each recording, then the sheet."""
        ends_at = self._trail_s + max(
            float(of_camera["captured_at"].max()) for of_camera in boxes.values() if len(of_camera)
        )
        crops: Crops = {}
        recorded = []
        for camera_id, camera in self._cameras.items():
            source = _open_recording(camera_id, camera)
            if source is None:
                logger.info("camera %s: its frames cannot be read again, no video is drawn", camera_id)
                continue
            recorded.append(camera_id)
            self._draw_video(camera_id, source, boxes[camera_id], ends_at, crops)
        seen_s: dict[int, float] = {}
        for camera_id in recorded:
            for person_id, seconds in _seconds_seen(boxes[camera_id]).items():
                seen_s[person_id] = seen_s.get(person_id, 0.0) + seconds
        if crops:
            sheet = draw_sheet(crops, recorded, seen_s, num_crops=self._num_crops, max_people=self._max_people)
            _write_jpeg(self._folder / "people.jpg", sheet)

    def _draw_video(
        self, camera_id: str, source: Source, boxes: NDArray[np.void], ends_at: float, crops: Crops
    ) -> None:
        """Draw one video, and cut the crops for the sheet on the way."""
        wanted: dict[int, list[CropPlace]] = {}
        frame_hw = self._boxes.frame_hw(camera_id)
        if frame_hw is not None:
            for place in choose_crops(camera_id, boxes, frame_hw=frame_hw, num_crops=self._num_crops):
                wanted.setdefault(place.index, []).append(place)
        painter = PeoplePainter(
            camera_id, trail_s=self._trail_s, max_gap_s=self._max_gap_s, zones=self._zones, lines=self._lines
        )
        video = VideoWriter(self._folder / f"{camera_id}.mp4", crf=self._crf, threads=self._threads)
        masks = self._boxes.masks(camera_id, max_gap_s=self._max_gap_s)
        last = int(boxes["index"][-1]) + 1 if len(boxes) else None
        offset_s = parse_camera(self._cameras[camera_id]).offset_s
        for frame in _with_progress(_frames_until(source, ends_at, offset_s), camera_id, last):
            index = frame.stamp.index
            picture = masked(frame.image, self._site_masks.get(camera_id, ()))
            picture = _covered(picture, _of_frame(masks, index)["box_xyxy"])
            for place in wanted.get(index, ()):
                crops.setdefault((place.person_id, camera_id), []).append(cut(picture, place.box_xyxy))
            image, scale = _scaled(picture, self._max_side_px)
            painter.paint(image, frame.stamp, _of_frame(boxes, index), scale=scale)
            video.add(image, frame.stamp.captured_at)
        video.finish()


def note_masks(folder: Path, masks: Mapping[str, object]) -> dict[str, object]:
    """Let the films of a run be covered by these masks too, and return all that were noted, by number.

    Raises:
        ConnectorError: If the file with those of earlier cannot be read or written.
    """
    path = folder / MASKS
    try:
        earlier: list[object] = json.loads(path.read_text()) if path.exists() else []
        known = [*earlier, *(mask for mask in masks.values() if mask not in earlier)]
        if known != earlier:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(known))
    except (OSError, ValueError) as error:
        raise ConnectorError(
            f"{path}: expected the privacy masks of this run, got {error}; restore the file"
        ) from error
    return {str(number): mask for number, mask in enumerate(known)}


def _open_recording(camera_id: str, camera: object) -> Source | None:
    """Open the footage of a camera again, as ``site.cameras`` names it; return None if the camera is live."""
    found = parse_camera(camera)
    if not found.is_recording:
        return None
    make = ImagesSource if found.kind == IMAGES else VideoFileSource
    return make(
        camera_id, found.uri, **{**found.options, "follow": False} if make is VideoFileSource else found.options
    )


def _frames_until(source: Source, ends_at: float, offset_s: float) -> Iterator[Frame]:
    """Yield a recording's frames up to a time, offset added; a recording that is cut off ends there."""
    frames = source.frames()
    try:
        for frame in frames:
            at = frame.stamp.captured_at + offset_s
            if at > ends_at:
                break
            yield replace(frame, stamp=replace(frame.stamp, captured_at=at)) if offset_s else frame
    except SourceLostError as error:
        logger.warning("camera %s: its video ends where the recording is cut off: %s", source.camera_id, error)
    finally:
        source.close()


def _with_progress(frames: Iterator[Frame], camera_id: str, total: int | None) -> Iterator[Frame]:
    """Yield the frames, with a progress bar on standard error if that is a terminal."""
    with _progress() as progress:
        task = progress.add_task(f"drawing {camera_id}", total=total)
        for frame in frames:
            yield frame
            progress.advance(task)


@contextmanager
def _progress() -> Iterator[Progress]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        yield progress


def _of_frame(boxes: NDArray[np.void], index: int) -> NDArray[np.void]:
    """Return the boxes of one frame; the input is ordered by frame."""
    start, end = np.searchsorted(boxes["index"], [index, index + 1])
    return boxes[start:end]


def _covered(image: Image, boxes_xyxy: NDArray[np.float32]) -> Image:
    """Return a frame in which erased people are grey; the frame itself if there is none."""
    if not len(boxes_xyxy):
        return image
    covered = image.copy()
    for left, top, right, bottom in boxes_xyxy.tolist():
        margin_x, margin_y = COVER_MARGIN * (right - left), COVER_MARGIN * (bottom - top)
        rows = slice(max(0, round(top - margin_y)), max(0, round(bottom + margin_y)))
        covered[rows, max(0, round(left - margin_x)) : max(0, round(right + margin_x))] = COVER_GREY
    return covered


def _scaled(image: Image, max_side_px: int) -> tuple[Image, float]:
    """Return a writable copy with even sides of at most this size, and its scale."""
    height, width = image.shape[:2]
    scale = min(1.0, max_side_px / max(height, width))
    even_wh = (max(2, round(width * scale) // 2 * 2), max(2, round(height * scale) // 2 * 2))
    if even_wh == (width, height):
        return image.copy(), 1.0
    if scale == 1.0:
        return image[: even_wh[1], : even_wh[0]].copy(), 1.0
    return np.asarray(cv2.resize(image, even_wh, interpolation=cv2.INTER_AREA), np.uint8), scale


def _seconds_seen(boxes: NDArray[np.void]) -> dict[int, float]:
    """Return for how many seconds each person was in one camera."""
    times = np.unique(boxes["captured_at"])
    frame_s = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    person_ids, counts = np.unique(boxes["person_id"], return_counts=True)
    return {int(person_id): int(count) * frame_s for person_id, count in zip(person_ids, counts, strict=True)}


def _write_jpeg(path: Path, image: Image) -> None:
    """Write an RGB image."""
    _, data = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise ConnectorError(f"{path}: expected to write it, got {error.strerror}; check space and rights") from error
