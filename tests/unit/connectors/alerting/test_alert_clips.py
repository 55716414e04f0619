"""Clips of alerts, from the packets or pictures of a camera to an MP4, and their end."""

import io
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from clips import FPS, make_clip
from factories import make_path, make_sighting
from rtsp_server import RtspServer

from connectors.alerting.clip_monitor import AlertClipMonitor
from connectors.alerting.clip_store import AlertClipStore, Wanted
from connectors.footage.cutter import cut
from connectors.footage.segments import PacketSegments, Segment
from connectors.footage.store import StoredSegment
from connectors.sinks.alert_clips import AlertClipSink
from connectors.sources.live import LiveSource
from connectors.sources.network import NetworkOpener
from connectors.sources.video_file import VideoFileSource
from pipeline.core import (
    Alert,
    AlertState,
    Frame,
    FrameStamp,
    Monitor,
    Severity,
    TrackId,
    TrackPart,
)
from pipeline.core.errors import ConfigError
from pipeline.core.records.alert import clip_of
from pipeline.ledger.erasure import erase_stores
from pipeline.runtime.cameras.monitors import Monitors, show_packets

TRACK = TrackId("east", 0, 1)
BOX = np.array([40, 20, 90, 110], np.float32)


def make_monitor(folder: Path, **changes: object) -> AlertClipMonitor:
    options: dict[str, object] = {
        "output_dir": str(folder),
        "ring_s": 120.0,
        "ring_mb": 64.0,
        "max_side_px": 160,
        "blur_heads": False,
    }
    return AlertClipMonitor("east", **{**options, **changes})  # type: ignore[arg-type]


def make_sink(folder: Path, **changes: object) -> AlertClipSink:
    options: dict[str, object] = {
        "output_dir": str(folder),
        "before_s": 2.0,
        "after_s": 3.0,
        "keep_hours": 1.0,
        "max_gb": 1.0,
    }
    return AlertClipSink(**{**options, **changes})  # type: ignore[arg-type]


def make_alert(at: float = 8.0, person_id: int = 1, **changes: object) -> Alert:
    key = f"dwell/{person_id}/{at:.3f}/door"
    alert = Alert(
        *(key, "dwell", Severity.INFO, person_id, "east", at - 4, at, "Stays.", (TRACK,)),
        place="door",
        clip=clip_of(key),
    )
    return replace(alert, **changes)  # type: ignore[arg-type]


def watch(video: Path, monitor: Monitor, starts_at: float = 0.0) -> None:
    """Show a recording to a monitor, as a camera's process does."""
    source = VideoFileSource("east", str(video), starts_at=starts_at)
    show_packets(source, monitor)
    for frame in source.frames():
        monitor.show(frame, {TRACK: BOX})
    source.close()
    monitor.close()


