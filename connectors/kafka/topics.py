"""Makes topics that are not there yet."""

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
"""In place of a replication."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it should be.

    Attributes:
        name: Its name.
        partitions: How many it has.
        replication: How many brokers hold each.
        is_compacted: Of each key, the newest message stays for ever; otherwise all go when they are old.
    """

    name: str
    partitions: int
    replication: int
    is_compacted: bool = False


def ensure_topics(options: Mapping[str, Any], specs: Sequence[TopicSpec]) -> None:
    """Make the topics that are not there.

    Raises:
        ConnectorError: If the broker cannot be reached, or does not let us.
    """
    try:
        make_topics(options, specs)
    except KafkaError as error:
        names = ", ".join(spec.name for spec in specs)
        raise ConnectorError(f"topic {names}: expected a broker, got {reason(error)}; check the address") from error


def make_topics(options: Mapping[str, Any], specs: Sequence[TopicSpec]) -> None:
    """Make the topics that are not there; those that are stay as they are.

    Raises:
        KafkaError: If the broker cannot be reached, or does not let us.
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
                continue  # somebody else just made it
