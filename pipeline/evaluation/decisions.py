"""Errors of identity decisions: false matches among the links, and known people taken for new ones."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from scipy.special import betaincinv

from pipeline.core.boxes import iou_matrix
from pipeline.evaluation.track_table import CameraTables, TrackTable
from pipeline.evaluation.tracking import match_boxes

MAX_GAP_FRAMES = 30
"""Longest gap within a visit to a camera, frames. A larger one joins visits and leaves fewer decisions to count."""
MIN_SEGMENT_BOXES = 5
"""Least boxes of a segment that counts. A smaller identity counts chance overlaps too."""


@dataclass(frozen=True, slots=True)
class Share:
    """A proportion: ``count`` of ``total``."""

    count: int
    total: int

    @property
    def rate(self) -> float | None:
        """``count / total``; None if ``total`` is 0."""
        return self.count / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval of the rate (Clopper and Pearson, 1934).

        Example:
            >>> [round(end, 3) for end in Share(1, 100).interval]
            [0.0, 0.054]
        """
        low = float(betaincinv(self.count, self.total - self.count + 1, 0.025)) if self.count else 0.0
        high = float(betaincinv(self.count + 1, self.total - self.count, 0.975)) if self.count < self.total else 1.0
        return low, high


@dataclass(frozen=True, slots=True)
class Decisions:
    """Error rates of identity decisions.

    Attributes:
        false_matches: Of the appearances with a known identity: those whose identity had mostly been another person.
        false_news: Of the appearances of people seen before: those that got a new identity.
    """

    false_matches: Share
    false_news: Share


def decisions(truth: CameraTables, result: CameraTables) -> Decisions:
    """Count the errors of a result in the order in which people appear.

    Boxes are matched to true boxes frame by frame. The matched boxes of one true person and one identity in one visit
    to a camera (no gap longer than ``MAX_GAP_FRAMES``) are a *segment*. Segments are sorted by their first frame over
    all cameras, so the cameras must have started together and have one frame rate.

    Args:
        truth: True boxes.
        result: Boxes of a run with its final identities.
    """
    segments = sorted(
        segment for camera_id, table in result.items() for segment in _segments(camera_id, truth[camera_id], table)
    )
    return ordered_decisions((true_id, identity, num_boxes) for _, _, true_id, identity, num_boxes in segments)


def ordered_decisions(appearances: Iterable[tuple[int, int, int]]) -> Decisions:
    """Count the errors of appearances in order; each is a true person, the given identity, and a weight.

    Example:
        >>> ordered_decisions([(1, 7, 1), (2, 7, 1), (1, 8, 1)]).false_news
        Share(count=1, total=1)
    """
    shown: dict[int, Counter[int]] = {}
    seen: set[int] = set()
    num_links = num_false = num_known = num_missed = 0
    for true_id, identity, weight in appearances:
        is_known = true_id in seen
        num_known += is_known
        if identity in shown:
            num_links += 1
            num_false += shown[identity].most_common(1)[0][0] != true_id
        else:
            num_missed += is_known
        shown.setdefault(identity, Counter())[true_id] += weight
        seen.add(true_id)
    return Decisions(Share(num_false, num_links), Share(num_missed, num_known))


def _segments(camera_id: str, truth: TrackTable, table: TrackTable) -> list[tuple[int, str, int, int, int]]:
    """Return first frame, camera, true person, identity and identity of boxes of each long enough segment."""
    true_rows = truth.rows_by_frame()
    visits: dict[int, tuple[int, int]] = {}  # by true person: index of the visit, and its last frame
    found: dict[tuple[int, int, int], list[int]] = {}
    for frame, rows in table.rows_by_frame().items():
        if frame not in true_rows:
            continue
        here = true_rows[frame]
        for one, two in zip(*match_boxes(iou_matrix(truth.boxes_xyxy[here], table.boxes_xyxy[rows])), strict=True):
            true_id, identity = int(truth.ids[here[one]]), int(table.ids[rows[two]])
            if not truth.counts[here[one]]:
                continue
            visit, last = visits.get(true_id, (0, frame))
            visit += frame - last > MAX_GAP_FRAMES
            visits[true_id] = visit, frame
            found.setdefault((true_id, visit, identity), []).append(frame)
    return [
        (frames[0], camera_id, true_id, identity, len(frames))
        for (true_id, _, identity), frames in found.items()
        if len(frames) >= MIN_SEGMENT_BOXES
    ]
