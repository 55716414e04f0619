"""A Kafka sink that waits for a broker."""

import time

from kafka_broker import wait_for

from connectors.sinks.kafka import KafkaSink
from pipeline.core.errors import SinkBusyError


def flush_at_last(sink: KafkaSink, seconds: float = 30) -> None:
    """Flush as often as it takes, for so many seconds."""

    def is_flushed() -> bool:
        try:
            sink.flush()
        except SinkBusyError:
            time.sleep(0.1)
            return False
        return True

    wait_for(is_flushed, seconds)
