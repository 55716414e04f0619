"""The Python interface: follow videos, match embeddings of one's own, read a ledger. ``import pipeline`` offers it.

Everything runs in this process, without Ray and without files. The result is that of ``passerby run`` on the same
cameras, except for people who are enrolled by pictures and alerts, which belong to a run.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from heapq import merge
from math import inf
from pathlib import Path

import numpy as np
import supervision as sv
from numpy.typing import ArrayLike, NDArray

from pipeline.association.matcher import Matcher
from pipeline.camera.detection import letterbox
from pipeline.config.composition import load_config, site_of
from pipeline.config.plan import make_plan, matcher_factory
from pipeline.core import (
    Correction,
    Detections,
    Embedding,
    Frame,
    FrameStamp,
    Sighting,
    TrackId,
    Tracklet,
    TrackPath,
)
from pipeline.core.errors import ShapeError
from pipeline.ledger import LedgerReader
from pipeline.runtime.event_time import EventTimeBuffer

FindPeople = Callable[[NDArray[np.uint8]], sv.Detections]
"""A detector of one's own: a picture, shape ``(H, W, 3)``, uint8, RGB, to the people in it."""


class Pipeline:
    """Follows people across cameras; iterating yields sightings, and corrections of earlier ones, as they are decided.

    Args:
        cameras: By name: a file, a folder of pictures, a URL, a device number, or a block with ``uri``, as in
            ``site.cameras``.
        overrides: Further words of a command line, such as ``detector=yolox_onnx``.
        find_people: Replaces the detector, whose weights are not needed then; boxes in pixels, confidence in [0, 1],
            people only.

    Raises:
        ConfigError: If it cannot run as configured; names the key.

    Example::

        for record in Pipeline({"north": "/a/north.mp4"}):
            print(record)
    """

    def __init__(self, cameras: Mapping[str, object], *overrides: str, find_people: FindPeople | None = None) -> None:
        config = load_config([f"site={site_of(cameras)}", *overrides])
        config.site.cameras = dict(cameras)
        self._plan = make_plan(config, has_detector=find_people is None)
        for make_source in self._plan.make_sources.values():
            with closing(make_source()) as source:
                source.check()
        self._find_people = find_people

    def __iter__(self) -> Iterator[Sighting | Correction]:
        """Read every camera to its end; of several live cameras, each waits for the slowest."""
        plan = self._plan
        sources = {camera_id: make() for camera_id, make in plan.make_sources.items()}
        tracks = {camera_id: plan.make_track() for camera_id in sources}
        find = self._detector()
        embed = self._embedder()
        matcher = plan.make_match()
        buffer = EventTimeBuffer(sources, window_s=plan.match.window_s, max_lateness_s=plan.match.max_lateness_s)
        streams = [_to_the_end(camera_id, source.frames()) for camera_id, source in sources.items()]
        try:
            for at, camera_id, frame in merge(*streams, key=lambda item: item[:2]):
                track = tracks[camera_id]
                found = track.flush() if frame is None else track.process([(frame, find(frame))])
                for embedding in embed(found):
                    buffer.add(embedding)
                buffer.advance(camera_id, inf if frame is None else at)
                for _, items in buffer.release():
                    if window := [item for item in items if isinstance(item, Embedding)]:
                        yield from matcher.process(window)
            yield from matcher.flush()
        finally:
            for source in sources.values():
                source.close()

    def _detector(self) -> Callable[[Frame], Detections]:
        find_people = self._find_people
        if find_people is not None:
            return lambda frame: from_supervision(find_people(frame.image), frame.stamp)
        stage = self._plan.make_detect()
        return lambda frame: stage.process([letterbox(frame, self._plan.input_hw)])[0]

    def _embedder(self) -> Callable[[Sequence[Tracklet]], Iterable[Embedding]]:
        pose = None if self._plan.make_pose is None else self._plan.make_pose()
        stage = self._plan.make_embed()

        def embed(tracklets: Sequence[Tracklet]) -> Iterable[Embedding]:
            posed = tracklets if pose is None else pose.process(tracklets)
            return (embedding for embedding in stage.process(posed) if embedding is not None)

        return embed


