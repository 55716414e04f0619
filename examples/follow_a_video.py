"""Follow the people in one video, in this process.

    python examples/follow_a_video.py [VIDEO [OVERRIDE …]]

``passerby run`` does the same for many cameras, in several processes, and writes files.
"""

import sys
from pathlib import Path

import pipeline
from pipeline.core import Sighting
from pipeline.core.errors import ReidError

DEMO = Path(__file__).resolve().parents[1] / "connectors/synthetic/demo/north.mp4"

if __name__ == "__main__":
    video, *overrides = sys.argv[1:] or [str(DEMO), "detector=passerby"]  # the demo shows rendered people
    try:
        for record in pipeline.Pipeline({"north": video}, *overrides):  # sightings, and corrections of earlier ones
            if isinstance(record, Sighting):
                at = record.last.captured_at
                print(f"{at:5.1f} s  person {record.person_id}, {record.outcome}: {record.track_id}")
            else:
                print(f"{record.at:5.1f} s  {record.kind}: {record.person_ids}")
    except ReidError as error:
        sys.exit(f"error: {error}")
