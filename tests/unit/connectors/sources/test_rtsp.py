import random
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from clips import RED, make_clip
from lossy_rtsp_proxy import LossyRtspProxy
from rtsp_server import RtspServer, free_port

from connectors.sources.live import LiveSource
from connectors.sources.network import NetworkOpener
from pipeline.core import Frame
from pipeline.core.errors import ConfigError, SourceLostError

pytestmark = pytest.mark.slow

USER = "ann:s3cret"
SOON_S = 8.0  # on a busy machine; what is waited for without the time-out under test comes later or never


def make_source(uri: str, *, open_timeout_s: float = 5.0, read_timeout_s: float = 1.0) -> LiveSource:
    opener = partial(NetworkOpener, threads=1)
    return LiveSource("east", uri, opener=opener, open_timeout_s=open_timeout_s, read_timeout_s=read_timeout_s)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    # As cameras send it: no reordered pictures, and frequent key frames.
    camera = {"bf": "0", "g": "10"}
    make_clip(folder / "long.mp4", num_frames=200, fps=20, codec_options=camera)
    make_clip(folder / "short.mp4", num_frames=10, codec_options=camera)
    return folder


@pytest.fixture
def server(folder: Path) -> Iterator[RtspServer]:
    with RtspServer(folder) as server:
        yield server


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def take(source: LiveSource, count: int) -> list[Frame]:
    frames = source.frames()
    taken = [next(frames) for _ in range(count)]
    frames.close()  # type: ignore[attr-defined]
    return taken


def test_frames_arrive_in_rgb_with_the_time_of_their_arrival(server: RtspServer) -> None:
    before = time.time()
    frames = take(make_source(server.url("long.mp4")), 5)
    after = time.time()
    for frame in frames:
        np.testing.assert_allclose(frame.image[60:].reshape(-1, 3).mean(0), RED, atol=6)
        assert frame.image.flags.c_contiguous
    times = [before, *(frame.stamp.captured_at for frame in frames), after]
    assert times == sorted(set(times))
    assert [frame.stamp.index for frame in frames] == sorted({frame.stamp.index for frame in frames})


def test_a_slow_reader_gets_the_newest_frame_and_sees_the_gap(server: RtspServer) -> None:
    frames = make_source(server.url("long.mp4")).frames()
    first = next(frames)
    time.sleep(1.0)
    second = next(frames)
    assert second.stamp.index > first.stamp.index + 5
    assert time.time() - second.stamp.captured_at < SOON_S


def test_a_camera_that_dies_is_lost_at_once_and_can_be_opened_again(server: RtspServer) -> None:
    source = make_source(server.url("long.mp4"))
    frames = source.frames()
    first = next(frames)
    server.kill()
    began = time.monotonic()
    with pytest.raises(SourceLostError, match="expected pictures, got"):
        deque(frames)
    assert time.monotonic() - began < SOON_S
    with pytest.raises(SourceLostError, match="Connection refused"):
        next(source.frames())
    server.start()
    again = take(source, 2)
    assert again[0].stamp.index > first.stamp.index
    assert again[0].stamp.captured_at > first.stamp.captured_at


def test_a_silent_camera_is_lost_within_the_time_out(server: RtspServer) -> None:
    frames = make_source(server.url("long.mp4", endless=True)).frames()
    next(frames)
    server.freeze()
    began = time.monotonic()
    with pytest.raises(SourceLostError):
        deque(frames)
    assert time.monotonic() - began < SOON_S


def test_the_end_of_the_stream_is_an_error_because_live_streams_do_not_end(server: RtspServer) -> None:
    frames: list[Frame] = []
    with pytest.raises(SourceLostError):
        frames.extend(make_source(server.url("short.mp4")).frames())
    assert frames


def test_close_from_another_thread_ends_the_wait_for_a_silent_camera(server: RtspServer) -> None:
    source = make_source(server.url("long.mp4"), read_timeout_s=30.0)
    frames = source.frames()
    next(frames)
    server.freeze()
    closer = threading.Timer(0.3, source.close)
    closer.start()
    began = time.monotonic()
    assert len(list(frames)) < 100
    assert time.monotonic() - began < SOON_S
    closer.join()
    server.kill()


def test_close_ends_the_wait_for_a_camera_that_accepts_connections_and_sends_nothing(silent_port: int) -> None:
    source = make_source(f"rtsp://127.0.0.1:{silent_port}/a", open_timeout_s=60.0)
    closer = threading.Timer(0.2, source.close)
    closer.start()
    began = time.monotonic()
    assert list(source.frames()) == []
    assert time.monotonic() - began < SOON_S
    closer.join()


