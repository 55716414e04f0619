"""The topic of alerts, as operators read it and write to it."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError

from connectors.kafka.client import close_producer, connect, reason
from connectors.kafka.trace_context import HEADER, event_traceparent
from pipeline.core import Alert, AlertState
from pipeline.core.errors import ConnectorError, WireFormatError
from pipeline.ledger.codec import alert_from_dict, to_dict
from pipeline.ledger.messages import SCHEMA

POLL_S = 0.2
"""Seconds that one request to the broker waits for messages. Larger values delay the end of a read."""

QUIET_S = 5.0
"""Seconds without a message after which a broker that is asked for more counts as one that does not answer.

Larger values delay the message about it. Smaller ones give up a slow broker.
"""

DELIVERY_TIMEOUT_S = 10.0
"""Seconds within which the broker must take an acknowledgement."""


@dataclass(frozen=True, slots=True)
class PostedAlert:
    """What is known of an alert.

    Attributes:
        alert: The alert as it was written last; acknowledged, if an operator has done that and it was not retracted.
        by: The operator who acknowledged it; empty if no operator did.
        by_before: Of an acknowledgement: the operator who had acknowledged it before; empty if no operator had.
    """

    alert: Alert
    by: str
    by_before: str = ""


ACKNOWLEDGEMENT = "/acknowledged"
"""Ends the key of an acknowledgement, so that compaction keeps it beside the newest state of its alert."""


class AlertTopic:
    """Reads and acknowledges alerts. An acknowledgement holds when its alert is amended, not when it is retracted.

    Args:
        options: Options of the Kafka client.
        topic: Name of the topic.

    Attributes:
        num_bad: Messages that were skipped because they are not alerts.
    """

    def __init__(self, options: Mapping[str, Any], topic: str) -> None:
        self._options = options
        self._topic = topic
        self.num_bad = 0

    def posted(self, *, start: str, follow: bool) -> Iterator[PostedAlert]:
        """Yield the posted alerts; the messages of one alert are in order.

        Args:
            start: ``earliest`` or ``latest``.
            follow: True: wait for more. False: end at the end of the topic.

        Raises:
            ConnectorError: If the broker cannot be reached, or has no such topic.
        """
        standing = _Standing()
        try:
            for message in self._messages(start, follow=follow):
                try:
                    posted = _posted(message)
                except WireFormatError:
                    self.num_bad += 1
                else:
                    yield standing.take(posted)
        except KafkaError as error:
            raise ConnectorError(
                f"topic {self._topic}: expected alerts, got {reason(error)}; check the broker"
            ) from error

    def standing(self) -> dict[str, PostedAlert]:
        """Return the newest state of every alert, by key. Raises as ``posted``."""
        return {each.alert.key: each for each in self.posted(start="earliest", follow=False)}

    def acknowledge(self, key: str, by: str) -> PostedAlert:
        """Post that an operator has seen an alert, unless that stands there; return its new state.

        Raises:
            ConnectorError: If there is no such alert, it was retracted, or the broker cannot be reached.
        """
        there = self.standing().get(key)
        if there is None or there.alert.state is AlertState.RETRACTED:
            found = "one that was retracted" if there else "none"
            raise ConnectorError(f"topic {self._topic}: expected an open alert {key}, got {found}; see the list")
        if by and there.by == by:
            return replace(there, by_before=by)
        posted = PostedAlert(replace(there.alert, state=AlertState.ACKNOWLEDGED), by, there.by)
        body = to_dict(posted.alert)
        value = json.dumps(body, allow_nan=False).encode("ascii")
        event_key = f"alert/{key}/{posted.alert.revision}/{AlertState.ACKNOWLEDGED}/{by}"
        texts = {
            "schema": str(SCHEMA),
            "event_key": event_key,
            "by": by,
            HEADER: str(event_traceparent(body, event_key)),
        }
        headers = [(name, text.encode()) for name, text in texts.items()]
        try:
            producer = connect(KafkaProducer, self._options)
            try:
                producer.send(self._topic, value, f"{key}{ACKNOWLEDGEMENT}".encode(), headers).get(
                    timeout=DELIVERY_TIMEOUT_S
                )
            finally:
                close_producer(producer, timeout_s=1.0)
        except KafkaError as error:
            raise ConnectorError(
                f"topic {self._topic}: expected it to take an acknowledgement, got {reason(error)}; try again"
            ) from error
        return posted

    def _messages(self, start: str, *, follow: bool) -> Iterator[ConsumerRecord]:
        options = {**self._options, "enable_auto_commit": False, "auto_offset_reset": start}
        with closing(connect(KafkaConsumer, {**options, "allow_auto_create_topics": False})) as consumer:
            numbers: Sequence[int] = sorted(consumer.partitions_for_topic(self._topic) or ())
            if not numbers:
                raise ConnectorError(f"topic {self._topic}: expected alerts, got no such topic; check its name")
            partitions = [TopicPartition(self._topic, number) for number in numbers]
            consumer.assign(partitions)
            (consumer.seek_to_end if start == "latest" else consumer.seek_to_beginning)(*partitions)
            ends = consumer.end_offsets(partitions, timeout_ms=round(QUIET_S * 1000))
            heard_at = time.monotonic()
            while True:
                arrived = consumer.poll(round(POLL_S * 1000))
                for messages in arrived.values():
                    heard_at = time.monotonic()
                    yield from messages
                # One empty answer behind the end: some brokers give the beginning of the last batch for the end.
                if not (follow or arrived) and all(consumer.position(each) >= end for each, end in ends.items()):
                    return
                if not follow and time.monotonic() - heard_at > QUIET_S:
                    raise ConnectorError(
                        f"topic {self._topic}: expected its alerts to the end, got none for {QUIET_S:g} s; try again"
                    )


class _Standing:
    """The alerts of a topic, from its messages in the order of each partition.

    An acknowledgement may be in another partition than its alert, and compaction may have removed the retraction that
    ended it. So it is of no account where its alert was raised or retracted by a later number.
    """

    def __init__(self) -> None:
        self._alerts: dict[str, Alert] = {}
        self._since: dict[str, int] = {}
        self._acknowledged: dict[str, PostedAlert] = {}

    def take(self, posted: PostedAlert) -> PostedAlert:
        """Take a message; return what is known of its alert now."""
        key = posted.alert.key
        if posted.alert.state is AlertState.ACKNOWLEDGED:
            self._acknowledged[key] = posted
            alert = self._alerts.setdefault(key, posted.alert)
        else:
            alert = self._alerts[key] = posted.alert
        if alert.state in (AlertState.RAISED, AlertState.RETRACTED):
            self._since[key] = alert.revision
        acknowledged = self._acknowledged.get(key)
        is_open = acknowledged is None or acknowledged.alert.revision < self._since.get(key, 0)
        if acknowledged is None or is_open or alert.state is AlertState.RETRACTED:
            self._acknowledged.pop(key, None)
            return PostedAlert(alert, "")
        return PostedAlert(replace(alert, state=AlertState.ACKNOWLEDGED), acknowledged.by)


def _posted(message: ConsumerRecord) -> PostedAlert:
    try:
        alert = alert_from_dict(json.loads(message.value or b""))
        by = dict(message.headers).get("by", b"").decode()
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, or too deeply nested
        raise WireFormatError(f"alert: expected a JSON object, got {type(error).__name__}") from error
    is_acknowledged = alert.state is AlertState.ACKNOWLEDGED
    if message.key != alert.key.encode() and not (
        is_acknowledged and message.key == f"{alert.key}{ACKNOWLEDGEMENT}".encode()
    ):
        raise WireFormatError(f"alert: expected the message's key to be {alert.key}, got {message.key!r:.60}")
    return PostedAlert(alert, by)
