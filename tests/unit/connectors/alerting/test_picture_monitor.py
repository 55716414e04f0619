"""Pictures for alerts, from a camera's process to a receiver, and their end."""

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from factories import make_frame, make_stamp, make_tracklet

from connectors.alerting.picture_monitor import BOX_COLOR, AlertPictureMonitor
from connectors.alerting.picture_store import FILE, AlertPicture, AlertPictureStore
from connectors.sinks.alert_pictures import AlertPictureSink
from pipeline.core import Frame, Monitor, TrackId, TrackPart
from pipeline.core.errors import ConfigError
from pipeline.ledger.erasure import erase_stores

TRACK, OTHER = TrackId("east", 0, 1), TrackId("east", 0, 2)
BOX = np.array([200, 100, 300, 400], np.float32)
OTHER_BOX = np.array([400, 100, 500, 400], np.float32)
ZONES = {
    "door": {"camera": "east", "relative": True, "polygon": [[0.02, 0.02], [0.25, 0.02], [0.25, 0.9], [0.02, 0.9]]}
}


def make_monitor(folder: Path, **changes: object) -> AlertPictureMonitor:
    options: dict[str, object] = {
        "output_dir": str(folder),
        "zones": ZONES,
        "lines": {},
        "ground": {},
        "max_side_px": 640,
        "jpeg_quality": 95,
        "blur_others": True,
    }
    return AlertPictureMonitor("east", **{**options, **changes})  # type: ignore[arg-type]


def decoded(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)


def is_like(pixel: np.ndarray, color: tuple[int, int, int]) -> bool:
    return bool(np.abs(pixel.astype(int) - color).max() < 60)


def stored(folder: Path) -> AlertPicture:
    store = AlertPictureStore(folder / FILE)
    found = store.nearest([TRACK], 5.0)
    store.close()
    assert found is not None
    return found


def test_the_scene_shows_the_box_and_the_zone_and_the_crop_the_person(tmp_path: Path) -> None:
    monitor: Monitor = make_monitor(tmp_path)
    frame = Frame(make_stamp(captured_at=5.0), np.full((480, 640, 3), 90, np.uint8))
    monitor.show(frame, {TRACK: BOX})
    monitor.keep(make_tracklet(TRACK, part=3))
    monitor.close()
    monitor.close()
    picture = stored(tmp_path)
    assert (picture.part, picture.captured_at) == (TrackPart(TRACK, 3), 5.0)
    scene, crop = decoded(picture.scene), decoded(picture.crop)
    assert scene.shape == (480, 640, 3)
    assert is_like(scene[250, 200], BOX_COLOR)
    assert np.ptp(scene[200, 160].astype(int)) > 80  # it was grey before
    assert abs(crop.shape[0] / crop.shape[1] - 3) < 0.4


def test_a_large_frame_is_scaled_with_its_box(tmp_path: Path) -> None:
    monitor = make_monitor(tmp_path, max_side_px=320)
    monitor.show(Frame(make_stamp(), np.full((480, 640, 3), 90, np.uint8)), {TRACK: BOX})
    monitor.keep(make_tracklet(TRACK))
    monitor.close()
    scene = decoded(stored(tmp_path).scene)
    assert scene.shape == (240, 320, 3)
    assert is_like(scene[125, 100], BOX_COLOR)


@pytest.mark.parametrize("blur_others", [True, False])
def test_heads_of_others_are_unrecognisable_and_the_person_is_not(tmp_path: Path, blur_others: bool) -> None:
    monitor = make_monitor(tmp_path, zones={}, blur_others=blur_others)
    frame = make_frame(hw=(480, 640), seed=3)
    monitor.show(frame, {TRACK: BOX, OTHER: OTHER_BOX})
    monitor.keep(make_tracklet(TRACK))
    monitor.close()
    scene = decoded(stored(tmp_path).scene).astype(float)
    own, other = scene[110:150, 215:285].std(), scene[110:150, 415:485].std()
    assert own > 40
    assert (other < own / 2) == blur_others


def test_no_call_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AlertPictureStore, "put", lambda *_: time.sleep(0.5))
    monitor = make_monitor(tmp_path)
    frame = make_frame(hw=(480, 640))
    began = time.monotonic()
    for part in range(5):
        monitor.show(frame, {TRACK: BOX})
        monitor.keep(make_tracklet(TRACK, part=part))
    assert time.monotonic() - began < 5 * 0.5
    monitor.close()


def test_a_frame_without_people_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.alerting.picture_monitor._scene", lambda *_: pytest.fail("a frame was scaled"))
    monitor = make_monitor(tmp_path)
    monitor.show(make_frame(hw=(480, 640)), {})
    monitor.close()


def put(store: AlertPictureStore, track: int, size: int = 1000) -> None:
    store.put(AlertPicture(TrackPart(TrackId("east", 0, track), 0), float(track), bytes(size), bytes(size)))


def test_the_picture_nearest_to_the_alert_is_taken(tmp_path: Path) -> None:
    store = AlertPictureStore(tmp_path / FILE)
    for part, at in enumerate((1.0, 6.0, 9.0)):
        store.put(AlertPicture(TrackPart(TRACK, part), at, b"a", b"b"))
    found = store.nearest([OTHER, TRACK], 7.0)
    assert found is not None
    assert found.part.part == 1
    assert store.nearest([OTHER], 7.0) is None
    store.close()


def test_the_oldest_go_first_when_there_are_too_many_or_they_are_too_old(tmp_path: Path) -> None:
    store = AlertPictureStore(tmp_path / FILE)
    for track in range(150):
        put(store, track)
    store.tidy(keep_s=1000, max_bytes=150_000)
    assert store.num_bytes() <= 150_000
    assert store.nearest([TrackId("east", 0, 149)], 0.0) is not None
    assert store.nearest([TrackId("east", 0, 0)], 0.0) is None
    store.tidy(keep_s=-1, max_bytes=150_000)
    assert len(store) == 0
    store.close()


def test_the_sink_keeps_the_limits_at_the_end_of_a_run(tmp_path: Path) -> None:
    sink = AlertPictureSink(output_dir=str(tmp_path), keep_hours=1, max_gb=1e-6)
    store = AlertPictureStore(tmp_path / FILE)
    put(store, 1)
    sink.write([])
    sink.flush()
    sink.close()
    sink.close()
    assert len(store) == 0
    store.close()


def test_pictures_of_an_erased_person_leave_no_trace_in_the_file(tmp_path: Path) -> None:
    store = AlertPictureStore(tmp_path / FILE)
    store.put(AlertPicture(TrackPart(TRACK, 0), 1.0, b"face of ann" * 20, b"scene with ann" * 20))
    store.put(AlertPicture(TrackPart(OTHER, 0), 1.0, b"face of bob", b"scene with bob"))
    store.close()
    erase_stores(tmp_path, [TrackPart(TRACK, 0)])
    left = (tmp_path / FILE).read_bytes()
    assert b"with ann" not in left
    assert b"with bob" in left


@pytest.mark.parametrize(
    "wrong", [lambda: AlertPictureSink.preflight(output_dir="x", keep_hours=0, max_gb=1), None], ids=["sink", "monitor"]
)
def test_numbers_out_of_range_are_refused(tmp_path: Path, wrong: Callable[[], None] | None) -> None:
    with pytest.raises(ConfigError, match="alert_pictures"):
        (wrong or (lambda: make_monitor(tmp_path, jpeg_quality=0)))()  # type: ignore[func-returns-value]
