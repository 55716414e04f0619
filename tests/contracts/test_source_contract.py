"""The contract of sources, for each of a recording; and what ours do besides. Live ones are tested beside a server."""

import pickle
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import FPS, HW, RED, cut_off, make_clip, picture
from kafka_broker import Broker, end_message, frame_message
from kafka_source import NODE
from omegaconf import OmegaConf
from plugins import ROOT, plugin_names

from connectors.sources.memory import MemorySource
from pipeline.config.plugins import build_source
from pipeline.contracts.test_source import *  # noqa: F403
from pipeline.contracts.test_source import Factory
from pipeline.core import Frame, FrameStamp
from pipeline.core.errors import ConfigError, SourceLostError

NUM_FRAMES = 40
LIVE = {"rtsp", "rtsps", "device", "http", "https", "rtmp", "rtmps", "udp", "rtp", "tcp", "srt"}
ELSEWHERE = {"web_recording", "s3", "gs"}
NEEDS_A_SERVER = {"kafka", "world"}


def plugins() -> dict[str, object]:
    """All sources that the YAMLs name, as ``pipeline/config/plugins.py`` gets them."""
    names = [name for name in plugin_names("source") if name not in NEEDS_A_SERVER]
    files = OmegaConf.merge(*(OmegaConf.load(ROOT / "configs" / "source" / f"{name}.yaml") for name in names))
    nodes = OmegaConf.to_container(OmegaConf.create({"source": files}), resolve=True)
    return nodes["source"]  # type: ignore


def video(folder: Path, ending: str) -> Path:
    codec = {"avi": "mpeg4"}.get(ending, "libx264")
    return make_clip(folder / f"clip.{ending}", num_frames=NUM_FRAMES, codec=codec)


def image_folder(folder: Path) -> Path:
    folder = folder / "images"
    folder.mkdir()
    for index in range(NUM_FRAMES):
        cv2.imwrite(str(folder / f"{index}.png"), np.ascontiguousarray(picture(index)[:, :, ::-1]))
    return folder


def memory_source() -> MemorySource:
    frames = [Frame(FrameStamp("east", index, index / FPS), picture(index)) for index in range(NUM_FRAMES)]
    return MemorySource("east", frames)


def kafka_source(broker: Broker) -> Factory:
    topic = broker.make_topic()
    broker.write(topic, [*map(frame_message, memory_source().frames()), end_message()])
    return build_source("east", {"uri": f"kafka://{broker.servers}/{topic}", "live": False}, NODE)  # type: ignore


