"""What the missing part of an IDF1 is made of: missed people, false boxes, loose boxes, merges and splits."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Self

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.core.boxes import iou_matrix
from pipeline.evaluation.track_table import CameraTables, TrackTable
from pipeline.evaluation.tracking import MIN_IOU, match_boxes

LOOSE_IOU = 0.3
"""Least overlap, in [0, 1], of a box that is on a person and only too loose to count. Larger: more boxes are false."""


@dataclass(frozen=True, slots=True)
class ErrorSplit:
    """Shares of 1 - IDF1, by cause; ``right`` is IDF1, and all of them sum to 1.

    Attributes:
        right: Boxes of a person under the identity that stands for this person.
        missed: True boxes without a box.
        false_boxes: Boxes without a true box.
        loose: Boxes that overlap a true box by less than ``MIN_IOU`` and at least ``LOOSE_IOU``, and those true boxes.
        merge: Boxes under an identity that stands for somebody else.
        split: Boxes of a person for whom another identity stands.
    """

    right: float
    missed: float
    false_boxes: float
    loose: float
    merge: float
    split: float

    @classmethod
    def of(cls, truth: CameraTables, result: CameraTables) -> Self:
        """Return the split of a result, over all cameras together.

        One identity stands for one person, such that the number of right boxes is largest, as for IDF1. A box and a
        true box that belong together but not to such a pair are two errors: the true box is a split if another identity
        stands for its person, else a merge; the box is a merge if its identity stands for another person, else a split.
        """
        frames = list(_frames(truth, result))
        stands_for = _assignment(frames)
        is_taken = set(stands_for.values())
        count: Counter[str] = Counter()
        for true_ids, ids, iou in frames:
            true_left, left = np.ones(len(true_ids), np.bool_), np.ones(len(ids), np.bool_)
            for row, column in np.argwhere(iou >= MIN_IOU).tolist():
                if stands_for.get(int(ids[column])) == true_ids[row] and true_left[row] and left[column]:
                    count["right"] += 2
                    true_left[row] = left[column] = False
            for row, column in zip(*match_boxes(iou * np.outer(true_left, left)), strict=True):
                count["split" if true_ids[row] in is_taken else "merge"] += 1
                count["merge" if int(ids[column]) in stands_for else "split"] += 1
                true_left[row] = left[column] = False
            for row, column in zip(*match_boxes(iou * np.outer(true_left, left), min_iou=LOOSE_IOU), strict=True):
                count["loose"] += 2
                true_left[row] = left[column] = False
            count["missed"] += int(true_left.sum())
            count["false_boxes"] += int(left.sum())
        total = max(1, sum(count.values()))
        return cls(*(count[name] / total for name in cls.__slots__))

    def rounded(self) -> list[float]:
        """Return the shares in the order of the attributes, to four digits."""
        return [round(share, 4) for share in astuple(self)]


Frame = tuple[np.ndarray, np.ndarray, np.ndarray]


def _frames(truth: CameraTables, result: CameraTables) -> Iterator[Frame]:
    """Yield true identities, identities and overlaps of each frame; boxes on true boxes that do not count are out."""
    for camera_id in sorted(truth):
        table, found = truth[camera_id], result.get(camera_id, TrackTable.empty())
        true_rows, rows, none = table.rows_by_frame(), found.rows_by_frame(), np.empty(0, np.intp)
        for frame in sorted(true_rows.keys() | rows.keys()):
            here_true, here = true_rows.get(frame, none), rows.get(frame, none)
            iou = iou_matrix(table.boxes_xyxy[here_true], found.boxes_xyxy[here])
            counts, kept = table.counts[here_true], np.ones(len(here), np.bool_)
            if not counts.all():
                matched_true, matched = match_boxes(iou)
                kept[matched] = counts[matched_true]
            yield table.ids[here_true][counts], found.ids[here][kept], iou[counts][:, kept]


def _assignment(frames: list[Frame]) -> dict[int, int]:
    """Return the true person that each identity stands for."""
    shared: Counter[tuple[int, int]] = Counter()
    for true_ids, ids, iou in frames:
        for row, column in np.argwhere(iou >= MIN_IOU).tolist():
            shared[int(true_ids[row]), int(ids[column])] += 1
    true_people, people = (sorted({pair[side] for pair in shared}) for side in (0, 1))
    table = np.zeros((len(true_people), len(people)))
    for (true_id, identity), num in shared.items():
        table[true_people.index(true_id), people.index(identity)] = num
    pairs = zip(*linear_sum_assignment(table, maximize=True), strict=True)
    return {people[column]: true_people[row] for row, column in pairs if table[row, column] > 0}
