"""How detectors and embedders do on real footage that nothing was trained on.

    python -m models.training.score_pets detector=passerby,yolox_onnx,openvino embedder=passerby,omz_0288
    python -m models.training.score_pets embedder=passerby embedder.weights=/a/candidate.onnx

Any plug-in with a YAML can be named; further ``key=value`` are passed on. A colour histogram is scored too: it and
0288 show that the protocol is that of the published figures. The footage is looked for in ``$PASSERBY_SHARED``.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from models.training._pets import HalfCrops, read_frames, read_half_crops
from models.training._pictures import Image
from pipeline.build import build
from pipeline.config import load_config
from pipeline.core import Detector, Embedder, FrameStamp, Tracklet
from pipeline.core.errors import ConfigError, ReidError
from pipeline.core.track import TrackId, TrackPath
from pipeline.evaluation.detection import find_hits
from pipeline.evaluation.retrieval import LabelledVectors, score_retrieval
from pipeline.evaluation.truth import read_pets
from pipeline.stages.detect import letterbox

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
_PUBLISHED_DETECTION = {"person-detection-retail-0013": (0.861, 0.874), "YOLOX-nano": (0.784, 0.901)}


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


def score_vectors(vectors: NDArray[np.float32], people: HalfCrops) -> tuple[float, float]:
    """Return mAP and rank 1 of every second crop among those of the other half."""
    everything = LabelledVectors(vectors, people.person_ids, people.halves)
    total_ap = total_first = 0.0
    num_queries = 0
    for half in (0, 1):
        asked = np.arange(0, len(vectors), _QUERY_EVERY)
        asked = asked[people.halves[asked] == half]
        others = np.flatnonzero(people.halves != half)
        queries, gallery = (
            LabelledVectors(everything.vectors[rows], everything.person_ids[rows], everything.cameras[rows])
            for rows in (asked, others)
        )
        score = score_retrieval(queries, gallery)
        total_ap += score.mean_ap * score.num_queries
        total_first += float(score.cmc[0]) * score.num_queries
        num_queries += score.num_queries
    return total_ap / num_queries, total_first / num_queries


def embed_crops(embedder: Embedder, people: HalfCrops) -> NDArray[np.float32]:
    """Return one vector a crop, each crop a tracklet of its own."""
    height, width = embedder.crop_size_hw
    tracklets = []
    for row, (crop, box) in enumerate(zip(people.crops, people.boxes_xyxy, strict=True)):
        resized = np.asarray(cv2.resize(crop, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
        scores = np.ones(1, np.float32)
        path = TrackPath(np.array([row]), np.array([float(row)]), box[None], scores, people.frame_hw)
        tracklets.append(
            Tracklet(
                track_id=TrackId("view_001", 0, row + 1),
                part=0,
                stamps=(FrameStamp("view_001", row, float(row)),),
                boxes_xyxy=box[None],
                scores=scores,
                crops=resized[None],
                qualities=scores.copy(),
                path=path,
                completed_at=float(row),
                is_last=True,
            )
        )
    return np.stack([embedding.vector for embedding in embedder.embed(tracklets)])


def histogram_vectors(crops: Image) -> NDArray[np.float32]:
    """Return roots of hue and saturation histograms of four stripes, L2 norm 1: the least that re-ID must beat."""
    vectors = []
    for crop in crops:
        hsv = cv2.cvtColor(cv2.resize(crop, (48, 96)), cv2.COLOR_RGB2HSV)
        stripes = np.split(hsv, 4)
        counts = [cv2.calcHist([stripe], [0, 1], None, [12, 6], [0, 180, 0, 256]).ravel() for stripe in stripes]
        roots = np.sqrt(np.concatenate(counts))
        vectors.append(roots / np.linalg.norm(roots))
    return np.stack(vectors).astype(np.float32)


def main(arguments: list[str]) -> None:
    """Print two tables."""
    chosen = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    names = {group: chosen.pop(group, "").split(",") for group in ("detector", "embedder")}
    names = {group: [name for name in listed if name] for group, listed in names.items()}
    if not any(names.values()):
        raise ConfigError("command line: expected detector=… or embedder=…, got neither; name some, see configs/")
    overrides = [f"{key}={value}" for key, value in chosen.items()]
    footage = locate_footage([])
    if names["detector"]:
        _print("precision", "recall", _rows("detector", names, overrides, lambda it: score_detector(it, footage)))
        _print("precision", "recall", _PUBLISHED_DETECTION, title="published")
    if names["embedder"]:
        people = read_half_crops(footage.video, footage.truth)
        rows = _rows("embedder", names, overrides, lambda it: score_vectors(embed_crops(it, people), people))
        rows["colour histogram"] = score_vectors(histogram_vectors(people.crops), people)
        _print("frame mAP", "rank 1", rows)
        _print("frame mAP", "", {name: (figure,) for name, figure in _PUBLISHED_REID.items()}, title="published")


def _rows(
    group: str, names: dict[str, list[str]], overrides: list[str], score: Callable[[Any], tuple[float, float]]
) -> dict[str, tuple[float, ...]]:
    return {
        name: score(build(getattr(load_config(["site=pets", f"{group}={name}", *overrides]), group), group)())
        for name in names[group]
    }


def _print(first: str, second: str, rows: dict[str, Any], *, title: str | None = None) -> None:
    table = Table(title, box=None, pad_edge=False) if title else Table("", box=None, pad_edge=False)
    for heading in (first, second):
        table.add_column(heading, justify="right")
    for name, figures in rows.items():
        table.add_row(name, *[f"{figure:.3f}" for figure in figures])
    Console().print(table)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ReidError as error:
        sys.exit(f"error: {error}")
