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
from pipeline.config.composition import load_config, site_of, with_detectors
from pipeline.config.detection import own_detectors
from pipeline.config.plan import make_plan, matcher_factory
from pipeline.config.schema import PipelineConfig
from pipeline.config.validation import check_ranges
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
from pipeline.core.arrays import check_array
from pipeline.core.errors import ConfigError, DataError, ShapeError
from pipeline.core.plugin_contract import blaming, made
from pipeline.ledger import LedgerReader
from pipeline.runtime.camera_detectors import CameraDetectors
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
        if not isinstance(cameras, Mapping) or not cameras:
            raise ConfigError(f'cameras: expected {{"east": "/films/east.mp4", …}}, got {cameras!r:.80}')
        _check_names("cameras", cameras)
        if find_people is not None and not callable(find_people):
            raise ConfigError(f"find_people: expected a function of a picture, got {find_people!r:.80}")
        config = _config(overrides, site_of(cameras))
        config.site.cameras = {
            name: str(camera) if isinstance(camera, Path) else camera for name, camera in cameras.items()
        }
        config = with_detectors(config)
        if find_people is not None and (own := own_detectors(config.site.cameras)):
            key, _ = next(iter(own.values()))
            raise ConfigError(f"{key}: expected none, because find_people finds people; leave out one of them")
        self._plan = make_plan(config, has_detector=find_people is None)
        for name, make_source in self._plan.make_sources.items():
            key = f"site.cameras.{name}"
            with closing(made(key, make_source)) as source, blaming(key, source):
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

            def find(frame: Frame) -> Detections:
                found = find_people(frame.image)
                if not isinstance(found, sv.Detections):
                    raise DataError(
                        f"find_people: expected it to return supervision.Detections, got {type(found).__name__}; where "
                        "nobody is, return supervision.Detections.empty()"
                    )
                return from_supervision(found, frame.stamp)

            return find
        detectors = CameraDetectors(self._plan)
        return lambda frame: detectors.find(detectors.prepare(frame))

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

    Returns:
        A matcher whose ``process`` refuses, as a whole, what is not an embedding of one of these cameras, or cannot be
        used: a vector of another length or space, a track that goes back in time. It goes on as if that never came.

    Raises:
        ConfigError: If a word or a name is wrong; names it.
    """
    if isinstance(cameras, str) or not isinstance(cameras, Iterable) or not (names := list(cameras)):
        raise ConfigError(f'cameras: expected a list of names, ["east", "west"], got {cameras!r:.80}')
    _check_names("cameras", names)
    config = _config(overrides)
    config.site.cameras = dict.fromkeys(names, "")
    check_ranges(config)
    return matcher_factory(config, cameras=names)()


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
        ShapeError: If an array has another shape, is not finite, or the vector is zero; names it.
        DataError: If another argument is out of its range; names it.
    """
    _check_names("camera_id", [camera_id])
    _check_names("space", [space])
    for name, number in (("track", track), ("part", part)):
        _check(name, "a number of at least 0", number, isinstance(number, int | np.integer) and number >= 0)
    is_size = isinstance(frame_hw, tuple | list) and len(frame_hw) == 2
    is_size = is_size and all(isinstance(side, int | np.integer) and side > 0 for side in frame_hw)
    _check("frame_hw", "height and width of the frames, pixels, (1080, 1920)", frame_hw, is_size)
    _check("quality", "a number in (0, 1]", quality, _is_number(quality) and 0 < quality <= 1)
    times = _finite("captured_at", captured_at, (None,))
    _check("captured_at", "at least one time, ascending", captured_at, len(times) > 0 and (np.diff(times) >= 0).all())
    boxes = _finite("boxes_xyxy", boxes_xyxy, (len(times), 4)).astype(np.float32)
    own = _finite("vector", vector, (None,))
    _check("boxes_xyxy", "left < right and top < bottom", boxes_xyxy, (boxes[:, :2] < boxes[:, 2:]).all())
    norm = float(np.linalg.norm(own))
    if not 0 < norm < inf:
        raise ShapeError(f"vector: expected one above 0, got {len(own)} numbers of norm {norm:g}")
    height, width = (int(side) for side in frame_hw)
    path = TrackPath(
        np.arange(len(times), dtype=np.int64), times, boxes, np.ones(len(times), np.float32), (height, width)
    )
    first, last = (FrameStamp(camera_id, row % len(times), float(times[row])) for row in (0, -1))
    return Embedding(
        TrackId(camera_id, 0, int(track)),
        part=int(part),
        first=first,
        last=last,
        box_xyxy=boxes[-1].copy(),
        space=space,
        vector=(own / norm).astype(np.float32),
        quality=float(quality),
        path=path,
        completed_at=last.captured_at,
        is_last=bool(is_last),
    )


