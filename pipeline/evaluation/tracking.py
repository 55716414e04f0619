"""Tracking scores over all cameras together: IDF1, HOTA, CLEAR, and links between cameras."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from trackeval.metrics import CLEAR, HOTA, Identity

from pipeline.core.boxes import iou_matrix
from pipeline.core.errors import DataError
from pipeline.evaluation.track_table import CameraTables, TrackTable

MIN_IOU = 0.5
"""Least overlap, in [0, 1], of a match of a box and a true box; HOTA averages over many thresholds instead."""

MIN_SEGMENT_BOXES = 5
"""Least boxes of a track segment that counts for links. A smaller number counts chance overlaps too."""


@dataclass(frozen=True, slots=True)
class TrackingScore:
    """Tracking scores; ratios in [0, 1] except ``mota``, which can fall below 0.

    Attributes:
        idf1: Harmonic mean of ``idp`` and ``idr``.
        idp: Identity precision: share of the boxes with the right identity.
        idr: Identity recall: share of the true boxes that got the right identity.
        hota: Geometric mean of ``deta`` and ``assa``, averaged over the overlaps 0.05 … 0.95.
        assa: Association accuracy.
        deta: Detection accuracy.
        mota: 1 minus the share of misses, false boxes and switches.
        idsw: Identity switches, within a camera and from one camera to the next.
        num_ids: Identities in the result.
        num_true_ids: People in the ground truth.
        num_found_ids: True people with at least one segment.
        wrong_merges: Surplus people per identity, summed: 1 for an identity with segments of two people.
        splits: Surplus identities per person, summed: 1 for a person with segments of two identities.
        link_precision: Share of the links between cameras that are right; None if there is no link.
        link_recall: Share of the true links between cameras that were made; None if there are none.
    """

    idf1: float
    idp: float
    idr: float
    hota: float
    assa: float
    deta: float
    mota: float
    idsw: int
    num_ids: int
    num_true_ids: int
    num_found_ids: int
    wrong_merges: int
    splits: int
    link_precision: float | None
    link_recall: float | None

    def summary(self) -> dict[str, float | int]:
        """Return the part of ``summary.json`` about this score."""
        return {
            "idf1": round(self.idf1, 6),
            "hota": round(self.hota, 6),
            "num_ids": self.num_ids,
            "num_true_ids": self.num_true_ids,
            "num_found_ids": self.num_found_ids,
            "wrong_merges": self.wrong_merges,
            "splits": self.splits,
            "precision": round(self.idp, 6),
            "recall": round(self.idr, 6),
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Moment:
    """One frame of one camera; identities are renumbered from 0."""

    camera_id: str
    true_ids: NDArray[np.intp]
    ids: NDArray[np.intp]
    iou: NDArray[np.float32]


def score_tracks(
    truth: CameraTables, result: CameraTables, *, min_segment_boxes: int = MIN_SEGMENT_BOXES
) -> TrackingScore:
    """Score the identities of a result against the ground truth, over all cameras together.

    The cameras (sorted by id) are concatenated to one sequence in which identities are shared, and that sequence is
    scored. So a new identity in the second camera costs as much as one in the middle of the first.

    Links between cameras: boxes are matched to true boxes frame by frame (IoU of at least 0.5, largest sum). The
    matched boxes of one camera, one true person and one identity are a *segment*; segments of fewer than
    ``min_segment_boxes`` boxes are left out. Consider all pairs of segments from two different cameras.
    ``link_precision`` is the share of pairs of one true person among the pairs of one identity. ``link_recall`` is the
    share of pairs of one identity among the pairs of one true person. People who were never found lower ``deta`` and
    ``idr``, not the links.

    True boxes that do not count (``TrackTable.counts``) are left out, and so are boxes on them.

    If one identity has several boxes in a frame, the first one keeps it; the others count as unknown people.

    Args:
        truth: True boxes; a camera without people has an empty table.
        result: Boxes of a run; an absent camera has no boxes.
        min_segment_boxes: At least 1.

    Raises:
        DataError: If the result has a camera that the truth lacks, or a true person is twice in a frame.
    """
    if unknown := sorted(set(result) - set(truth)):
        raise DataError(
            f"result: expected cameras among {sorted(truth)}, got {unknown}; give the truth of every camera"
        )
    result = {camera_id: _without_uncounted(table, truth[camera_id]) for camera_id, table in result.items()}
    truth = {camera_id: table.select(table.counts) for camera_id, table in truth.items()}
    true_people, people = _people(truth), _people(result)
    moments = list(_moments(truth, result, true_people, people))
    sequence = _sequence(moments, num_true_people=len(true_people))
    identity, clear, hota = (metric.eval_sequence(sequence) for metric in _metrics())
    segments = _segments(moments, min_segment_boxes)
    precision, recall = _links(segments)
    pairs = {(true_id, identity) for _, true_id, identity in segments}
    num_found, num_used = (len({pair[side] for pair in pairs}) for side in (0, 1))
    return TrackingScore(
        idf1=float(identity["IDF1"]),
        idp=float(identity["IDP"]),
        idr=float(identity["IDR"]),
        hota=float(np.mean(hota["HOTA"])),
        assa=float(np.mean(hota["AssA"])),
        deta=float(np.mean(hota["DetA"])),
        mota=float(clear["MOTA"]),
        idsw=int(clear["IDSW"]),
        num_ids=len(people),
        num_true_ids=len(true_people),
        num_found_ids=num_found,
        wrong_merges=len(pairs) - num_used,
        splits=len(pairs) - num_found,
        link_precision=precision,
        link_recall=recall,
    )


def match_boxes(iou: NDArray[np.float32], *, min_iou: float = MIN_IOU) -> tuple[NDArray[np.intp], ...]:
    """Return rows and columns of the pairs with the largest sum of overlaps, each at least ``min_iou``.

    Example:
        >>> rows, columns = match_boxes(np.array([[0.6, 0.9], [0.0, 0.7]], np.float32))
        >>> rows.tolist(), columns.tolist()
        ([0, 1], [0, 1])
    """
    allowed = np.where(iou >= min_iou, iou, 0)
    rows, columns = linear_sum_assignment(allowed, maximize=True)
    matched = allowed[rows, columns] > 0
    return rows[matched], columns[matched]


def _without_uncounted(table: TrackTable, truth: TrackTable) -> TrackTable:
    """Return the boxes of a result that are not on a true box that does not count, as MOTChallenge does."""
    if truth.counts.all():
        return table
    keep, rows_of = np.ones(len(table), np.bool_), table.rows_by_frame()
    for frame, true_rows in truth.rows_by_frame().items():
        rows = rows_of.get(frame, np.empty(0, np.intp))
        matched_true, matched = match_boxes(iou_matrix(truth.boxes_xyxy[true_rows], table.boxes_xyxy[rows]))
        keep[rows[matched]] = truth.counts[true_rows[matched_true]]
    return table.select(keep)


def _people(tables: CameraTables) -> NDArray[np.int64]:
    """Return the different ids, ascending."""
    no_ids = TrackTable.empty().ids
    return np.unique(np.concatenate([no_ids, *(table.ids for table in tables.values())]))


def _metrics() -> tuple[Any, ...]:
    settings = {"THRESHOLD": MIN_IOU, "PRINT_CONFIG": False}
    return Identity(dict(settings)), CLEAR(dict(settings)), HOTA()


def _moments(
    truth: CameraTables, result: CameraTables, true_people: NDArray[np.int64], people: NDArray[np.int64]
) -> Iterator[_Moment]:
    num_people = len(people)
    no_rows = np.empty(0, np.intp)
    for camera_id in sorted(truth):
        true_table, table = truth[camera_id], result.get(camera_id, TrackTable.empty())
        true_rows, rows = true_table.rows_by_frame(), table.rows_by_frame()
        for frame in sorted(true_rows.keys() | rows.keys()):
            here_true, here = true_rows.get(frame, no_rows), rows.get(frame, no_rows)
            true_ids = np.searchsorted(true_people, true_table.ids[here_true])
            if len(np.unique(true_ids)) < len(true_ids):
                raise DataError(
                    f"truth of {camera_id}, frame {frame}: expected each person once, got "
                    f"{sorted(true_table.ids[here_true].tolist())}; repair the truth"
                )
            ids = np.searchsorted(people, table.ids[here])
            repeated = np.setdiff1d(np.arange(len(ids)), np.unique(ids, return_index=True)[1])
            ids[repeated] = num_people + np.arange(len(repeated))
            num_people += len(repeated)
            iou = iou_matrix(true_table.boxes_xyxy[here_true], table.boxes_xyxy[here])
            yield _Moment(camera_id, true_ids, ids, iou)


def _sequence(moments: list[_Moment], *, num_true_people: int) -> dict[str, Any]:
    """Return the frames in the format of trackeval's metrics."""
    return {
        "num_timesteps": len(moments),
        "num_gt_ids": num_true_people,
        "num_tracker_ids": 1 + max(chain.from_iterable(moment.ids.tolist() for moment in moments), default=-1),
        "num_gt_dets": sum(len(moment.true_ids) for moment in moments),
        "num_tracker_dets": sum(len(moment.ids) for moment in moments),
        "gt_ids": [moment.true_ids for moment in moments],
        "tracker_ids": [moment.ids for moment in moments],
        "similarity_scores": [moment.iou for moment in moments],
    }


