"""The single writer: puts the embeddings of all cameras in order, judges them, and publishes what follows."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from pipeline.core import Alert, Correction, Embedding, Record, Sighting, Sink, TrackPart
from pipeline.core.errors import SinkBusyError
from pipeline.ledger import Ledger
from pipeline.stages.alert import AlertStage
from pipeline.stages.match import MatchStage
from pipeline.watermark import EventTimeBuffer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MatchReport:
    """What a run came to.

    Attributes:
        num_identities: People known.
        num_sightings: Published.
        num_corrections: Published.
        num_alerts: Published, without amendments and retractions.
        num_late: Embeddings that came after their turn.
        num_sink_retries: Batches that a sink did not take at once.
        latencies_s: Seconds from when each sighting's last frame was due to its publication; the newest ones.
        digest: sha256 of the result.
        busy_s: Seconds of work, by what it was.
        behind: Sinks that did not take everything in time.
    """

    num_identities: int
    num_sightings: int
    num_corrections: int
    num_alerts: int
    num_late: int
    num_sink_retries: int
    latencies_s: Sequence[float]
    digest: str
    busy_s: Mapping[str, float] = field(default_factory=dict)
    behind: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class MatchStatus:
    """How far the match actor has come; see ``MatchReport``.

    Attributes:
        num_identities: People known.
        num_sightings: Published.
        num_corrections: Published.
        num_alerts: Published.
        num_late: Embeddings that came after their turn.
        num_sink_retries: Batches that a sink did not take at once.
        num_waiting: Embeddings that wait for slower cameras.
    """

    num_identities: int = 0
    num_sightings: int = 0
    num_corrections: int = 0
    num_alerts: int = 0
    num_late: int = 0
    num_sink_retries: int = 0
    num_waiting: int = 0


class MatchActor:
    """Judges and publishes. What it returns from ``hand_over`` is what a source may forget.

    Args:
        camera_ids: The cameras that will hand over.
        make_match: Builds the match stage.
        make_alert: Builds the alert stage.
        make_sinks: Build the sinks, by name.
        ledger_path: The ledger's file.
        window_s: Seconds of event time judged together.
        max_lateness_s: See ``EventTimeBuffer``.
        flush_every_s: Seconds between two flushes of the sinks.
        max_waiting_embeddings: Cameras that are ahead wait while more than this many wait for the others.
    """

    MAX_LATENCIES = 100_000
    MAX_KNOWN_PARTS = 100_000
    """The newest ones; a camera that comes back hands over again what it did since its last checkpoint."""

    def __init__(
        self,
        *,
        camera_ids: Sequence[str],
        make_match: Callable[[], MatchStage],
        make_alert: Callable[[], AlertStage],
        make_sinks: Mapping[str, Callable[[], Sink]],
        ledger_path: Path,
        window_s: float,
        max_lateness_s: float,
        flush_every_s: float,
        max_waiting_embeddings: int,
    ) -> None:
        self._match = make_match()
        self._alert = make_alert()
        self._sinks = {name: make_sink() for name, make_sink in make_sinks.items()}
        self._ledger = Ledger(ledger_path)
        self._buffer = EventTimeBuffer(camera_ids, window_s=window_s, max_lateness_s=max_lateness_s)
        self._flush_every_s = flush_every_s
        self._max_waiting_embeddings = max_waiting_embeddings
        self._turn = asyncio.Lock()
        self._room = asyncio.Event()
        self._patient_until = inf
        self._behind: dict[str, None] = {}
        self._due_at: dict[TrackPart, float] = {}
        self._known_parts: dict[TrackPart, None] = {}
        self._judged_until = self._safe_until = -inf
        self._flushed_at = time.monotonic()
        self._latencies_s: list[float] = []
        self._counts = {Sighting: 0, Correction: 0, Alert: 0}
        self._num_retries = 0
        self._busy_s = {"match": 0.0, "alert": 0.0, "publish": 0.0}

    async def ready(self) -> None:
        """Return; everything is built."""

    async def status(self) -> MatchStatus:
        """Return how far it has come."""
        return MatchStatus(
            num_identities=self._match.num_identities,
            num_sightings=self._counts[Sighting],
            num_corrections=self._counts[Correction],
            num_alerts=self._counts[Alert],
            num_late=self._buffer.num_late,
            num_sink_retries=self._num_retries,
            num_waiting=len(self._buffer),
        )

    async def enrol(self, person_id: int, embedding: Embedding) -> None:
        """Make a person known by pictures; before the first ``hand_over``."""
        self._match.enrol(person_id, embedding)

    async def hand_over(
        self, camera_id: str, embeddings: Sequence[Embedding], watermark: float, due_at: float
    ) -> float:
        """Take embeddings of one camera and learn how far it has come.

        Does not wait for their release, but for room: while too many wait for slower cameras, the camera that is
        furthest behind passes and the others do not.

        Args:
            camera_id: The camera.
            embeddings: In the order in which they were completed; one that was taken before is passed over.
            watermark: Unix seconds: later ones will be complete no earlier than this. Infinite at the end.
            due_at: Unix seconds by the wall clock: when the frame that completed them was due.

        Returns:
            Unix seconds of event time until which everything is published and safe.
        """
        for embedding in embeddings:
            part = TrackPart(embedding.track_id, embedding.part)
            if part not in self._known_parts:
                self._known_parts[part] = None
                self._due_at[part] = due_at
                self._buffer.add(embedding)
        while len(self._known_parts) > self.MAX_KNOWN_PARTS:
            del self._known_parts[next(iter(self._known_parts))]
        self._buffer.advance(camera_id, watermark)
        await self._release()
        while len(self._buffer) > self._max_waiting_embeddings and watermark > self._buffer.watermark:
            self._room.clear()
            await self._room.wait()
        return self._safe_until

    async def finish(self, patience_s: float) -> MatchReport:
        """Judge what is left, publish it, close everything, and say what the run came to.

        Args:
            patience_s: Seconds after which a busy sink is waited for no longer; the report names it.
        """
        self._patient_until = time.monotonic() + patience_s
        async with self._turn:
            for now, embeddings in self._buffer.release():
                await self._judge(now, embeddings)
            corrections = self._timed("match", self._match.flush)
            alerts = self._timed("alert", partial(self._alert.process, corrections))
            alerts += self._timed("alert", self._alert.flush)
            await self._publish([*corrections, *alerts])
            for name, sink in self._sinks.items():
                await self._patiently(name, sink.flush)
        loop = asyncio.get_running_loop()
        for sink in self._sinks.values():
            await loop.run_in_executor(None, sink.close)
        self._ledger.close()
        return MatchReport(
            num_identities=self._match.num_identities,
            num_sightings=self._counts[Sighting],
            num_corrections=self._counts[Correction],
            num_alerts=self._counts[Alert],
            num_late=self._buffer.num_late,
            num_sink_retries=self._num_retries,
            latencies_s=self._latencies_s,
            digest=self._ledger.digest,
            busy_s=self._busy_s,
            behind=tuple(self._behind),
        )

    async def _release(self) -> None:
        async with self._turn:
            released = self._buffer.release()
            for now, embeddings in released:
                await self._judge(now, embeddings)
            self._judged_until = max(self._judged_until, self._buffer.watermark)
            if time.monotonic() - self._flushed_at >= self._flush_every_s:
                await self._flush()
        self._room.set()

    async def _judge(self, now: float, embeddings: Sequence[Embedding]) -> None:
        """Judge one window that ends at ``now``, Unix seconds of event time."""
        records = self._timed("match", partial(self._match.process, embeddings))
        alerts = self._timed("alert", partial(self._alert.process, records))
        alerts += self._timed("alert", partial(self._alert.tick, now))
        await self._publish([*records, *alerts])
        published_at = time.time()
        for embedding in embeddings:
            due_at = self._due_at.pop(TrackPart(embedding.track_id, embedding.part))
            if len(self._latencies_s) < self.MAX_LATENCIES:
                self._latencies_s.append(published_at - due_at)

    async def _publish(self, records: Sequence[Record]) -> None:
        """Write to the ledger, then to every sink; a busy sink is waited for."""
        if not records:
            return
        began = time.perf_counter()
        self._ledger.append(records)
        for name, sink in self._sinks.items():
            await self._patiently(name, partial(sink.write, records))
        for record in records:
            self._counts[type(record)] += 1
        self._busy_s["publish"] += time.perf_counter() - began

    async def _flush(self) -> None:
        """Flush the sinks; what one that is busy holds is not safe yet, but it still takes records until it is full."""
        loop = asyncio.get_running_loop()
        is_safe = True
        for sink in self._sinks.values():
            try:
                await loop.run_in_executor(None, sink.flush)
            except SinkBusyError:
                self._num_retries += 1
                is_safe = False
        self._flushed_at = time.monotonic()
        if is_safe:
            self._safe_until = self._judged_until

    async def _patiently(self, name: str, call: Callable[[], None]) -> None:
        """Call a sink again and again until it takes what it is given, or patience ends."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.run_in_executor(None, call)
            except SinkBusyError as busy:
                self._num_retries += 1
                patience_s = self._patient_until - time.monotonic()
                if patience_s <= 0:
                    logger.error("sink %s is waited for no longer: %s", name, busy)
                    self._behind[name] = None
                    return
                await asyncio.sleep(min(busy.retry_after_s, patience_s))
            else:
                return

    def _timed(self, what: str, call: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = call()
        self._busy_s[what] += time.perf_counter() - began
        return result
