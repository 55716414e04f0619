import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from clips import FPS, HW, make_clip
from kafka_broker import Broker
from kafka_source import make_source
from plugins import ROOT

from connectors.kafka import frame_publisher
from connectors.kafka.frame_publisher import FramePublisher
from connectors.pictures.encoded_image import Encoding
from connectors.sources.video_file import VideoFileSource
from pipeline.camera.privacy_mask import GREY
from pipeline.cli.publish import _paced, main
from pipeline.core import Frame, FrameStamp
from pipeline.core.errors import ConnectorError

pytestmark = pytest.mark.kafka


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "clip.mp4", num_frames=20)


@pytest.fixture
def topic(broker: Broker) -> str:
    return broker.make_topic()


@pytest.fixture(autouse=True)
def restore_signal_handlers() -> object:
    before = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
    yield
    for name, handler in before.items():
        signal.signal(name, handler)


def publish(broker: Broker, topic: str, source: object, *more: str) -> int:
    to = f"kafka://{broker.servers}/{topic}"
    return main(["--camera", "east", "--source", str(source), "--to", to, "--speed", "max", *more])


def test_a_file_goes_through_kafka_bit_for_bit(broker: Broker, topic: str, clip: Path) -> None:
    assert publish(broker, topic, clip, "--encoding", "png") == 0
    received = list(make_source(broker, topic).frames())
    directly = list(VideoFileSource("east", str(clip)).frames())
    assert [frame.stamp for frame in received] == [frame.stamp for frame in directly]
    for one, other in zip(received, directly, strict=True):
        np.testing.assert_array_equal(one.image, other.image)


def test_options_of_the_source_can_be_set(broker: Broker, topic: str, clip: Path) -> None:
    assert publish(broker, topic, f"{{uri: {clip}, crop_xyxy: [0, 0, 80, 60]}}") == 0
    assert next(make_source(broker, topic).frames()).size_hw == (60, 80)


def test_what_is_under_a_mask_of_the_site_is_not_sent(broker: Broker, topic: str, clip: Path) -> None:
    mask = "{camera: east, relative: true, polygon: [[0, 0], [1, 0], [1, 1], [0, 1]]}"
    other = "{camera: west, relative: true, polygon: [[0, 0], [1, 0], [1, 1]]}"
    assert publish(broker, topic, clip, "--encoding", "png", f"site.masks={{all: {mask}, other: {other}}}") == 0
    assert all((frame.image == GREY).all() for frame in make_source(broker, topic).frames())
    beside = broker.make_topic()
    assert publish(broker, beside, clip, "--encoding", "png", f"site.masks={{other: {other}}}") == 0
    assert not any((frame.image == GREY).all() for frame in make_source(broker, beside).frames())


def test_every_third_frame_is_sent_with_its_own_index(broker: Broker, topic: str, clip: Path) -> None:
    assert publish(broker, topic, clip, "--stride", "3") == 0
    assert [frame.stamp.index for frame in make_source(broker, topic).frames()] == list(range(0, 20, 3))