def pictures_of(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """20 s of noise with B-frames, a key frame each 2.5 s."""
    options = {"g": "25", "bf": "2", "crf": "35", "sc_threshold": "0"}
    return make_clip(tmp_path / "east.mp4", 20 * FPS, hw=(60, 80), noisy=True, codec_options=options)


def made(folder: Path, sink: AlertClipSink, alert: Alert) -> Path:
    sink.close()
    return folder / alert.clip


def test_a_clip_holds_the_packets_of_the_camera_around_the_alert(tmp_path: Path, video: Path) -> None:
    sink, alert = make_sink(tmp_path), make_alert(8.5)
    watch(video, make_monitor(tmp_path))
    sink.write([alert])
    clip = made(tmp_path, sink, alert)
    copied, originals = pictures_of(clip), pictures_of(video)
    assert len(copied) == 5 * FPS + 1, "from 2 s before to 3 s after"
    assert all(map(is_same, originals[65:], copied)), "not encoded again"
    assert copied[-1].time == pytest.approx((len(copied) - 1) / FPS, abs=0.01)


def is_same(one: av.VideoFrame, other: av.VideoFrame) -> bool:
    return bool(np.array_equal(one.to_ndarray(format="rgb24"), other.to_ndarray(format="rgb24")))


def picture_at(path: Path, number: int) -> np.ndarray:
    return pictures_of(path)[number].to_ndarray(format="rgb24").astype(int)


def test_times_are_those_of_the_recording(tmp_path: Path, video: Path) -> None:
    sink, alert = make_sink(tmp_path), make_alert(1008.0)
    watch(video, make_monitor(tmp_path), starts_at=1000.0)
    sink.write([alert])
    assert len(pictures_of(made(tmp_path, sink, alert))) >= 45


@pytest.mark.slow
def test_a_live_camera_has_clips_of_its_own_packets(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    options = {"g": "250", "bf": "0", "sc_threshold": "0"}  # one key frame for all, and its packet comes without a time
    make_clip(tmp_path / "media" / "east.mp4", 100, noisy=True, hw=(60, 80), codec_options=options)
    opener = partial(NetworkOpener, threads=1)
    with RtspServer(tmp_path / "media") as server:
        source = LiveSource("east", server.url("east.mp4"), opener=opener, open_timeout_s=10.0, read_timeout_s=10.0)
        monitor, sink = make_monitor(tmp_path), make_sink(tmp_path, before_s=1.0, after_s=1.0)
        show_packets(source, monitor)
        stamps = []
        for frame in source.frames():
            monitor.show(frame, {})
            stamps.append(frame.stamp.captured_at)
            if stamps[-1] - stamps[0] > 4:
                source.close()
        monitor.close()
    alert = make_alert(stamps[0] + 2)
    sink.write([alert])
    clip = made(tmp_path, sink, alert)
    assert pictures_of(clip)[-1].time == pytest.approx(2, abs=0.3)
    assert ends_of(clip) <= ends_of(tmp_path / "media" / "east.mp4"), "as the camera sent them"


def ends_of(path: Path) -> set[bytes]:
    """Return the ends of the packets of a file: before them, containers differ."""
    with av.open(str(path)) as container:
        return {bytes(packet)[-100:] for packet in container.demux(video=0) if packet.size}


@pytest.mark.parametrize("codec", ["mpeg4", "libx265", "mjpeg"])
def test_codecs_that_players_do_not_take_are_encoded(tmp_path: Path, codec: str) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    options = {"x265-params": "log-level=none:keyint=10"} if codec == "libx265" else {}
    suffix = ".mp4" if codec == "libx265" else ".avi"
    video = make_clip(tmp_path / f"east{suffix}", 100, codec=codec, pix_fmt=pix_fmt, codec_options=options)
    sink, alert = make_sink(tmp_path), make_alert(5.0)
    watch(video, make_monitor(tmp_path))
    sink.write([alert])
    clip = made(tmp_path, sink, alert)
    assert pictures_of(clip)[-1].time == pytest.approx(5, abs=0.2)
    with av.open(str(clip)) as container:
        assert container.streams.video[0].codec_context.name == ("hevc" if codec == "libx265" else "h264")


def frames(seconds: float, fps: float = 10.0, hw: tuple[int, int] = (120, 160)) -> Iterator[Frame]:
    """Yield pictures with a chequered pattern."""
    rows, columns = np.indices(hw)
    image = np.repeat(((rows // 2 + columns // 2) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    for index in range(round(seconds * fps)):
        yield Frame(FrameStamp("east", index, index / fps), image)


def test_single_pictures_become_a_clip(tmp_path: Path) -> None:
    monitor, sink, alert = make_monitor(tmp_path), make_sink(tmp_path), make_alert(6.0)
    for frame in frames(12, hw=(121, 161)):
        monitor.show(frame, {})
        time.sleep(0.002)
    monitor.close()
    sink.write([alert])
    found = pictures_of(made(tmp_path, sink, alert))
    assert len(found) >= 45
    assert (found[0].height, found[0].width) == (120, 160)


def test_heads_are_blurred_where_it_is_configured(tmp_path: Path, video: Path) -> None:
    def contrast(folder: Path, *, blur_heads: bool) -> float:
        monitor: Monitor = make_monitor(folder, blur_heads=blur_heads)
        sink, alert = make_sink(folder), make_alert(4.0)
        for frame in frames(8):
            monitor.show(frame, {TRACK: BOX})
            time.sleep(0.002)
        monitor.close()
        sink.write([alert])
        head = picture_at(made(folder, sink, alert), 5)[24:38, 45:85]
        return float(head.std())

    assert contrast(tmp_path / "a", blur_heads=False) > 60
    assert contrast(tmp_path / "b", blur_heads=True) < 20
    assert make_monitor(tmp_path, blur_heads=True).packet_tap() is None, "packets would show the heads"


def test_a_clip_is_cut_while_the_run_goes_on(tmp_path: Path) -> None:
    monitor, sink, alert = make_monitor(tmp_path), make_sink(tmp_path), make_alert(4.0)
    sink.write([alert])
    for frame in frames(30):
        monitor.show(frame, {})
        time.sleep(0.002)
    store = AlertClipStore(tmp_path)
    give_up_at = time.monotonic() + 10
    while store.clip(Path(alert.clip).name) is None and time.monotonic() < give_up_at:
        time.sleep(0.05)
    assert (tmp_path / alert.clip).is_file()
    monitor.close()
    sink.close()
    store.close()


def test_the_ring_is_bounded_in_bytes_and_goes_with_the_run(tmp_path: Path, video: Path) -> None:
    sink = make_sink(tmp_path)
    watch(video, make_monitor(tmp_path, ring_mb=0.2))
    files = list((tmp_path / "alert_clips").glob("*.ts"))
    assert files
    assert sum(file.stat().st_size for file in files) <= 200_000
    sink.close()
    assert not list((tmp_path / "alert_clips").glob("*.ts"))


def test_what_is_not_in_the_ring_is_counted(tmp_path: Path) -> None:
    sink = make_sink(tmp_path)
    sink.write([make_alert(8.0)])
    sink.close()
    assert sink.report().num_given_up == 1


def test_a_flood_is_bounded_and_counted(tmp_path: Path) -> None:
    sink = make_sink(tmp_path)
    sink.write([make_alert(float(at)) for at in range(600)])
    assert sink.report().num_waiting <= 500
    assert sink.report().num_given_up >= 100
    sink.close()
    assert sink.report().num_given_up == 600


def test_clips_are_bounded_by_age_and_size(tmp_path: Path, video: Path) -> None:
    watch(video, make_monitor(tmp_path))
    sink = make_sink(tmp_path)
    sink.write([make_alert(5.0), make_alert(12.0)])
    sink.close()
    store = AlertClipStore(tmp_path).footage
    assert store.trim(are_clips=True, keep_s=3600, max_bytes=store.num_bytes(are_clips=True) - 1) == 1
    assert len(list((tmp_path / "alert_clips").glob("*.mp4"))) == 1
    assert store.trim(are_clips=True, keep_s=0, max_bytes=10**9) == 1
    assert not list((tmp_path / "alert_clips").glob("*.mp4"))
    store.close()


def test_the_clip_of_a_retracted_alert_is_deleted(tmp_path: Path, video: Path) -> None:
    watch(video, make_monitor(tmp_path))
    sink, alert = make_sink(tmp_path), make_alert(8.0)
    sink.write([alert])
    clip = made(tmp_path, sink, alert)
    assert clip.is_file()
    again = make_sink(tmp_path)
    again.write([replace(alert, state=AlertState.RETRACTED)])
    again.close()
    assert not clip.exists()


def erase(folder: Path, part: TrackPart) -> tuple[dict[str, int], list[bytes]]:
    return erase_stores(folder, [part])


def test_a_clip_goes_with_everybody_who_is_in_it(tmp_path: Path, video: Path) -> None:
    watch(video, make_monitor(tmp_path))
    sink = make_sink(tmp_path)
    about, before = make_alert(8.0), make_alert(2.0)
    passer = make_sighting(2, TrackId("east", 0, 9), 4, make_path(first=95, length=10))
    sink.write([passer, about, before])
    sink.close()
    removed, needles = erase(tmp_path, TrackPart(TrackId("east", 0, 9), 4))
    assert removed["alert_clips files"] == 1
    assert not (tmp_path / about.clip).exists(), "the passer-by is in it"
    assert (tmp_path / before.clip).is_file(), "the passer-by is not"
    assert needles == [f"passerby alert clip {Path(about.clip).stem}".encode()], "the check looks for copies"


def test_footage_of_an_erased_person_does_not_come_back(tmp_path: Path, video: Path) -> None:
    monitor = make_monitor(tmp_path)
    watch(video, monitor)
    sink = make_sink(tmp_path)
    sink.write([make_sighting(1, TRACK, 0, make_path(first=70, length=20))])
    erase(tmp_path, TrackPart(TRACK, 0))
    sink.write([make_alert(8.0), make_alert(14.0)])
    sink.close()
    watch(video, make_monitor(tmp_path))  # the recording is read again
    again = make_sink(tmp_path)
    again.write([make_alert(8.5)])
    again.close()
    assert [path.name for path in (tmp_path / "alert_clips").glob("*.mp4")] == [Path(make_alert(14.0).clip).name]


def test_who_is_in_no_clip_is_forgotten(tmp_path: Path) -> None:
    store = AlertClipStore(tmp_path)
    store.footage.see(make_sighting(1, TRACK, part, make_path(100 * part, 50)) for part in range(4))
    store.put_clip(Wanted("a.mp4", "east", 12.0, 22.0, 0.0), b"x")
    store.footage.forget_seen(0.0)
    erase(tmp_path, TrackPart(TRACK, 3))
    assert (tmp_path / "alert_clips" / "a.mp4").is_file()
    erase(tmp_path, TrackPart(TRACK, 2))
    assert not (tmp_path / "alert_clips" / "a.mp4").exists()
    store.close()


def test_a_monitor_that_is_no_clip_monitor_changes_nothing(tmp_path: Path, video: Path) -> None:
    source = VideoFileSource("east", str(video))
    show_packets(source, Monitors({}))
    assert source.tap is None
    assert len(list(source.frames())) == 200


def test_a_folder_that_goes_away_stops_neither_the_camera_nor_the_run(
    tmp_path: Path, video: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = make_sink(tmp_path)
    shutil.rmtree(tmp_path / "alert_clips")
    (tmp_path / "alert_clips").write_text("in the way")
    watch(video, make_monitor(tmp_path))
    sink.write([make_alert(8.0)])
    sink.close()
    assert "camera east: no video for clips of alerts from now on" in caplog.text


def test_a_clip_of_nothing_is_empty(tmp_path: Path) -> None:
    (tmp_path / "broken.ts").write_bytes(b"no video")
    paths = tmp_path / "broken.ts", tmp_path / "gone.ts"
    segments = [StoredSegment(0.0, 1.0, True, path) for path in paths]
    assert cut(segments, 0.0, 5.0, io.BytesIO(), title="x") is None


def test_a_stream_whose_first_packet_has_no_time_begins_with_it(video: Path) -> None:
    put: list[Segment] = []
    segments = PacketSegments(put.append)
    with av.open(str(video)) as container:
        for number, packet in enumerate(container.demux(video=0)):
            if packet.size:
                if number == 0:
                    packet.pts = packet.dts = None
                segments.packet(packet)
                segments.shown(float(number) / FPS, float(number) / FPS)
    assert put[0].is_key
    assert put[0].since < 1.0


def test_packets_that_cannot_be_copied_do_not_stop_the_camera(video: Path) -> None:
    put: list[Segment] = []
    segments = PacketSegments(put.append)

    class Full:
        def takes(self, *_: object) -> bool:
            return True

        def write(self, *_: object) -> None:
            raise OSError("full")

    with av.open(str(video)) as container:
        for packet in container.demux(video=0):
            if packet.size:
                segments._open = Full()  # type: ignore[assignment]
                segments.packet(packet)
    assert not segments.is_fed
    assert put == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"before_s": -1.0}, "before_s"),
        ({"after_s": 90.0}, "after_s"),
        ({"keep_hours": 0}, "keep_hours"),
        ({"max_gb": float("nan")}, "max_gb"),
    ],
)
def test_a_number_out_of_range_is_refused(tmp_path: Path, changes: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_sink(tmp_path, **changes)
