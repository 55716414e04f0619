"""How long after an event its MQTT message with picture is there: four RTSP cameras of 10 frames/s in real time.

    PYTHONPATH=.:tests/support python tests/benchmarks/alert_latency.py

Runs the program twice as a user does, first with MQTT alone, then with a webhook that takes 4 s for each alert and an
Apprise service that is dead. Needs the extras ``mqtt`` and ``apprise``, and mosquitto or iotcore. An event is when a
line was crossed or a stay reached its limit. It is told once the part of the track that shows it is complete
(``buffer.part_s``), so both delays are printed: from the event, and from the last picture of that part. The first less
the second is the wait for the part; one that ends with its track also waits until the tracker ends that (``lost_s``).
From the frame that completes a part it is embedded, waits for the other cameras and is matched, which is printed as
well; the rest is the way of the alert to MQTT.
``detector=passerby`` takes the shipped network; the default is a detector that costs next to nothing, because two cores
that do other work as well do not keep up with 40 frames/s of the network, and then the figures are those of its queue.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from alert_receivers import Slow
from http_receiver import serving
from live_restart import DEMO
from mqtt_broker import Subscriber, mqtt_broker
from rtsp_server import RtspServer, free_port
from running import interrupt, start

from pipeline.core import AlertState

CAMERAS = ("west", "east", "north", "gate")
SECONDS = 75.0
"""Seconds that are measured once the program runs."""
READY_S = 300.0
"""Seconds that the program may take to start."""
LIMIT_S = 2.0
"""Seconds that a stay may take. A shorter one gives more alerts."""

PLACES = {
    "site.zones": "{plaza: {camera: west, polygon: [[120, 130], [540, 110], [540, 340], [60, 340]]},"
    " middle: {metres: true, polygon: [[-4, -2], [8, -2], [8, 8], [-4, 8]]},"
    " door: {camera: gate, relative: true, polygon: [[0.1, 0.3], [0.9, 0.3], [0.9, 1], [0.1, 1]]}}",
    "site.lines": "{passage: {camera: west, from: [320, 355], to: [320, 100], forbidden: both},"
    " lawn: {camera: east, relative: true, from: [0.5, 1], to: [0.5, 0.2], forbidden: both}}",
}


DETECTORS = {
    "passerby": ["detector=passerby"],
    "moving": [
        *("detector=passerby", "detector._target_=moving_people.MovingPeopleDetector", "allow_plugins=[moving_people]")
    ],
}


class Watcher(Subscriber):
    """Notes when each alert, and each picture, arrived first."""

    def __init__(self, port: int) -> None:
        self.alerts: dict[str, tuple[float, dict[str, object]]] = {}
        self.pictures: set[str] = set()
        super().__init__(port, "passerby/alerts/#")
        self._client.on_message = self._note

    def _note(self, _client: object, _data: object, message: object) -> None:
        now, topic = time.time(), message.topic.split("/")  # type: ignore[attr-defined]
        if topic[-1] in ("person", "scene"):
            self.pictures.add(topic[-2])
        elif message.payload:  # type: ignore[attr-defined]
            self.alerts.setdefault(topic[-1], (now, json.loads(message.payload)))  # type: ignore[attr-defined]


def measure(folder: Path, what: str, sinks: str, detector: str, **variables: str) -> None:
    """Run for a while, and print the delays."""
    with RtspServer(DEMO) as server, mqtt_broker(folder) as port:
        watcher = Watcher(port)
        cameras = ", ".join(f'{name}: "{server.url(name + ".mp4", endless=True)}"' for name in CAMERAS)
        overrides = [
            *("site=demo", "runtime=inline", f"site.cameras={{{cameras}}}", f"sink=[jsonl,alert_pictures,mqtt{sinks}]"),
            *(f"{key}={value}" for key, value in PLACES.items()),
            *(f"site.max_dwell_s={LIMIT_S}", "alerts=[zone_dwell,line_crossing]", "alerting.cooldown_s=0"),
            *DETECTORS[detector],
            *("site.truth=null", f"output_dir={folder / what}"),
        ]
        process = start(overrides, PASSERBY_MQTT_URL=f"mqtt://127.0.0.1:{port}", **variables)
        give_up_at = time.monotonic() + READY_S
        while not (folder / what / "status.json").is_file() and time.monotonic() < give_up_at:
            time.sleep(0.5)
        if not (folder / what / "status.json").is_file():
            sys.exit(f"{what}: the program is not ready after {READY_S:.0f} s\n{interrupt(process).err[-2000:]}")
        time.sleep(SECONDS)
        found = list(watcher.alerts.items())
        finished = interrupt(process)
        watcher.close()
    if not found or finished.code:
        sys.exit(f"{what}: {len(found)} alerts arrived, exit code {finished.code}\n{finished.err[-2000:]}")
    raised = [(key, at, alert) for key, (at, alert) in found if alert["state"] == AlertState.RAISED]
    since_event, since_part = [], []
    for _, at, alert in raised:
        limit_s = LIMIT_S if alert["rule"] == "zone_dwell" else 0.0
        since_event.append(at - float(str(alert["started_at"])) - limit_s)
        since_part.append(at - float(str(alert["raised_at"])))
    summary = json.loads((folder / what / "summary.json").read_text())
    of_cameras = summary["cameras"].values()
    frames = {name: sum(each[f"frames_{name}"] for each in of_cameras) for name in ("processed", "dropped")}
    num_pictures = sum(key in watcher.pictures for key, *_ in raised)
    print(f"{what}: {len(raised)} alerts, {num_pictures} with pictures; frames {frames}")
    for name, delays in (("event", since_event), ("last picture of the part of the track", since_part)):
        p50, p95 = np.quantile(delays, (0.5, 0.95))
        print(f"  from the {name}: p50 {p50:.2f} s, p95 {p95:.2f} s", flush=True)
    to_sighting = ", ".join(f"{name} {summary['latency_s'][name]:.2f} s" for name in ("p50", "p95"))
    print(f"  of every sighting, from the frame that completed its part until it is published: {to_sighting}")


def main(detector: str) -> None:
    with tempfile.TemporaryDirectory() as name, serving(Slow) as slow:
        folder = Path(name)
        measure(folder, "alone", "", detector)
        dead = f"json://127.0.0.1:{free_port()}/"
        measure(folder, "beside", ",webhook,apprise", detector, PASSERBY_WEBHOOK_URL=slow, PASSERBY_APPRISE_URLS=dead)


if __name__ == "__main__":
    main("passerby" if "detector=passerby" in sys.argv[1:] else "moving")
