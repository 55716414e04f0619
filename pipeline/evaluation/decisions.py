"""Who was taken for whom: of the links that were made the false ones, of the people who were known the missed ones."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from scipy.special import betaincinv

from pipeline.core.boxes import iou_matrix
from pipeline.evaluation.track_table import CameraTables, TrackTable
from pipeline.evaluation.tracking import match_boxes

MAX_GAP_FRAMES = 30
"""Whoever is not found in a camera for longer begins another visit to it."""
MIN_PIECE_BOXES = 5
"""A shorter piece says nothing about who was taken for whom."""


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    count: int
    total: int

    @property
    def rate(self) -> float | None:
        """The part; None of none."""
        return self.count / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float]:
        """Where the rate lies with 95 % confidence (Clopper and Pearson, 1934).

        Example:
            >>> [round(end, 3) for end in Share(1, 100).interval]
            [0.0, 0.054]
        """
        low = float(betaincinv(self.count, self.total - self.count + 1, 0.025)) if self.count else 0.0
        high = float(betaincinv(self.count + 1, self.total - self.count, 0.975)) if self.count < self.total else 1.0
        return low, high


@dataclass(frozen=True, slots=True)
class Decisions:
    """What became of everybody who appeared.

    Attributes:
        false_matches: Of those who were given a number that was there before: it had shown mostly somebody else.
        false_news: Of those who had been seen before: they were given a number that was not there before.
    """

    false_matches: Share
    false_news: Share


def decisions(truth: CameraTables, result: CameraTables) -> Decisions:
    """Return how the numbers of a result were given, in the order in which people appear.

    Boxes are matched to true boxes frame by frame. What one true person and one number have in common in one visit to a
    camera (no gap longer than ``MAX_GAP_FRAMES``) is a *piece*. Pieces are taken by their first frame, all cameras
    together, so these must have begun together and at one rate.

    Args:
        truth: True boxes.
        result: Boxes of a run, with its final numbers.
    """
    pieces = sorted(
        piece for camera_id, table in result.items() for piece in _pieces(camera_id, truth[camera_id], table)
    )
    return decisions_in_turn((true_id, number, num_boxes) for _, _, true_id, number, num_boxes in pieces)


def decisions_in_turn(appearances: Iterable[tuple[int, int, int]]) -> Decisions:
    """Return how numbers were given; each appearance is a true person, the number that was given, and a weight.

    Example:
        >>> decisions_in_turn([(1, 7, 1), (2, 7, 1), (1, 8, 1)]).false_news
        Share(count=1, total=1)
    """
    shown: dict[int, Counter[int]] = {}
    seen: set[int] = set()
    num_links = num_false = num_known = num_missed = 0
    for true_id, number, weight in appearances:
        is_known = true_id in seen
        num_known += is_known
        if number in shown:
            num_links += 1
            num_false += shown[number].most_common(1)[0][0] != true_id
        else:
            num_missed += is_known
        shown.setdefault(number, Counter())[true_id] += weight
        seen.add(true_id)
    return Decisions(Share(num_false, num_links), Share(num_missed, num_known))


def _pieces(camera_id: str, truth: TrackTable, table: TrackTable) -> list[tuple[int, str, int, int, int]]:
    """Return first frame, camera, true person, number and boxes of every piece that is long enough."""
    true_rows = truth.rows_by_frame()
    visits: dict[int, tuple[int, int]] = {}  # by true person: which visit this is, and its last frame
    found: dict[tuple[int, int, int], list[int]] = {}
    for frame, rows in table.rows_by_frame().items():
        if frame not in true_rows:
            continue
        here = true_rows[frame]
        for one, two in zip(*match_boxes(iou_matrix(truth.boxes_xyxy[here], table.boxes_xyxy[rows])), strict=True):
            true_id, number = int(truth.ids[here[one]]), int(table.ids[rows[two]])
            if not truth.counts[here[one]]:
                continue
            visit, last = visits.get(true_id, (0, frame))
            visit += frame - last > MAX_GAP_FRAMES
            visits[true_id] = visit, frame
            found.setdefault((true_id, visit, number), []).append(frame)
    return [
        (frames[0], camera_id, true_id, number, len(frames))
        for (true_id, _, number), frames in found.items()
        if len(frames) >= MIN_PIECE_BOXES
    ]
