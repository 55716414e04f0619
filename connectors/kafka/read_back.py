"""Which events of an outbox a topic holds already, although their sender never heard so."""

import hashlib
import logging
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from connectors.kafka.client import connect
from connectors.kafka.outbox import Outbox, OutboxMessage

logger = logging.getLogger(__name__)

READ_BACK_S = 5.0
"""Seconds for the look at a topic. A slower broker gets the events once more; more delay the first event after that."""


def note_sent(outbox: Outbox, options: Mapping[str, Any], newest: int) -> None:
    """Mark those events of an outbox as delivered that are among the newest of their partition.

    A process that is killed, or cut off, between an event and the broker's answer would send the event twice.
    Where the user may not read the topics, receivers drop duplicates by ``event_key``.

    Args:
        outbox: With the events that wait.
        options: Options of the Kafka client.
        newest: Events that a sender may have had in flight: so many of each partition are read.
    """
    waiting = outbox.waiting(after=0, limit=newest)
    topics = {message.topic for _, message in waiting}
    try:
        there = _newest_of(topics, options, newest)
    except KafkaError as error:
        logger.info("topics %s: not read back, so events may arrive once more: %s", ", ".join(sorted(topics)), error)
        return
    outbox.delivered([number for number, message in waiting if _identity(message) in there])


def _identity(message: OutboxMessage) -> tuple[str, str, bytes]:
    return message.topic, message.name, hashlib.sha256(message.value).digest()


def _newest_of(topics: Iterable[str], options: Mapping[str, Any], newest: int) -> set[tuple[str, str, bytes]]:
    """Return topic, name and digest of the newest events of each partition."""
    chosen = {
        **options,
        "enable_auto_commit": False,
        "allow_auto_create_topics": False,
        "auto_offset_reset": "earliest",
    }
    found: set[tuple[str, str, bytes]] = set()
    with closing(connect(KafkaConsumer, chosen)) as consumer:
        where = [TopicPartition(topic, each) for topic in topics for each in consumer.partitions_for_topic(topic) or ()]
        limit_ms = round(READ_BACK_S * 1000)
        ends = consumer.end_offsets(where, timeout_ms=limit_ms)
        first = consumer.beginning_offsets(where, timeout_ms=limit_ms)
        left = {each for each in where if ends[each] > first[each]}
        consumer.assign(sorted(left))
        for each in left:
            consumer.seek(each, max(first[each], ends[each] - newest))
        until = time.monotonic() + READ_BACK_S
        while left and time.monotonic() < until:
            for messages in consumer.poll(timeout_ms=200).values():
                for message in messages:
                    names = [value.decode() for name, value in message.headers if name == "event_key"]
                    found |= {(message.topic, name, hashlib.sha256(message.value or b"").digest()) for name in names}
            left = {each for each in left if (consumer.position(each, timeout_ms=limit_ms) or 0) < ends[each]}
    return found
