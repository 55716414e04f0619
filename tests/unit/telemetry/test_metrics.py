import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.telemetry.metrics import COUNTERS, GAUGES

ROOT = Path(__file__).resolve().parents[3]

# In a process of its own: a cluster changes the process that starts it.
REPORT = """
import time, urllib.request
import ray
from pipeline.core.records.sink_report import SinkReport
from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.match_status import MatchStatus
from pipeline.telemetry.metrics import RayMetrics

ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, _system_config={"metrics_report_interval_ms": 500})
metrics = RayMetrics()
east = CameraStatus(
    frames_processed=20, frames_dropped=3, tracklets=2, people_now=4, lag_s=0.5, left_out={"image": 4}
)
kafka = SinkReport(num_waiting=40, num_given_up=1, refusal="no Write")
metrics.show({"east": east, "west": CameraStatus(error="lost")}, MatchStatus(num_sightings=3))
east = CameraStatus(
    frames_processed=30, frames_dropped=3, tracklets=2, people_now=1, lag_s=0.25, left_out={"image": 4}
)
metrics.show({"east": east}, MatchStatus(num_sightings=5, num_identities=2, sinks={"kafka": kafka}))
metrics.show({}, MatchStatus(num_sightings=7), "north")
text, deadline = "", time.monotonic() + 60
while "reid_open_tracks" not in text and time.monotonic() < deadline:
    time.sleep(1)
    try:
        port = ray.nodes()[0]["MetricsExportPort"]
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    except OSError:
        continue  # the agent is still starting
print(text)
ray.shutdown()
"""


@pytest.mark.ray
@pytest.mark.slow
def test_the_status_of_cameras_and_matcher_reaches_prometheus() -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    reported = subprocess.run(
        [sys.executable, "-c", REPORT],
        env={**kept, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=150,
        check=True,
    )
    found = {}
    for line in reported.stdout.splitlines():
        if match := re.fullmatch(r"ray_(reid_\w+)\{(.*)\} (\S+)", line):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', match[2]))
            ours = [labels[name] for name in ("site", "camera", "outcome", "reason", "sink") if labels.get(name)]
            found["/".join([match[1], *ours])] = float(match[3])
    expected = {
        "reid_frames_total/east/processed": 30.0,
        "reid_frames_total/east/dropped": 3.0,
        "reid_left_out_total/east/image": 4.0,
        "reid_sink_waiting/kafka": 40.0,
        "reid_sink_given_up_total/kafka": 1.0,
        "reid_sink_refused/kafka": 1.0,
        "reid_tracklets_total/east": 2.0,
        "reid_open_tracks/east": 1.0,
        "reid_frame_age_seconds/east": 0.25,
        "reid_sightings_total": 5.0,
        "reid_sightings_total/north": 7.0,
        "reid_identities": 2.0,
        "reid_reopens_total/east": 0.0,  # what has not happened
        "reid_left_out_total/east/form": 0.0,
    }
    assert expected.items() <= found.items(), found
    assert {name.split("/")[0] for name in found} == {*COUNTERS, *GAUGES}


def test_no_label_names_a_person() -> None:
    labels = {label for _, names in {**COUNTERS, **GAUGES}.values() for label in names}
    assert labels == {"camera", "outcome", "reason", "sink"}
