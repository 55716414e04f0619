"""Creates topics that do not exist yet."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import KafkaError, NoError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from connectors.kafka.client import ask, connect, reason
from connectors.kafka.probe import why_unreachable
from pipeline.core.errors import ConnectorError

logger = logging.getLogger(__name__)

AS_THE_BROKER_DOES = -1
"""In place of a number of copies or partitions: the broker's default."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """How to create a topic.

    Attributes:
        name: The name.
        partitions: Number of partitions.
        replication: Number of brokers that hold each partition; None: as the cluster says.
        settings: Settings of the topic, as Kafka names them; those left out are the cluster's.
    """

    name: str
    partitions: int
    replication: int | None
    settings: Mapping[str, str] = field(default_factory=dict)


def new_topic(spec: TopicSpec) -> NewTopic:
    """Return what kafka-python creates a topic from."""
    return NewTopic(
        name=spec.name,
        num_partitions=spec.partitions,
        replication_factor=AS_THE_BROKER_DOES if spec.replication is None else spec.replication,
        topic_configs=dict(spec.settings),
    )


def ensure_topics(options: Mapping[str, Any], specs: Sequence[TopicSpec]) -> None:
    """Create the topics that do not exist.

    Raises:
        ConnectorError: If the broker cannot be reached, or does not allow it.
    """
    try:
        make_topics(options, specs)
    except KafkaError as error:
        names = ", ".join(spec.name for spec in specs)
        why = why_unreachable(options) or f"{reason(error)}; check the broker"
        raise ConnectorError(f"topic {names}: expected a broker that creates it, got {why}") from error


def make_topics(options: Mapping[str, Any], specs: Sequence[TopicSpec], told: set[str] | None = None) -> list[str]:
    """Create the topics that do not exist, and return their names; existing ones are not changed.

    A topic that the client may not describe is left alone: writing to it will say why.

    Args:
        options: Options of the Kafka client.
        specs: The topics.
        told: Names of topics whose settings have been looked at, which are not looked at again; added to.

    Raises:
        KafkaError: If the broker cannot be reached, or does not allow it.
    """
    made = []
    told = set() if told is None else told
    with closing(connect(KafkaAdminClient, options)) as admin:
        topics = ask(lambda: admin.describe_topics(_names(specs)))
        there = {topic["name"]: for_code(topic["error_code"]) for topic in topics}
        for spec in specs:
            if there[spec.name] is NoError and spec.name not in told:
                told.add(spec.name)
                _compare(admin, spec)
            if there[spec.name] is not UnknownTopicOrPartitionError:
                continue
            try:
                ask(partial(admin.create_topics, [new_topic(spec)]))
            except TopicAlreadyExistsError:
                continue  # another process has just created it
            made.append(spec.name)
            copies = "as many copies as the cluster says" if spec.replication is None else f"{spec.replication} copies"
            logger.info(
                "topic %s created: %d partitions, %s, %s", spec.name, spec.partitions, copies, _kept(admin, spec)
            )
    return made


def out_of_step(options: Mapping[str, Any], specs: Sequence[TopicSpec]) -> str | None:
    """Return in words which topic lacks a leader or copies in step, so that a broker may take no events; None if none.

    Raises:
        KafkaError: If no broker can be reached.
    """
    with closing(connect(KafkaAdminClient, options)) as admin:
        for topic in ask(lambda: admin.describe_topics(_names(specs))):
            for partition in topic["partitions"]:
                copies, in_step = len(partition["replica_nodes"]), len(partition["isr_nodes"])
                where = f"partition {partition['partition_index']} of topic {topic['name']}"
                if partition["leader_id"] < 0:
                    return f"no leader for {where}; bring its brokers back"
                if in_step < copies:
                    return f"{in_step} of {copies} copies in step for {where}; bring the other brokers back"
    return None


def _names(specs: Sequence[TopicSpec]) -> list[str]:
    return list(dict.fromkeys(spec.name for spec in specs))


def _compare(admin: KafkaAdminClient, spec: TopicSpec) -> None:
    """Warn about an existing topic that is not compacted although its readers count on it."""
    wanted = spec.settings.get("cleanup.policy")
    if wanted is None:
        return
    policy = _setting(admin, spec.name, "cleanup.policy")
    if policy is not None and wanted not in policy:
        logger.warning(
            "topic %s exists with cleanup.policy=%s; expected %s, so that the newest state of each alert stays: "
            "kafka-configs.sh --bootstrap-server %s --alter --topic %s --add-config cleanup.policy=%s",
            spec.name,
            policy,
            wanted,
            admin.config["bootstrap_servers"][0],
            spec.name,
            wanted,
        )


def _kept(admin: KafkaAdminClient, spec: TopicSpec) -> str:
    """Return in words for how long the messages of a topic that was just created are kept."""
    if spec.settings.get("cleanup.policy") == "compact":
        return "compacted: the newest message of each key stays"
    retention_ms = spec.settings.get("retention.ms") or _setting(admin, spec.name, "retention.ms")
    if retention_ms is None:
        return "kept for as long as the cluster says"
    return "kept for ever" if int(retention_ms) < 0 else f"kept for {int(retention_ms) / 3_600_000:g} hours"


def _setting(admin: KafkaAdminClient, topic: str, name: str) -> str | None:
    """Return a setting of a topic; None if it cannot be known: DescribeConfigs is not a right that the sink needs."""
    try:
        described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
    except KafkaError:
        return None
    value = described.get("topic", {}).get(topic, {}).get(name, {}).get("value")
    return None if value is None else str(value)
