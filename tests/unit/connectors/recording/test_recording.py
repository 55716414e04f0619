"""Recorded video: packets as the camera sent them, bounded in time and size, gone with the people in it."""

import io
import sqlite3
import stat
from pathlib import Path

import av
import numpy as np
import pytest
from clips import FPS, make_clip
from factories import make_path, make_sighting
from recorded import brightness, record, record_file

from connectors.alerting.clip_monitor import AlertClipMonitor
from connectors.footage.cutter import cut
from connectors.recording.monitor import RecordingMonitor
from connectors.recording.store import RecordingStore
from connectors.sinks.recording import RecordingSink
from connectors.sources.video_file import VideoFileSource
from pipeline.core import TrackId, TrackPart
from pipeline.core.errors import ConfigError
from pipeline.ledger.erasure import erase_stores
from pipeline.runtime.cameras.monitors import Monitors, show_packets
from pipeline.runtime.disk_budget import DiskBudget

TRACK = TrackId("east", 0, 1)


def make_sink(folder: Path, **changes: object) -> RecordingSink:
    options: dict[str, object] = {"keep_days": 1.0, "max_gb": 1.0, "people_only": False, "around_s": 2.0}
    return RecordingSink(output_dir=str(folder), **{**options, **changes})  # type: ignore[arg-type]


def spans(folder: Path, since: float = 0.0, until: float = 1e6) -> list[tuple[int, int]]:
    store = RecordingStore(folder)
    found = store.spans("east", since, until)
    store.close()
    return [(round(first), round(last)) for first, last in found]


def film(folder: Path, since: float, until: float) -> list[av.VideoFrame]:
    store, into = RecordingStore(folder), io.BytesIO()
    made = cut(store.segments("east", since, until), since, until, into, title="x")
    store.close()
    if made is None:
        return []
    assert made.begins_at == since
    into.seek(0)
    with av.open(into) as container:
        return list(container.decode(video=0))


def files(folder: Path) -> list[Path]:
    return list((folder / "video").glob("*.ts"))


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """40 s of noise with B-frames, a key frame each 2.5 s."""
    options = {"g": "25", "bf": "2", "crf": "35", "sc_threshold": "0"}
    return make_clip(tmp_path / "east.mp4", 40 * FPS, hw=(60, 80), noisy=True, codec_options=options)


def test_the_packets_of_a_camera_are_kept_as_they_are(tmp_path: Path, video: Path) -> None:
    record_file(tmp_path, "east", video)
    with av.open(str(video)) as container:
        originals = list(container.decode(video=0))
    copied = film(tmp_path, 12.3, 31.0)
    assert 188 <= len(copied) <= 190, "from 12.3 s to 31 s, across segments, and what the last picture needs"
    for one, other in zip(copied[:188], originals[123:311], strict=True):
        assert np.array_equal(one.to_ndarray(format="rgb24"), other.to_ndarray(format="rgb24")), "not encoded again"
    assert 4 <= len(files(tmp_path)) <= 8, "segments of five to ten seconds"
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files(tmp_path))


def test_a_camera_of_single_pictures_is_encoded_and_shows_its_time(tmp_path: Path) -> None:
    record(tmp_path, "east", 1000.0, 1030.0)
    (first, *_, last) = film(tmp_path, 1012.0, 1025.0)
    assert first.to_ndarray(format="gray").mean() == pytest.approx(brightness(1012.0), abs=2)
    assert last.to_ndarray(format="gray").mean() == pytest.approx(brightness(1025.0), abs=2)


def test_what_was_not_recorded_is_a_hole_and_no_old_picture(tmp_path: Path) -> None:
    record(tmp_path, "east", 0.0, 20.0)
    record(tmp_path, "east", 60.0, 80.0)
    assert spans(tmp_path) == [(0, 20), (60, 80)]
    assert film(tmp_path, 30.0, 50.0) == []
    store = RecordingStore(tmp_path)
    assert [segment.since for segment in store.segments("east", 30.0, 70.0)] == [60.0]
    store.close()


def test_a_recording_that_is_read_again_is_stored_once(tmp_path: Path, video: Path) -> None:
    record_file(tmp_path, "east", video)
    before = sorted(files(tmp_path))
    record_file(tmp_path, "east", video)
    assert sorted(files(tmp_path)) == before


def test_a_run_that_goes_on_loses_nothing(tmp_path: Path) -> None:
    record(tmp_path, "east", 0.0, 17.0)
    record(tmp_path, "east", 15.0, 40.0)
    assert spans(tmp_path) == [(0, 40)]
    assert film(tmp_path, 16.0, 18.0)


