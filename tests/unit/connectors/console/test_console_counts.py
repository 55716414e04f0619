"""Counts and scenes of alerts by the page's server."""

import json
from pathlib import Path

import httpx
import pytest
from console_page import CONFIG, RunningPage, write_ledger
from factories import make_frame, make_sighting, make_stamp

from connectors.alerting.picture_store import FILE, AlertPicture, AlertPictureStore
from connectors.console.camera.monitor import LiveViewMonitor
from connectors.console.site_editing.edited_shapes import EditedShapes
from connectors.sinks.counts import CountSink
from pipeline.core import Alert, Severity, TrackId, TrackPart
from pipeline.core.records.alert import clip_of
from pipeline.ledger import Ledger

TRACK = TrackId("east", 0, 1)
SHAPES = {
    "zones": {"door": {"camera": "east", "polygon": [[0, 0], [80, 0], [80, 60]]}},
    "lines": {"gate": {"camera": "west", "from": [0, 0], "to": [9, 9], "forbidden": "both"}},
    "ground": {},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_ledger(tmp_path)
    return tmp_path


def test_counts_are_rows_and_metrics(folder: Path) -> None:
    parts = {"first_after_s": 1.0, "part_s": 3.0}
    sink = CountSink(output_dir=str(folder), zones={}, lines={}, ground={}, every_s=60, keep_hours=1, **parts)
    sink.write([make_sighting(1, TRACK)])
    sink.close()
    with RunningPage(folder) as page, page.client("ann") as client:
        found = client.get("/api/counts", params={"kind": "visitors"}).json()
        assert [row["people"] for row in found["rows"]] == [1]
        metrics = client.get("/api/counts/metrics")
        assert metrics.headers["content-type"].startswith("text/plain")
        assert 'passerby_camera_visits_total{camera="east"} 1' in metrics.text


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/api/counts?evry=60", "evry: there is no such key; expected one of every, kind, since, until"),
        ("/api/counts/metrics?kind=line", "kind: there is no such key; expected none"),
        ("/api/alerts?cam=east", "cam: there is no such key; expected one of camera, key, limit, offset, rule, si"),
        ("/api/counts?kind=lines", "expected one of 'line', 'zone'"),
        ("/api/alerts?state=open", "expected one of 'raised', 'amended'"),
    ],
)
def test_a_key_or_a_kind_that_no_query_has_is_named(folder: Path, path: str, told: str) -> None:
    with RunningPage(folder) as page, page.client("ann") as client:
        answer = client.get(path)
        assert answer.status_code == 422
        assert told in str(answer.json()["detail"])


def test_a_run_that_counts_nothing_says_so(folder: Path) -> None:
    with RunningPage(folder) as page, page.client("ann") as client:
        answer = client.get("/api/counts")
        assert answer.status_code == 404
        assert "sink=[…,counts]" in answer.json()["detail"]


def test_the_link_of_an_alert_shows_that_alert_and_its_scene(folder: Path) -> None:
    with RunningPage(folder) as page, page.client("ann") as client:
        store = AlertPictureStore(folder / FILE)  # the page may be there before the first picture
        store.put(AlertPicture(TrackPart(TRACK, 0), 0.5, b"crop", b"scene"))
        store.close()
        found = client.get("/api/alerts", params={"key": "dwell/1/0.5"}).json()
        assert [alert["key"] for alert in found["alerts"]] == ["dwell/1/0.5"]
        assert found["alerts"][0]["has_scene"] is True
        assert client.get("/api/alerts/scene", params={"key": "dwell/1/0.5"}).content == b"scene"
        assert client.get("/api/alerts/scene", params={"key": "line/2/20.0"}).status_code == 404


def test_the_clip_of_an_alert_is_for_those_who_may_see_its_camera(tmp_path: Path) -> None:
    key = "dwell/1/0.5"
    ledger = Ledger(tmp_path / "ledger.sqlite")
    shown = Alert(key, "dwell", Severity.INFO, 1, "east", 0.5, 1.0, "Stays.", (TRACK,), clip=clip_of(key))
    ledger.append([make_sighting(1, TRACK), shown])
    ledger.close()
    (tmp_path / "config.yaml").write_text(CONFIG)
    with (
        RunningPage(tmp_path) as page,
        page.client("ann") as ann,
        page.client("wendy", cameras=("west",)) as wendy,
        page.client() as stranger,
    ):

        def asked(client: httpx.Client) -> httpx.Response:
            return client.get("/api/alerts/clip", params={"key": key})

        assert asked(ann).status_code == 404, "it is not cut yet"
        (tmp_path / "alert_clips").mkdir()
        (tmp_path / shown.clip).write_bytes(b"clip")
        assert ann.get("/api/alerts").json()["alerts"][0]["has_clip"] is True
        assert asked(ann).content == b"clip"
        assert asked(ann).headers["content-type"] == "video/mp4"
        assert asked(wendy).status_code == 404
        assert asked(stranger).status_code == 401


def test_a_live_picture_carries_the_shapes_of_its_camera(tmp_path: Path) -> None:
    options = {"max_rate_hz": 6.0, "max_side_px": 640, "jpeg_quality": 80, "blur_heads": False, "clip_rate_hz": 0.0}
    monitor = LiveViewMonitor("east", output_dir=str(tmp_path), **options, **SHAPES)  # type: ignore[arg-type]
    message = monitor._live_message(make_frame(make_stamp()), {}, 0.0)
    monitor.close()
    length = int.from_bytes(message[:4], "big")
    header = json.loads(message[4 : 4 + length])
    assert header["shapes"] == [["door", True, [[0.0, 0.0], [0.5, 0.0], [0.5, 0.5]]]]


def test_a_live_picture_shows_the_zones_that_were_saved_meanwhile(tmp_path: Path) -> None:
    zone = {"camera": "east", "relative": True, "polygon": [[0, 0], [1, 0], [1, 1]]}
    edits = EditedShapes(tmp_path / "edits.yaml")
    assert edits.of("east", (60, 90)) is None  # those of the camera's start
    (tmp_path / "edits.yaml").write_text(json.dumps({"site": {"zones": {"new": zone}}}))
    edits = EditedShapes(tmp_path / "edits.yaml")
    assert edits.of("east", (60, 90)) == [("new", True, [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])]
    assert edits.of("west", (60, 90)) == []
