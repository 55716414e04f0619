"""Tracklets, sightings, corrections and alerts to Kafka topics.

Needs: kafka-python (extra ``kafka``).
Guarantee: at-least-once by ``flush``. An outbox on the disk survives the process and remembers what was delivered.
What an earlier sender had in flight is looked for in the topics, if they may be read, and not sent again.
When slow: ``write`` fills the outbox up to ``max_waiting`` events, then raises ``SinkBusyError``. ``flush`` waits for
the broker once; while an outage lasts, it raises at once.
Secrets: from the environment variables or files that ``security`` names.
"""

import logging
import queue
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from kafka.errors import (
    InvalidTopicError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnknownTopicOrPartitionError,
)

from connectors.kafka.client import client_options, close_producer, connect, reason
from connectors.kafka.dead_event import dead_letter, tell_dead
from connectors.kafka.event_message import checked_topics, event_headers, event_messages, topic_specs
from connectors.kafka.outbox import Outbox, OutboxMessage
from connectors.kafka.preflight import why_not, writing
from connectors.kafka.read_back import note_sent
from connectors.kafka.topic_watch import TopicWatch
from connectors.kafka.topics import TopicSpec
from connectors.sinks.retry_pause import RetryPause
from pipeline.core import Alert, Correction, Record, Sighting
from pipeline.core.errors import ConfigError, SinkBusyError
from pipeline.core.records.sink_report import SinkReport
from pipeline.counts.rows import Row

logger = logging.getLogger(__name__)

HOPELESS = (InvalidTopicError, MessageSizeTooLargeError, RecordListTooLargeError)
"""Errors of a message that no other message has and that waiting does not cure."""

STALL_S = 4.0
"""Seconds without an answer after which the sink looks whether its topics are still there, and makes them anew.

Much larger values delay that. A broker that merely hangs is waited for, because it may have the events already.
"""

DELIVERY_S = 600.0
"""Seconds for which one producer tries to deliver an event: the broker recognises what it sends again.

Smaller values risk events that are there twice. Larger ones wait longer for a producer that cannot recover.
"""

ASK_AGAIN_S = 0.05
"""Seconds between two attempts of ``flush`` to send. More delay its end."""

MAX_IN_FLIGHT = 1000
"""Events that the producer holds in memory, at most; others wait on the disk. More hide more latency."""

FIRST_RETRY_S = 1.0
MAX_RETRY_S = 8.0
"""Seconds before the next attempt to reach a broker that is down; they double with every failure up to the second."""


