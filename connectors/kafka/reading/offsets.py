"""How far a camera's frames were read, yielded, acknowledged and committed, by partition."""

import threading
from collections import deque
from collections.abc import Mapping

from connectors.kafka.reading.topic_reading import ReadUpTo, TopicReading
from pipeline.core import Frame


class Offsets:
    """Keeps what a group may forget: a frame is safe once it and all frames before it were acknowledged.

    ``ack`` may be called from any thread, the rest by the thread that reads.

    Attributes:
        at: Next offset by partition: below it every message was yielded, passed over or dead-lettered.
        known_before: By partition: messages below this offset were processed by an earlier process.
        is_in_use: Whether frames are being read, and acknowledgements committed there.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unacked: deque[tuple[int, dict[int, ReadUpTo]]] = deque()
        self._safe: dict[int, ReadUpTo] = {}
        self._committed: dict[int, ReadUpTo] = {}
        self.at: Mapping[int, int] = {}
        self.known_before: Mapping[int, int] = {}
        self.is_in_use = False

    def begin(self) -> None:
        """Forget the partitions that were read so far: a reading begins, or the topic was made anew."""
        with self._lock:
            self._unacked.clear()
            self._safe, self._committed = {}, {}
            self.at, self.known_before = {}, {}
            self.is_in_use = True

    def is_known(self, partition: int, offset: int) -> bool:
        """Return whether a message was processed by an earlier process."""
        return offset < self.known_before.get(partition, 0)

    def yielded(self, partition: int, frame: Frame, key_frame: int | None) -> None:
        """Note that a frame was yielded.

        Args:
            partition: Where it was.
            frame: The frame.
            key_frame: Offset of the key frame that the next unit of H.264 may need; None for other pictures.
        """
        reads = {number: ReadUpTo(offset, offset) for number, offset in self.at.items()}
        if key_frame is not None:
            offset = reads[partition].offset
            reads[partition] = ReadUpTo(min(key_frame, offset), offset)
        with self._lock:
            self._unacked.append((frame.stamp.index, reads))

    def ack(self, index: int) -> None:
        """Note that no frame up to ``index`` is needed again."""
        with self._lock:
            while self._unacked and self._unacked[0][0] <= index:
                self._safe = self._unacked.popleft()[1]

    def uncommitted(self) -> dict[int, ReadUpTo]:
        """Return what is safe and not committed."""
        with self._lock:
            return {number: read for number, read in self._safe.items() if self._committed.get(number) != read}

    def commit(self, reading: TopicReading) -> None:
        """Commit what is safe, if it changed since the last commit.

        Raises:
            KafkaError: If the broker does not take it.
        """
        reads = self.uncommitted()
        if reads:
            reading.commit(reads)
            self._committed = {**self._committed, **reads}
