"""All sinks as one: written, waited for, flushed, and rewound.

A local sink (a file, the terminal) is called directly, and waited for. A remote sink has a thread and a bounded queue
of its own, so that no network is waited for.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Generic, TypeVar

from pipeline.core import Record, RemoteSink, RewindableSink, Sink
from pipeline.core.errors import ReidError, SinkBusyError
from pipeline.core.plugin_contract import blaming
from pipeline.core.records.sink_report import SinkReport
from pipeline.runtime.sink_thread import SinkThread

logger = logging.getLogger(__name__)

ROOM_POLL_S = 1.0
"""Seconds between two looks at whether a full sink that may not drop has room, or is waited for no longer."""

MAX_FLUSHES = 1000
"""Flushes that wait for a remote sink to catch up, at most. More would let the ledger forget a little earlier."""

Note = TypeVar("Note")


@dataclass(frozen=True, slots=True)
class Flush(Generic[Note]):
    """A flush that every local sink has made.

    Attributes:
        position: Number of the last ``write`` before it.
        note: What the caller wants to know once every remote sink is that far.
        marks: The positions of the sinks that can be rewound.
    """

    position: int
    note: Note
    marks: Mapping[str, str]


class SinkFanout(Generic[Note]):
    """All sinks of a run, by name.

    Args:
        sinks: By name.
        may_call: Whether a remote sink may be called now; not while another process may have taken over.

    Attributes:
        behind: Sinks that are waited for no longer; they lack records.
    """

    def __init__(self, sinks: Mapping[str, Sink], may_call: Callable[[], bool] = lambda: True) -> None:
        self._local = {name: sink for name, sink in sinks.items() if not isinstance(sink, RemoteSink)}
        self._remote = {
            name: SinkThread(name, sink, may_call=may_call)
            for name, sink in sinks.items()
            if isinstance(sink, RemoteSink)
        }
        self._position = 0
        self._flushes: deque[Flush[Note]] = deque()
        self._patient_until = inf
        self._num_retries = 0
        self.behind: dict[str, None] = {}

    @property
    def num_retries(self) -> int:
        """Calls that a busy sink refused."""
        return self._num_retries + sum(remote.num_retries for remote in self._remote.values())

    @property
    def reports(self) -> dict[str, SinkReport]:
        """What remote sinks have not delivered, by sink."""
        return {name: remote.report() for name, remote in self._remote.items()}

    @property
    def dropped(self) -> dict[str, int]:
        """Records that remote sinks gave up for good, by sink; none where there are none."""
        return {name: report.num_given_up for name, report in self.reports.items() if report.num_given_up}

    @property
    def why_dropped(self) -> dict[str, str]:
        """Why receivers never take what was given up, by sink; none where too many records waited."""
        return {name: report.why_given_up for name, report in self.reports.items() if report.why_given_up}

    def be_patient_for(self, seconds: float) -> None:
        """Wait for busy sinks at most so many seconds from now."""
        self._patient_until = time.monotonic() + seconds

    async def write(self, records: Sequence[Record]) -> None:
        """Write to every sink; a busy local one is waited for, and a remote one that is full and may not drop."""
        if not records:
            return
        self._position += 1
        records = tuple(records)  # the same for every sink, whatever one does with it
        for name, remote in self._remote.items():
            while not remote.put(self._position, records):
                if time.monotonic() >= self._patient_until:
                    self._give_up(name, "its queue is full")
                    break
                await asyncio.to_thread(remote.wait_for_room, ROOM_POLL_S)
        for name, sink in self._local.items():
            await self._retry(name, sink, partial(sink.write, records))

    async def try_to_flush(self, note: Note) -> Flush[Note] | None:
        """Flush every local sink once, ask the remote ones, and return the newest flush that all sinks have safe.

        A busy sink has not, but it still accepts records until it is full.
        """
        loop = asyncio.get_running_loop()
        is_safe = True
        for name, sink in self._local.items():
            try:
                await loop.run_in_executor(None, _named(name, sink, sink.flush))
            except SinkBusyError:
                self._num_retries += 1
                is_safe = False
        for remote in self._remote.values():
            remote.ask_to_flush()
        if is_safe:
            if len(self._flushes) == MAX_FLUSHES:
                self._flushes.pop()
            self._flushes.append(Flush(self._position, note, self.marks()))
        return self._newest_safe()

    async def settle(self, timeout_s: float) -> bool:
        """Return whether the remote sinks have everything safe; wait for them up to ``timeout_s`` seconds in all."""
        until = time.monotonic() + timeout_s
        for remote in self._remote.values():
            if not await asyncio.to_thread(remote.wait_until_safe, max(0.0, until - time.monotonic())):
                return False
        return True

    async def flush(self) -> bool:
        """Flush every sink, wait for the busy ones, and return whether all have everything safe."""
        for name, sink in self._local.items():
            await self._retry(name, sink, sink.flush)
        for name, remote in self._remote.items():
            while not await asyncio.to_thread(remote.wait_until_safe, min(ROOM_POLL_S, self._patience_s())):
                if self._patience_s() <= 0:
                    self._give_up(name, "it has not everything yet")
                    break
        return not self.behind

    async def close(self) -> dict[str, str]:
        """Close every sink, and return why those could not be closed that could not, by name."""
        loop = asyncio.get_running_loop()
        closes = {name: remote.close for name, remote in self._remote.items()}
        closes |= {name: _named(name, sink, sink.close) for name, sink in self._local.items()}
        unclosed = {}
        for name, close in closes.items():
            try:
                await loop.run_in_executor(None, close)
            except ReidError as error:  # the files of the other sinks, and the summary, must not be lost for it
                unclosed[name] = str(error)
        return unclosed

    def marks(self) -> dict[str, str]:
        """Return the position of each sink that can be rewound."""
        return {name: sink.mark() for name, sink in self._local.items() if isinstance(sink, RewindableSink)}

    def rewind(self, marks: Mapping[str, str]) -> None:
        """Rewind every sink to its position of then."""
        for name, sink in self._local.items():
            if name in marks and isinstance(sink, RewindableSink):
                sink.rewind(marks[name])

    def _newest_safe(self) -> Flush[Note] | None:
        safe = min((remote.safe for remote in self._remote.values()), default=self._position)
        newest = None
        while self._flushes and self._flushes[0].position <= safe:
            newest = self._flushes.popleft()
        return newest

    def _patience_s(self) -> float:
        return max(0.0, self._patient_until - time.monotonic())

    def _give_up(self, name: str, why: object) -> None:
        logger.error("sink %s is still busy and waited for no longer: %s", name, why)
        self.behind[name] = None

    async def _retry(self, name: str, sink: Sink, call: Callable[[], None]) -> None:
        """Call a sink until it is no longer busy, or patience ends."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.run_in_executor(None, _named(name, sink, call))
            except SinkBusyError as busy:
                self._num_retries += 1
                if self._patience_s() <= 0:
                    self._give_up(name, busy)
                    return
                await asyncio.sleep(min(busy.retry_after_s, self._patience_s()))
            else:
                return


def _named(name: str, sink: Sink, call: Callable[[], None]) -> Callable[[], None]:
    """Return a call of a sink whose errors name it."""

    def named() -> None:
        with blaming(f"sink.{name}", sink):
            call()

    return named
