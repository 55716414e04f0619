"""A plug-in that raises what it should not is named in one line: its key, its class, the error and the line."""

import asyncio
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from factories import make_sighting
from people import make_match, see

from connectors.sinks.memory import MemorySink
from pipeline.alerts.engine import AlertEngine
from pipeline.camera.detection import DetectionStage
from pipeline.config.plugins import build
from pipeline.core import Alert, TrackId
from pipeline.core.errors import ConfigError, PluginError
from pipeline.core.plugin_contract import blaming, made
from pipeline.embedding.embedding import EmbeddingStage
from pipeline.embedding.pose import PoseStage
from pipeline.runtime.sink_fanout import SinkFanout

SIGHTING = make_sighting(1, TrackId("east", 0, 1))
ALERT = Alert("dwell/1/1", "dwell", "info", 1, "east", 1.0, 1.0, "Stays.", ())  # type: ignore[arg-type]


class Faulty(MemorySink):
    """Raises a KeyError in the methods that are named; as any plug-in."""

    name = "mine"
    input_hw = (32, 32)

    def __init__(self, *faults: str) -> None:
        super().__init__()
        for fault in faults:
            setattr(self, fault, self._fails)

    def _fails(self, *_: object) -> Any:
        raise KeyError("token")

    def on_sighting(self, _: object) -> list[Alert]:
        return []

    on_tick = on_sighting


class FaultyRemote(Faulty):
    kinds = (Alert,)
    may_drop = True


def through(sink: Faulty) -> None:
    async def main() -> None:
        fanout = SinkFanout[None]({"mine": sink})
        try:
            await fanout.write([SIGHTING, ALERT])
            await fanout.flush()
        finally:
            unclosed = await fanout.close()
        if unclosed:
            raise PluginError(unclosed["mine"])

    asyncio.run(main())


def through_rule(rule: Faulty) -> None:
    engine = AlertEngine([rule], cooldown_s=0.0, max_open=1, max_parts=1)  # type: ignore[list-item]
    engine.process([SIGHTING])
    engine.tick(1.0)


CALLS: dict[str, tuple[str, Callable[[], Any]]] = {
    "write": ("sink.mine", lambda: through(Faulty("write"))),
    "flush": ("sink.mine", lambda: through(Faulty("flush"))),
    "close": ("sink.mine", lambda: through(Faulty("close"))),
    "remote write": ("sink.mine", lambda: through(FaultyRemote("write"))),
    "remote flush": ("sink.mine", lambda: through(FaultyRemote("flush"))),
    "remote close": ("sink.mine", lambda: through(FaultyRemote("close"))),
    "detect": ("detector", lambda: DetectionStage(Faulty("detect"), min_score=0, min_height_px=0).process([])),  # type: ignore[arg-type]
    "estimate": ("pose", lambda: PoseStage(Faulty("estimate")).process([])),  # type: ignore[arg-type]
    "embed": ("embedder", lambda: EmbeddingStage(Faulty("embed"), min_quality=0).process([])),  # type: ignore[arg-type]
    "on_sighting": ("alerts.mine", lambda: through_rule(Faulty("on_sighting"))),
    "on_tick": ("alerts.mine", lambda: through_rule(Faulty("on_tick"))),
    "nearest": ("gallery", lambda: make_match(gallery=Faulty("nearest")).process([see()])),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("call", CALLS)
def test_a_plug_in_that_fails_is_named_in_one_line(call: str) -> None:
    key, run = CALLS[call]
    with pytest.raises(PluginError) as raised:
        run()
    expected = (
        rf"{re.escape(key)} \(test_errors\.Faulty\w*\): _fails raised KeyError: 'token' \(.*test_errors\.py:\d+\)"
    )
    assert re.match(expected, str(raised.value))
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 1


def test_a_constructor_and_a_preflight_that_fail_are_named() -> None:
    with pytest.raises(PluginError, match=r"sink\.mine \(test_errors\.Broken\): __init__ raised ZeroDivision"):
        made("sink.mine", Broken)
    with pytest.raises(PluginError, match=r"detector \(test_errors\.Broken\): preflight raised IndexError: no device"):
        build({"_target_": "test_errors.Broken"}, "detector", allow=["test_errors"])


class Broken:
    def __init__(self) -> None:
        np.float64(1 // 0)

    @staticmethod
    def preflight() -> None:
        raise IndexError("no\ndevice")

    def detect(self, frames: object) -> None:
        raise SystemExit(3)


def test_the_line_is_of_the_plug_in_and_not_of_a_library_below_it() -> None:
    with pytest.raises(PluginError, match=r"test_errors\.py:\d+"), blaming("tracker", Faulty()):
        np.concatenate([np.zeros((1, 2)), np.zeros((1, 3))])


def test_errors_that_a_contract_allows_stay_as_they_are() -> None:
    with pytest.raises(ConfigError, match="as it is"), blaming("detector", Faulty()):
        raise ConfigError("as it is")


def test_a_plug_in_that_ends_the_program_is_one_that_fails() -> None:
    told = r"detector \(test_errors\.Broken\): \w+ raised SystemExit: 3 "
    with pytest.raises(PluginError, match=told), blaming("detector", Broken):
        Broken.detect(None, [])  # type: ignore[arg-type]


def test_the_traceback_comes_with_the_error_from_another_process() -> None:
    with pytest.raises(PluginError) as raised, blaming("tracker", Faulty()):
        Faulty()._fails()
    again = pickle.loads(pickle.dumps(raised.value))
    assert str(again) == str(raised.value)
    assert again.trace.startswith("Traceback")
    assert again.trace.endswith("KeyError: 'token'\n")


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


class Panic(BaseException):
    """As extensions in Rust raise."""


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (UnprintableError(), "raised UnprintableError ("),
        (Panic("index out of bounds"), "raised Panic: index out of bounds ("),
        (asyncio.CancelledError(), "raised CancelledError ("),
        (ValueError(""), "raised ValueError ("),
        (ValueError("no rtsp://ann:s3cret@10.0.0.7/x here"), "raised ValueError: no rtsp://***@10.0.0.7/x here ("),
    ],
)
def test_whatever_a_plug_in_raises_is_one_line_without_passwords(raised: BaseException, words: str) -> None:
    with pytest.raises(PluginError) as caught, blaming("sink.mine", Faulty()):
        raise raised
    assert words in str(caught.value)
    assert "s3cret" not in caught.value.trace
    assert type(raised).__name__ in caught.value.trace


def test_who_stops_early_is_not_to_blame() -> None:
    with pytest.raises(GeneratorExit), blaming("site.cameras.east", Faulty()):
        raise GeneratorExit


def test_a_sink_that_empties_what_it_gets_takes_nothing_from_the_others() -> None:
    class Emptying(MemorySink):
        def write(self, records: Any) -> None:
            records.clear()

    kept = MemorySink()

    async def main() -> None:
        await SinkFanout[None]({"kept": kept, "mine": Emptying()}).write([SIGHTING])

    with pytest.raises(PluginError, match=r"sink\.mine .*write raised AttributeError"):
        asyncio.run(main())
    assert kept.records == [SIGHTING]