def test_frames_returns_at_once_after_close() -> None:
    source = make_source(f"rtsp://127.0.0.1:{free_port()}/a")
    source.close()
    source.close()
    assert list(source.frames()) == []


def test_after_a_check_the_frames_still_begin_at_0(server: RtspServer) -> None:
    source = make_source(server.url("long.mp4"))
    source.check()
    assert take(source, 1)[0].stamp.index < 10


def test_check_names_the_camera_and_hides_the_password() -> None:
    with pytest.raises(ConfigError, match=r"site\.cameras\.east: .*rtsp://\*\*\*@127\.0\.0\.1.*Connection refused"):
        make_source(f"rtsp://{USER}@127.0.0.1:{free_port()}/a").check()


def test_check_gives_up_on_a_silent_camera_within_the_time_out(silent_port: int) -> None:
    began = time.monotonic()
    with pytest.raises(ConfigError, match="no picture within 1 s"):
        make_source(f"rtsp://127.0.0.1:{silent_port}/a", open_timeout_s=1.0).check()
    assert time.monotonic() - began < SOON_S


def test_check_repeats_the_answer_of_the_server_for_a_missing_path(server: RtspServer) -> None:
    with pytest.raises(ConfigError, match="404"):
        make_source(server.url("none.mp4")).check()


@pytest.mark.parametrize("path", ["none.mp4", "none.mp4?password=s3cret"])
def test_no_error_holds_the_password_anywhere(server: RtspServer, path: str) -> None:
    with pytest.raises(SourceLostError) as caught:
        next(make_source(server.url(path, user=USER)).frames())
    error: BaseException | None = caught.value
    while error is not None:
        assert "s3cret" not in repr(error) + str(vars(error)) + str(getattr(error, "filename", ""))
        error = error.__cause__ or error.__context__


def test_check_reports_an_encrypted_camera_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="Connection refused"):
        make_source(f"rtsps://{USER}@127.0.0.1:{free_port()}/a").check()


def test_no_thread_is_left_behind(server: RtspServer) -> None:
    before = threading.active_count()
    take(make_source(server.url("long.mp4")), 2)
    deadline = time.monotonic() + 3.0
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threading.active_count() <= before


@pytest.fixture(scope="module")
def long_pictures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    """Serves pictures of several packets each."""
    folder = tmp_path_factory.mktemp("long")
    camera = {"bf": "0", "g": "10", "tune": "zerolatency"}
    make_clip(folder / "noisy.mp4", num_frames=80, fps=20, noisy=True, codec_options=camera)
    with RtspServer(folder) as server:
        yield server


def read_with_loss(server: RtspServer, is_lost: Callable[[int, int], bool]) -> tuple[LiveSource, int, LossyRtspProxy]:
    """Read to the end of the stream; return the source, how many frames it gave, and what was lost on the way."""
    with LossyRtspProxy(server.port, is_lost) as proxy:
        source = make_source(f"rtsp://127.0.0.1:{proxy.port}/noisy.mp4")
        frames: list[Frame] = []
        with pytest.raises(SourceLostError):
            frames.extend(source.frames())
    return source, len(frames), proxy


def test_pictures_that_are_lost_on_the_way_are_bad_frames_and_said(
    long_pictures: RtspServer, caplog: pytest.LogCaptureFixture
) -> None:
    lost = {15, 55, 56, 57}
    source, num_frames, proxy = read_with_loss(long_pictures, lambda picture, _: picture in lost)
    assert proxy.num_lost == len(lost) == source.num_bad
    assert num_frames + source.num_dropped + source.num_bad == proxy.num_pictures
    assert caplog.text.count("the network, or the camera, lost it on the way") == 2
    assert len(source.report().bad_at) == 2


@pytest.mark.parametrize("seed", [0, 1])
def test_pictures_of_which_packets_are_lost_are_counted(long_pictures: RtspServer, seed: int) -> None:
    rng = random.Random(seed)
    source, num_frames, proxy = read_with_loss(long_pictures, lambda picture, _: picture > 5 and rng.random() < 0.02)
    assert num_frames + source.num_dropped + source.num_bad == proxy.num_pictures
    assert proxy.num_damaged >= 5
    noted = source.report().num_concealed + source.num_bad
    assert (
        proxy.num_damaged * 0.5 <= noted - proxy.num_lost <= proxy.num_damaged
    )  # of a lost first packet it knows nothing


def test_a_stream_that_loses_nothing_has_no_damage(long_pictures: RtspServer) -> None:
    source, num_frames, proxy = read_with_loss(long_pictures, lambda picture, packet: False)
    assert num_frames + source.num_dropped == proxy.num_pictures
    assert (source.num_bad, source.report().num_concealed) == (0, 0)
