"""Labels that need no human: which tracks of a window certainly show two people, and how long transits took."""

from collections.abc import Sequence

from pipeline.association.calibration.likelihood_ratio import Calibration
from pipeline.association.chain import MAX_SHARED_S, camera_transitions
from pipeline.association.geometry.sampled_boxes import sample_boxes, separated_s
from pipeline.association.geometry.topology import Topology
from pipeline.association.track_segment import TrackSegment
from pipeline.core import Embedding
from pipeline.core.track import ENROLLED

MAX_BATCH = 64
"""Embeddings of a window that are compared with each other, the first ones; bounds the time, which is quadratic."""


def learn_labels(batch: Sequence[Embedding], calibration: Calibration, topology: Topology) -> None:
    """Teach a calibration the labels of a window: within each camera, and between cameras that do not overlap."""
    for index, one in enumerate(batch[:MAX_BATCH]):
        for two in batch[:index]:
            if one.track_id == two.track_id or not _are_two(one, two, topology):
                continue
            distance = float(1 - one.vector @ two.vector)
            first, second = sorted((one.track_id, two.track_id))
            calibration.add_label((first.camera_id, second.camera_id), (str(first), str(second)), distance)
            if first.camera_id == second.camera_id:
                calibration.learn_different(distance)


def _are_two(one: Embedding, two: Embedding, topology: Topology) -> bool:
    began = max(one.first.captured_at, two.first.captured_at)
    ended = min(one.last.captured_at, two.last.captured_at)
    if ended - began <= MAX_SHARED_S:
        return False
    if one.track_id.camera_id == two.track_id.camera_id:
        return separated_s(sample_boxes(one.path), sample_boxes(two.path)) > MAX_SHARED_S
    return not topology.may_coincide(one.track_id.camera_id, two.track_id.camera_id)


def learn_transits(segments: Sequence[TrackSegment], settled_before: float, topology: Topology) -> None:
    """Learn how long a person took between cameras, once re-clustering can no longer change it."""
    for one, two in camera_transitions(segments):
        earlier, later = segments[one], segments[two]
        gap_s = later.first.at - earlier.last.at
        if later.is_learned or later.last.at >= settled_before or earlier.camera_id == ENROLLED:
            continue
        later.is_learned = True
        if earlier.camera_id != later.camera_id and gap_s > 0:
            topology.learned.learn(earlier.camera_id, later.camera_id, gap_s)