@pytest.fixture(params=["mp4", "avi", "mkv", "images", "memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def factory(request: pytest.FixtureRequest, tmp_path: Path) -> Factory:
    """The constructor call of a source of a recording: forty pictures, ten a second."""
    if request.param == "memory":
        return memory_source
    if request.param == "kafka":
        return kafka_source(request.getfixturevalue("broker"))
    path = image_folder(tmp_path) if request.param == "images" else video(tmp_path, request.param)
    return build_source("east", str(path), plugins())


def test_every_picture_has_its_index_and_its_time(factory: Factory) -> None:
    stamps = [frame.stamp for frame in factory().frames()]
    assert [stamp.index for stamp in stamps] == list(range(NUM_FRAMES))
    np.testing.assert_allclose([stamp.captured_at for stamp in stamps], np.arange(NUM_FRAMES) / FPS, atol=1e-6)


def test_pictures_have_their_size_and_colours(factory: Factory) -> None:
    for frame in factory().frames():
        assert frame.size_hw == HW
        np.testing.assert_allclose(frame.image[HW[0] // 2 :].reshape(-1, 3).mean(0), RED, atol=6)


def test_a_reader_that_stops_early_can_begin_again(factory: Factory) -> None:
    source = factory()
    frames = source.frames()
    for _ in range(3):
        next(frames)
    assert next(source.frames()).stamp.index == 0


def test_behind_the_last_frame_there_is_nothing(factory: Factory) -> None:
    source = factory()
    source.resume(list(source.frames())[-1].stamp)
    assert list(source.frames()) == []


def test_it_says_whether_it_is_live_before_it_is_opened(factory: Factory) -> None:
    assert factory().live is False
    assert factory().camera_id == "east"


@pytest.mark.parametrize("kind", sorted(set(plugins()) - LIVE - ELSEWHERE))
def test_a_recording_that_is_not_there_is_said_so(tmp_path: Path, kind: str) -> None:
    source = build_source("east", str(tmp_path / "gone"), {"file": plugins()[kind]})()
    with pytest.raises(ConfigError, match=r"site\.cameras\.east: expected .*gone"):
        source.check()
    with pytest.raises(SourceLostError, match="gone"):
        next(source.frames())


@pytest.mark.parametrize(
    "uri", ["97", *(f"{scheme}://127.0.0.1:1/a" for scheme in ("rtsp", "rtsps", "http", "https", "rtmp", "tcp"))]
)
def test_a_camera_that_is_not_there_is_said_so(uri: str) -> None:
    make = build_source("east", uri, plugins())
    pickle.dumps(make)
    source = make()
    assert source.live is True
    with pytest.raises(ConfigError, match=r"site\.cameras\.east: expected pictures"):
        source.check()
    with pytest.raises(SourceLostError, match="expected pictures"):
        next(source.frames())
    source.close()
    assert list(source.frames()) == []


def test_a_recording_that_no_server_has_is_said_so() -> None:
    source = build_source("east", "http://127.0.0.1:1/a.mp4", plugins())()
    assert source.live is False
    with pytest.raises(ConfigError, match=r"site\.cameras\.east: expected a video, got Connection refused"):
        source.check()
    with pytest.raises(SourceLostError, match="Connection refused"):
        next(source.frames())


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"this is no video\n" * 500, bytes(range(256)) * 40])
@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi", "1.jpg", "1.png"])
def test_a_file_of_something_else_is_said_so(tmp_path: Path, name: str, content: bytes) -> None:
    folder = tmp_path / "material"
    folder.mkdir()
    path = folder / name
    path.write_bytes(content)
    source = build_source("east", str(path if name.startswith("clip") else folder), plugins())()
    with pytest.raises(ConfigError, match=r"site\.cameras\.east: .*expected .*, got .+; "):
        source.check()
    with pytest.raises(SourceLostError, match=r"expected .*, got .+; "):
        next(source.frames())


@pytest.mark.parametrize("ending", ["mp4", "avi", "mkv"])
def test_a_recording_cut_off_gives_what_is_whole_and_then_an_error(tmp_path: Path, ending: str) -> None:
    codec = {"avi": "mpeg4"}.get(ending, "libx264")
    path = cut_off(make_clip(tmp_path / f"clip.{ending}", num_frames=NUM_FRAMES, noisy=True, codec=codec))
    source = build_source("east", str(path), plugins())()
    frames: list[Frame] = []
    with pytest.raises(SourceLostError, match=f"{path.name}.*expected"):
        frames.extend(source.frames())
    assert 0 < len(frames) < NUM_FRAMES


def test_a_memory_source_breaks_once_and_goes_on() -> None:
    frames = list(memory_source().frames())
    source = MemorySource("east", frames, live=True, fail_after=3)
    got: list[Frame] = []
    with pytest.raises(SourceLostError):
        got.extend(source.frames())
    assert len(got) == 3
    assert source.live
    got.extend(source.frames())
    assert [frame.stamp.index for frame in got] == list(range(NUM_FRAMES))


def test_memory_sources_pickle_with_their_frames() -> None:
    frames = list(memory_source().frames())[:2]
    again = pickle.loads(pickle.dumps(partial(MemorySource, "east", frames)))
    assert [frame.stamp for frame in again().frames()] == [frame.stamp for frame in frames]
