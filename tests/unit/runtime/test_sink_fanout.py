"""Sources are acknowledged only when every sink is safe."""

import asyncio
from math import inf
from pathlib import Path

import pytest
from match_actors import SlowFlushSink, make_actor

from connectors.sinks.memory import MemorySink
from pipeline.runtime.sink_fanout import SinkFanout


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_flush_is_safe_only_when_every_sink_is(position: int) -> None:
    sinks: list[MemorySink] = [MemorySink(), MemorySink()]
    sinks.insert(position, SlowFlushSink(busy_times=1))
    fanout: SinkFanout[bool] = SinkFanout({str(number): sink for number, sink in enumerate(sinks)})
    assert [asyncio.run(fanout.try_to_flush(True)) is not None for _ in range(3)] == [False, True, True]
    assert sorted(sink.num_flushes for sink in sinks) == [2, 3, 3]


def test_a_camera_is_not_told_that_frames_are_safe_while_a_sink_is_busy(tmp_path: Path) -> None:
    async def main() -> list[float]:
        sinks = [MemorySink(), SlowFlushSink(busy_times=2)]
        actor = make_actor(tmp_path, *sinks, camera_ids=["east"], flush_every_s=0.0)
        return [(await actor.deliver("east", [], at, 0.0)).safe_until for at in (1.0, 2.0, 3.0, 4.0)]

    assert asyncio.run(main()) == [-inf, -inf, 3.0, 4.0]
