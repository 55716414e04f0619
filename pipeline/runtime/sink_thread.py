"""A sink that a network may slow down, in a thread of its own: nobody waits for it."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from pipeline.core import Record, RemoteSink, ReportingSink
from pipeline.core.errors import SinkBusyError
from pipeline.core.plugin_contract import blaming
from pipeline.core.records.sink_report import SinkReport

logger = logging.getLogger(__name__)

MAX_QUEUED = 1000
"""Records that wait for a remote sink, at most; chosen to bound memory to some megabytes. More are dropped later."""

MAY_CALL_POLL_S = 0.5
"""Seconds between two looks whether a sink may be called again. More delay it after the process had stood still."""

IDLE_FLUSH_S = 10.0
"""Seconds between two flushes of a sink that has nothing to do, to notice, and say, that its receiver is away.
A longer time lets a site rely on a receiver that would take no alert."""

STOP_S = 10.0
"""Seconds that a call in progress may take when the sink is closed. A longer time delays the end of a run."""


class SinkThread:
    """Calls a remote sink in a thread of its own.

    Args:
        name: Of the sink, for messages.
        sink: The sink.
        max_queued: Records that wait, at most. A sink that may drop loses the oldest above it.
        may_call: Whether the sink may be called now; asked before each call.

    Attributes:
        num_retries: Calls that the sink refused because it was busy.
        num_dropped: Records that were dropped because the queue was full.
    """

    def __init__(
        self,
        name: str,
        sink: RemoteSink,
        *,
        max_queued: int = MAX_QUEUED,
        may_call: Callable[[], bool] = lambda: True,
    ) -> None:
        self._may_call = may_call
        self._name, self._sink, self._max_queued = name, sink, max_queued
        self._changed = threading.Condition()
        self._queue: deque[tuple[int, list[Record]]] = deque()
        self._num_queued = 0
        self._is_calling = False
        self._written = self._safe = self._flush_until = 0
        self._failure: BaseException | None = None
        self._is_closing = False
        self._refusal: str | None = None
        self.num_retries = 0
        self.num_dropped = 0
        self._look_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"sink-{name}", daemon=True)
        self._thread.start()

    @property
    def safe(self) -> int:
        """The position up to which the sink has everything safe, or has dropped it."""
        self._check()
        return self._safe

    def report(self) -> SinkReport:
        """Return what the sink has not delivered, with what waits in the queue and was dropped there."""
        own = self._sink.report() if isinstance(self._sink, ReportingSink) else SinkReport()
        too_slow = "; others because its receiver was too slow or down" if own.why_given_up and self.num_dropped else ""
        return SinkReport(
            own.num_waiting + self._num_queued,
            own.num_given_up + self.num_dropped,
            own.refusal or self._refusal,
            own.why_given_up + too_slow,
        )

    def put(self, position: int, records: Sequence[Record]) -> bool:
        """Queue records; return False, and take none, if the queue is full and the sink may not drop.

        Raises:
            ConnectorError: If the sink failed for good.
        """
        self._check()
        wanted = [record for record in records if isinstance(record, self._sink.kinds)]
        with self._changed:
            if wanted and self._queue and self._num_queued + len(wanted) > self._max_queued:
                if not self._sink.may_drop:
                    return False
                self._drop(self._num_queued + len(wanted) - self._max_queued)
            is_idle = self._safe == self._written
            self._written = position
            if wanted:
                self._queue.append((position, wanted))
                self._num_queued += len(wanted)
                self._changed.notify_all()
            elif is_idle:
                self._safe = position
        return True

    def wait_for_room(self, timeout_s: float) -> None:
        """Return when the queue is shorter, or after ``timeout_s``."""
        with self._changed:
            self._changed.wait_for(lambda: self._num_queued < self._max_queued or self._failure is not None, timeout_s)

    def ask_to_flush(self) -> None:
        """Let the thread flush the sink once it has everything that was put until now."""
        with self._changed:
            self._flush_until = self._written
            self._changed.notify_all()

    def wait_until_safe(self, timeout_s: float) -> bool:
        """Return whether everything that was put is safe; wait for it up to ``timeout_s`` seconds."""
        self.ask_to_flush()
        with self._changed:
            self._changed.wait_for(lambda: self._safe >= self._written or self._failure is not None, timeout_s)
        return self.safe >= self._written

    def close(self) -> None:
        """Stop the thread and close the sink; idempotent."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join(STOP_S)
        if self._thread.is_alive():
            logger.error("sink %s: a call still waits %g s after the end, and is abandoned", self._name, STOP_S)
            return
        with blaming(f"sink.{self._name}", self._sink):
            self._sink.close()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _drop(self, num: int) -> None:
        """Drop the oldest records that the thread is not passing on at this moment."""
        if not self.num_dropped:
            logger.error(
                "sink %s: %d records wait, the oldest are dropped from now on; the ledger and the files have them all",
                self._name,
                self._num_queued,
            )
        first = int(self._is_calling)
        while num > 0 and len(self._queue) > first:
            dropped = len(self._queue[first][1])
            del self._queue[first]
            self._num_queued -= dropped
            self.num_dropped += dropped
            num -= dropped

    def _run(self) -> None:
        try:
            while self._step():
                pass
        except BaseException as error:  # the next call raises it
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _step(self) -> bool:
        """Make one call to the sink; return whether to go on."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._queue or self._wants_flush() or self._is_closing,
                max(0.0, self._look_at - time.monotonic()),
            )
            if self._is_closing:
                return False
            self._look_at = time.monotonic() + IDLE_FLUSH_S
            if not self._may_call():
                self._changed.wait_for(lambda: self._is_closing, MAY_CALL_POLL_S)
                return True
            is_flush = not self._queue or (self._wants_flush() and self._queue[0][0] > self._flush_until)
            position, records = (self._flush_until, []) if is_flush else self._queue[0]
            self._is_calling = not is_flush
        try:
            with blaming(f"sink.{self._name}", self._sink):
                if is_flush:
                    self._sink.flush()
                else:
                    self._sink.write(records)
        except SinkBusyError as busy:
            self.num_retries += 1
            self._refusal = str(busy)
            self._pause(busy.retry_after_s)
            return True
        self._refusal = None
        with self._changed:
            if is_flush:
                self._safe = max(self._safe, position)
            else:
                self._queue.popleft()
                self._num_queued -= len(records)
            self._is_calling = False
            self._changed.notify_all()
        return True

    def _wants_flush(self) -> bool:
        return self._flush_until > self._safe

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        with self._changed:
            self._is_calling = False
            self._changed.wait_for(lambda: self._is_closing, max(0.0, until - time.monotonic()))