def _segments(moments: list[_Moment], min_segment_boxes: int) -> list[tuple[str, int, int]]:
    """Return camera, true person and identity of each long enough segment."""
    num_boxes: Counter[tuple[str, int, int]] = Counter()
    for moment in moments:
        true_rows, rows = match_boxes(moment.iou)
        for true_id, identity in zip(moment.true_ids[true_rows], moment.ids[rows], strict=True):
            num_boxes[moment.camera_id, int(true_id), int(identity)] += 1
    return [segment for segment, count in num_boxes.items() if count >= min_segment_boxes]


def _links(segments: list[tuple[str, int, int]]) -> tuple[float | None, float | None]:
    """Return precision and recall of the links between cameras."""
    both = _num_pairs([(camera_id, (true_id, identity)) for camera_id, true_id, identity in segments])
    made = _num_pairs([(camera_id, identity) for camera_id, _, identity in segments])
    true = _num_pairs([(camera_id, true_id) for camera_id, true_id, _ in segments])
    return both / made if made else None, both / true if true else None


def _num_pairs(labelled: list[tuple[str, object]]) -> int:
    """Return the number of pairs with equal labels and different cameras."""
    in_camera, everywhere = Counter(labelled), Counter(label for _, label in labelled)
    all_pairs = sum(count * (count - 1) // 2 for count in everywhere.values())
    return all_pairs - sum(count * (count - 1) // 2 for count in in_camera.values())
