"""What a plug-in lacks is found before the run, and what it answers wrongly is said in one line that names it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import make_sighting

from connectors.sinks.memory import MemorySink
from pipeline.camera.detection import DetectionStage
from pipeline.camera.tracking import TrackingStage
from pipeline.config.composition import load_config
from pipeline.config.plan import make_plan
from pipeline.config.plugins import build
from pipeline.core import Detections, Frame, FrameStamp, LetterboxedFrame, TrackUpdate
from pipeline.core.errors import ConfigError, PluginError
from pipeline.core.plugin_contract import INTERFACES, made
from pipeline.embedding.embedding import EmbeddingStage
from pipeline.embedding.pose import PoseStage
from pipeline.runtime.sink_fanout import SinkFanout

STAMP = FrameStamp("east", 0, 0.0)


class Nothing:
    """Has no method at all."""


class NoFlush:
    def write(self, records: object) -> None: ...

    def close(self) -> None: ...


class WrongWrite(NoFlush):
    def write(self) -> None: ...  # type: ignore[override]

    def flush(self) -> None: ...


class AsyncFlush(NoFlush):
    async def flush(self) -> None: ...


class Delegating:
    def __getattr__(self, name: str) -> Any:
        return getattr(MemorySink(), name)


class MadeByTheConstructor(NoFlush):
    def __init__(self) -> None:
        self.flush = self.close


class StaticWrite(NoFlush):
    @staticmethod
    def write(records: object, more: int = 0) -> None: ...

    @classmethod
    def flush(cls) -> None: ...


class NoName:
    def on_sighting(self, sighting: object) -> list[Any]:
        return []

    def on_tick(self, now: float) -> list[Any]:
        return []


class NoNeeds:
    space, clip_len, crop_size_hw = "x", 1, (64, 32)

    def embed(self, tracklets: object) -> list[Any]:
        return []


def built(key: str, plugin: type) -> Callable[[], Any]:
    return build({"_target_": f"test_plugin_contract.{plugin.__name__}"}, key, allow=["test_plugin_contract"])


@pytest.mark.parametrize("kind", INTERFACES)
def test_a_class_without_the_methods_of_its_kind_is_refused(kind: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"^{kind}\.x \(test_plugin_contract\.Nothing\): expected a method \w+\(.*\), got none; add"
    ):
        built(f"{kind}.x", Nothing)


@pytest.mark.parametrize(
    ("plugin", "why"),
    [
        (NoFlush, r"expected a method flush\(\), got none; add it: Sink in pipeline/core/interfaces\.py"),
        (WrongWrite, r"expected a method write\(records\), got write\(self\).*; correct it"),
        (AsyncFlush, r"expected a method flush\(\), got an async one"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_what_is_wrong_with_a_sink_is_said_before_the_run(plugin: type, why: str) -> None:
    with pytest.raises(ConfigError, match=rf"^sink\.mine \(test_plugin_contract\.{plugin.__name__}\): {why}"):
        built("sink.mine", plugin)


@pytest.mark.parametrize("plugin", [Delegating, MadeByTheConstructor, StaticWrite, MemorySink])
def test_methods_may_come_from_anywhere(plugin: type) -> None:
    name = f"{plugin.__module__}.{plugin.__name__}"
    sink = made("sink.mine", build({"_target_": name}, "sink.mine", allow=["test_plugin_contract"]))
    for call in (lambda: sink.write([]), sink.flush, sink.close):
        call()


def test_an_attribute_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^alerts\.mine \(.*NoName\): expected an attribute name, got none; set it"):
        made("alerts.mine", built("alerts.mine", NoName))


def test_an_embedder_that_does_not_say_what_it_needs_is_refused(tmp_path: Path) -> None:
    config = load_config(["site=empty", "runtime=inline"])
    config.site.cameras = {"east": str(tmp_path)}
    config.allow_plugins = ["test_plugin_contract"]
    config.embedder = {"_target_": "test_plugin_contract.NoNeeds"}
    with pytest.raises(ConfigError, match=r"^embedder \(test_plugin_contract\.NoNeeds\): expected needs, in the class"):
        make_plan(config)


class Answering:
    """Answers every question of every kind with one object."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def detect(self, _: object) -> Any:
        return self.answer

    estimate = embed = update = detect


FRAME = LetterboxedFrame(STAMP, np.zeros((8, 8, 3), np.uint8), 1.0, (8, 8))


def tracked(answer: object) -> None:
    stage = TrackingStage(
        Answering(answer),
        crop_size_hw=(8, 4),
        clip_len=1,
        first_after_s=1.0,
        part_s=1.0,
        contact_coverage=0.3,
        min_peak_score=0.0,
        static_min_score=0.0,
        max_open_tracks=9,
    )
    boxes = Detections(STAMP, np.array([[0, 0, 4, 8]], np.float32), np.ones(1, np.float32))
    stage.process([(Frame(STAMP, np.zeros((8, 8, 3), np.uint8)), boxes)])


@pytest.mark.parametrize("answer", [None, [], [1], ["a", "b"], {}, 3, np.zeros((1, 4)), (None,)], ids=repr)
@pytest.mark.parametrize("kind", ["detector", "tracker", "pose", "embedder"])
def test_an_answer_that_is_none_names_the_plug_in(kind: str, answer: object) -> None:
    calls: dict[str, Callable[[], object]] = {
        "detector": lambda: DetectionStage(Answering(answer), min_score=0, min_height_px=0).process([FRAME]),  # type: ignore[arg-type]
        "tracker": lambda: tracked(answer),
        "pose": lambda: PoseStage(Answering(answer)).process([FRAME]),  # type: ignore[arg-type,list-item]
        "embedder": lambda: EmbeddingStage(Answering(answer), min_quality=0).process([Usable()]),  # type: ignore[arg-type,list-item]
    }
    with pytest.raises(PluginError, match=rf"^{kind} \(test_plugin_contract\.Answering\): expected \w+ to return a "):
        calls[kind]()


class Usable:
    qualities = np.ones(1, np.float32)


def test_a_tracker_that_numbers_too_few_is_named() -> None:
    with pytest.raises(PluginError, match="expected update to return a TrackUpdate of 1 numbers, got 0 numbers"):
        tracked(TrackUpdate(np.empty(0, np.int64), ()))


def test_a_sink_that_cannot_be_closed_costs_no_other_sink_its_end() -> None:
    class Unclosable(MemorySink):
        def close(self) -> None:
            raise RuntimeError("boom\nand more")

    class Closing(MemorySink):
        is_closed = False

        def close(self) -> None:
            self.is_closed = True

    async def main() -> dict[str, str]:
        fanout = SinkFanout[None]({"mine": Unclosable(), "last": last})
        await fanout.write([make_sighting(1)])
        return await fanout.close()

    last = Closing()
    unclosed = asyncio.run(main())
    assert list(unclosed) == ["mine"]
    assert "close raised RuntimeError: boom and more (" in unclosed["mine"]
    assert last.is_closed


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("opener.transport: expected tcp, got pigeon", "site.cameras.east.opener.transport: expected tcp, got pigeon"),
        ("expected one of both, got both", "site.cameras.east: expected one of both, got both"),
        ("source.rtsp.fps: expected more", "source.rtsp.fps: expected more"),
    ],
)
def test_what_a_part_of_a_source_refuses_names_the_camera(said: str, expected: str) -> None:
    def refuse() -> None:
        raise ConfigError(said)

    with pytest.raises(ConfigError) as refused:
        made("site.cameras.east", refuse)
    assert str(refused.value) == expected
