"""Follow the people in one video, stage by stage, in this process.

    python examples/follow_a_video.py [VIDEO]

``passerby run`` does the same for many cameras, in several processes: ``pipeline/runtime/flow.py``.
"""

import sys
from pathlib import Path

from pipeline.camera.detection import letterbox
from pipeline.config.composition import load_config
from pipeline.config.plan import make_plan
from pipeline.core import Correction, Sighting

DEMO = Path(__file__).resolve().parents[1] / "connectors/synthetic/demo/north.mp4"


def show(records: list[Sighting | Correction]) -> None:
    """Print what the matcher decided."""
    for record in records:
        if isinstance(record, Sighting):
            print(f"{record.last.captured_at:5.1f} s  person {record.person_id}, {record.outcome}: {record.track_id}")
        else:
            print(f"{record.at:5.1f} s  {record.kind}: {record.person_ids}")


if __name__ == "__main__":
    video = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else DEMO
    plan = make_plan(load_config(["site=empty", f"site.cameras={{north: '{video}'}}"]))
    detect, track, embed, match = plan.make_detect(), plan.make_track(), plan.make_embed(), plan.make_match()

    for frame in plan.make_sources["north"]().frames():
        [detections] = detect.process([letterbox(frame, plan.input_hw)])
        tracklets = track.process([(frame, detections)])
        embeddings = [embedding for embedding in embed.process(tracklets) if embedding is not None]
        show(match.process(embeddings))
    show(match.process([embedding for embedding in embed.process(track.flush()) if embedding is not None]))
    show(match.flush())
