"""An event that no broker will ever take, because it is too large for its topic."""

import logging
from typing import Any

from connectors.kafka.outbox import OutboxMessage

logger = logging.getLogger(__name__)

MAX_DEAD_BYTES = 900_000
"""Bytes of a dead-lettered event that are kept, because its topic may have the usual limit (1 MiB)."""


def dead_letter(message: OutboxMessage) -> dict[str, Any]:
    """Return value, key and headers of the dead letter: as the event's, cut, with the reason."""
    fault = {"fault": "too_large", "fault_topic": message.topic, "event_key": message.name[:200]}
    headers = [(name, text.encode()) for name, text in fault.items()]
    return {"value": message.value[:MAX_DEAD_BYTES], "key": message.key.encode(), "headers": headers}


def tell_dead(message: OutboxMessage, error: BaseException, topic: str | None, count: int) -> None:
    """Log that an event is given up.

    Args:
        message: The event.
        error: What the broker said.
        topic: Where its dead letter goes; None: nowhere.
        count: Events that were given up so far.
    """
    logger.error(
        "sink.kafka: expected topic %s to take %.100s of %d bytes, got %s; it is %s (%d so far); "
        "raise max.message.bytes of the topic",
        message.topic,
        message.name,
        len(message.value),
        type(error).__name__,
        f"put into {topic}" if topic else "dropped",
        count,
    )
