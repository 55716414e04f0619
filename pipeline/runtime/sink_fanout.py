"""All sinks as one: written, waited for, flushed, and rewound."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import inf

from pipeline.core import Record, RewindableSink, Sink
from pipeline.core.errors import SinkBusyError

logger = logging.getLogger(__name__)


class SinkFanout:
    """All sinks of a run, by name.

    Args:
        sinks: By name.

    Attributes:
        num_retries: Calls that a busy sink refused.
        behind: Sinks that are waited for no longer; they lack records.
    """

    def __init__(self, sinks: Mapping[str, Sink]) -> None:
        self._sinks = dict(sinks)
        self._patient_until = inf
        self.num_retries = 0
        self.behind: dict[str, None] = {}

    def be_patient_for(self, seconds: float) -> None:
        """Wait for busy sinks at most so many seconds from now."""
        self._patient_until = time.monotonic() + seconds

    async def write(self, records: Sequence[Record]) -> None:
        """Write to every sink; a busy one is waited for."""
        for name, sink in self._sinks.items() if records else ():
            await self._retry(name, partial(sink.write, records))

    async def try_to_flush(self) -> bool:
        """Flush every sink once, and return whether all have everything safe.

        A busy sink has not, but it still accepts records until it is full.
        """
        loop = asyncio.get_running_loop()
        is_safe = True
        for sink in self._sinks.values():
            try:
                await loop.run_in_executor(None, sink.flush)
            except SinkBusyError:
                self.num_retries += 1
                is_safe = False
        return is_safe

    async def flush(self) -> bool:
        """Flush every sink, wait for the busy ones, and return whether all have everything safe."""
        for name, sink in self._sinks.items():
            await self._retry(name, sink.flush)
        return not self.behind

    async def close(self) -> None:
        """Close every sink."""
        loop = asyncio.get_running_loop()
        for sink in self._sinks.values():
            await loop.run_in_executor(None, sink.close)

    def marks(self) -> dict[str, str]:
        """Return the position of each sink that can be rewound."""
        return {name: sink.mark() for name, sink in self._sinks.items() if isinstance(sink, RewindableSink)}

    def rewind(self, marks: Mapping[str, str]) -> None:
        """Rewind every sink to its position of then."""
        for name, sink in self._sinks.items():
            if name in marks and isinstance(sink, RewindableSink):
                sink.rewind(marks[name])

    async def _retry(self, name: str, call: Callable[[], None]) -> None:
        """Call a sink until it is no longer busy, or patience ends."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.run_in_executor(None, call)
            except SinkBusyError as busy:
                self.num_retries += 1
                patience_s = self._patient_until - time.monotonic()
                if patience_s <= 0:
                    logger.error("sink %s is still busy and waited for no longer: %s", name, busy)
                    self.behind[name] = None
                    return
                await asyncio.sleep(min(busy.retry_after_s, patience_s))
            else:
                return