def open_ledger(path: str | Path) -> LedgerReader:
    """Return a reader of a run's ledger, during the run or after it.

    Args:
        path: The output folder of the run, or its ``ledger.sqlite``.

    Raises:
        ConfigError: If it is no path.
        ConnectorError: If there is no ledger.
    """
    if not isinstance(path, str | Path):
        raise ConfigError(f"path: expected the output folder of a run, or its ledger.sqlite, got {path!r:.80}")
    chosen = Path(path).expanduser()
    return LedgerReader(chosen / "ledger.sqlite" if chosen.suffix != ".sqlite" else chosen)


def from_supervision(detections: sv.Detections, stamp: FrameStamp) -> Detections:
    """Return detections of ``supervision`` as ours; every box counts as a person.

    Raises:
        ShapeError: If boxes are not finite, or reversed.
        DataError: If a confidence is not in [0, 1], or these are other objects.
    """
    _check("detections", "supervision.Detections", detections, isinstance(detections, sv.Detections))
    _check("stamp", "a FrameStamp", stamp, isinstance(stamp, FrameStamp))
    boxes = _finite("detections.xyxy", detections.xyxy, (None, 4))
    _check("detections.xyxy", "left <= right and top <= bottom", detections.xyxy, (boxes[:, :2] <= boxes[:, 2:]).all())
    given = np.ones(len(boxes)) if detections.confidence is None else detections.confidence
    scores = _finite("detections.confidence", given, (len(boxes),))
    _check("detections.confidence", "numbers in [0, 1]", given, ((scores >= 0) & (scores <= 1)).all())
    return Detections(stamp, boxes.astype(np.float32), scores.astype(np.float32))


def to_supervision(sightings: Iterable[Sighting], camera_id: str, index: int) -> sv.Detections:
    """Return the boxes of one frame for ``supervision``; ``tracker_id`` is the number of the person.

    Args:
        sightings: As ``Pipeline`` yields them; a frame is complete a few seconds later.
        camera_id: The camera; where nobody was seen, there are no boxes.
        index: Number of the frame, from 0.

    Raises:
        DataError: If an argument is of another kind; names it.
    """
    _check_names("camera_id", [camera_id])
    _check("index", "a number of at least 0", index, isinstance(index, int | np.integer) and index >= 0)
    _check("sightings", "an iterable of sightings", sightings, isinstance(sightings, Iterable))
    boxes, scores, numbers = [np.empty((0, 4), np.float32)], [np.empty(0, np.float32)], []
    for sighting in sightings:
        if not isinstance(sighting, Sighting):
            raise DataError(f"sightings: expected sightings alone, got a {type(sighting).__name__}; leave it out")
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


def _config(overrides: Sequence[str], site: str = "empty") -> PipelineConfig:
    """Return the configuration of a place, with these words of a command line."""
    for word in overrides:
        if not isinstance(word, str):
            raise ConfigError(f'overrides: expected words such as "matcher.leave_after_s=inf", got {word!r:.80}')
    return load_config([f"site={site}", *overrides])


def _check_names(argument: str, names: Iterable[object]) -> None:
    """Raise ``ConfigError`` unless these are different texts that are not empty."""
    known: set[object] = set()
    for name in names:
        if not isinstance(name, str) or not name or name in known:
            raise ConfigError(f"{argument}: expected a name, each one once, got {name!r:.80}")
        known.add(name)


def _check(argument: str, expected: str, got: object, is_right: object) -> None:
    """Raise ``DataError`` that names an argument, unless it is right."""
    if not is_right or isinstance(got, bool):
        raise DataError(f"{argument}: expected {expected}, got {' '.join(f'{got!r}'.split()):.80}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating)


def _finite(argument: str, value: object, shape: Sequence[int | None]) -> NDArray[np.float64]:
    """Return numbers as an array of its own.

    Raises:
        ShapeError: If it has another shape, or holds what is no finite number; names the argument.
    """
    try:
        array = np.array(value, np.float64)
    except (TypeError, ValueError) as error:
        raise ShapeError(f"{argument}: expected numbers, got {' '.join(f'{value!r}'.split()):.80}") from error
    if array.size == 0 and not shape[0]:
        array = array.reshape(0, *(size for size in shape[1:] if size is not None))  # no box at all
    check_array(argument, array, shape, np.float64)
    if not np.isfinite(array).all():
        raise ShapeError(f"{argument}: expected finite numbers, got {array[~np.isfinite(array)][0]}")
    return array
