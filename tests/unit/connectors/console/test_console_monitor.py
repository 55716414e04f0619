"""Pictures from a camera to the page: live ones for viewers, and one of each part of a track to store."""

import json
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from console_page import FEED_KEY, RunningPage
from factories import make_frame, make_stamp, make_tracklet
from websockets.sync.client import connect

from connectors.console.camera.best_pictures import BestPictures, blurred
from connectors.console.camera.clips import FRAME_HW
from connectors.console.camera.message import unpack
from connectors.console.camera.monitor import FEED, MAX_SHARE, LiveViewMonitor
from connectors.console.search.similarity import decoded
from pipeline.core import Monitor, TrackId, TrackPart
from pipeline.core.errors import ConfigError, WireFormatError

TRACK = TrackId("east", 0, 1)
SMALL, LARGE = (np.array(box, np.float32) for box in ((60, 40, 80, 80), (50, 20, 90, 110)))


@pytest.fixture
def page(tmp_path: Path):
    with RunningPage(tmp_path / "run", is_open=True) as running:
        feed = {"url": running.url.replace("http", "ws") + "/feed", "key": FEED_KEY, "certificate": None}
        (running.settings.folder / FEED).write_text(json.dumps(feed))
        yield running


def make_monitor(output_dir: Path, **changes: object) -> LiveViewMonitor:
    options = {"max_rate_hz": 100.0, "max_side_px": 80, "jpeg_quality": 80, "blur_heads": False, "clip_rate_hz": 5.0}
    return LiveViewMonitor("east", output_dir=str(output_dir), **{**options, **changes})  # type: ignore[arg-type]


def test_it_is_a_monitor_and_may_be_closed_twice(tmp_path: Path) -> None:
    monitor: Monitor = make_monitor(tmp_path)
    monitor.show(make_frame(), {TRACK: LARGE})
    monitor.keep(make_tracklet(TRACK))
    monitor.close()
    monitor.close()


@pytest.mark.parametrize(
    "wrong", [{"max_rate_hz": 0.0}, {"max_side_px": 0}, {"jpeg_quality": 101}, {"clip_rate_hz": -1.0}]
)
def test_numbers_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="monitor"):
        make_monitor(tmp_path, **wrong)


def test_a_viewer_gets_the_newest_picture_with_the_number_of_each_person(page: RunningPage) -> None:
    monitor = make_monitor(page.settings.output_dir)
    with connect(f"ws://127.0.0.1:{page.port}/api/live", proxy=None) as viewer:
        index, found = 0, None
        while found is None:
            index += 1
            monitor.show(make_frame(make_stamp(index=index)), {TRACK: LARGE, TrackId("east", 0, 99): SMALL})
            try:
                found = viewer.recv(timeout=0.05)
            except TimeoutError:
                continue
        assert isinstance(found, bytes)
        header, jpeg = unpack(found)
        assert header["camera"] == "east"
        assert [each["person"] for each in header["people"]] == [1, None]
        assert header["people"][0]["box"] == pytest.approx([50 / 160, 20 / 120, 90 / 160, 110 / 120], abs=1e-3)
        assert jpeg.startswith(b"\xff\xd8")
    monitor.close()


