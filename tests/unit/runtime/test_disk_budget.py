"""The output folder stays within its budget: recordings go first, then pictures; the ledger never."""

import json
import logging
import os
import shutil
from pathlib import Path

import pytest

from connectors.alerting.clip_store import AlertClipStore, Wanted
from connectors.alerting.picture_store import FILE, AlertPicture, AlertPictureStore
from connectors.console.store.pictures import Picture, PictureStore
from connectors.footage.segments import Segment
from pipeline.cli.status import main as tell_status
from pipeline.core import TrackId, TrackPart
from pipeline.runtime.disk_budget import DiskBudget

MB = 1_000_000


def part(number: int) -> TrackPart:
    return TrackPart(TrackId("east", 0, number), 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run with 10 MB of ledger, two cameras that record 3 MB each, and about 4 MB of pictures in two files."""
    (tmp_path / "ledger.sqlite").write_bytes(os.urandom(10 * MB))
    for camera_id in ("east", "west"):
        recordings = tmp_path / "recordings" / camera_id
        recordings.mkdir(parents=True)
        for minute in range(3):
            file = recordings / f"2026-01-01T00-0{minute}-00Z.mkv"
            file.write_bytes(os.urandom(MB))
            os.utime(file, (1000.0 + 60 * minute, 1000.0 + 60 * minute))
    alerts = AlertPictureStore(tmp_path / FILE)
    (tmp_path / "console").mkdir()
    pictures = PictureStore(tmp_path / "console/pictures.sqlite", keep_s=1e9, max_bytes=10**9)
    for number in range(400):
        alerts.put(AlertPicture(part(number), 1.0, os.urandom(2_500), os.urandom(2_500)))
        pictures.put(Picture(part(number), 1.0, 1.0, os.urandom(5_000)))
    alerts.close()
    pictures._database.close()
    return tmp_path


def recorded(folder: Path) -> list[str]:
    return sorted(f"{path.parent.name}/{path.stem[-6:-4]}" for path in folder.glob("recordings/*/*.mkv"))


def test_the_oldest_recordings_go_first_and_the_file_that_is_written_stays(folder: Path) -> None:
    used = DiskBudget(folder, max_bytes=None, min_free_bytes=0).look().used_bytes
    status = DiskBudget(folder, max_bytes=used - 1_900_000, min_free_bytes=0).look()
    assert recorded(folder) == ["east/01", "east/02", "west/01", "west/02"]
    assert (status.recordings_deleted, status.pictures_deleted, status.trouble) == (2, 0, None)
    assert status.used_bytes <= used - 1_900_000


def test_then_the_oldest_pictures_and_the_files_shrink(folder: Path) -> None:
    budget = DiskBudget(folder, max_bytes=14_500_000, min_free_bytes=0)
    status = budget.look()
    assert recorded(folder) == ["east/02", "west/02"]
    assert status.recordings_deleted == 4
    assert 0 < status.pictures_deleted < 800
    assert status.used_bytes <= 14_500_000
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 14_600_000
    left = AlertPictureStore(folder / FILE)
    assert left.nearest([part(399).track_id], 1.0) is not None  # the newest stay
    assert left.nearest([part(0).track_id], 1.0) is None
    left.close()
    again = budget.look()
    assert (again.recordings_deleted, again.pictures_deleted) == (4, status.pictures_deleted)  # nothing more goes


def test_clips_of_alerts_go_before_pictures_and_the_oldest_first(tmp_path: Path) -> None:
    store = AlertClipStore(tmp_path)
    for number in range(4):
        wanted = Wanted(f"{number}.mp4", "east", 10.0 * number, 10.0 * number + 5, 0.0)
        store.want(wanted)
        store.put_clip(wanted, os.urandom(MB))
        store.settle(wanted.file)
    store.put_segment("east", Segment(40.0, 41.0, os.urandom(MB)), keep_s=1e9, max_bytes=10**9)
    alerts = AlertPictureStore(tmp_path / FILE)
    alerts.put(AlertPicture(part(0), 1.0, os.urandom(2_500), os.urandom(2_500)))
    budget = DiskBudget(tmp_path, max_bytes=3_500_000, min_free_bytes=0)
    status = budget.look()
    assert [store.clip(f"{number}.mp4") is not None for number in range(4)] == [False, False, True, True]
    assert sorted(path.name for path in store.footage.folder.glob("*.mp4")) == ["2.mp4", "3.mp4"]
    assert (status.pictures_deleted, status.trouble) == (2, None)
    assert len(alerts) == len(store.footage.segments("east", 40.0, 41.0)) == 1
    alerts.close()
    store.close()


def test_the_ledger_stays_and_what_cannot_be_kept_is_said(
    folder: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    budget = DiskBudget(folder, max_bytes=5 * MB, min_free_bytes=0)
    with caplog.at_level(logging.WARNING):
        status = budget.look()
    assert (folder / "ledger.sqlite").stat().st_size == 10 * MB
    assert (status.recordings_deleted, status.pictures_deleted) == (4, 800)
    assert status.trouble is not None
    assert status.trouble.startswith("disk.max_gb: exceeded by 0.0")
    assert "deleted the oldest 4 recordings, 800 pictures and clips" in caplog.text
    written = {"at": 4e9, "cameras": {}, "match": {"num_sightings": 1}, "disk": {"trouble": status.trouble}}
    (folder / "status.json").write_text(json.dumps(written))
    assert tell_status([str(folder)]) == 1
    assert status.trouble in capsys.readouterr().out


def test_what_is_to_stay_free_is_kept_free(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = 100 * MB

    def usage(_: Path) -> object:
        used = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        return shutil._ntuple_diskusage(disk, used, disk - used)  # type: ignore[attr-defined]

    monkeypatch.setattr(shutil, "disk_usage", usage)
    free = DiskBudget(folder, max_bytes=None, min_free_bytes=0).look().free_bytes
    status = DiskBudget(folder, max_bytes=None, min_free_bytes=free + MB).look()
    assert (status.recordings_deleted, status.trouble) == (1, None)
    assert status.free_bytes >= free + MB
