"""Labels that need no human: which tracks of a window certainly show two people, and how long transits took."""

from collections.abc import Sequence

from pipeline.association.adaptation.adaptation import Adaptation
from pipeline.association.adaptation.projection import IDENTITY
from pipeline.association.calibration.likelihood_ratio import Calibration
from pipeline.association.chain import camera_transitions
from pipeline.association.constraints import LinkConstraints, are_two_people
from pipeline.association.geometry.ground_plane import Ground
from pipeline.association.geometry.topology import Topology
from pipeline.association.track_segment import TrackSegment
from pipeline.core import Embedding
from pipeline.core.records.track import ENROLLED

MAX_BATCH = 64
"""Embeddings of a window that are compared with each other, the first ones; bounds the time, which is quadratic."""


def learn_labels(
    batch: Sequence[Embedding],
    calibration: Calibration,
    constraints: LinkConstraints,
    ground: Ground,
    adaptation: Adaptation | None = None,
) -> None:
    """Teach a calibration the distances in a window between tracks that are certainly two people.

    Args:
        batch: The embeddings of the window.
        calibration: What learns.
        constraints: What rules a link out: the same that the matcher obeys.
        ground: As in ``Matcher``.
        adaptation: What learns too, and how embeddings are read; None for as they are.
    """
    projection = IDENTITY if adaptation is None else adaptation.projection
    segments = [TrackSegment.begin(embedding, ground) for embedding in batch[:MAX_BATCH]]
    vectors = [projection.project(each.vector, 1.0, each.track_id.camera_id) for each in batch[:MAX_BATCH]]
    for index, one in enumerate(batch[:MAX_BATCH]):
        for other, two in enumerate(batch[:index]):
            if one.track_id == two.track_id or not are_two_people(segments[index], segments[other], constraints):
                continue
            distance = projection.distance(vectors[index], vectors[other])
            first, second = sorted((one.track_id, two.track_id))
            calibration.add_label((str(first), str(second)), distance)
            if first.camera_id == second.camera_id:
                calibration.learn_different(distance)
            if adaptation is not None:
                adaptation.learn_different(one, two)


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