def test_a_lower_quality_sends_fewer_bytes(
    broker: Broker, topic: str, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = []
    for quality in ("30", "95"):
        assert publish(broker, broker.make_topic(), clip, "--quality", quality) == 0
        sizes.append(capsys.readouterr().out)
    assert sizes[0] != sizes[1]


def test_a_recording_is_sent_at_the_configured_speed(broker: Broker, topic: str, clip: Path) -> None:
    began = time.monotonic()
    assert publish(broker, topic, clip, "--speed", "2") == 0
    assert 19 / FPS / 2 <= time.monotonic() - began < 19 / FPS / 2 + 3


def test_as_live_stamps_frames_with_the_time_of_sending(broker: Broker, topic: str, clip: Path) -> None:
    began = time.time()
    assert publish(broker, topic, clip, "--as-live") == 0
    times = [frame.stamp.captured_at for frame in make_source(broker, topic).frames()]
    assert began <= min(times) <= max(times) <= time.time()
    assert times == sorted(times)


def test_a_recording_repeated_as_live_goes_on_without_an_end(broker: Broker, topic: str, clip: Path) -> None:
    received = []

    def read() -> None:
        for frame in make_source(broker, topic, live=True).frames():
            received.append(frame.stamp)
            if frame.stamp.index >= 45:  # the clip has 20 frames
                os.kill(os.getpid(), signal.SIGTERM)
                return

    reader = threading.Thread(target=read)
    reader.start()
    assert publish(broker, topic, clip, "--speed", "1", "--as-live", "--repeat") == 0
    reader.join()
    assert [stamp.index for stamp in received] == sorted({stamp.index for stamp in received})


def test_a_repeated_recording_wants_times_that_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--camera", "east", "--source", "/a/east.mp4", "--repeat"])
    assert "--repeat: expected --as-live beside it" in capsys.readouterr().err


def test_frames_that_are_late_because_the_broker_was_away_are_left_out() -> None:
    frames = [Frame(FrameStamp("east", index, index / 10), np.zeros((2, 2, 3), np.uint8)) for index in range(40)]
    taken = []
    for frame in _paced(iter(frames), 1.0, threading.Event(), 1.0):
        if frame.stamp.index == 5:
            time.sleep(2.0)
        taken.append(frame.stamp.index)
    assert taken[:6] == [0, 1, 2, 3, 4, 5]
    assert taken[6] in range(14, 22)  # 10 to 15 are more than a second late
    assert taken[6:] == list(range(taken[6], 40))


def make_publisher(broker: Broker, topic: str, **options: object) -> FramePublisher:
    defaults = {"camera_id": "east", "partition": None, "encoding": Encoding.JPEG, "quality": 90, "max_bytes": None}
    return FramePublisher({"bootstrap_servers": broker.servers}, topic, **{**defaults, **options})  # type: ignore[arg-type]


def noise(index: int = 0) -> Frame:
    image = np.random.default_rng(index).integers(0, 256, (*HW, 3), np.uint8)
    return Frame(FrameStamp("east", index, index / FPS), image)


def test_a_frame_that_is_too_large_is_sent_at_a_lower_quality(broker: Broker, topic: str) -> None:
    publisher = make_publisher(broker, topic, max_bytes=14_000)
    publisher.publish(noise())
    publisher.flush()
    publisher.close()
    (message,) = broker.read(topic, 1)
    assert len(message.value) < 12_000
    assert publisher.num_shrunk == 1


@pytest.mark.parametrize("encoding", list(Encoding))
def test_a_frame_that_cannot_be_made_to_fit_is_refused_with_both_numbers(
    broker: Broker, topic: str, encoding: Encoding
) -> None:
    publisher = make_publisher(broker, topic, max_bytes=4000, encoding=encoding)
    with pytest.raises(ConnectorError, match=r"frame 0: expected at most 4000 bytes a message, got \d+"):
        publisher.publish(noise())
    publisher.close()


def test_the_number_of_frames_in_flight_is_limited(broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_publisher, "MAX_IN_FLIGHT", 4)
    publisher = make_publisher(broker, topic)
    for index in range(50):
        publisher.publish(noise(index))
        assert len(publisher._in_flight) <= 4
    publisher.flush()
    publisher.close()
    assert [dict(message.headers)["frame_index"] for message in broker.read(topic, 50)] == [
        str(index).encode() for index in range(50)
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["--source", "/nowhere.mp4"], 2, "/nowhere.mp4"),
        (["--source", "{uri: "], 2, "--source: expected {uri"),
        (["--source", "CLIP", "--to", "kafka://kafka.example:9092/frames"], 2, "security.protocol"),
        (["--source", "CLIP", "--to", "kafka://127.0.0.1:1/frames?key=1"], 2, "--to"),
        (["--source", "CLIP", "source.kafka.security.protocol=tls"], 2, "protocol"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(
    clip: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, named: str
) -> None:
    filled = [str(clip) if argument == "CLIP" else argument for argument in arguments]
    assert main(["--camera", "east", *filled]) == code
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1


def test_a_signal_ends_publishing_in_order(broker: Broker, topic: str, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "long.mp4", num_frames=600)
    to = f"kafka://{broker.servers}/{topic}"
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli.publish", "--camera", "east", "--source", str(clip), "--to", to],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    broker.read(topic, 1)
    process.terminate()
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out.startswith("east: ")
    received = broker.read(topic)
    assert 0 < len(received) < 600
    assert all(dict(message.headers)["encoding"] == b"jpeg" for message in received)
