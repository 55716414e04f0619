"""Delay of alerts to MQTT with a dead and a slow receiver beside it, and a flood of 10,000 alerts in a minute.

    PYTHONPATH=.:tests/support python tests/benchmarks/alert_receivers.py

Needs the extras ``mqtt`` and ``apprise``. The delay is from the decision of the matcher until a subscriber has the
alert with its picture. Four cameras give a part of a track every 100 ms, each with a picture.
"""

import asyncio
import json
import os
import resource
import tempfile
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
from http_receiver import serving
from mqtt_broker import Subscriber, mqtt_broker
from rtsp_server import free_port

from connectors.alerting.picture_store import FILE, AlertPicture, AlertPictureStore
from connectors.sinks.apprise import AppriseSink
from connectors.sinks.jsonl import JsonlSink
from connectors.sinks.mqtt import MqttSink
from connectors.sinks.webhook import WebhookSink
from pipeline.core import Alert, Severity, Sink, TrackId, TrackPart
from pipeline.runtime.sink_fanout import SinkFanout

SLOW_S = 4.0
"""Seconds that the slow receiver takes for each alert."""

NUM_FLOOD = 10_000
FLOOD_S = 60.0


class Slow(BaseHTTPRequestHandler):
    """A receiver that takes its time."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(SLOW_S)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def make_alert(number: int) -> Alert:
    track_id = TrackId(f"camera{number % 4}", 0, number)
    at = number / 40
    return Alert(
        f"dwell/{number}/{at:.3f}/door", "dwell", Severity.INFO, number, track_id.camera_id, at, at, "Stays.",
        (track_id,), place="door", ended_at=at,
    )  # fmt: skip


def make_sinks(folder: Path, port: int, slow: str) -> dict[str, Sink]:
    shared = {"output_dir": str(folder), "page": "https://page.example", "time_zone": "UTC", "picture_wait_s": 0.5}
    os.environ["ALERT_ADDRESSES"] = f"json://127.0.0.1:{free_port()}/"
    places = {"zone": ["door"], "line": [], "camera": []}
    return {
        "jsonl": JsonlSink(output_dir=str(folder)),
        "mqtt": MqttSink(
            url=f"mqtt://127.0.0.1:{port}", ca_file=None, topic="passerby", discovery="homeassistant", places=places,
            timeout_s=5.0, max_retained=200, min_severity="info", **shared,
        ),
        "slow webhook": WebhookSink(url=slow, secret_env=None, timeout_s=9.0, max_waiting=100, min_severity="info"),
        "dead apprise": AppriseSink(
            urls_env="ALERT_ADDRESSES", pictures=True, max_waiting=200, max_tries=5, min_severity="info", **shared
        ),
    }  # fmt: skip


async def delays(fanout: SinkFanout[None], store: AlertPictureStore, watcher: "Watcher", num: int) -> list[float]:
    """Return the seconds from each write until the subscriber has the alert."""
    sent: dict[str, float] = {}
    jpeg = np.random.default_rng(1).integers(0, 256, 60_000, np.uint8).tobytes()
    for number in range(num):
        alert = make_alert(number)
        part = TrackPart(alert.evidence[0], 0)
        store.put(AlertPicture(part, alert.raised_at, jpeg[:6000], jpeg))
        sent[alert.key] = time.monotonic()
        await fanout.write([alert])
        await asyncio.sleep(0.1)
    watcher.wait_for(lambda: len(watcher.arrived) >= num, timeout_s=30)
    return [watcher.arrived[key] - at for key, at in sent.items()]


class Watcher(Subscriber):
    """Notes when each alert arrived."""

    def __init__(self, port: int) -> None:
        self.arrived: dict[str, float] = {}
        super().__init__(port, "passerby/events")
        self._client.on_message = self._note

    def _note(self, _client: object, _data: object, message: object) -> None:
        self.arrived[json.loads(message.payload)["key"]] = time.monotonic()  # type: ignore[attr-defined]


def main() -> None:
    with tempfile.TemporaryDirectory() as name, serving(Slow) as slow:
        folder = Path(name)
        with mqtt_broker(folder) as port:
            store = AlertPictureStore(folder / FILE)
            (folder / "alone").mkdir()
            sinks = make_sinks(folder / "alone", port, slow)
            for what, chosen in (("alone", {"mqtt": sinks["mqtt"]}), ("beside", make_sinks(folder, port, slow))):
                watcher = Watcher(port)
                fanout: SinkFanout[None] = SinkFanout(chosen)
                pictures = AlertPictureStore(folder / "alone" / FILE) if what == "alone" else store
                found = asyncio.run(delays(fanout, pictures, watcher, 150))
                p50, p95 = np.quantile(found, (0.5, 0.95))
                print(f"alert to MQTT with picture, {what}: p50 {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms")
                if what == "alone":
                    pictures.close()
                    watcher.close()
                    asyncio.run(fanout.close())
            before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            began = time.monotonic()
            asyncio.run(flood(fanout, began))
            print(f"flood: {NUM_FLOOD} alerts in {time.monotonic() - began:.1f} s")
            after_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            fanout.be_patient_for(30.0)
            asyncio.run(fanout.flush())
            asyncio.run(fanout.close())
            lines = len((folder / "alerts.jsonl").read_text().splitlines())
            print(
                f"alerts.jsonl: {lines} of {150 + NUM_FLOOD}; MQTT: {len(watcher.arrived)}; dropped: {fanout.dropped}"
            )
            print(f"memory: {before_mb:.0f} MB before, {after_mb:.0f} MB at most")
            watcher.close()
            store.close()


async def flood(fanout: SinkFanout[None], began: float) -> None:
    for number in range(NUM_FLOOD):
        await fanout.write([replace(make_alert(1000 + number), evidence=())])
        pause_s = began + number * FLOOD_S / NUM_FLOOD - time.monotonic()
        if pause_s > 0:
            await asyncio.sleep(pause_s)


if __name__ == "__main__":
    main()
