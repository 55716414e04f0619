"""Crops that are tracklets by themselves, and how well people are found again by them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.pictures import Image
from pipeline.core import Embedder, FrameStamp, Tracklet
from pipeline.core.records.track import TrackId, TrackPath
from pipeline.evaluation.retrieval import LabelledVectors, score_retrieval

_AT_ONCE = 64
_DRAWS = 1000
"""Resamplings behind an interval. More make its ends steadier."""


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """How well people were found again.

    Attributes:
        person_ids: Shape ``(Q,)``, int64: who was looked for, query by query.
        average_precisions: Shape ``(Q,)``, float64 in [0, 1]; of a lead in [-1, 1].
        num_first: How many queries had a right answer first.
    """

    person_ids: NDArray[np.int64]
    average_precisions: NDArray[np.float64]
    num_first: int

    @property
    def mean_ap(self) -> float:
        """The mean over the queries; 0 without any."""
        return float(self.average_precisions.mean()) if len(self.person_ids) else 0.0

    @property
    def rank1(self) -> float:
        """Share of the queries with a right answer first; 0 without any."""
        return self.num_first / max(len(self.person_ids), 1)

    @property
    def score(self) -> tuple[float, float, int]:
        """The mAP, the rank 1 and the number of queries."""
        return self.mean_ap, self.rank1, len(self.person_ids)

    def lead_over(self, other: "Searches") -> "Searches":
        """Return by how much each query was answered better than in another search of the same queries.

        The interval of the lead is narrower than those of the two: what is hard for one network is so for the other.
        """
        return Searches(self.person_ids, self.average_precisions - other.average_precisions, 0)

    def interval(self, *, seed: int = 0) -> tuple[float, float]:
        """Return between what ``mean_ap`` lies in 95 % of the samples that other people would be; zeros without any.

        People are drawn with replacement, each with all queries: crops of one person are not independent.

        Reference:
            Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, the percentile interval.
        """
        if not len(self.person_ids):
            return 0.0, 0.0
        people, rows = np.unique(self.person_ids, return_inverse=True)
        sums, counts = np.bincount(rows, weights=self.average_precisions), np.bincount(rows)
        drawn = np.random.default_rng(seed).integers(len(people), size=(_DRAWS, len(people)))
        low, high = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [0.025, 0.975])
        return float(low), float(high)


def to_tracklet(
    crop: Image, box_xyxy: NDArray[np.float32], *, frame_hw: tuple[int, int], size_hw: tuple[int, int], number: int = 0
) -> Tracklet:
    """Return a crop as a tracklet of its own.

    Args:
        crop: Shape ``(h, w, 3)``, uint8, RGB: what is inside the box.
        box_xyxy: Shape ``(4,)``, float32, pixels of the frame.
        frame_hw: Height and width of the frame, pixels.
        size_hw: Height and width that the crop is brought to, pixels.
        number: Of the track; it has no other name.
    """
    interpolation = cv2.INTER_AREA if crop.shape[0] > size_hw[0] else cv2.INTER_LINEAR
    resized = np.asarray(cv2.resize(crop, size_hw[::-1], interpolation=interpolation), np.uint8)
    scores = np.ones(1, np.float32)
    return Tracklet(
        track_id=TrackId("crops", 0, number + 1),
        part=0,
        stamps=(FrameStamp("crops", number, float(number)),),
        boxes_xyxy=box_xyxy[None],
        scores=scores,
        crops=resized[None],
        qualities=scores.copy(),
        path=TrackPath(np.array([number]), np.array([float(number)]), box_xyxy[None], scores, frame_hw),
        completed_at=float(number),
        is_last=True,
    )


def embed_each(embedder: Embedder, tracklets: Sequence[Tracklet]) -> NDArray[np.float32]:
    """Return one vector a tracklet, shape ``(N, D)``, L2 norm 1."""
    vectors = [
        embedding.vector
        for start in range(0, len(tracklets), _AT_ONCE)
        for embedding in embedder.embed(tracklets[start : start + _AT_ONCE])
    ]
    return np.stack(vectors)


def histogram_vectors(crops: Iterable[Image]) -> NDArray[np.float32]:
    """Return roots of hue and saturation histograms of four stripes, L2 norm 1: the least that re-ID must beat."""
    vectors = []
    for crop in crops:
        hsv = cv2.cvtColor(cv2.resize(crop, (48, 96)), cv2.COLOR_RGB2HSV)
        stripes = np.split(hsv, 4)
        counts = [cv2.calcHist([stripe], [0, 1], None, [12, 6], [0, 180, 0, 256]).ravel() for stripe in stripes]
        roots = np.sqrt(np.concatenate(counts))
        vectors.append(roots / np.linalg.norm(roots))
    return np.stack(vectors).astype(np.float32)


def search_across_cameras(
    vectors: NDArray[np.float32],
    person_ids: NDArray[np.int64],
    cameras: NDArray[np.int64],
    *,
    outfits: NDArray[np.int64] | None = None,
    change: bool = False,
    asked: NDArray[np.bool_] | None = None,
) -> Searches:
    """Look for each query among everything of the other cameras.

    Queries without a right answer are left out. In another outfit the person is neither right nor wrong.

    Args:
        vectors: Shape ``(N, D)``, float32, L2 norm 1 per row.
        person_ids: Shape ``(N,)``, int64.
        cameras: Shape ``(N,)``, int64.
        outfits: Shape ``(N,)``, int64; None: all keep theirs.
        change: Queries are people in outfit 0, and right is the same person in another one.
        asked: Shape ``(N,)``: which rows are queries; None: all.
    """
    outfits = np.zeros_like(person_ids) if outfits is None else outfits
    names = np.stack([person_ids, outfits, cameras], axis=1)
    is_asked = np.ones(len(names), np.bool_) if asked is None else asked
    found: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
    num_first = 0
    for person, outfit, camera in np.unique(names[is_asked], axis=0):
        queries = is_asked & (names == (person, outfit, camera)).all(axis=1)
        elsewhere = cameras != camera
        is_person = person_ids == person
        right = elsewhere & is_person & ((outfits != outfit) if change else (outfits == outfit))
        if not right.any() or (change and outfit != 0):
            continue
        gallery = (elsewhere & ~is_person) | right
        score = score_retrieval(
            *(LabelledVectors(vectors[rows], person_ids[rows], cameras[rows]) for rows in (queries, gallery))
        )
        found.append((np.full(score.num_queries, person, np.int64), score.average_precisions))
        num_first += round(float(score.cmc[0]) * score.num_queries)
    people, precisions = zip(*found, strict=True) if found else ((), ())
    nobody, nothing = np.empty(0, np.int64), np.empty(0)
    return Searches(np.concatenate([nobody, *people]), np.concatenate([nothing, *precisions]), num_first)
