"""Appends records to a list, for tests and examples.

Needs: nothing.
Guarantee: every record, in order.
When slow: waits.
Secrets: none.
"""

from collections.abc import Sequence

from pipeline.core import Record
from pipeline.core.errors import SinkBusyError


class MemorySink:
    """Keeps records.

    Args:
        records: The list that they are appended to; None: a new list.
        busy_times: Number of calls of ``write`` that are refused first.
        retry_after_s: Seconds to wait that a refused call asks for.

    Attributes:
        records: The records that were taken, in order.
        num_flushes: Number of calls of ``flush``.
        is_closed: Whether ``close`` was called.
    """

    def __init__(self, records: list[Record] | None = None, *, busy_times: int = 0, retry_after_s: float = 0.0) -> None:
        self.records: list[Record] = [] if records is None else records
        self.num_flushes = 0
        self.is_closed = False
        self._busy_times = busy_times
        self._retry_after_s = retry_after_s

    def write(self, records: Sequence[Record]) -> None:
        """Take the records.

        Raises:
            SinkBusyError: The first ``busy_times`` times.
        """
        if self._busy_times:
            self._busy_times -= 1
            raise SinkBusyError("memory: busy, as configured; write again", retry_after_s=self._retry_after_s)
        self.records.extend(records)

    def flush(self) -> None:
        """Count the call: memory needs no flush."""
        self.num_flushes += 1

    def close(self) -> None:
        """Remember that it was closed."""
        self.is_closed = True
