"""Trackers side by side on footage of one camera whose truth is known: the same boxes for all of them.

    python -m models.training score-trackers tracker=bytetrack,sort,ocsort,botsort,cbiou
    python -m models.training score-trackers tracker=bytetrack,cbiou pets=false mot=/a/MOT17/train detector=yolox_onnx
    python -m models.training score-trackers tracker=bytetrack pets=false clips=/a/x.mp4:/a/gt.txt

``pets`` is the real footage of ``configs/site/pets.yaml``. ``mot`` is a folder of sequences of MOTChallenge (``img1/``,
``gt/gt.txt``, ``seqinfo.ini``), which is yours to bring; of a sequence that is there once for each public detector the
first is taken. ``clips`` are films with a truth in that format, with commas between. ``fps`` is the rate of films: 10.
Other ``key=value`` go to the configuration. Columns: HOTA, IDF1, MOTA, switches of identity, people and true people.
"""

import configparser
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from models.training.candidates import Figures, print_rows, read_options
from models.training.scoring.score_pets import locate_footage
from pipeline.camera.detection import letterbox
from pipeline.config.composition import load_config
from pipeline.config.plugins import build
from pipeline.core import UNCONFIRMED, Detections, Detector, Frame, FrameStamp, Tracker
from pipeline.core.errors import ConfigError
from pipeline.evaluation.track_table import TrackTable
from pipeline.evaluation.tracking import score_tracks
from pipeline.evaluation.truth import read_mot_truth, read_pets

_COLUMNS = ("HOTA", "IDF1", "MOTA", "switches", "numbers", "people")
_CAMERA = "view"


@dataclass
class Options:
    """What is scored, as ``key=value``.

    Attributes:
        tracker: Choices of ``configs/tracker``, with commas between.
        detector: A choice of ``configs/detector``.
        pets: Whether to score on PETS 2009.
        mot: As the module says; empty for none.
        clips: Likewise.
        fps: Frames a second of PETS and clips.
    """

    tracker: str = "bytetrack,sort,ocsort,botsort,cbiou"
    detector: str = "yolox_onnx"
    pets: bool = True
    mot: str = ""
    clips: str = ""
    fps: float = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Footage of one camera.

    Attributes:
        name: In the table.
        source: A film, or a pattern of numbered pictures.
        fps: Frames a second.
        truth: Who is where.
    """

    name: str
    source: Path
    fps: float
    truth: TrackTable


def find_clips(options: Options) -> list[Clip]:
    """Return the footage that a command line names.

    Raises:
        ConfigError: If there is none, or a file is absent.
        DataError: If a truth is damaged.
    """
    clips = []
    if options.pets:
        footage = locate_footage([])
        clips.append(Clip("PETS 2009", footage.video, options.fps, read_pets(footage.truth)))
    for pair in filter(None, options.clips.split(",")):
        film, _, truth = pair.partition(":")
        if not truth:
            raise ConfigError(f"clips: expected film:truth, got {pair!r}; name both")
        clips.append(Clip(Path(film).stem, Path(film), options.fps, read_mot_truth(Path(truth))))
    taken = set()
    for folder in sorted(Path(options.mot).glob("*/gt/gt.txt")) if options.mot else ():
        sequence = folder.parents[1]
        name = "-".join(sequence.name.split("-")[:2])
        if name not in taken:
            taken.add(name)
            clips.append(Clip(name, sequence / "img1" / "%06d.jpg", _rate(sequence), read_mot_truth(folder)))
    if options.mot and not taken:
        raise ConfigError(
            f"mot: expected folders with img1/ and gt/gt.txt in {options.mot}, got none; name MOT17/train"
        )
    if not clips:
        raise ConfigError("pets, mot, clips: expected at least one of them, got none; name one")
    return clips


def detect(detector: Detector, clip: Clip, *, min_score: float, min_height_px: float) -> list[Detections]:
    """Return what a detector finds in each frame, as the pipeline would hand it to a tracker.

    Raises:
        ConfigError: If the footage is absent.
    """
    found = []
    for frame in _frames(clip):
        (boxes,) = detector.detect([letterbox(frame, detector.input_hw)])
        heights = boxes.boxes_xyxy[:, 3] - boxes.boxes_xyxy[:, 1]
        found.append(boxes.select((boxes.scores >= min_score) & (heights >= min_height_px)))
    return found


def score(tracker: Tracker, detections: Sequence[Detections], truth: TrackTable) -> Figures:
    """Return the figures of ``_COLUMNS``."""
    frames, ids, boxes = [], [], []
    for index, found in enumerate(detections):
        numbers = tracker.update(found).numbers
        is_track = numbers != UNCONFIRMED
        frames.append(np.full(int(is_track.sum()), index, np.int64))
        ids.append(numbers[is_track])
        boxes.append(found.boxes_xyxy[is_track])
    table = TrackTable(np.concatenate(frames), np.concatenate(ids), np.concatenate(boxes))
    found_score = score_tracks({_CAMERA: truth}, {_CAMERA: table})
    quality = (found_score.hota, found_score.idf1, found_score.mota)
    return *quality, found_score.idsw, found_score.num_ids, found_score.num_true_ids


def main(arguments: Sequence[str]) -> None:
    """Print a table for each piece of footage."""
    options, overrides = read_options(arguments, Options)
    names = [name for name in options.tracker.split(",") if name]
    config = load_config(["site=empty", f"detector={options.detector}", *overrides])
    makers: dict[str, Callable[[], Tracker]] = {
        name: build(load_config(["site=empty", f"tracker={name}", *overrides]).tracker, "tracker") for name in names
    }
    clips = find_clips(options)
    detector: Detector = build(config.detector, "detector")()
    for clip in clips:
        limits = {"min_score": config.detect.min_score, "min_height_px": config.detect.min_height_px}
        detections = detect(detector, clip, **limits)
        rows = {name: score(make(), detections, clip.truth) for name, make in makers.items()}
        print_rows(_COLUMNS, rows, title=f"{clip.name}, {len(detections)} frames, {clip.fps:g} a second")


def _frames(clip: Clip) -> Iterator[Frame]:
    capture = cv2.VideoCapture(str(clip.source))
    try:
        index = 0
        while capture.isOpened():
            is_read, image = capture.read()
            if not is_read:
                break
            rgb = np.ascontiguousarray(image[..., ::-1], np.uint8)
            yield Frame(FrameStamp(_CAMERA, index, index / clip.fps), rgb)
            index += 1
    finally:
        capture.release()
    if not index:
        raise ConfigError(
            f"{clip.source}: expected a film or numbered pictures, got none that can be read; name another"
        )


def _rate(sequence: Path) -> float:
    parser = configparser.ConfigParser()
    parser.read(sequence / "seqinfo.ini")
    return parser.getfloat("Sequence", "frameRate", fallback=30.0)
