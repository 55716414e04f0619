"""One partition of a topic, read in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import CorruptRecordError
from kafka.partitioner import murmur2
from kafka.structs import OffsetAndMetadata

from connectors.kafka.client import connect

MAX_FETCH_BYTES = 16 * 2**20
MAX_POLL_RECORDS = 100
"""Limits on what is fetched ahead. Frames are large, so higher limits take much memory."""

COMMIT_TIMEOUT_MS = 5000
CLOSE_TIMEOUT_MS = 1000
"""Milliseconds to wait for the broker. Higher values delay the end of a run when the broker is down."""


class TopicMissingError(Exception):
    """There is no such topic or partition; the message says which."""


@dataclass(frozen=True, slots=True)
class ReadUpTo:
    """The position of a consumer group.

    Attributes:
        offset: The next offset to read.
        known_before: Messages below this offset were processed before. They are read again only because later ones
            need them (H.264).
    """

    offset: int
    known_before: int


class PartitionReading:
    """An open consumer of one partition. Used by one thread.

    The partition is assigned, not negotiated within the group: the pipeline itself decides which process reads which
    camera, and no broker could repair two readers of one camera.

    Args:
        options: Options of the Kafka client.
        topic: Name of the topic.
        partition: Number of the partition; None: the one that Kafka's default partitioner chooses for ``key``.
        key: The key of the wanted messages.
        group: Consumer group that offsets are committed for; None: nothing is committed.
        open_timeout_s: Seconds within which a broker must answer.

    Raises:
        KafkaError: If no broker answers.
        TopicMissingError: If there is no such topic or partition.
    """

    def __init__(
        self,
        options: dict[str, Any],
        topic: str,
        *,
        partition: int | None,
        key: bytes,
        group: str | None,
        open_timeout_s: float,
    ) -> None:
        chosen = {
            **options,
            "group_id": group,
            "enable_auto_commit": False,
            "auto_offset_reset": "none",  # an offset that the broker has deleted must be an error, not a silent jump
            "allow_auto_create_topics": False,
            "max_poll_records": MAX_POLL_RECORDS,
            "fetch_max_bytes": MAX_FETCH_BYTES,
            "max_partition_fetch_bytes": MAX_FETCH_BYTES,
            "bootstrap_timeout_ms": round(open_timeout_s * 1000),
            "metrics_enabled": False,
        }
        self._consumer = connect(KafkaConsumer, chosen)
        self._group = group
        self._key = key
        try:
            self._partition = TopicPartition(topic, self._chosen(topic, partition, key))
            self._consumer.assign([self._partition])
        except BaseException:
            self.close()
            raise

    def _chosen(self, topic: str, partition: int | None, key: bytes) -> int:
        there = sorted(self._consumer.partitions_for_topic(topic) or ())
        if not there:
            raise TopicMissingError(f"no topic {topic}")
        if partition is None:
            return int(there[(murmur2(key) & 0x7FFFFFFF) % len(there)])
        if partition not in there:
            raise TopicMissingError(f"no partition {partition} in topic {topic}, which has {len(there)}")
        return partition

    def committed(self) -> ReadUpTo | None:
        """Return the position of the group; None if it has committed nothing."""
        found = None if self._group is None else self._consumer.committed(self._partition, metadata=True)
        if found is None:
            return None
        return ReadUpTo(found.offset, int(found.metadata) if str(found.metadata).isdecimal() else found.offset)

    def seek(self, start: int | str) -> None:
        """Move to an offset, to ``earliest`` or ``latest``, or to the first message written at or after an ISO time."""
        if isinstance(start, int):
            self._consumer.seek(self._partition, start)
        elif start == "earliest":
            self._consumer.seek_to_beginning(self._partition)
        elif start == "latest":
            self._consumer.seek_to_end(self._partition)
        else:
            found = self._consumer.offsets_for_times({self._partition: timestamp_ms(start)})[self._partition]
            if found is None or found.timestamp < 0:
                self._consumer.seek_to_end(self._partition)  # no message is that new
            else:
                self._consumer.seek(self._partition, found.offset)
        self._consumer.position(self._partition)  # resolve the offset now, not when a message arrives

    def poll(self, timeout_s: float) -> Sequence[ConsumerRecord]:
        """Return the messages that have arrived, in order; waits up to ``timeout_s`` seconds for the first one.

        kafka-python would stop forever at a message that it cannot parse. Such a message is returned with ``key`` and
        an empty value, and so are those after it in the same batch of the same sender.
        """
        try:
            found = self._consumer.poll(timeout_ms=round(timeout_s * 1000))
        except CorruptRecordError:
            return [self._skip_unreadable()]
        messages: Sequence[ConsumerRecord] = found.get(self._partition, ())
        return messages

    def _skip_unreadable(self) -> ConsumerRecord:
        offset = self._consumer.position(self._partition)
        self._consumer.seek(self._partition, offset + 1)
        return ConsumerRecord(
            topic=self._partition.topic,
            partition=self._partition.partition,
            leader_epoch=-1,
            offset=offset,
            timestamp=-1,
            timestamp_type=0,
            key=self._key,
            value=b"",
            headers=[],
            checksum=None,
            serialized_key_size=len(self._key),
            serialized_value_size=0,
            serialized_header_size=0,
        )

    def is_behind(self) -> bool:
        """Return whether the partition holds more messages, as far as the last answer of the broker says."""
        highwater = self._consumer.highwater(self._partition)
        return highwater is not None and self._consumer.position(self._partition) < highwater

    def commit(self, read: ReadUpTo) -> None:
        """Commit the position of the group; returns when the broker has confirmed it."""
        where = OffsetAndMetadata(read.offset, str(read.known_before), -1)
        self._consumer.commit({self._partition: where}, timeout_ms=COMMIT_TIMEOUT_MS)

    def close(self) -> None:
        """Disconnect; idempotent."""
        self._consumer.close(autocommit=False, timeout_ms=CLOSE_TIMEOUT_MS)


def timestamp_ms(text: str) -> int:
    """Return the Unix milliseconds of an ISO 8601 time; UTC if it names no zone.

    Raises:
        ValueError: If the text is not an ISO 8601 time.
    """
    at = datetime.fromisoformat(text)
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