def test_nothing_is_encoded_without_viewers(page: RunningPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.console.camera.monitor.encoded", lambda *_: pytest.fail("a picture was encoded"))
    monitor = make_monitor(page.settings.output_dir)
    while not page.state.live_view.cameras:
        time.sleep(0.01)
    for index in range(50):
        monitor.show(make_frame(make_stamp(index=index)), {TRACK: LARGE})
        time.sleep(0.002)
    monitor.close()
    assert page.state.live_view.num_bad == 0


@pytest.mark.slow
def test_slow_pictures_are_sent_less_often(page: RunningPage, monkeypatch: pytest.MonkeyPatch) -> None:
    took_s = 0.002
    plain = LiveViewMonitor._live_message

    def slow(monitor: LiveViewMonitor, *shown: object) -> bytes:
        time.sleep(took_s)
        return plain(monitor, *shown)  # type: ignore[arg-type]

    monkeypatch.setattr(LiveViewMonitor, "_live_message", slow)
    monitor = make_monitor(page.settings.output_dir)
    got_at: list[float] = []
    with connect(f"ws://127.0.0.1:{page.port}/api/live", proxy=None) as viewer:
        while len(got_at) < 3:
            monitor.show(make_frame(make_stamp(index=len(got_at))), {TRACK: LARGE})
            with suppress(TimeoutError):
                header, _ = unpack(viewer.recv(timeout=0.01))  # type: ignore[arg-type]
                got_at.append(header["shown_at"])
    monitor.close()
    assert min(np.diff(got_at)) >= took_s / MAX_SHARE - took_s


def test_the_best_picture_of_a_part_is_stored(page: RunningPage) -> None:
    monitor = make_monitor(page.settings.output_dir)
    for index, box in ((0, SMALL), (3, LARGE), (6, SMALL)):
        monitor.show(make_frame(make_stamp(index=index), seed=index), {TRACK: box})
    monitor.keep(make_tracklet(TRACK, part=7))
    while (picture := page.state.pictures.get(TrackPart(TRACK, 7))) is None:
        time.sleep(0.01)
    assert picture.captured_at == make_stamp(index=3).captured_at
    monitor.close()


def test_a_few_frames_of_a_part_are_stored_as_a_clip(page: RunningPage) -> None:
    monitor = make_monitor(page.settings.output_dir, clip_rate_hz=100.0)
    for index in range(3):
        monitor.show(make_frame(make_stamp(index=index)), {TRACK: LARGE, TrackId("east", 0, 2): LARGE})
    monitor.keep(make_tracklet(TRACK, part=7))
    while (clip := page.state.pictures.clip(TrackPart(TRACK, 7))) is None:
        time.sleep(0.01)
    assert clip.captured_at == tuple(make_stamp(index=index).captured_at for index in range(3))
    assert decoded(clip.jpeg).shape == (FRAME_HW[0], 3 * FRAME_HW[1], 3)
    assert [len(heads) for heads in clip.heads_xyxy] == [1, 1, 1]
    monitor.close()


def test_known_tracks_are_looked_at_a_few_times_a_second_and_new_ones_at_once() -> None:
    best, newcomer = BestPictures(), TrackId("east", 0, 2)
    best.see(make_frame(make_stamp(captured_at=0.0)), {TRACK: SMALL})
    best.see(make_frame(make_stamp(captured_at=0.1)), {TRACK: LARGE})
    early = best.take(TRACK)
    assert early is not None
    assert early.captured_at == 0.0
    best.see(make_frame(make_stamp(captured_at=0.2)), {TRACK: SMALL})
    best.see(make_frame(make_stamp(captured_at=0.21)), {TRACK: SMALL, newcomer: SMALL})
    best.see(make_frame(make_stamp(captured_at=0.5)), {TRACK: LARGE, newcomer: SMALL})
    taken = {track_id: best.take(track_id) for track_id in (TRACK, newcomer)}
    assert [picture and picture.captured_at for picture in taken.values()] == [0.5, 0.21]


def test_a_part_without_a_new_picture_keeps_none(page: RunningPage) -> None:
    best = BestPictures()
    best.see(make_frame(), {TRACK: LARGE})
    assert best.take(TRACK) is not None
    assert best.take(TRACK) is None


def test_a_picture_knows_where_the_heads_of_others_are() -> None:
    best = BestPictures()
    best.see(make_frame(), {TRACK: LARGE, TrackId("east", 0, 2): np.array([70, 60, 120, 118], np.float32)})
    picture = best.take(TRACK)
    assert picture is not None
    ((left, top, right, bottom),) = picture.heads_xyxy
    assert 0 < left < right <= 1
    assert 0 < top < bottom <= 1


def test_blurring_removes_details_inside_the_rectangle_only() -> None:
    image = make_frame().image
    result = blurred(image, [(10.0, 10.0, 50.0, 50.0)])
    inside, outside = result[12:48, 12:48].astype(float), result[60:]
    assert (
        np.abs(np.diff(inside, axis=1)).mean() < 5 < np.abs(np.diff(image[12:48, 12:48].astype(float), axis=1)).mean()
    )
    assert np.array_equal(outside, image[60:])


def test_an_empty_frame_and_a_box_outside_the_frame_give_no_picture() -> None:
    best = BestPictures()
    best.see(make_frame(), {})
    best.see(make_frame(), {TRACK: np.array([-50, -50, -10, -10], np.float32)})
    assert best.take(TRACK) is None


@pytest.mark.parametrize("message", [b"", b"\0\0\0\5[1,2]", b"\xff\xff\xff\xffx", b"\0\0\0\2{]", b"\0\0\0\x04null"])
def test_a_malformed_message_is_refused(message: bytes) -> None:
    with pytest.raises(WireFormatError):
        unpack(message)


def test_malformed_pictures_and_those_of_other_cameras_are_dropped(page: RunningPage) -> None:
    headers = {"authorization": f"Bearer {FEED_KEY}", "x-camera": '"east"'}
    with connect(f"ws://127.0.0.1:{page.port}/feed", additional_headers=headers, proxy=None) as socket:
        socket.send(b"nonsense")
        for header in (
            b'{"kind":"picture","track":"west/0/1","part":0,"captured_at":0,"quality":1,"heads":[]}',
            b'{"kind":"clip","track":"west/0/1","part":0,"captured_at":[0],"heads":[[]]}',
            b'{"kind":"clip","track":"east/0/1","part":0,"captured_at":[0],"heads":[]}',
        ):
            socket.send(len(header).to_bytes(4, "big") + header + b"\xff\xd8")
        while page.state.live_view.num_bad < 4:
            time.sleep(0.01)
    assert page.state.pictures.parts() == []