def open_matcher(cameras: Sequence[str], *overrides: str) -> Matcher:
    """Return a matcher for embeddings of one's own; ``process`` takes those of one moment together, in order of time.

    Args:
        cameras: Their names.
        overrides: Words of a command line. State what distances of the network mean, within a person and between
            people: ``matcher.calibration.same_mean=… same_std=… different_mean=… different_std=…``.

    Raises:
        ConfigError: If a word is wrong; names the key.
    """
    config = load_config(["site=empty", *overrides])
    config.site.cameras = dict.fromkeys(cameras, "")
    return matcher_factory(config)()


def make_embedding(
    camera_id: str,
    track: int,
    vector: ArrayLike,
    *,
    captured_at: Sequence[float],
    boxes_xyxy: ArrayLike,
    frame_hw: tuple[int, int],
    part: int = 0,
    is_last: bool = True,
    quality: float = 1.0,
    space: str = "own",
) -> Embedding:
    """Return the appearance of a track, or of a part of one, from a vector and boxes of one's own.

    Args:
        camera_id: The camera.
        track: Number of the track in that camera, from 1.
        vector: Shape ``(D,)``, of any length above 0; its norm becomes 1.
        captured_at: Unix seconds of the boxes, ascending.
        boxes_xyxy: Shape ``(N, 4)``, pixels: left, top, right, bottom.
        frame_hw: Height and width of the frames, pixels.
        part: 0, 1, 2 … of a track that is sent in parts.
        is_last: The track has ended.
        quality: In (0, 1]; poor crops count less.
        space: Name of the network; vectors of two spaces are never compared.

    Raises:
        ShapeError: If the arrays do not fit each other, or the vector is zero.
    """
    times = np.asarray(captured_at, np.float64)
    boxes = np.array(boxes_xyxy, np.float32)
    own = np.array(vector, np.float32)
    norm = float(np.linalg.norm(own))
    if not len(times) or not norm > 0:
        name = f"{camera_id}/{track}"
        raise ShapeError(
            f"embedding of {name}: expected boxes and a vector above 0, got {len(times)} boxes, norm {norm}"
        )
    path = TrackPath(np.arange(len(times), dtype=np.int64), times, boxes, np.ones(len(times), np.float32), frame_hw)
    first, last = (FrameStamp(camera_id, row % len(times), float(times[row])) for row in (0, -1))
    return Embedding(
        TrackId(camera_id, 0, track),
        part=part,
        first=first,
        last=last,
        box_xyxy=boxes[-1].copy(),
        space=space,
        vector=own / np.float32(norm),
        quality=quality,
        path=path,
        completed_at=last.captured_at,
        is_last=is_last,
    )


def open_ledger(path: str | Path) -> LedgerReader:
    """Return a reader of a run's ledger, during the run or after it.

    Args:
        path: The output folder of the run, or its ``ledger.sqlite``.

    Raises:
        ConnectorError: If there is no ledger.
    """
    chosen = Path(path).expanduser()
    return LedgerReader(chosen / "ledger.sqlite" if chosen.suffix != ".sqlite" else chosen)


def from_supervision(detections: sv.Detections, stamp: FrameStamp) -> Detections:
    """Return detections of ``supervision`` as ours; every box counts as a person."""
    scores = np.ones(len(detections)) if detections.confidence is None else detections.confidence
    return Detections(stamp, detections.xyxy.astype(np.float32), scores.astype(np.float32))


def to_supervision(sightings: Iterable[Sighting], camera_id: str, index: int) -> sv.Detections:
    """Return the boxes of one frame for ``supervision``; ``tracker_id`` is the number of the person.

    Args:
        sightings: As ``Pipeline`` yields them; a frame is complete a few seconds later.
        camera_id: The camera.
        index: Number of the frame.
    """
    boxes, scores, numbers = [np.empty((0, 4), np.float32)], [np.empty(0, np.float32)], []
    for sighting in sightings:
        if sighting.track_id.camera_id == camera_id:
            row = sighting.path.indices == index
            boxes.append(sighting.path.boxes_xyxy[row])
            scores.append(sighting.path.scores[row])
            numbers += [sighting.person_id] * int(row.sum())
    return sv.Detections(
        xyxy=np.concatenate(boxes), confidence=np.concatenate(scores), tracker_id=np.array(numbers, np.int64)
    )


def _to_the_end(camera_id: str, frames: Iterator[Frame]) -> Iterator[tuple[float, str, Frame | None]]:
    """Yield frames with their time and camera, and None in place of a frame at the end."""
    at = -inf
    for frame in frames:
        at = frame.stamp.captured_at
        yield at, camera_id, frame
    yield at, camera_id, None
