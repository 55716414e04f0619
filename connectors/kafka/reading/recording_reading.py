"""A recording in a topic, read from its start, or from where it was left, to its end."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from kafka.errors import KafkaError

from connectors.kafka.reading.dead_letters import DeadLetters
from connectors.kafka.reading.frame_making import FrameMaking, Sent, Taken
from connectors.kafka.reading.home_partition import HomePartition
from connectors.kafka.reading.live_reading import POLL_S, WIDEN_AFTER_S
from connectors.kafka.reading.message_form import MessageForm
from connectors.kafka.reading.offsets import Offsets
from connectors.kafka.reading.silence import Silence
from connectors.kafka.reading.time_merge import TimeMerge
from connectors.kafka.reading.topic_reading import TopicReading
from pipeline.core import Frame


class RecordingReading:
    """Yields every frame of a recording, and drops none. It may be read in several sessions.

    Args:
        making: Makes its frames.
        form: Tells its messages from others.
        sender: The name that the sender uses for the camera.
        silence: Ends the reading when the camera has been silent for too long.
        start: Where it begins if the group has committed nothing.
        reread: Begin there in any case.
        ends_at_mark: Whether it ends at its mark. Otherwise, and if the messages are of another program, it ends at
            the latest message when the run began.
        merge_window_s: Seconds that a frame waits for an earlier one in another partition.
        commit_every_s: Seconds between two commits; None: nothing is committed, because there is no group.
        is_closed: Whether to end.
        not_committed: Called with the error of a commit.

    Attributes:
        offsets: How far frames were yielded, acknowledged and committed.
        has_frames: Whether a frame was yielded, by this process or one before.
    """

    def __init__(
        self,
        making: FrameMaking,
        form: MessageForm,
        sender: str,
        silence: Silence,
        *,
        start: int | str,
        reread: bool,
        ends_at_mark: bool,
        merge_window_s: float,
        commit_every_s: float | None,
        is_closed: Callable[[], bool],
        not_committed: Callable[[KafkaError], None],
    ) -> None:
        self._making = making
        self._form = form
        self._key = sender.encode()
        self._silence = silence
        self._start, self._reread = start, reread
        self._ends_at_mark = ends_at_mark
        self._merge_window_s = merge_window_s
        self._commit_every_s = commit_every_s
        self._is_closed = is_closed
        self._not_committed = not_committed
        self._read_at: Mapping[int, int] = {}
        self._resume_at: Mapping[int, int] = {}
        self._topic_id: object = None
        self.offsets = Offsets()
        self.has_frames = False

    @property
    def has_begun(self) -> bool:
        """Whether ``frames`` goes on where it was left."""
        return bool(self._resume_at)

    def leave(self) -> None:
        """Let the next ``frames`` go on where this session ended."""
        self._resume_at = dict(self._read_at) or self._resume_at

    def frames(self, reading: TopicReading, letters: DeadLetters) -> Iterator[Frame]:
        """Yield the frames from one opening of the topic.

        Raises:
            KafkaError: If the broker refuses.
            SourceLostError: If the camera is silent for too long.
        """
        self._seek(reading)
        merge: TimeMerge[Sent] = TimeMerge(self._merge_window_s)
        ends = reading.ends()
        home, generation, may_narrow = HomePartition(), reading.generation, True
        committed_at = time.monotonic()
        while not self._is_closed():
            messages = reading.poll(POLL_S)
            for message in messages:
                is_own = self._form.is_of(message)
                home.look(message.partition, is_own=is_own, is_keyed=message.key == self._key)
                if is_own:
                    self._silence.heard()
                    self._making.put(message, merge, letters)
            if generation != reading.generation:
                generation, ends, home = reading.generation, reading.ends(), HomePartition()
                self._topic_id = reading.topic_id
                self.offsets.begin()
            positions = {number: reading.position(number) for number in reading.partitions}
            drained = {number for number, at in positions.items() if at >= ends.get(number, 0)}
            only = home.found(reading.partitions, drained) if may_narrow else None
            unread = positions.keys() - drained if only is None else set[int]()
            _read_only(reading, (set(positions) if only is None else {only}) - merge.full())
            ends_at_latest = not self._ends_at_mark or self._form.is_foreign
            is_over = drained >= positions.keys() and ends_at_latest
            self._note(positions, merge)
            for sent in merge.rest() if is_over else merge.ready(time.monotonic(), unread):
                self._note(positions, merge)
                if sent.frame.encoding is not None:
                    decided = self._making.take(sent, self.offsets, letters)
                    yield from self._decided(decided, positions, merge, letters)
                elif self._ends_at_mark:
                    # Nothing behind the mark is committed, so that another process finds it.
                    positions = {**positions, sent.message.partition: sent.message.offset}
                    merge = TimeMerge(self._merge_window_s)
                    is_over = True
                    break
                else:
                    self._making.end()
                if self._is_closed():
                    return
            if is_over:
                yield from self._decided(self._making.rest(), positions, merge, letters)
                return
            if only in drained and (ends_at_latest or self._silence.seconds > WIDEN_AFTER_S):
                may_narrow = False  # the camera's messages may go on in another partition
            if not messages and not len(merge):
                self._silence.check()
            if self._commit_every_s is not None and time.monotonic() - committed_at >= self._commit_every_s:
                self.commit(reading, letters)
                committed_at = time.monotonic()

    def commit(self, reading: TopicReading, letters: DeadLetters) -> None:
        """Commit what was acknowledged, once dead letters are safe."""
        if self._commit_every_s is None or not letters.settle():
            return
        try:
            self.offsets.commit(reading)
        except KafkaError as error:
            self._not_committed(error)

    def end(self, reading: TopicReading, letters: DeadLetters) -> None:
        """Commit, and let later acknowledgements be committed elsewhere."""
        letters.flush()
        self.commit(reading, letters)
        self.offsets.is_in_use = False

    def _seek(self, reading: TopicReading) -> None:
        """Move to where the recording goes on, or begins."""
        self.offsets.begin()
        is_anew, self._topic_id = reading.topic_id != self._topic_id, reading.topic_id
        resume_at, self._resume_at, self._read_at = self._resume_at, {}, {}
        if resume_at:
            self.offsets.at = self._read_at = resume_at
            reading.seek("earliest" if is_anew else resume_at)
            return
        self._making.begin()
        committed = reading.committed()
        self.has_frames |= bool(committed)
        if self._reread:
            committed = {}
        self.offsets.known_before = {number: read.known_before for number, read in committed.items()}
        reading.seek({number: read.offset for number, read in committed.items()} if committed else self._start)

    def _note(self, positions: Mapping[int, int], merge: TimeMerge[Sent]) -> None:
        """Note how far the partitions were read, and up to where nothing waits."""
        self._read_at = {**positions, **merge.offsets()}
        self.offsets.at = {**self._read_at, **self._making.held()}

    def _decided(
        self,
        decided: Iterator[tuple[Taken, float]],
        positions: Mapping[int, int],
        merge: TimeMerge[Sent],
        letters: DeadLetters,
    ) -> Iterator[Frame]:
        """Yield the frames whose time is decided."""
        for taken, at in decided:
            self._note(positions, merge)
            frame = self._making.frame(taken, at, self.offsets, letters)
            if frame is not None:
                self.offsets.yielded(taken.sent.message.partition, frame, taken.key_frame)
                self.has_frames = True
                yield frame
                self._silence.heard()


def _read_only(reading: TopicReading, wanted: set[int]) -> None:
    every: Sequence[int] = reading.partitions
    reading.read_only(None if wanted == set(every) else sorted(wanted))
