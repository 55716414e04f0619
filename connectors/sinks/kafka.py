"""Tracklets, sightings, corrections and alerts to Kafka topics.

Needs: kafka-python (extra ``kafka``).
Guarantee: at-least-once by ``flush``. An outbox on the disk survives the process and remembers what was delivered.
When slow: ``write`` fills the outbox up to ``max_waiting`` events, then raises ``SinkBusyError``. ``flush`` waits for
the broker once; while an outage lasts, it raises at once.
Secrets: from the environment variables or files that ``security`` names.
"""

import hashlib
import json
import logging
import queue
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from kafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    MessageSizeTooLargeError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
)

from connectors.kafka.client import client_options, close_producer, connect, reason
from connectors.kafka.outbox import Outbox, OutboxMessage
from connectors.kafka.topics import TopicSpec, make_topics
from connectors.kafka.trace_context import HEADER, event_traceparent
from pipeline.core import Alert, Correction, Record, Sighting
from pipeline.core.errors import ConfigError, ConnectorError, SinkBusyError
from pipeline.ledger.codec import Message, to_dict, tracklet_to_dict
from pipeline.ledger.messages import SCHEMA

logger = logging.getLogger(__name__)

KINDS: Mapping[str, tuple[type, Callable[[Any], Message]]] = {
    "tracklets": (Sighting, tracklet_to_dict),
    "sightings": (Sighting, to_dict),
    "corrections": (Correction, to_dict),
    "alerts": (Alert, to_dict),
}
"""By kind of topic: the record that it is made from, and the function that returns its body."""

HOPELESS = (
    ClusterAuthorizationFailedError,
    MessageSizeTooLargeError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
)
"""Errors that waiting does not cure."""

MAX_IN_FLIGHT = 1000
"""Events that the producer holds in memory, at most; others wait on the disk. More hide more latency."""

FIRST_RETRY_S = 1.0
MAX_RETRY_S = 30.0
"""Seconds before the next attempt to reach a broker that is down; they double with every failure up to the second."""


