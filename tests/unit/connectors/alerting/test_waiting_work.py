"""Work that waits for a thread: in order, bounded, and finished before the end."""

import threading
from collections.abc import Iterator

from connectors.alerting.waiting_work import WaitingWork


class Worker:
    """Takes pieces once it may."""

    def __init__(self, most: int | None = None) -> None:
        self.taken: list[str] = []
        self.most = most
        self.may_begin = threading.Event()
        self.has_ended = threading.Event()

    def work(self, pieces: Iterator[str]) -> None:
        self.may_begin.wait()
        for piece in pieces:
            self.taken.append(piece)
            if len(self.taken) == self.most:
                break
        self.has_ended.set()


def test_what_waits_is_done_in_order_before_the_end() -> None:
    worker = Worker()
    waiting = WaitingWork(worker.work, name="test", max_size=3)
    for piece in "abc":
        waiting.put(piece)
    worker.may_begin.set()
    assert waiting.close() == 0
    assert worker.taken == ["a", "b", "c"]
    assert waiting.close() == 0


def test_where_too_much_waits_the_oldest_is_dropped_and_counted_once() -> None:
    worker = Worker()
    waiting = WaitingWork(worker.work, name="test", max_size=5, size_of=len)
    for piece in ("aaa", "bb", "c", "dd", "eeeee", "f"):
        waiting.put(piece)
    worker.may_begin.set()
    assert waiting.close() == 5
    assert worker.taken == ["f"]
    assert waiting.close() == 0


def test_after_the_work_has_ended_nothing_more_waits_or_is_counted() -> None:
    worker = Worker(most=1)
    waiting = WaitingWork(worker.work, name="test", max_size=1)
    waiting.put("a")
    worker.may_begin.set()
    assert worker.has_ended.wait(10)
    assert waiting.close() == 0
    for _ in range(5):
        waiting.put("b")
    assert waiting.close() == 0
    assert worker.taken == ["a"]
