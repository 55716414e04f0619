"""The sinks as one: written, waited for, flushed, and brought back to where they stood."""

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
        num_retries: Batches that a sink did not take at once.
        behind: Sinks that are waited for no longer.
    """

    def __init__(self, sinks: Mapping[str, Sink]) -> None:
        self._sinks = dict(sinks)
        self._patient_until = inf
        self.num_retries = 0
        self.behind: dict[str, None] = {}

    def be_patient_for(self, seconds: float) -> None:
        """Wait for busy sinks no longer than that from now on."""
        self._patient_until = time.monotonic() + seconds

    async def write(self, records: Sequence[Record]) -> None:
        """Write to every sink; a busy one is waited for."""
        for name, sink in self._sinks.items() if records else ():
            await self._patiently(name, partial(sink.write, records))

    async def try_to_flush(self) -> bool:
        """Flush every sink and return whether all have everything safe.

        One that is busy has not, but it still takes records until it is full.
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
            await self._patiently(name, sink.flush)
        return not self.behind

    async def close(self) -> None:
        """Close every sink."""
        loop = asyncio.get_running_loop()
        for sink in self._sinks.values():
            await loop.run_in_executor(None, sink.close)

    def marks(self) -> dict[str, str]:
        """Return where each sink stands that can go back there."""
        return {name: sink.mark() for name, sink in self._sinks.items() if isinstance(sink, RewindableSink)}

    def rewind(self, marks: Mapping[str, str]) -> None:
        """Take every sink back to where it stood."""
        for name, sink in self._sinks.items():
            if name in marks and isinstance(sink, RewindableSink):
                sink.rewind(marks[name])

    async def _patiently(self, name: str, call: Callable[[], None]) -> None:
        """Call a sink again and again until it takes what it is given, or patience ends."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.run_in_executor(None, call)
            except SinkBusyError as busy:
                self.num_retries += 1
                patience_s = self._patient_until - time.monotonic()
                if patience_s <= 0:
                    logger.error("sink %s is waited for no longer: %s", name, busy)
                    self.behind[name] = None
                    return
                await asyncio.sleep(min(busy.retry_after_s, patience_s))
            else:
                return
