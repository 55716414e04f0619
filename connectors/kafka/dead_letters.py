"""Messages that are no frames, put aside with the reason."""

import logging
from typing import Any

from kafka import KafkaProducer
from kafka.consumer.fetcher import ConsumerRecord

from connectors.kafka.client import close_producer, connect
from connectors.kafka.frame_message import MAX_HEADER_BYTES, MAX_HEADERS, FaultyMessageError
from connectors.kafka.topics import AS_THE_BROKER_DOES, TopicSpec, make_topics

logger = logging.getLogger(__name__)

MAX_WAITING = 500
"""Letters under way at most; their values are in memory."""

MAX_VALUE_BYTES = 900_000
"""Of a letter; what is longer is cut, for the dead-letter topic may take less than the topic of frames."""

TIMEOUT_S = 30.0


class DeadLetters:
    """Writes faulty messages to a topic of their own: same key, value and headers, and why.

    The added headers are ``fault`` (one word), ``fault_detail``, ``fault_topic``, ``fault_partition`` and
    ``fault_offset``; a message that was put aside twice can be told by the last three.

    Args:
        options: Of the client.
        topic: Where to; None: they are counted and dropped.

    Attributes:
        num_put: How many there were.
    """

    def __init__(self, options: dict[str, Any], topic: str | None) -> None:
        self._options = options
        self._topic = topic
        self._producer: KafkaProducer | None = None
        self._futures: list[Any] = []
        self._said: set[str] = set()
        self.num_put = 0

    def put(self, message: ConsumerRecord, error: FaultyMessageError) -> None:
        """Put a message aside.

        Raises:
            KafkaError: If the broker cannot be reached, or its topic cannot be made.
        """
        self.num_put += 1
        if error.fault not in self._said:
            self._said.add(error.fault)
            logger.warning("%s: a message is put aside, as others like it will be: %s", message.topic, error)
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
        """Return when all are safe.

        Raises:
            KafkaError: If the broker does not take one.
        """
        while self._futures:
            self._futures[-1].get(timeout=TIMEOUT_S)
            self._futures.pop()

    def close(self) -> None:
        """Let the broker go; idempotent. What is not flushed is lost, and read again after a restart."""
        if self._producer is not None:
            close_producer(self._producer, timeout_s=1.0)
            self._producer = None
        self._futures.clear()