class KafkaSink:
    """Writes every record as JSON to the topic of its kind.

    The bodies are those of the JSON lines, described in ``connectors/schemas``. The key of sightings and corrections is
    the person. The key of tracklets, which say where a person was tracked and not who it is, is the camera. The key of
    alerts is their own, and their topic is compacted, so that it always holds the newest state of each alert. The
    header ``event_key`` is the same if a restart sends an event again: receivers drop duplicates by it.

    Args:
        servers: ``host:9092``, several separated by commas.
        topics: Names by kind: ``tracklets``, ``sightings``, ``corrections``, ``alerts``; None or left out: not sent.
        outbox: The file with the events that are not delivered yet.
        security: See ``connectors.kafka.client.Security``.
        partitions: Number of partitions of topics that do not exist yet.
        replication: Number of brokers that hold each of these partitions.
        max_waiting: Events in the outbox after which ``write`` refuses more.
        open_timeout_s: Seconds within which a broker must answer.
        flush_timeout_s: Seconds that ``flush`` waits for the broker.

    Raises:
        ConfigError: If an option cannot be used.
        ConnectorError: If the outbox cannot be opened.
    """

    kinds = (Sighting, Correction, Alert)
    may_drop = False

    def __init__(
        self,
        *,
        servers: str,
        topics: Mapping[str, object],
        outbox: str,
        security: Mapping[str, object],
        partitions: int,
        replication: int,
        max_waiting: int,
        open_timeout_s: float,
        flush_timeout_s: float,
    ) -> None:
        self._servers = servers
        self._topics = _checked_topics(topics)
        self._specs = [
            TopicSpec(topic, partitions, replication, is_compacted=kind == "alerts")
            for kind, topic in self._topics.items()
        ]
        timeout_ms = round(open_timeout_s * 1000)
        options = {**client_options(servers, security, "sink.kafka"), "bootstrap_timeout_ms": timeout_ms}
        self._admin_options = {**options, "request_timeout_ms": timeout_ms}
        self._producer_options = {**options, "max_block_ms": timeout_ms, "linger_ms": 5}
        self._max_waiting = max_waiting
        self._flush_timeout_s = flush_timeout_s
        self._outbox = Outbox(Path(outbox))
        self._producer: KafkaProducer | None = None
        self._answers: queue.SimpleQueue[tuple[KafkaProducer, int, BaseException | None]] = queue.SimpleQueue()
        self._last_sent = 0
        self._num_in_flight = 0
        self._num_failures = 0
        self._retry_at = 0.0
        self._why = "no answer yet"
        self._is_late = False

    @staticmethod
    def preflight(*, servers: str, topics: Mapping[str, object], security: Mapping[str, object], **_: object) -> None:
        """Raise ``ConfigError`` if the constructor would; sends nothing."""
        _checked_topics(topics)
        client_options(servers, security, "sink.kafka")

    def write(self, records: Sequence[Record]) -> None:
        """Put the records into the outbox, and send as many as the broker takes now.

        Raises:
            SinkBusyError: If more than ``max_waiting`` events would wait. None of the records was taken.
            ConnectorError: If the disk is full, or the broker refuses events for good.
        """
        messages = [
            _message(record, KINDS[kind][1](record), topic)
            for record in records
            for kind, topic in self._topics.items()
            if isinstance(record, KINDS[kind][0])
        ]
        self._send()
        if messages and len(self._outbox) + len(messages) > self._max_waiting:
            raise self._busy()
        self._outbox.put(messages)
        self._send()

    def flush(self) -> None:
        """Return when the broker has confirmed every event.

        Raises:
            SinkBusyError: If it has not within ``flush_timeout_s``; at once if the previous ``flush`` failed too.
            ConnectorError: If the broker refuses events for good.
        """
        deadline = time.monotonic() + (0.0 if self._is_late else self._flush_timeout_s)
        self._send()
        while len(self._outbox) and self._producer is not None and time.monotonic() < deadline:
            self._settle(timeout_s=deadline - time.monotonic())
            self._send()
        self._is_late = len(self._outbox) > 0
        if self._is_late:
            raise self._busy()

    def close(self) -> None:
        """Disconnect and close the outbox; idempotent. Events that are not delivered stay in the outbox."""
        if self._producer is not None:
            close_producer(self._producer, timeout_s=1.0)
            self._producer = None
        if len(self._outbox):
            logger.error(
                "sink kafka: %d events are not delivered; a run with the same output_dir will deliver them",
                len(self._outbox),
            )
        self._outbox.close()

    def _send(self) -> None:
        """Note which events were delivered, and pass waiting events to the producer while it has room."""
        self._settle(timeout_s=0.0)
        if not len(self._outbox) or not self._has_producer():
            return
        assert self._producer is not None
        room = MAX_IN_FLIGHT - self._num_in_flight
        for number, message in self._outbox.waiting(after=self._last_sent, limit=room) if room > 0 else ():
            headers = [("schema", str(SCHEMA).encode()), ("event_key", message.name.encode())]
            if traceparent := event_traceparent(json.loads(message.value), message.name):
                headers.append((HEADER, traceparent.encode()))
            try:
                future = self._producer.send(message.topic, message.value, message.key.encode(), headers)
            except KafkaError as error:
                self._lost(error)
                return
            future.add_callback(self._confirmed, self._producer, number)
            future.add_errback(self._refused, self._producer, number)
            self._last_sent = number
            self._num_in_flight += 1

    # These two run in the producer's thread, and only pass the answer on.

    def _confirmed(self, producer: KafkaProducer, number: int, _: object) -> None:
        self._answers.put((producer, number, None))

    def _refused(self, producer: KafkaProducer, number: int, error: BaseException) -> None:
        self._answers.put((producer, number, error))

    def _settle(self, *, timeout_s: float) -> None:
        """Mark delivered events in the outbox; wait up to ``timeout_s`` for a first answer if any is in flight."""
        delivered: list[int] = []
        failure: BaseException | None = None
        timeout: float | None = timeout_s if self._num_in_flight else 0.0
        while True:
            try:
                producer, number, error = self._answers.get(block=bool(timeout), timeout=timeout or None)
            except queue.Empty:
                break
            timeout = 0.0
            if error is None:
                delivered.append(number)
            elif producer is self._producer:
                failure = error
            if producer is self._producer:
                self._num_in_flight -= 1
        self._outbox.delivered(delivered)
        if delivered:
            self._num_failures = 0
        if failure is not None:
            self._lost(failure)

    def _has_producer(self) -> bool:
        """Connect to the broker if it is time to try; return whether there is a connection."""
        if self._producer is None and time.monotonic() >= self._retry_at:
            try:
                make_topics(self._admin_options, self._specs)
                self._producer = connect(KafkaProducer, self._producer_options)
            except KafkaError as error:
                self._lost(error)
        return self._producer is not None

    def _lost(self, error: BaseException) -> None:
        """Give up the producer: the next one sends its events again.

        Raises:
            ConnectorError: If the next one would fail too.
        """
        self._why = reason(error)
        if isinstance(error, HOPELESS):
            raise ConnectorError(
                f"sink.kafka: expected {self._servers} to take events, got {self._why}; "
                "check permissions and limits of its topics"
            ) from error
        if self._producer is not None:
            close_producer(self._producer, timeout_s=0.0)
        self._producer = None
        self._last_sent = self._num_in_flight = 0
        self._retry_at = time.monotonic() + min(MAX_RETRY_S, FIRST_RETRY_S * 2 ** min(self._num_failures, 16))
        self._num_failures += 1

    def _busy(self) -> SinkBusyError:
        retry_after_s = max(self._retry_at - time.monotonic(), FIRST_RETRY_S)
        return SinkBusyError(
            f"sink.kafka: expected {self._servers} to take {len(self._outbox)} events, got {self._why}; "
            f"trying again in {retry_after_s:.1f} s",
            retry_after_s=retry_after_s,
        )


def _message(record: Record, body: Message, topic: str) -> OutboxMessage:
    value = json.dumps(body, allow_nan=False).encode("ascii")
    digest = hashlib.sha256(value).hexdigest()[:8]
    if isinstance(record, Sighting):
        name = f"{body['event']}/{record.track_id}/{record.part}"
        key = record.track_id.camera_id if body["event"] == "tracklet" else str(record.person_id)
    elif isinstance(record, Correction):
        name, key = f"correction/{record.kind}/{record.at:.6f}/{digest}", str(record.person_ids[0])
    else:
        name, key = f"alert/{record.key}/{record.state}/{digest}", record.key
    return OutboxMessage(name, topic, key, value)


def _checked_topics(topics: Mapping[str, object]) -> dict[str, str]:
    for name, topic in topics.items():
        if name not in KINDS or not (topic is None or (isinstance(topic, str) and topic)):
            raise ConfigError(
                f"sink.kafka.topics.{name}: expected the name of a topic for one of {', '.join(KINDS)}, got {topic!r}"
            )
    return {name: str(topic) for name, topic in topics.items() if topic is not None}
