"""The partitions of a topic, read in the order of each partition."""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import CorruptRecordError, KafkaError, KafkaTimeoutError, LogTruncationError, OffsetOutOfRangeError
from kafka.structs import OffsetAndMetadata

from connectors.kafka.client import connect
from connectors.kafka.frame_message import UNREADABLE

logger = logging.getLogger(__name__)

MAX_FETCH_BYTES = 16 * 2**20
MAX_POLL_RECORDS = 100
"""Limits on what is fetched ahead. Frames are large, so higher limits take much memory."""

COMMIT_TIMEOUT_MS = 5000
CLOSE_TIMEOUT_MS = 1000
"""Milliseconds to wait for the broker. Higher values delay the end of a run when the broker is down."""

METADATA_EVERY_MS = 250
"""Milliseconds between two looks for new partitions. Larger values drop more frames of a live camera that moves."""


class TopicMissingError(Exception):
    """There is no such topic or partition; the message says which."""


@dataclass(frozen=True, slots=True)
class ReadUpTo:
    """How far a camera has read a partition.

    Attributes:
        offset: The next offset to read.
        known_before: Messages below this offset were processed before. They are read again only because later ones
            need them (H.264).
    """

    offset: int
    known_before: int


class TopicReading:
    """An open consumer of one topic. Used by one thread.

    Partitions are assigned, not negotiated within the group: the pipeline itself decides which process reads which
    camera. Partitions that are added later are read from their beginning. A topic that is deleted and made anew is read
    from its beginning. Where the broker has deleted messages before they were read, reading goes on at the first one
    there is. Messages of aborted transactions are not read.

    Args:
        options: Options of the Kafka client.
        topic: Name of the topic.
        partition: The only partition to read; None: all of them.
        group: Consumer group that offsets are committed for; None: nothing is committed.
        camera: Whose offsets are committed: several cameras may share a group and a partition.
        open_timeout_s: Seconds within which a broker must answer.

    Attributes:
        num_missed: Messages that the broker had deleted before they were read.
        generation: How often the topic was made anew.
        topic_id: Changes when the topic is made anew; None if the broker has no such ids.

    Raises:
        KafkaError: If no broker answers.
        TopicMissingError: If there is no such topic or partition.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        topic: str,
        *,
        partition: int | None,
        group: str | None,
        camera: str,
        open_timeout_s: float,
    ) -> None:
        chosen = {
            **options,
            "group_id": group,
            "enable_auto_commit": False,
            "auto_offset_reset": "none",  # an offset that the broker has deleted must be an error, not a silent jump
            "allow_auto_create_topics": False,
            "isolation_level": "read_committed",
            "max_poll_records": MAX_POLL_RECORDS,
            "fetch_max_bytes": MAX_FETCH_BYTES,
            "max_partition_fetch_bytes": MAX_FETCH_BYTES,
            "metadata_max_age_ms": METADATA_EVERY_MS,
            "bootstrap_timeout_ms": round(open_timeout_s * 1000),
            "metrics_enabled": False,
        }
        self._consumer = connect(KafkaConsumer, chosen)
        self._topic = topic
        self._chosen_partition = partition
        self._group = group
        self._camera = camera
        self._open_timeout_s = open_timeout_s
        self._followed_at = 0.0
        self._got_some = False
        self.num_missed = 0
        self.generation = 0
        try:
            there = self._there()
            if not there:
                raise TopicMissingError(f"no topic {topic}")
            if partition is not None and partition not in there:
                raise TopicMissingError(f"no partition {partition} in topic {topic}, which has {len(there)}")
            self._partitions = there if partition is None else [partition]
            self.topic_id = self._consumer._cluster.topic_id(topic)
            self._assign()
        except BaseException:
            self.close()
            raise

    @property
    def partitions(self) -> Sequence[int]:
        """The partitions that are read."""
        return self._partitions

    def committed(self) -> dict[int, ReadUpTo]:
        """Return by partition how far the group has read the camera."""
        return {number: read for number, found in self._offsets().items() if (read := self._read_up_to(found))}

    def seek(self, start: int | str | Mapping[int, int]) -> None:
        """Move to an offset, to ``earliest`` or ``latest``, or to the first message written at or after an ISO time.

        Args:
            start: Where to; or an offset for each partition, those left out at their beginning.
        """
        first, end = self._bounds()
        for number in self._partitions:
            offset = start.get(number, first[number]) if isinstance(start, Mapping) else start
            if isinstance(offset, int):
                # An offset for the whole topic may be behind the end of one of its partitions. Elsewhere the broker
                # says so itself, and ``poll`` goes on where it can.
                is_common = not isinstance(start, Mapping) and len(self._partitions) > 1
                self._seek_within(number, offset, first[number], end[number] if is_common else max(offset, end[number]))
            elif offset == "earliest":
                self._seek_within(number, 0, first[number], end[number])
            else:
                self._consumer.seek(self._at(number), end[number])
        if isinstance(start, str) and start not in ("earliest", "latest"):
            wanted = {self._at(number): timestamp_ms(start) for number in self._partitions}
            for where, found in self._consumer.offsets_for_times(wanted).items():
                if found is not None and found.timestamp >= 0:  # otherwise no message is that new
                    self._consumer.seek(where, found.offset)

    def ends(self) -> dict[int, int]:
        """Return by partition the offset behind its last message."""
        return self._bounds()[1]

    def poll(self, timeout_s: float) -> list[ConsumerRecord]:
        """Return the messages that have arrived; waits up to ``timeout_s`` seconds for the first one.

        kafka-python would stop forever at a message that it cannot parse. Such a message is returned with the header
        ``UNREADABLE`` and an empty value, and so are those after it in the same batch of the same sender.

        Raises:
            KafkaError: If the broker refuses.
        """
        self._follow()
        try:
            found = self._consumer.poll(timeout_ms=round(timeout_s * 1000))
        except CorruptRecordError:
            return self._skip_unreadable()
        except OffsetOutOfRangeError as error:
            first, end = self._bounds()
            for where, offset in error.args[0].items():
                number = where.partition
                if offset > end[number]:
                    logger.warning(
                        "topic %s, partition %d: it was made anew; read from its beginning", self._topic, number
                    )
                    offset = first[number]
                self._seek_within(number, offset, first[number], end[number])
            return []
        except LogTruncationError as error:
            logger.warning(
                "topic %s: a broker has lost messages that were read already; going on behind them", self._topic
            )
            for where, found in error.divergent_offsets.items():
                self._consumer.seek(where, found.offset if found is not None else 0)
            return []
        if self._was_made_anew():
            return []  # what has come lies behind messages of the new topic that were not read
        self._got_some = bool(found)
        return [message for messages in found.values() for message in messages]

    def is_behind(self) -> bool:
        """Return whether the topic holds more messages, as far as the last answers of the broker say."""
        return self._got_some and any(
            (highwater := self._consumer.highwater(self._at(number))) is not None and self.position(number) < highwater
            for number in self._partitions
            if self._at(number) not in self._consumer.paused()
        )

    def position(self, partition: int) -> int:
        """Return the offset behind the last message that ``poll`` returned."""
        # The public method asks the broker whether the position is still valid; ``poll`` does that.
        state = self._consumer._subscription.assignment.get(self._at(partition))
        return 0 if state is None or state.position is None else int(state.position.offset)

    def read_only(self, partitions: Sequence[int] | None) -> None:
        """Read these partitions and no others for now; None: read all, the others from where they were left."""
        every = {self._at(number) for number in self._partitions}
        paused = set() if partitions is None else every - {self._at(number) for number in partitions}
        now = self._consumer.paused()
        self._consumer.pause(*(paused - now))
        self._consumer.resume(*(now - paused))

    def skip_to_end(self, partitions: Sequence[int]) -> None:
        """Go on with what will arrive in these partitions."""
        self._consumer.seek_to_end(*map(self._at, partitions))

    def commit(self, reads: Mapping[int, ReadUpTo]) -> None:
        """Commit how far the camera has read; returns when the broker has confirmed it.

        The offset of a partition is that of the camera that has read least. The metadata of the offset say how far
        each camera has read.
        """
        there = self._offsets(list(reads))
        wanted: dict[TopicPartition, OffsetAndMetadata] = {}
        for number, read in reads.items():
            cameras = _cameras(there.get(number))
            cameras[self._camera] = [read.offset, read.known_before]
            text = json.dumps(cameras, separators=(",", ":"))
            wanted[self._at(number)] = OffsetAndMetadata(min(each[0] for each in cameras.values()), text, -1)
        self._consumer.commit(wanted, timeout_ms=COMMIT_TIMEOUT_MS)

    def close(self) -> None:
        """Disconnect; idempotent."""
        self._consumer.close(autocommit=False, timeout_ms=CLOSE_TIMEOUT_MS)

    def _at(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topic, partition)

    def _there(self) -> list[int]:
        return sorted(self._consumer.partitions_for_topic(self._topic) or ())

    def _assign(self) -> None:
        self._consumer.assign([self._at(number) for number in self._partitions])

    def _follow(self) -> None:
        """Take on partitions that were added, and a topic that was made anew."""
        now = time.monotonic()
        if now - self._followed_at < METADATA_EVERY_MS / 1000:
            return
        self._followed_at = now
        if self._was_made_anew() or self._chosen_partition is not None:
            return
        there = self._known()
        if added := [each for each in there if each not in self._partitions]:
            logger.info("topic %s: %d partitions were added; read from their beginning", self._topic, len(added))
            self._partitions = there
            self._assign()
            self._consumer.seek_to_beginning(*map(self._at, added))

    def _was_made_anew(self) -> bool:
        """Return whether the topic is another one than it was; if so, begin it."""
        there = self._known()
        topic_id = self._consumer._cluster.topic_id(self._topic)
        if not there or topic_id == self.topic_id:
            return False
        logger.warning("topic %s: it was deleted and made anew; read from its beginning", self._topic)
        self.topic_id = topic_id
        self._partitions = there if self._chosen_partition is None else self._partitions
        self.generation += 1
        self._consumer.assign([])
        self._assign()
        self._consumer.seek_to_beginning()
        return True

    def _known(self) -> list[int]:
        """Return the partitions that the library knows already; its own method may ask the broker."""
        return sorted(self._consumer._cluster.partitions_for_topic(self._topic) or ())

    def _bounds(self) -> tuple[dict[int, int], dict[int, int]]:
        """Return by partition the first offset there is, and the one behind the last."""
        where = [self._at(number) for number in self._partitions]
        timeout_ms = round(self._open_timeout_s * 1000)
        first = self._consumer.beginning_offsets(where, timeout_ms=timeout_ms)
        end = self._consumer.end_offsets(where, timeout_ms=timeout_ms)
        if any(first.get(each) is None or end.get(each) is None for each in where):
            raise KafkaTimeoutError(f"no leader answers for a partition of {self._topic}")
        return {each.partition: first[each] for each in where}, {each.partition: end[each] for each in where}

    def _seek_within(self, partition: int, offset: int, first: int, end: int) -> None:
        """Move to an offset, or to the nearest one that the partition holds."""
        if offset < first:
            self.num_missed += first - offset
            logger.log(
                logging.WARNING
                if offset
                else logging.INFO,  # that a topic is older than what it holds is as it should be
                "topic %s, partition %d: %d messages were deleted by the broker before they were read; going on at %d",
                self._topic,
                partition,
                first - offset,
                first,
            )
        self._consumer.seek(self._at(partition), min(max(offset, first), end))

    def _skip_unreadable(self) -> list[ConsumerRecord]:
        broken = self._consumer._fetcher._next_partition_records  # kafka-python does not say which partition it is in
        if broken is None:
            raise KafkaError("a batch of messages cannot be parsed")
        where = broken.topic_partition
        offset = self._consumer.position(where)
        self._consumer.seek(where, offset + 1)
        return [
            ConsumerRecord(
                topic=where.topic,
                partition=where.partition,
                leader_epoch=-1,
                offset=offset,
                timestamp=-1,
                timestamp_type=0,
                key=None,
                value=b"",
                headers=[(UNREADABLE, b"")],
                checksum=None,
                serialized_key_size=-1,
                serialized_value_size=0,
                serialized_header_size=0,
            )
        ]

    def _offsets(self, partitions: Sequence[int] | None = None) -> dict[int, OffsetAndMetadata]:
        if self._group is None:
            return {}
        where = [self._at(number) for number in (self._partitions if partitions is None else partitions)]
        # One request for all; the public method takes one partition at a time.
        found = self._consumer._coordinator.fetch_committed_offsets(where, timeout_ms=COMMIT_TIMEOUT_MS)
        return {each.partition: offset for each, offset in found.items()}

    def _read_up_to(self, found: OffsetAndMetadata) -> ReadUpTo | None:
        cameras = _cameras(found)
        if self._camera in cameras:
            return ReadUpTo(*cameras[self._camera])
        if cameras:
            return None  # of other cameras only
        known_before = int(found.metadata) if str(found.metadata).isdecimal() else found.offset
        return ReadUpTo(found.offset, known_before)


def _cameras(found: OffsetAndMetadata | None) -> dict[str, list[int]]:
    """Return from the metadata of an offset how far each camera has read; empty if others have written them."""
    try:
        cameras = json.loads(found.metadata) if found is not None else {}
    except (TypeError, ValueError):
        return {}
    if not isinstance(cameras, dict):
        return {}
    return {
        name: each
        for name, each in cameras.items()
        if isinstance(each, list) and len(each) == 2 and all(type(number) is int and number >= 0 for number in each)
    }


def timestamp_ms(text: str) -> int:
    """Return the Unix milliseconds of an ISO 8601 time; UTC if it names no zone.

    Raises:
        ValueError: If the text is not an ISO 8601 time.
    """
    at = datetime.fromisoformat(text)
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
