"""What a Kafka source yields, drops and commits, without a broker: its partition is a list of polls."""

from collections.abc import Sequence

import pytest
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka_broker import Message, end_message, frame_message
from kafka_source import NODE, frames

from connectors.kafka.frame_message import FaultyMessageError
from connectors.kafka.partition_reading import ReadUpTo
from connectors.sources import kafka as kafka_source_module
from connectors.sources.kafka import KafkaSource
from pipeline.config.plugins import build_source
from pipeline.core.errors import SourceLostError

FAULTY: Message = (b"east", b"?", [])


class Partition:
    """Stands for ``PartitionReading`` and ``DeadLetters``: gives the polls and notes what is called."""

    def __init__(self, polls: Sequence[Sequence[Message]], error: KafkaError | None = None) -> None:
        messages = [message for poll in polls for message in poll]
        self._records = [record(offset, message) for offset, message in enumerate(messages)]
        self._sizes = [len(poll) for poll in polls]
        self._error = error
        self.calls: list[object] = []

    def poll(self, _: float) -> list[ConsumerRecord]:
        size = self._sizes.pop(0) if self._sizes else 0
        taken, self._records = self._records[:size], self._records[size:]
        return taken

    def is_behind(self) -> bool:
        return bool(self._records)

    def seek(self, start: int | str) -> None:
        self.calls.append(("seek", start))

    def committed(self) -> None:
        return None

    def commit(self, read: ReadUpTo) -> None:
        self.calls.append(("commit", read.offset))

    def put(self, message: ConsumerRecord, _: FaultyMessageError) -> None:
        self.calls.append(("put", message.offset))

    def flush(self) -> None:
        self.calls.append("flush")
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        pass


def record(offset: int, message: Message) -> ConsumerRecord:
    key, value, headers = message
    return ConsumerRecord("frames", 0, -1, offset, 0, 0, key, value, headers, None, len(key or b""), len(value), 0)


def make_source(partition: Partition, monkeypatch: pytest.MonkeyPatch, **options: object) -> KafkaSource:
    monkeypatch.setattr(kafka_source_module, "PartitionReading", lambda *_, **__: partition)
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
    assert partition.calls[0] == ("seek", "latest")


def test_a_recording_yields_every_frame_of_several_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    partition = Partition([messages(0, 3), messages(3, 3), [*messages(6, 2), end_message()]])
    source = make_source(partition, monkeypatch, live=False)
    assert received(source) == list(range(8))
    assert source.num_dropped == 0


@pytest.mark.parametrize("last", [[], [end_message()]], ids=["while reading", "at the end"])
def test_offsets_are_committed_after_their_dead_letters_are_safe(
    monkeypatch: pytest.MonkeyPatch, last: list[Message]
) -> None:
    partition = Partition([[*messages(0, 1), FAULTY, *messages(2, 1), *last]])
    source = make_source(partition, monkeypatch, live=False, commit_every_s=0.0)
    assert received(source) == [0, 2]
    assert partition.calls[1:4] == [("put", 1), "flush", ("commit", 3)]


@pytest.mark.parametrize("last", [[], [end_message()]], ids=["while reading", "at the end"])
def test_no_offset_is_committed_if_a_dead_letter_is_lost(monkeypatch: pytest.MonkeyPatch, last: list[Message]) -> None:
    partition = Partition([[*messages(0, 1), FAULTY, *messages(2, 1), *last]], KafkaTimeoutError("no answer"))
    source = make_source(partition, monkeypatch, live=False, commit_every_s=0.0)
    assert received(source) == [0, 2]
    assert {call for call in partition.calls if call != "flush"} == {("seek", "earliest"), ("put", 1)}


def test_an_offset_is_committed_only_after_its_frame_is_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    partition = Partition([messages(0, 2), messages(2, 2), [end_message()]])
    source = make_source(partition, monkeypatch, live=False, commit_every_s=0.0)
    stamps = []
    for frame in source.frames():
        stamps.append(frame.stamp)
        if frame.stamp.index == 3:
            source.ack(stamps[1])
    assert [call for call in partition.calls if call != "flush"] == [("seek", "earliest"), ("commit", 2)]
