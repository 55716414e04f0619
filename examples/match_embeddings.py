"""Give numbers to people who are known only by vectors: the matcher alone, without video or networks.

    python examples/match_embeddings.py

Two people walk from camera *east* to camera *west*. The vectors stand in for those of a re-ID network.
"""

import numpy as np
from numpy.typing import NDArray

from models.gallery.exact import ExactGallery
from pipeline.association.calibration.likelihood_ratio import Calibration, DistanceModel
from pipeline.association.constraints import LinkConstraints
from pipeline.association.geometry.topology import Topology
from pipeline.association.matcher import Matcher
from pipeline.core import Embedding, FrameStamp, Sighting, TrackId, TrackPath


def seen(camera_id: str, number: int, at: float, vector: NDArray[np.float32]) -> Embedding:
    """Return the embedding of a track of one second, ten frames a second, that begins at ``at``."""
    indices = np.arange(10, dtype=np.int64) + round(at * 10)
    boxes_xyxy = np.tile(np.array([100 * number, 50, 100 * number + 40, 150], np.float32), (10, 1))
    path = TrackPath(indices, indices / 10, boxes_xyxy, np.full(10, 0.9, np.float32), frame_hw=(360, 640))
    stamps = [FrameStamp(camera_id, int(path.indices[row]), float(path.captured_at[row])) for row in (0, -1)]
    return Embedding(
        TrackId(camera_id, 0, number),
        part=0,
        first=stamps[0],
        last=stamps[1],
        box_xyxy=boxes_xyxy[-1].copy(),
        space="example@1",
        vector=vector / np.linalg.norm(vector),
        quality=0.8,
        path=path,
        completed_at=stamps[1].captured_at,
        is_last=True,
    )


if __name__ == "__main__":
    matcher = Matcher(
        ExactGallery(),
        Calibration(DistanceModel(0.35, 0.1, 0.9, 0.15), caution=1.0, max_llr=6.0),
        LinkConstraints(Topology(), leave_after_s=float("inf")),
        max_false_match_rate=0.01,
        recluster_every_s=10.0,
        recluster_window_s=300.0,
        forget_after_s=3600.0,
        max_identities=1000,
        max_prototypes=8,
    )
    random = np.random.default_rng(0)
    ann, bob = random.normal(size=(2, 64)).astype(np.float32)
    blur = 0.3 * random.normal(size=(2, 64)).astype(np.float32)  # the same people, seen by another camera

    windows = [
        [seen("east", 1, 0.0, ann), seen("east", 2, 0.0, bob)],
        [seen("west", 1, 8.0, bob + blur[0]), seen("west", 2, 8.0, ann + blur[1])],
    ]
    for window in windows:
        for record in matcher.process(window):  # sightings, and corrections of earlier ones
            if isinstance(record, Sighting):
                print(f"{record.track_id} is person {record.person_id} ({record.outcome})")
