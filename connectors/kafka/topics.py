"""Creates topics that do not exist yet."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from connectors.kafka.client import connect, reason
from pipeline.core.errors import ConnectorError

AS_THE_BROKER_DOES = -1
"""In place of a replication factor: the broker's default."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """How to create a topic.

    Attributes:
        name: The name.
        partitions: Number of partitions.
        replication: Number of brokers that hold each partition.
        is_compacted: True: the newest message of each key stays forever. False: old messages are deleted.
    """

    name: str
    partitions: int
    replication: int
    is_compacted: bool = False


def ensure_topics(options: Mapping[str, Any], specs: Sequence[TopicSpec]) -> None:
    """Create the topics that do not exist.

    Raises:
        ConnectorError: If the broker cannot be reached, or does not allow it.
    """
    try:
        make_topics(options, specs)
    except KafkaError as error:
        names = ", ".join(spec.name for spec in specs)
        raise ConnectorError(f"topic {names}: expected a broker, got {reason(error)}; check the address") from error


def make_topics(options: Mapping[str, Any], specs: Sequence[TopicSpec]) -> None:
    """Create the topics that do not exist; existing ones are not changed.

    Raises:
        KafkaError: If the broker cannot be reached, or does not allow it.
    """
    with closing(connect(KafkaAdminClient, options)) as admin:
        there = set(admin.list_topics())
        for spec in specs:
            if spec.name in there:
                continue
            topic = NewTopic(
                name=spec.name,
                num_partitions=spec.partitions,
                replication_factor=spec.replication,
                topic_configs={"cleanup.policy": "compact"} if spec.is_compacted else None,
            )
            try:
                admin.create_topics([topic])
            except TopicAlreadyExistsError:
                continue  # another process has just created it
