"""How detectors and embedders do on real footage that nothing was trained on.

    python -m models.training score-pets detector=passerby,yolox_onnx,openvino embedder=passerby,omz_0288
    python -m models.training score-pets embedder=passerby embedder.weights=/a/candidate.onnx

Any plug-in with a YAML can be named; further ``key=value`` are passed on. A colour histogram is scored too: it and
0288 show that the protocol is that of the published figures. The footage is looked for in ``$PASSERBY_PETS09``.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.training.candidates import Figures, print_rows, read_candidates
from models.training.scoring.pets import HalfCrops, read_frames, read_half_crops
from models.training.scoring.single_crops import (
    Searches,
    embed_each,
    histogram_vectors,
    search_across_cameras,
    to_tracklet,
)
from pipeline.camera.detection import letterbox
from pipeline.config.composition import load_config
from pipeline.core import Detector, Embedder
from pipeline.evaluation.detection import find_hits
from pipeline.evaluation.truth import read_pets

_MIN_SCORE = 0.3
_DETECT_EVERY = 10
_QUERY_EVERY = 2

_PUBLISHED_REID = {
    "ImageNet features, untrained": 0.320,
    "colour histogram": 0.415,
    "5 minutes on synthetic crops": 0.429,
    "OSNet x0.25, real data": 0.535,
    "0288, real data": 0.601,
}
_PUBLISHED_DETECTION: dict[str, Figures] = {
    "person-detection-retail-0013": (0.861, 0.874),
    "YOLOX-nano": (0.784, 0.901),
}


@dataclass(frozen=True, slots=True)
class Footage:
    """Where the real footage is."""

    video: Path
    truth: Path


def locate_footage(overrides: list[str]) -> Footage:
    """Return where the configuration of the site says."""
    site = load_config(["site=pets", *overrides]).site
    assert site.truth is not None
    return Footage(Path(str(site.cameras["view_001"])), Path(site.truth.file))


def score_detector(detector: Detector, footage: Footage) -> tuple[float, float]:
    """Return precision and recall on every tenth frame, at score 0.3 and IoU 0.5, greedy by score."""
    truth = read_pets(footage.truth)
    rows = truth.rows_by_frame()
    num_hits = num_found = num_true = 0
    for frame in read_frames(footage.video, every=_DETECT_EVERY):
        (found,) = detector.detect([letterbox(frame, detector.input_hw)])
        people = truth.boxes_xyxy[rows.get(frame.stamp.index, np.empty(0, np.intp))]
        order = np.argsort(-found.scores, kind="stable")
        boxes = found.boxes_xyxy[order[found.scores[order] >= _MIN_SCORE]]
        num_hits += int(find_hits(boxes, people).sum())
        num_found += len(boxes)
        num_true += len(people)
    return num_hits / max(num_found, 1), num_hits / num_true


def search(vectors: NDArray[np.float32], people: HalfCrops) -> Searches:
    """Look for every second crop among those of the other half."""
    asked = np.arange(len(vectors)) % _QUERY_EVERY == 0
    return search_across_cameras(vectors, people.person_ids, people.halves, asked=asked)


def score_vectors(vectors: NDArray[np.float32], people: HalfCrops) -> tuple[float, float]:
    """Return mAP and rank 1 of ``search``."""
    found = search(vectors, people)
    return found.mean_ap, found.rank1


def embed_crops(embedder: Embedder, people: HalfCrops) -> NDArray[np.float32]:
    """Return one vector a crop, each crop a tracklet of its own."""
    crops = enumerate(zip(people.crops, people.boxes_xyxy, strict=True))
    size_hw = embedder.crop_size_hw
    return embed_each(
        embedder,
        [
            to_tracklet(crop, box, frame_hw=people.frame_hw, size_hw=size_hw, number=number)
            for number, (crop, box) in crops
        ],
    )


def main(arguments: list[str]) -> None:
    """Print two tables."""
    candidates = read_candidates(arguments, ("detector", "embedder"))
    footage = locate_footage([])
    if candidates.names["detector"]:
        rows = candidates.score("detector", lambda it: score_detector(it, footage), site="pets")
        print_rows(("precision", "recall"), rows)
        print_rows(("precision", "recall"), _PUBLISHED_DETECTION, title="published")
    if candidates.names["embedder"]:
        people = read_half_crops(footage.video, footage.truth)
        rows = candidates.score("embedder", lambda it: score_vectors(embed_crops(it, people), people), site="pets")
        rows["colour histogram"] = score_vectors(histogram_vectors(people.crops), people)
        print_rows(("frame mAP", "rank 1"), rows)
        print_rows(("frame mAP",), {name: (figure,) for name, figure in _PUBLISHED_REID.items()}, title="published")
