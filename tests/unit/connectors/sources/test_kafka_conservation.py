"""Of a live camera every message that was read is yielded, dropped or left out, and counted once."""

import time
from contextlib import closing
from threading import Thread

import pytest
from kafka_broker import Broker, frame_message, wait_for
from kafka_source import frames, make_source

pytestmark = pytest.mark.kafka

COUNT = 60


@pytest.mark.parametrize("is_cut", [False, True], ids=["the reader asks on", "the reader goes away"])
def test_what_waits_when_a_live_camera_is_closed_counts_as_dropped(broker: Broker, is_cut: bool) -> None:
    topic = broker.make_topic(partitions=3)
    source = make_source(broker, topic, live=True)
    num_yielded = 0

    def read() -> None:
        nonlocal num_yielded
        with closing(source.frames()) as received:  # type: ignore[type-var]
            for _ in received:
                num_yielded += 1
                time.sleep(0.3)  # a slow detector: most frames wait meanwhile
                if is_cut and num_yielded == 3:
                    return

    reading = Thread(target=read)
    reading.start()
    wait_for(lambda: source.is_open)
    for number in range(6):
        broker.write(topic, [*map(frame_message, frames(COUNT // 6, first=COUNT // 6 * number))], partition=number % 3)
    if not is_cut:
        wait_for(lambda: source.num_read == COUNT)
        source.close()
    reading.join(20)
    counted = num_yielded + source.num_dropped + source.num_bad
    assert counted == source.num_read
    assert counted <= COUNT if is_cut else counted == COUNT
