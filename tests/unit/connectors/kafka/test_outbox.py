from pathlib import Path

import pytest

from connectors.kafka import outbox as outbox_module
from connectors.kafka.outbox import Outbox, OutboxMessage
from pipeline.core.errors import ConnectorError


def message(name: str, value: bytes = b"{}") -> OutboxMessage:
    return OutboxMessage(name, "topic", "7", value)


def names(outbox: Outbox, after: int = 0, limit: int = 100) -> list[str]:
    return [message.name for _, message in outbox.waiting(after=after, limit=limit)]


def test_waiting_messages_survive_the_end_of_the_process(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.put([message("a"), message("b"), message("c")])
    ((number, first), *_) = outbox.waiting(after=0, limit=1)
    assert first == message("a")
    outbox.delivered([number])
    again = Outbox(tmp_path / "outbox.sqlite")  # nothing was closed
    assert names(again) == ["b", "c"]
    assert len(again) == len(outbox) == 2
    outbox.close()
    again.close()


def test_delivered_messages_are_not_stored_again(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.put([message("a"), message("b")])
    outbox.delivered(number for number, _ in outbox.waiting(after=0, limit=10))
    outbox.put([message("a"), message("b"), message("c")])
    assert names(outbox) == ["c"]
    outbox.close()


def test_another_body_with_the_same_name_is_stored(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.put([message("a", b"1"), message("a", b"2"), message("a", b"1")])
    assert [message.value for _, message in outbox.waiting(after=0, limit=10)] == [b"1", b"2"]
    outbox.close()


def test_waiting_messages_are_in_order_and_in_batches(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    sent = [f"{i * 37 % 250:03}" for i in range(250)]  # neither the names nor the bodies are sorted
    outbox.put([message(name, name.encode()) for name in sent])
    seen: list[str] = []
    after = 0
    while batch := outbox.waiting(after=after, limit=100):
        seen += [message.name for _, message in batch]
        after = batch[-1][0]
    assert seen == sent
    outbox.close()


def test_order_and_bodies_survive_the_process_and_later_messages_follow(tmp_path: Path) -> None:
    first = Outbox(tmp_path / "outbox.sqlite")
    first.put([message("c", b"3"), message("a", b"1"), message("d", b"4")])
    first.delivered([2])
    again = Outbox(tmp_path / "outbox.sqlite")  # nothing was closed
    again.put([message("b", b"2"), message("a", b"1")])
    waiting = [each for _, each in again.waiting(after=0, limit=10)]
    assert waiting == [message("c", b"3"), message("d", b"4"), message("b", b"2")]
    first.close()
    again.close()


def test_messages_are_stored_all_or_none(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.put([message("a")])
    unstorable = OutboxMessage("c", object(), "7", b"{}")  # type: ignore[arg-type]
    with pytest.raises(ConnectorError, match=r"outbox\.sqlite: cannot be written"):
        outbox.put([message("b"), unstorable])
    assert (names(outbox), len(outbox)) == (["a"], 1)
    outbox.put([message("b")])
    assert (names(outbox), len(outbox)) == (["a", "b"], 2)
    outbox.close()


def test_a_full_disk_is_an_error_and_loses_no_stored_message(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.put([message("a")])
    (num_pages,) = outbox._database.execute("PRAGMA page_count").fetchone()
    outbox._database.execute(f"PRAGMA max_page_count = {num_pages}")
    with pytest.raises(ConnectorError, match="disk is full"):
        outbox.put([message("b"), message("large", b"x" * 100_000)])
    outbox.close()
    again = Outbox(tmp_path / "outbox.sqlite")
    assert (names(again), len(again)) == (["a"], 1)
    again.close()


def test_only_the_newest_names_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "NUM_REMEMBERED", 3)
    outbox = Outbox(tmp_path / "outbox.sqlite")
    messages = [message(name) for name in "abcdef"]
    outbox.put(messages)
    outbox.delivered(number for number, waiting in outbox.waiting(after=0, limit=10) if waiting.name != "b")
    outbox.put(messages)
    assert names(outbox) == ["b", "a", "c"]
    assert len(outbox) == 3
    outbox.close()


def test_marking_a_message_as_delivered_twice_counts_once(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.put([message("a"), message("b")])
    outbox.delivered([1])
    outbox.delivered([1])
    assert len(outbox) == 1
    outbox.close()


def test_a_file_that_is_not_an_outbox_is_named(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(ConnectorError, match=r"outbox\.sqlite: expected an outbox, got .*; use another output_dir"):
        Outbox(path)
