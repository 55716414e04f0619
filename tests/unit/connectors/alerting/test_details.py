"""Details of alerts: names through corrections, and pictures that are on their way or never come."""

import threading
import time
from dataclasses import replace
from pathlib import Path

from factories import make_sighting

from connectors.alerting.details import AlertDetailReader
from connectors.alerting.picture_store import FILE, AlertPicture, AlertPictureStore
from pipeline.core import Alert, Correction, CorrectionKind, Match, Severity, TrackId, TrackPart
from pipeline.ledger import Ledger

TRACK = TrackId("east", 0, 1)
ALERT = Alert("dwell/1/4.5", "dwell", Severity.WARNING, 1, "east", 4.5, 6.0, "Stays.", (TRACK,))


def make_reader(folder: Path) -> AlertDetailReader:
    return AlertDetailReader(output_dir=str(folder), page=None, time_zone="UTC", key="sink.test")


def test_name_and_runner_up_are_those_of_the_ledger_now(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append([replace(make_sighting(1, TRACK), probability=0.7, runner_up=Match(5, 0.3))])
    reader = make_reader(tmp_path)
    assert (reader.of(ALERT).name, reader.of(ALERT).runner_up) == ("", 5)
    ledger.append([Correction(CorrectionKind.NAMED, (2,), "ann", 7.0, name="Bob")])
    ledger.append([Correction(CorrectionKind.MERGED, (1, 2), "ann", 8.0)])
    assert reader.of(ALERT).name == "Bob"
    ledger.append([Correction(CorrectionKind.ERASED, (1,), "ann", 9.0, (TrackPart(TRACK, 0),))])
    assert reader.of(ALERT).name == ""
    reader.close()
    reader.close()
    ledger.close()


def test_a_picture_on_its_way_is_waited_for(tmp_path: Path) -> None:
    store, reader = AlertPictureStore(tmp_path / FILE), make_reader(tmp_path)
    picture = AlertPicture(TrackPart(TRACK, 0), 5.0, b"crop", b"scene")
    threading.Timer(0.1, store.put, [picture]).start()
    assert reader.of(ALERT, wait_s=5.0).picture == picture
    reader.close()
    store.close()


def test_after_a_picture_that_did_not_come_others_are_waited_for_again(tmp_path: Path) -> None:
    store, reader = AlertPictureStore(tmp_path / FILE), make_reader(tmp_path)
    assert reader.of(ALERT, wait_s=0.05).picture is None
    time.sleep(0.1)
    picture = AlertPicture(TrackPart(TRACK, 0), 5.0, b"crop", b"scene")
    threading.Timer(0.1, store.put, [picture]).start()
    assert reader.of(ALERT, wait_s=5.0).picture == picture
    reader.close()
    store.close()


def test_where_no_pictures_come_a_flood_waits_only_now_and_then(tmp_path: Path) -> None:
    store, reader = AlertPictureStore(tmp_path / FILE), make_reader(tmp_path)
    began = time.monotonic()
    for _ in range(20):
        assert reader.of(ALERT, wait_s=0.2).picture is None
    assert time.monotonic() - began < 20 * 0.2
    reader.close()
    store.close()
