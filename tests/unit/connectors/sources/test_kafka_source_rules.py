"""What a Kafka source yields, drops and commits, without a broker: its partition is a list of polls."""

from collections.abc import Mapping, Sequence

import pytest
from kafka.consumer.fetcher import ConsumerRecord
from kafka_broker import Message, end_message, frame_message
from kafka_source import NODE, frames

from connectors.kafka.frame_message import FaultyMessageError
from connectors.kafka.reading.topic_reading import ReadUpTo
from connectors.sources import kafka as kafka_source_module
from connectors.sources.kafka import KafkaSource
from pipeline.config.plugins import build_source
from pipeline.core.errors import SourceLostError

FAULTY: Message = (b"east", b"?", [])


class Partition:
    """Stands for ``TopicReading``, ``LiveView`` and ``DeadLetters``: gives the polls and notes what is called."""

    partitions = (0,)
    generation = num_missed = num_dropped = num_lost = num_waiting = 0
    topic_id = None

    def __init__(self, polls: Sequence[Sequence[Message]], *, are_letters_safe: bool = True) -> None:
        messages = [message for poll in polls for message in poll]
        self._records = [record(offset, message) for offset, message in enumerate(messages)]
        self._sizes = [len(poll) for poll in polls]
        self._are_letters_safe = are_letters_safe
        self._num_read = 0
        self.calls: list[object] = []

    def poll(self, _: float) -> list[ConsumerRecord]:
        size = self._sizes.pop(0) if self._sizes else 0
        taken, self._records = self._records[:size], self._records[size:]
        self._num_read += size
        return taken

    @property
    def is_behind(self) -> bool:
        return bool(self._records)

    def seek(self, start: int | str) -> None:
        self.calls.append(("seek", start))

    def ends(self) -> dict[int, int]:
        return {0: self._num_read + len(self._records)}

    def position(self, _: int) -> int:
        return self._num_read

    def read_only(self, partitions: Sequence[int] | None) -> None:
        pass

    def committed(self) -> dict[int, ReadUpTo]:
        return {}

    def commit(self, reads: Mapping[int, ReadUpTo]) -> None:
        self.calls.append(("commit", reads[0].offset))

    def put(self, message: ConsumerRecord, _: FaultyMessageError) -> None:
        self.calls.append(("put", message.offset))

    def settle(self) -> bool:
        return self._are_letters_safe

    def flush(self) -> None:
        self.calls.append("flush")

    def close(self) -> None:
        pass


def record(offset: int, message: Message) -> ConsumerRecord:
    key, value, headers = message
    return ConsumerRecord("frames", 0, -1, offset, 0, 0, key, value, headers, None, len(key or b""), len(value), 0)


def make_source(partition: Partition, monkeypatch: pytest.MonkeyPatch, **options: object) -> KafkaSource:
    monkeypatch.setattr(kafka_source_module, "TopicReading", lambda *_, **__: partition)
    monkeypatch.setattr(KafkaSource, "_view", lambda *_: partition)
    monkeypatch.setattr(kafka_source_module, "DeadLetters", lambda *_: partition)
    block = {"uri": "kafka://127.0.0.1:1/frames", "group": "test", "read_timeout_s": 0.0, **options}
    made = build_source("east", block, NODE)()  # type: ignore[arg-type]
    assert isinstance(made, KafkaSource)
    return made


def received(source: KafkaSource) -> list[int]:
    """Read a source until it is lost, and acknowledge every frame."""
    indices = []
    try:
        for frame in source.frames():
            indices.append(frame.stamp.index)
            source.ack(frame.stamp)
    except SourceLostError:
        pass
    return indices


def messages(first: int, count: int) -> list[Message]:
    return [frame_message(frame) for frame in frames(count, first=first)]


def test_a_live_camera_yields_only_the_newest_frame_of_several_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    partition = Partition([messages(0, 3), messages(3, 3), messages(6, 2)])
    source = make_source(partition, monkeypatch, live=True)
    assert received(source) == [7]
    assert source.num_dropped == 7


def test_a_recording_yields_every_frame_of_several_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    partition = Partition([messages(0, 3), messages(3, 3), [*messages(6, 2), end_message()]])
    source = make_source(partition, monkeypatch, live=False)
    assert received(source) == list(range(8))
    assert source.num_dropped == 0


def test_offsets_are_committed_once_dead_letters_are_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    partition = Partition([[*messages(0, 1), FAULTY, *messages(2, 1), end_message()]])
    source = make_source(partition, monkeypatch, live=False)
    assert received(source) == [0, 2]
    assert partition.calls == [("seek", "earliest"), ("put", 1), "flush", ("commit", 3)]


def test_no_offset_is_committed_while_a_dead_letter_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    polls = [[*messages(0, 1), FAULTY, *messages(2, 1)], [], [], [end_message()]]
    partition = Partition(polls, are_letters_safe=False)
    source = make_source(partition, monkeypatch, live=False, commit_every_s=0.0, read_timeout_s=5.0)
    assert received(source) == [0, 2]
    assert partition.calls == [("seek", "earliest"), ("put", 1), "flush"]


def test_an_offset_is_committed_only_after_its_frame_is_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    partition = Partition([messages(0, 2), messages(2, 2), [end_message()]])
    source = make_source(partition, monkeypatch, live=False, commit_every_s=0.0)
    stamps = []
    for frame in source.frames():
        stamps.append(frame.stamp)
        if frame.stamp.index == 3:
            source.ack(stamps[1])
    assert [call for call in partition.calls if call != "flush"] == [("seek", "earliest"), ("commit", 2)]