def test_alerts_and_the_recording_share_the_packets(tmp_path: Path, video: Path) -> None:
    clips = AlertClipMonitor(
        "east", output_dir=str(tmp_path), ring_s=120.0, ring_mb=64.0, max_side_px=160, blur_heads=False
    )
    recording = RecordingMonitor("east", output_dir=str(tmp_path), max_side_px=160, blur_heads=False)
    monitors = Monitors({"alert_clips": lambda: clips, "recording": lambda: recording})
    source = VideoFileSource("east", str(video))
    show_packets(source, monitors)
    for frame in source.frames():
        monitors.show(frame, {})
    monitors.close()
    assert list((tmp_path / "alert_clips").glob("*.ts"))
    assert spans(tmp_path) == [(0, 40)]
    with av.open(str(video)) as container:
        sizes = [packet.size for packet in container.demux(video=0) if packet.size]
    assert sum(path.stat().st_size for path in files(tmp_path)) > sum(sizes), "copied: encoded ones would be smaller"


def test_old_video_is_deleted_and_the_oldest_above_the_size(tmp_path: Path) -> None:
    record(tmp_path, "east", 0.0, 60.0)
    sizes = sum(path.stat().st_size for path in files(tmp_path))
    make_sink(tmp_path, max_gb=sizes / 2 / 1e9).close()
    assert 0 < sum(path.stat().st_size for path in files(tmp_path)) <= sizes / 2
    assert spans(tmp_path)[0][1] == 60, "the newest stay"
    with sqlite3.connect(tmp_path / "video/contents.sqlite") as database:
        database.execute("UPDATE footage SET made_at = made_at - 86401")
    make_sink(tmp_path).close()
    assert files(tmp_path) == []
    assert spans(tmp_path) == []


def test_where_nobody_was_nothing_stays_if_people_only_are_kept(tmp_path: Path) -> None:
    record(tmp_path, "east", 0.0, 100.0)
    sink = make_sink(tmp_path, people_only=True)
    sink.write([make_sighting(1, TRACK, 0, make_path(450, 60))])  # 45 s to 51 s
    sink.close()
    assert spans(tmp_path) == [(40, 60)]


def test_sightings_that_are_still_to_come_are_waited_for(tmp_path: Path) -> None:
    record(tmp_path, "east", 0.0, 20.0)
    sink = make_sink(tmp_path, people_only=True)
    sink._tidy(0.0)
    assert spans(tmp_path) == [(0, 20)]
    sink.close()
    assert spans(tmp_path) == []


def test_an_erased_person_is_gone_from_the_video_and_does_not_come_back(tmp_path: Path) -> None:
    record(tmp_path, "east", 0.0, 60.0)
    record(tmp_path, "west", 0.0, 60.0)
    sink = make_sink(tmp_path)
    sink.write([make_sighting(1, TRACK, 0, make_path(220, 60))])  # 22 s to 28 s
    store, part = RecordingStore(tmp_path), TrackPart(TRACK, 0)
    assert store.seconds_with([part]) == pytest.approx(10, abs=0.5)
    removed, _ = erase_stores(tmp_path, [part])
    assert removed["video files"] == 1
    assert store.seconds_with([part]) == 0
    assert spans(tmp_path) == [(0, 20), (30, 60)]
    assert film(tmp_path, 22.0, 28.0) == []
    assert [round(until) for _, until in store.spans("west", 0.0, 60.0)] == [60], "another camera did not see them"
    record(tmp_path, "east", 0.0, 60.0)
    assert spans(tmp_path) == [(0, 20), (30, 60)]
    sink.close()
    store.close()


def test_who_was_seen_is_remembered_as_long_as_the_video_is_kept(tmp_path: Path) -> None:
    record(tmp_path, "east", 20.0, 40.0)
    sink = make_sink(tmp_path)
    sink.write([make_sighting(1, TRACK, part, make_path(100 * part, 50)) for part in range(4)])
    store = RecordingStore(tmp_path)
    store.footage.forget_seen(keep_s=0.0)
    assert store.footage.database.rows("SELECT part FROM seen ORDER BY part") == [(2,), (3,)]
    assert spans(tmp_path) == [(20, 40)]
    store.close()
    sink.close()


def test_video_goes_before_clips_of_alerts_where_the_disk_is_full(tmp_path: Path) -> None:
    record(tmp_path, "east", 0.0, 60.0, lambda at: 128)
    used = DiskBudget(tmp_path, max_bytes=None, min_free_bytes=0).look().used_bytes
    oldest = min(files(tmp_path), key=lambda path: path.stat().st_mtime)
    status = DiskBudget(tmp_path, max_bytes=used - 1, min_free_bytes=0).look()
    assert (status.recordings_deleted, status.pictures_deleted, status.trouble) == (1, 0, None)
    assert not oldest.exists()
    assert spans(tmp_path) == [(10, 60)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"keep_days": 0.0}, "keep_days"),
        ({"max_gb": float("nan")}, "max_gb"),
        ({"around_s": -1.0}, "around_s"),
    ],
)
def test_a_limit_out_of_range_is_refused(tmp_path: Path, changes: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_sink(tmp_path, **changes)
