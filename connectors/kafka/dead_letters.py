"""Dead-letters messages that are not frames, with the reason."""

import logging
from typing import Any

from kafka import KafkaProducer
from kafka.consumer.fetcher import ConsumerRecord

from connectors.kafka.client import close_producer, connect
from connectors.kafka.frame_message import MAX_HEADER_BYTES, MAX_HEADERS, FaultyMessageError
from connectors.kafka.topics import AS_THE_BROKER_DOES, TopicSpec, make_topics

logger = logging.getLogger(__name__)

MAX_WAITING = 500
"""Dead letters that are sent and not yet confirmed, at most. Their values are in memory, so more take more of it."""

MAX_VALUE_BYTES = 900_000
"""Longer values are cut, because the dead-letter topic may have a lower limit than the topic of frames.

A value above the topic's own limit (Apache Kafka: 1 MiB) makes the broker refuse the dead letter.
"""

TIMEOUT_S = 30.0
"""Seconds within which the broker must confirm a dead letter."""


class DeadLetters:
    """Writes faulty messages to a dead-letter topic: same key, value and headers, plus the reason.

    The added headers are ``fault`` (one word), ``fault_detail``, ``fault_topic``, ``fault_partition`` and
    ``fault_offset``. The last three identify a message that was dead-lettered twice.

    Args:
        options: Options of the Kafka client.
        topic: The dead-letter topic; None: the messages are counted and dropped.

    Attributes:
        num_put: Messages that were dead-lettered or, without a topic, dropped.
    """

    def __init__(self, options: dict[str, Any], topic: str | None) -> None:
        self._options = options
        self._topic = topic
        self._producer: KafkaProducer | None = None
        self._futures: list[Any] = []
        self._said: set[str] = set()
        self.num_put = 0

    def put(self, message: ConsumerRecord, error: FaultyMessageError) -> None:
        """Dead-letter a message.

        Raises:
            KafkaError: If the broker cannot be reached, or its topic cannot be made.
        """
        self.num_put += 1
        if error.fault not in self._said:
            self._said.add(error.fault)
            logger.warning(
                "%s: a message is no frame, and so will be others like it; they are dead-lettered or dropped: %s",
                message.topic,
                error,
            )
        if self._topic is None:
            return
        if self._producer is None:
            make_topics(self._options, [TopicSpec(self._topic, 1, AS_THE_BROKER_DOES)])
            self._producer = connect(KafkaProducer, self._options)
        headers = [
            (name[:MAX_HEADER_BYTES], (value or b"")[:MAX_HEADER_BYTES])
            for name, value in message.headers[:MAX_HEADERS]
        ]
        added = {
            "fault": error.fault.value,
            "fault_detail": str(error),
            "fault_topic": message.topic,
            "fault_partition": str(message.partition),
            "fault_offset": str(message.offset),
        }
        headers += [(name, text.encode()) for name, text in added.items()]
        value = (message.value or b"")[:MAX_VALUE_BYTES]
        self._futures.append(self._producer.send(self._topic, value, key=message.key, headers=headers))
        if len(self._futures) >= MAX_WAITING:
            self.flush()

    def flush(self) -> None:
        """Return when the broker has confirmed all of them.

        Raises:
            KafkaError: If the broker does not take one.
        """
        while self._futures:
            self._futures[-1].get(timeout=TIMEOUT_S)
            self._futures.pop()

    def close(self) -> None:
        """Disconnect; idempotent. Dead letters that are not flushed are lost; a restart reads their messages again."""
        if self._producer is not None:
            close_producer(self._producer, timeout_s=1.0)
            self._producer = None
        self._futures.clear()
