"""Live streams over HTTP, RTMP, UDP and SRT, from real servers."""

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from clips import HW, RED, make_clip, picture
from gst_rtsp_server import gst_rtsp_server
from http_receiver import is_let_in, serving
from rtsp_server import free_port

from connectors.sources.live import LiveSource
from connectors.sources.network import SNAPSHOT_EVERY_S, NetworkOpener, Pace
from pipeline.core import Frame
from pipeline.core.errors import ConfigError, SourceLostError

pytestmark = pytest.mark.slow

FPS = 20
CAMERA = {"bf": "0", "g": "10", "tune": "zerolatency"}


def make_source(uri: str, **options: str) -> LiveSource:
    opener = partial(NetworkOpener, threads=1, **options)
    return LiveSource("east", uri, opener=opener, open_timeout_s=15.0, read_timeout_s=10.0)


def take(source: LiveSource, count: int) -> list[Frame]:
    frames = source.frames()
    taken = [next(frames) for _ in range(count)]
    source.close()
    for frame in taken:
        np.testing.assert_allclose(frame.image[60:].reshape(-1, 3).mean(0), RED, atol=8)
    return taken


class Mjpeg(BaseHTTPRequestHandler):
    """A camera that sends JPEG pictures without end; it asks for a password under ``/private``."""

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        if not is_let_in(self):
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=--frame")
        self.end_headers()
        index = 0
        try:
            while True:
                _, data = cv2.imencode(".jpg", np.ascontiguousarray(picture(index)[:, :, ::-1]))
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                self.wfile.write(head.encode() + data.tobytes() + b"\r\n")
                time.sleep(1 / FPS)
                index += 1
        except OSError:
            return  # the reader has gone


def test_a_camera_that_sends_jpeg_pictures_over_http_is_read() -> None:
    with serving(Mjpeg) as address:
        frames = take(make_source(f"{address}/video.mjpg?fps=20"), 10)
        assert frames[-1].stamp.captured_at > frames[0].stamp.captured_at + 0.2


@pytest.mark.parametrize(("kind", "share"), [("image/jpg", 1.0), ("image/jpeg", 0.5)])
def test_a_camera_that_names_or_measures_its_pictures_wrongly_is_read(kind: str, share: float) -> None:
    class Careless(Mjpeg):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=f")
            self.end_headers()
            data = cv2.imencode(".jpg", np.ascontiguousarray(picture(0)[:, :, ::-1]))[1].tobytes()
            try:
                while True:
                    head = f"--f\r\nContent-Type: {kind}\r\nContent-Length: {int(share * len(data))}\r\n\r\n"
                    self.wfile.write(head.encode() + data + b"\r\n")
                    time.sleep(1 / FPS)
            except OSError:
                return

    with serving(Careless) as address:
        take(make_source(f"{address}/video"), 10)


@pytest.mark.parametrize(("is_half", "num_bad"), [(lambda n: n % 5 == 4, 3), (lambda n: True, 0)])
def test_half_a_picture_is_bad_unless_the_camera_never_ends_one(is_half: Callable[[int], bool], num_bad: int) -> None:
    class Half(Mjpeg):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=f")
            self.end_headers()
            for index in range(15):
                data = cv2.imencode(".jpg", np.ascontiguousarray(picture(0)[:, :, ::-1]))[1].tobytes()
                data = data[:-10] if is_half(index) else data
                head = f"--f\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                self.wfile.write(head.encode() + data + b"\r\n")
                time.sleep(1 / FPS)

    with serving(Half) as address:
        source = make_source(f"{address}/video")
        frames: list[Frame] = []
        with pytest.raises(SourceLostError, match="got the end of the connection"):
            frames.extend(source.frames())
    assert (len(frames) + source.num_dropped, source.num_bad) == (15 - num_bad, num_bad)