class KafkaSink:
    """Writes every record as JSON to the topic of its kind.

    The bodies are those of the JSON lines, described in ``connectors/schemas``. The key of sightings and corrections is
    the person. The key of tracklets, which say where a person was tracked and not who it is, is the camera. The key of
    alerts is their own, and their topic is compacted, so that it always holds the newest state of each alert. The
    header ``event_key`` is the same if a restart sends an event again, and unique within a run and its continuations.

    Args:
        servers: ``host:9092``, several separated by commas.
        topics: Names by kind: ``tracklets``, ``sightings``, ``corrections``, ``alerts``; None or left out: not sent.
        outbox: The file with the events that are not delivered yet.
        security: See ``connectors.kafka.client.Security``.
        partitions: Number of partitions of topics that do not exist yet.
        replication: Number of brokers that hold each of these partitions; None: as the cluster says.
        retention_s: Seconds for which these topics, but for alerts, keep events; None: as the cluster says.
        dead_letters: Topic for events that the broker never takes, because they are too large; None: dropped.
        max_waiting: Events in the outbox after which ``write`` refuses more.
        open_timeout_s: Seconds within which a broker must answer.
        flush_timeout_s: Seconds that ``flush`` waits for the broker.
        cloudevents: Whether the attributes of CloudEvents are headers, ``ce_id`` and others.

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
        replication: int | None,
        dead_letters: str | None,
        max_waiting: int,
        open_timeout_s: float,
        flush_timeout_s: float,
        retention_s: float | None = None,
        cloudevents: bool = False,
    ) -> None:
        self._servers = servers
        self._cloudevents = cloudevents
        self._topics = checked_topics(topics)
        specs = topic_specs(self._topics, partitions, replication, retention_s)
        self._watch = TopicWatch(specs + ([] if dead_letters is None else [TopicSpec(dead_letters, 1, replication)]))
        client_options(servers, security, "sink.kafka")
        self._security = security
        self._dead_letters = dead_letters
        self._open_timeout_ms = round(open_timeout_s * 1000)
        self._limits = {"request_timeout_ms": self._open_timeout_ms}
        self._max_waiting = max_waiting
        self._flush_timeout_s = flush_timeout_s
        self._outbox = Outbox(Path(outbox))
        self._producer: KafkaProducer | None = None
        self._answers: queue.SimpleQueue[tuple[KafkaProducer, int, BaseException | None]] = queue.SimpleQueue()
        self._made_with: dict[str, Any] = {}
        self._last_sent = 0
        self._num_in_flight = 0
        self._suspects: deque[int] = deque()
        self._alone: int | None = None
        self._is_poisoned = False  # kafka-python refuses whatever follows a message that was refused
        self._pause = RetryPause(first_s=FIRST_RETRY_S, max_s=MAX_RETRY_S)
        self._answered_at = self._no_leader_until = 0.0
        self._why = "no answer yet"
        self._logged: str | None = None
        self.num_dead = 0
        self._is_late = False

    @staticmethod
    def preflight(
        *,
        servers: str,
        topics: Mapping[str, object],
        security: Mapping[str, object],
        partitions: int = 1,
        replication: int | None = None,
        retention_s: float | None = None,
        **_: object,
    ) -> None:
        """Raise ``ConfigError`` if the constructor would; sends nothing."""
        topic_specs(checked_topics(topics), partitions, replication, retention_s)
        client_options(servers, security, "sink.kafka")

    @staticmethod
    def check(
        *,
        servers: str,
        topics: Mapping[str, object],
        security: Mapping[str, object],
        partitions: int,
        replication: int | None,
        dead_letters: str | None,
        retention_s: float | None = None,
        **_: object,
    ) -> None:
        """Ask the broker whether the user may write to every topic, or create it; writes nothing.

        Raises:
            ConfigError: If not, with the cause.
        """
        specs = topic_specs(checked_topics(topics), partitions, replication, retention_s)
        specs += [] if dead_letters is None else [TopicSpec(dead_letters, 1, replication)]
        refusal = why_not(client_options(servers, security, "sink.kafka"), writing(specs))
        if refusal is not None:
            raise ConfigError(f"sink.kafka: expected {servers} to take events, got {refusal}")

    def write(self, records: Sequence[Record | Row]) -> None:
        """Put the records into the outbox, and send as many as the broker takes now.

        Raises:
            SinkBusyError: If more than ``max_waiting`` events would wait. None of the records was taken.
            ConnectorError: If the disk is full.
        """
        messages = event_messages(records, self._topics)
        self._send()
        if messages and len(self._outbox) + len(messages) > self._max_waiting:
            raise self._busy()
        self._outbox.put(messages)
        self._send()

    def flush(self) -> None:
        """Return when the broker has confirmed every event.

        Raises:
            SinkBusyError: If it has not within ``flush_timeout_s``; at once if the previous ``flush`` failed too.
            ConnectorError: If the disk is full.
        """
        deadline = time.monotonic() + (0.0 if self._is_late else self._flush_timeout_s)
        self._send()
        while len(self._outbox) and self._producer is not None and time.monotonic() < deadline:
            self._settle(timeout_s=deadline - time.monotonic())
            self._send()
            if not self._num_in_flight:
                time.sleep(ASK_AGAIN_S)
        self._is_late = len(self._outbox) > 0
        if self._is_late:
            raise self._busy()

    def report(self) -> SinkReport:
        """Return what waits in the outbox, what was dead-lettered, and why nothing is taken; from any thread."""
        return SinkReport(len(self._outbox), self.num_dead, self._why if self._is_late else self._logged)

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
        self._look_for_topics()
        if self._is_poisoned and not self._num_in_flight and self._producer is not None:
            close_producer(self._producer, timeout_s=1.0)
            self._producer = None
        if not len(self._outbox) or time.monotonic() < self._no_leader_until or not self._has_producer():
            return
        assert self._producer is not None
        if self._suspects:
            if not self._num_in_flight:
                self._alone = self._suspects.popleft()
                for number, message in self._outbox.waiting(after=self._alone - 1, limit=1):
                    self._pass(number, message)
            return
        room = MAX_IN_FLIGHT - self._num_in_flight
        for number, message in self._outbox.waiting(after=self._last_sent, limit=room) if room > 0 else ():
            if not self._pass(number, message):
                return
            self._last_sent = number

    def _pass(self, number: int, message: OutboxMessage) -> bool:
        """Pass a message to the producer; return whether there still is one."""
        assert self._producer is not None
        headers = event_headers(message, cloudevents=self._cloudevents)
        try:
            future = self._producer.send(message.topic, message.value, message.key.encode(), headers)
        except HOPELESS as error:
            self._bury(number, error)
            return True
        except KafkaTimeoutError as error:
            # It knows no leader now. Another producer might send twice what this one has in flight.
            self._tell(self._words(error))
            self._no_leader_until = time.monotonic() + FIRST_RETRY_S
            return False
        except KafkaError as error:
            self._lost(error)
            return False
        future.add_both(self._answered, self._producer, number)
        self._num_in_flight += 1
        return True

    def _answered(self, producer: KafkaProducer, number: int, answer: object) -> None:
        """Pass an answer on; runs in the producer's thread."""
        self._answers.put((producer, number, answer if isinstance(answer, BaseException) else None))

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
            self._answered_at = time.monotonic()
            if error is None:
                delivered.append(number)
            elif isinstance(error, HOPELESS):
                self._is_poisoned = True
                if number == self._alone:
                    self._bury(number, error)
                elif producer is self._producer:
                    self._suspects.append(number)  # the broker refuses a batch for one message in it
            elif producer is self._producer:
                failure = error
            if producer is self._producer:
                self._num_in_flight -= 1
        self._outbox.delivered(delivered)
        if delivered:
            self._pause.accepted()
            if self._logged is not None:
                logger.warning("sink.kafka: %s takes events again", self._servers)
                self._logged = None
        if failure is not None:
            self._lost(failure)

    def _has_producer(self) -> bool:
        """Connect to the broker if it is time to try; return whether there is a connection."""
        if self._producer is None and self._pause.left_s <= 0:
            try:
                # Read anew for each attempt: a password or a certificate may have changed.
                self._made_with = options = self._client_options()
                self._watch.make({**options, **self._limits})
                if len(self._outbox):
                    note_sent(self._outbox, options, MAX_IN_FLIGHT)
                limits = {"max_block_ms": self._open_timeout_ms, "delivery_timeout_ms": round(DELIVERY_S * 1000)}
                self._producer = connect(KafkaProducer, {**options, **limits, "linger_ms": 5})
                self._is_poisoned = False
                self._answered_at = time.monotonic()
            except (KafkaError, ConfigError) as error:
                self._lost(error)
        return self._producer is not None

    def _client_options(self) -> dict[str, Any]:
        options = client_options(self._servers, self._security, "sink.kafka")
        return {**options, "bootstrap_timeout_ms": self._open_timeout_ms}

    def _look_for_topics(self) -> None:
        """Where the broker has not answered for a while, make topics anew that are gone, and send again."""
        if not self._num_in_flight or time.monotonic() - self._answered_at < STALL_S:
            return
        self._answered_at = time.monotonic()
        try:
            made, why = self._watch.look({**(options := self._client_options()), **self._limits})
        except (KafkaError, ConfigError) as error:
            self._tell(self._words(error))
            return
        if why is not None:
            self._tell(why)  # kafka-python goes on trying by itself
        elif made:
            self._lost(UnknownTopicOrPartitionError(f"{', '.join(made)} was deleted, and is made anew"))
        elif options != self._made_with:
            logger.warning("sink.kafka: user or password has changed; connecting to %s anew", self._servers)
            self._leave()

    def _lost(self, error: BaseException) -> None:
        """Give up the producer, loudly when the reason is new: the next one sends its events again."""
        self._tell(self._words(error))
        self._leave()
        self._pause.refused()

    def _leave(self) -> None:
        """Disconnect; what is in flight is sent again by the next producer, unless it is found in the topics."""
        if self._producer is not None:
            close_producer(self._producer, timeout_s=0.0)
        self._producer = None
        self._last_sent = self._num_in_flight = 0
        self._suspects.clear()
        self._alone = None

    def _tell(self, why: str) -> None:
        self._why = why
        if why != self._logged:
            self._logged = why
            logger.error(
                "sink.kafka: expected %s to take %d events, got %s; they wait in the outbox until it does",
                self._servers,
                len(self._outbox),
                why,
            )

    def _words(self, error: BaseException) -> str:
        if not isinstance(error, KafkaError):
            return str(error)
        with suppress(ConfigError):
            return self._watch.words(error, {**self._client_options(), **self._limits})
        return reason(error)

    def _bury(self, number: int, error: BaseException) -> None:
        """Dead-letter an event that no broker will ever take, so that it blocks nothing."""
        for _, message in self._outbox.waiting(after=number - 1, limit=1):
            self.num_dead += 1
            tell_dead(message, error, self._dead_letters, self.num_dead)
            if self._dead_letters and self._producer is not None:
                with suppress(KafkaError):
                    self._producer.send(self._dead_letters, **dead_letter(message))
        self._outbox.delivered([number])

    def _busy(self) -> SinkBusyError:
        retry_after_s = max(self._pause.left_s, FIRST_RETRY_S)
        return SinkBusyError(
            f"sink.kafka: expected {self._servers} to take {len(self._outbox)} events, got {self._why}; "
            f"trying again in {retry_after_s:.1f} s",
            retry_after_s=retry_after_s,
        )
