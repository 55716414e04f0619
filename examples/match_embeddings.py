"""Give numbers to people who are known only by vectors: the matcher alone, without video or networks.

    python examples/match_embeddings.py

Two people walk from camera *east* to camera *west*. The vectors stand in for those of a re-ID network.
"""

import numpy as np
from numpy.typing import NDArray

import pipeline
from pipeline.core import Embedding, Sighting


def seen(camera_id: str, track: int, at: float, vector: NDArray[np.float32]) -> Embedding:
    """Return the embedding of a track of one second, ten frames a second, that begins at ``at``."""
    boxes_xyxy = np.tile([100 * track, 50, 100 * track + 40, 150], (10, 1))
    times = [at + frame / 10 for frame in range(10)]
    return pipeline.make_embedding(
        camera_id, track, vector, captured_at=times, boxes_xyxy=boxes_xyxy, frame_hw=(360, 640), quality=0.8
    )


if __name__ == "__main__":
    matcher = pipeline.open_matcher(
        ["east", "west"],
        "matcher.leave_after_s=inf",
        "matcher.calibration.same_mean=0.35",  # what distances of your network mean: configs/calibration/
        "matcher.calibration.same_std=0.1",
        "matcher.calibration.different_mean=0.9",
        "matcher.calibration.different_std=0.15",
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
