"""Records into a list: for tests and examples.

Needs: nothing.
Guarantee: everything, in order.
When slow: waits.
Secrets: none.
"""

from collections.abc import Sequence

from pipeline.core import Record
from pipeline.core.errors import SinkBusyError


class MemorySink:
    """Keeps records.

    Args:
        records: The list they are added to; None: a new one.
        busy_times: So many times ``write`` refuses first.
        retry_after_s: What it asks for then.

    Attributes:
        records: What was taken, in order.
        num_flushes: Calls of ``flush``.
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
            raise SinkBusyError("memory: told to be busy; write again", retry_after_s=self._retry_after_s)
        self.records.extend(records)

    def flush(self) -> None:
        """Do nothing: memory is as safe as it gets."""
        self.num_flushes += 1

    def close(self) -> None:
        """Remember that it was closed."""
        self.is_closed = True
