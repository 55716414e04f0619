"""Sightings, corrections and alerts as Kafka messages, and the topics that they go to."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.alerting.cloud_event import cloud_event
from connectors.kafka.outbox import OutboxMessage
from connectors.kafka.topics import TopicSpec
from connectors.kafka.trace_context import HEADER, event_traceparent
from pipeline.core import Alert, Correction, Record, Sighting
from pipeline.core.errors import ConfigError
from pipeline.counts.rows import Row
from pipeline.ledger.codec import Message, to_dict, tracklet_to_dict
from pipeline.ledger.messages import SCHEMA

KINDS: Mapping[str, tuple[type, Callable[[Any], Message]]] = {
    "tracklets": (Sighting, tracklet_to_dict),
    "sightings": (Sighting, to_dict),
    "corrections": (Correction, to_dict),
    "alerts": (Alert, to_dict),
    "counts": (dict, dict),
}
"""By kind of topic: the record that it is made from, and the function that returns its body. A count is its body."""

MAX_RETENTION_S = 1e12
"""Seconds above which a number is no retention. A larger one does not fit into Kafka's milliseconds."""

COMPACTED = {"cleanup.policy": "compact"}
"""Settings of the topics of alerts and counts, if they do not exist yet: the newest of each key stays."""


def event_messages(records: Sequence[Record | Row], topics: Mapping[str, str]) -> list[OutboxMessage]:
    """Return the messages of some records, in order; ``topics`` by kind."""
    return [
        _message(record, KINDS[kind][1](record), topic)
        for record in records
        for kind, topic in topics.items()
        if isinstance(record, KINDS[kind][0])
    ]


def event_headers(message: OutboxMessage, *, cloudevents: bool = False) -> list[tuple[str, bytes]]:
    """Return the headers of a message, with the attributes of CloudEvents if they are wanted."""
    headers = [("schema", str(SCHEMA).encode()), ("event_key", message.name.encode())]
    body = json.loads(message.value)
    if traceparent := event_traceparent(body, message.name):
        headers.append((HEADER, traceparent.encode()))
    if cloudevents:
        attributes = {"content-type": "application/json", **cloud_event(body, message.name, prefix="ce_")}
        headers += [(name, value.encode()) for name, value in attributes.items()]
    return headers


def _message(record: Record | Row, body: Message, topic: str) -> OutboxMessage:
    value = json.dumps(body, allow_nan=False).encode("ascii")
    digest = hashlib.sha256(value).hexdigest()[:8]
    if isinstance(record, Sighting):
        name = f"{body['event']}/{record.track_id}/{record.part}"
        key = record.track_id.camera_id if body["event"] == "tracklet" else str(record.person_id)
    elif isinstance(record, Correction):
        name, key = f"correction/{record.kind}/{record.at:.6f}/{digest}", str(record.person_ids[0])
    elif isinstance(record, dict):
        key = "/".join(str(record.get(part, "")) for part in ("kind", "since", "place", "to"))
        name = f"count/{key}/{digest}"
    else:
        name, key = f"alert/{record.key}/{record.revision}", record.key
    return OutboxMessage(name, topic, key, value)


def topic_specs(
    topics: Mapping[str, str], partitions: int, replication: int | None, retention_s: float | None
) -> list[TopicSpec]:
    """Return how the topics are created, by kind.

    Args:
        topics: Names by kind.
        partitions: Number of partitions.
        replication: Number of copies; None: as the cluster says.
        retention_s: Seconds for which all but alerts are kept; None: as the cluster says.

    Raises:
        ConfigError: If a number cannot be used.
    """
    if retention_s is not None and not 0 < retention_s < MAX_RETENTION_S:
        raise ConfigError(f"sink.kafka.retention_s: expected null or seconds above 0, got {retention_s}; correct it")
    if replication is not None and replication < 1:
        raise ConfigError(f"sink.kafka.replication: expected null or at least 1, got {replication}; correct it")
    kept = {} if retention_s is None else {"retention.ms": str(round(retention_s * 1000))}
    return [
        TopicSpec(topic, partitions, replication, COMPACTED if kind in ("alerts", "counts") else kept)
        for kind, topic in topics.items()
    ]


def checked_topics(topics: Mapping[str, object]) -> dict[str, str]:
    """Return the topics that are used, by kind.

    Raises:
        ConfigError: If a kind is unknown or a name is none.
    """
    for name, topic in topics.items():
        if name not in KINDS or not (topic is None or (isinstance(topic, str) and topic)):
            raise ConfigError(
                f"sink.kafka.topics.{name}: expected the name of a topic for one of {', '.join(KINDS)}, got {topic!r}"
            )
    return {name: str(topic) for name, topic in topics.items() if topic is not None}
