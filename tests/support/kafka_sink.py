"""A Kafka sink that waits for a broker."""

import time
from pathlib import Path

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


def sink_options(
    servers: str, topic: str, folder: Path, security: dict[str, object], **options: object
) -> dict[str, object]:
    return {
        "servers": servers,
        "topics": {"sightings": topic},
        "outbox": str(folder / "outbox.sqlite"),
        "security": security,
        "partitions": 1,
        "replication": None,
        "dead_letters": None,
        "max_waiting": 100,
        "open_timeout_s": 5.0,
        "flush_timeout_s": 5.0,
        **options,
    }
