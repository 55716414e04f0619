"""Dead-letters messages that are not frames, with the reason."""

import logging
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from kafka import KafkaProducer
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError

from connectors.kafka.client import close_producer, connect, reason
from connectors.kafka.frame_message import MAX_HEADER_BYTES, MAX_HEADERS, UNREADABLE, FaultyMessageError
from connectors.kafka.topics import TopicSpec, make_topics

logger = logging.getLogger(__name__)

MAX_WAITING = 500
"""Dead letters that are sent and not yet confirmed, at most. Their values are in memory, so more take more of it."""

MAX_VALUE_BYTES = 900_000
"""Longer values are cut, because the dead-letter topic may have a lower limit than the topic of frames.

A value above the topic's own limit (Apache Kafka: 1 MiB) makes the broker refuse the dead letter.
"""

TIMEOUT_S = 5.0
"""Seconds that a put or the last flush waits for the broker. A longer time costs more frames."""

RETRY_AFTER_S = 10.0
"""Seconds without an attempt after the broker refused. A longer time loses more dead letters."""


class DeadLetters:
    """Writes faulty messages to a dead-letter topic: same key, value and headers, plus the reason.

    The added headers are ``fault`` (one word), ``fault_detail``, ``fault_topic``, ``fault_partition`` and
    ``fault_offset``. The last three identify a message that was dead-lettered twice.

    A dead letter that cannot be written is counted, and told once. It costs no frame.

    Args:
        options: Options of the Kafka client.
        topic: The dead-letter topic; None: the messages are counted and dropped.

    Attributes:
        num_put: Messages that were dead-lettered or, without a topic, dropped.
        num_lost: Dead letters that the broker did not take.
    """

    def __init__(self, options: Mapping[str, Any], topic: str | None) -> None:
        timeout_ms = round(TIMEOUT_S * 1000)
        limits = {"bootstrap_timeout_ms": timeout_ms, "request_timeout_ms": timeout_ms}
        self._options = {**options, **limits}
        self._topic = topic
        self._producer: KafkaProducer | None = None
        self._futures: deque[Any] = deque()
        self._said: set[str] = set()
        self._retry_at = 0.0
        self.num_put = self.num_lost = 0

    def put(self, message: ConsumerRecord, error: FaultyMessageError) -> None:
        """Dead-letter a message; waits up to ``TIMEOUT_S`` for a broker that does not answer."""
        self.num_put += 1
        if self._topic is None:
            return
        headers = [
            (name[:MAX_HEADER_BYTES], (value or b"")[:MAX_HEADER_BYTES])
            for name, value in message.headers[:MAX_HEADERS]
            if name != UNREADABLE
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
        if time.monotonic() < self._retry_at:
            self.num_lost += 1
            return
        try:
            if self._producer is None:
                make_topics(self._options, [TopicSpec(self._topic, 1, None)])
                limit_ms = round(TIMEOUT_S * 1000)
                self._producer = connect(
                    KafkaProducer,
                    {**self._options, "max_block_ms": limit_ms, "delivery_timeout_ms": 2 * limit_ms, "linger_ms": 5},
                )
            self._futures.append(self._producer.send(self._topic, value, key=message.key, headers=headers))
        except KafkaError as refusal:
            self._lost(1, refusal)
        while len(self._futures) >= MAX_WAITING:
            self._take(TIMEOUT_S)
        self.settle()

    def settle(self) -> bool:
        """Note what the broker has answered; return whether no dead letter is under way. Never waits."""
        while self._futures and self._futures[0].is_done:
            self._take(0.0)
        return not self._futures

    def flush(self) -> None:
        """Return when the broker has answered for all of them, or after ``TIMEOUT_S``: the rest is lost."""
        deadline = time.monotonic() + TIMEOUT_S
        while self._futures:
            self._take(max(0.0, deadline - time.monotonic()))

    def close(self) -> None:
        """Disconnect; idempotent. Dead letters that are not flushed are lost; a restart reads their messages again."""
        if self._producer is not None:
            close_producer(self._producer, timeout_s=1.0)
            self._producer = None
        self._futures.clear()

    def _take(self, timeout_s: float) -> None:
        """Take the oldest answer."""
        future = self._futures.popleft()
        try:
            future.get(timeout=timeout_s)
        except KafkaError as refusal:
            self._lost(1, refusal)

    def _lost(self, count: int, refusal: KafkaError) -> None:
        self.num_lost += count
        self._retry_at = time.monotonic() + RETRY_AFTER_S
        word = type(refusal).__name__
        if word not in self._said:
            self._said.add(word)
            logger.error(
                "topic %s: expected it to take dead letters, got %s; they are counted and lost until it does; "
                "grant Write, or set source.kafka.dead_letters=null",
                self._topic,
                reason(refusal),
            )