class Snapshots(BaseHTTPRequestHandler):
    """A camera that answers each request with one picture; the fifth is damaged."""

    num_asked = 0
    hw = HW

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        type(self).num_asked += 1
        ending = ".png" if ".png" in self.path else ".jpg"
        data = cv2.imencode(ending, np.ascontiguousarray(picture(self.num_asked, hw=self.hw)[:, :, ::-1]))[1].tobytes()
        data = data[: len(data) // 2] if self.num_asked == 5 else data
        self.send_response(200)
        self.send_header("Content-Type", "image/png" if ending == ".png" else "image/jpeg")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class AnyAnswer(BaseHTTPRequestHandler):
    """A camera that answers each request with one picture, as the path says."""

    protocol_version = "HTTP/1.1"
    num_asked = 0

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        type(self).num_asked += 1
        way, data = self.path.split("/")[1], cv2.imencode(".jpg", np.ascontiguousarray(picture(0)[:, :, ::-1]))[1]
        jpeg = data.tobytes()
        if way in ("moved", "loop"):
            self._head(302, location="/length/a.jpg" if way == "moved" else self.path, content_length="0")
        elif way == "chunked":
            self._head(200, transfer_encoding="chunked")
            for part in (jpeg[:500], jpeg[500:], b""):
                self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        elif way == "closed":
            self._head(200, connection="close")
            self.wfile.write(jpeg)
            self.close_connection = True
        elif way == "page":
            self._head(200, content_type="text/html", content_length="6")
            self.wfile.write(b"<html>")
        else:
            kind = "text/plain" if way == "kind" else "image/jpeg"
            self._head(200, content_type=kind, content_length=str(len(jpeg)))
            self.wfile.write(jpeg)

    def _head(self, code: int, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()


@pytest.mark.parametrize("way", ["length", "chunked", "closed", "kind", "moved"])
@pytest.mark.parametrize("name", ["a.jpg", "picture"])
def test_a_picture_is_read_however_its_end_its_kind_and_its_place_are_told(way: str, name: str) -> None:
    with serving(AnyAnswer) as address:
        take(make_source(f"{address}/{way}/{name}"), 3)


def test_a_camera_that_sends_no_picture_is_asked_no_further_once_it_is_given_up() -> None:
    with serving(AnyAnswer) as address:
        opener = partial(NetworkOpener, threads=1)
        source = LiveSource("east", f"{address}/page/a.jpg", opener=opener, open_timeout_s=1.0, read_timeout_s=1.0)
        with pytest.raises(SourceLostError, match="no picture within 1 s"):
            next(source.frames())
        time.sleep(2 * SNAPSHOT_EVERY_S)
        num_asked = AnyAnswer.num_asked
        time.sleep(3 * SNAPSHOT_EVERY_S)
        assert AnyAnswer.num_asked == num_asked


def test_a_camera_that_leads_to_itself_is_refused() -> None:
    with serving(AnyAnswer) as address, pytest.raises(ConfigError, match="expected pictures"):
        make_source(f"{address}/loop/a.jpg").check()


@pytest.mark.parametrize("name", ["snapshot", "snapshot.jpg", "snapshot.jpg?size=1", "snapshot.png"])
@pytest.mark.parametrize("hw", [HW, (480, 640)])  # FFmpeg recognises small ones by their content
def test_a_camera_that_sends_one_picture_a_request_is_asked_again_and_again(
    name: str, hw: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Snapshots, "num_asked", 0)
    monkeypatch.setattr(Snapshots, "hw", hw)
    with serving(Snapshots) as address:
        source = make_source(f"{address}/{name}")
        frames = take(source, 8)
    steps = np.diff([frame.stamp.captured_at for frame in frames])
    assert np.median(steps) > SNAPSHOT_EVERY_S - 0.1
    assert Snapshots.num_asked < 12
    assert source.num_bad == 1


def test_a_camera_over_http_takes_user_and_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMERA_PASSWORD", "s3cr:et")
    with serving(Mjpeg) as address:
        take(make_source(f"{address}/private", username="ann", password_env="CAMERA_PASSWORD"), 3)
        take(make_source(address.replace("://", "://ann:s3cr%3Aet@") + "/private"), 3)
        with pytest.raises(ConfigError, match="401"):
            make_source(f"{address}/private").check()


def test_pictures_of_hls_come_at_the_pace_of_the_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has sixteen seconds in files of two; read as they are sent, all but a few would be dropped."""
    make_clip(tmp_path / "a.ts", num_frames=16 * FPS, fps=FPS, codec_options={"bf": "0", "g": "40"})
    options = {"hls_time": "2", "hls_list_size": "0", "hls_flags": "omit_endlist"}
    with (
        av.open(str(tmp_path / "a.ts")) as source,
        av.open(str(tmp_path / "live.m3u8"), "w", format="hls", options=options) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

    monkeypatch.chdir(tmp_path)
    with serving(Handler) as address:
        live = make_source(f"{address}/live.m3u8")
        frames = take(live, 30)
    steps = np.diff([frame.stamp.captured_at for frame in frames])
    assert np.median(steps) == pytest.approx(1 / FPS, abs=0.03)
    assert frames[-1].stamp.index - frames[0].stamp.index < 60


@contextmanager
def sending(address: str, file_format: str, options: dict[str, str] | None = None) -> Iterator[None]:
    """Send pictures to an address as a camera does, until the block ends."""
    over = threading.Event()

    def send() -> None:
        with av.open(address, "w", format=file_format, options=options or {}) as container:
            stream = container.add_stream("libx264", rate=FPS, options=CAMERA)
            stream.height, stream.width, stream.pix_fmt = 120, 160, "yuv420p"
            index = 0
            while not over.wait(1 / FPS):
                frame = av.VideoFrame.from_ndarray(picture(index), format="rgb24")
                frame.pts = index
                container.mux(stream.encode(frame))
                index += 1

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    yield
    over.set()
    thread.join(5.0)


@pytest.mark.parametrize(("scheme", "file_format"), [("udp", "mpegts"), ("rtp", "rtp_mpegts")])
def test_mpeg_ts_in_datagrams_is_read(scheme: str, file_format: str) -> None:
    address = f"{scheme}://127.0.0.1:{free_port()}"
    with sending(f"{address}?pkt_size=1316", file_format):
        take(make_source(address), 10)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")
def test_srt_is_read_through_ffmpeg(tmp_path: Path) -> None:
    port = free_port()
    clip = make_clip(tmp_path / "a.ts", num_frames=400, fps=FPS, codec_options={"bf": "0", "g": "10"})
    words = ["-re", "-i", str(clip), "-c", "copy", "-f", "mpegts", f"srt://127.0.0.1:{port}?mode=listener"]
    with subprocess.Popen(["ffmpeg", "-loglevel", "quiet", *words], stdin=subprocess.DEVNULL) as server:
        try:
            time.sleep(1.0)
            source = make_source(f"srt://127.0.0.1:{port}")
            take(source, 10)
        finally:
            server.kill()


def test_without_ffmpeg_srt_is_said_to_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match=r"got srt, which needs the program ffmpeg; install it"):
        make_source("srt://127.0.0.1:9").check()


@pytest.mark.parametrize("scheme", ["http", "rtmp", "tcp"])
def test_a_server_that_is_not_there_is_said_so_without_the_password(scheme: str) -> None:
    with pytest.raises(ConfigError, match="Connection refused") as caught:
        make_source(f"{scheme}://ann:s3cret@127.0.0.1:{free_port()}/a").check()
    assert "s3cret" not in str(caught.value)


def test_a_leap_of_the_stream_does_not_hold_pictures_back() -> None:
    pace = Pace()
    began = time.monotonic()
    for seconds in (0.0, 0.05, 500.0, 500.05, 3.0, 3.05):
        pace.wait_for(seconds)
    assert 0.1 < time.monotonic() - began < 20.0


@pytest.mark.parametrize("transport", ["tcp", "udp", "auto"])
def test_pictures_have_the_time_of_the_camera_once_it_sends_that(transport: str) -> None:
    with gst_rtsp_server() as address:
        if address is None:
            pytest.skip("needs GStreamer's RTSP server: gir1.2-gst-rtsp-server-1.0")
        opener = partial(NetworkOpener, threads=1, transport=transport)
        source = LiveSource("east", address, opener=opener, open_timeout_s=15.0, read_timeout_s=10.0, clock="sender")
        began = time.monotonic()
        times: list[float] = []
        for frame in source.frames():
            # By the camera's clock, pictures are a tenth of a second apart; arrivals are not as even as that.
            times.append(frame.stamp.captured_at)
            steps = np.diff(times[-8:]) * 10
            if len(steps) == 7 and np.abs(steps - steps.round()).max() < 2e-3:
                break
            assert time.monotonic() - began < 25.0
        assert 0 <= time.time() - frame.stamp.captured_at < 5.0
        source.close()


def test_a_transport_that_does_not_exist_is_said_so() -> None:
    with pytest.raises(ConfigError, match=r"opener\.transport: expected one of tcp, udp"):
        make_source("rtsp://127.0.0.1:9/a", transport="quic")
