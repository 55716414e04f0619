"""The single writer: puts the embeddings of all cameras in order, matches them, and publishes what follows."""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple
from hashlib import sha256
from math import inf
from pathlib import Path
from typing import Any

from pipeline.alerts.engine import AlertEngine
from pipeline.association.geometry.topology import Topology
from pipeline.association.matcher import Matcher
from pipeline.core import Alert, Correction, CorrectionCommand, Embedding, Sighting, Sink, TrackPart
from pipeline.core.edits_file import EditsFile
from pipeline.core.errors import ConfigError
from pipeline.core.plugin_contract import made
from pipeline.core.records.view_event import ViewReport
from pipeline.ledger import Ledger, LedgerReader, Outcome
from pipeline.ledger.cameras.book import CameraBook
from pipeline.ledger.corrections.apply import CommandHost, Removed, apply_command, forgets_pictures
from pipeline.ledger.corrections.expiry import Expiry
from pipeline.ledger.erasure import erase_stores
from pipeline.ledger.unpublished import unpublished_records
from pipeline.runtime.deliveries import Acknowledgement
from pipeline.runtime.event_time import EventTimeBuffer, Item
from pipeline.runtime.reducer import (
    AppliedCommand,
    EndOfStream,
    Enrolment,
    InputEvent,
    Reducer,
    RulesEdited,
    TimePassed,
    Window,
    entry_of,
)
from pipeline.runtime.sink_fanout import SinkFanout
from pipeline.telemetry.match_report import MatchReport
from pipeline.telemetry.match_status import MatchStatus, freshness_p95_s

logger = logging.getLogger(__name__)

SETTLE_S = 1.0
"""Seconds to wait for remote sinks before a snapshot, which needs all published. More lets a slow one delay alerts."""
COMPACT_EVERY_S = 60.0
"""Seconds between two deletions of old events. A longer time lets the ledger grow further beyond its limits."""


class MatchActor:
    """Matches embeddings and publishes events. Its acknowledgements say what the sources may forget.

    If its ledger holds an earlier epoch of it, or an earlier run, it continues from there with the same result: every
    embedding is processed once, and what a sink may lack is written to that sink again.

    Args:
        camera_ids: The cameras that will deliver.
        make_match: Builds the matcher.
        make_alert: Builds the alert engine; of a file of edits, if it is given its text.
        make_sinks: Build the sinks, by name.
        ledger_path: The ledger's file.
        window_s: Seconds of event time matched together.
        max_lateness_s: See ``EventTimeBuffer``.
        flush_every_s: Seconds between two flushes of the sinks.
        max_waiting_embeddings: While more embeddings than this wait for slower cameras, the faster ones are held back.
        retention_s: Seconds of event time after which events leave the ledger.
        max_events: Events that stay in the ledger at most; 0 for all.
        edits: File of edited rules and topology, followed as soon as it is written; None: beside the ledger.
        make_topology: See ``Reducer``.

    Raises:
        ConnectorError: If the ledger cannot be read, or another run writes it.
        LedgerChangedError: If it cannot be continued; see ``Reducer.bring_back``.
    """

    MAX_LATENCIES = 100_000
    """Newest latencies of which the summary gives percentiles; 3 MB."""

    def __init__(
        self,
        *,
        camera_ids: Sequence[str],
        make_match: Callable[[], Matcher],
        make_alert: Callable[..., AlertEngine],
        make_sinks: Mapping[str, Callable[[], Sink]],
        ledger_path: Path,
        window_s: float,
        max_lateness_s: float,
        flush_every_s: float,
        max_waiting_embeddings: int,
        retention_s: float = inf,
        max_events: int = 0,
        edits: Path | None = None,
        make_topology: Callable[[str], Topology] | None = None,
    ) -> None:
        self._reducer = Reducer(make_match(), make_alert, make_topology)
        self._edits = EditsFile(edits or ledger_path.with_name("edits.yaml"))
        self._ledger, self._folder = Ledger(ledger_path), ledger_path.parent
        self._reader = LedgerReader(ledger_path)
        self._expiry = Expiry(self._reader)
        self._host = CommandHost(
            lambda people: self._reducer.match.next_person_id, self._apply, self._erase, asyncio.to_thread
        )
        self._sinks: SinkFanout[tuple[float, int]] = SinkFanout(
            {name: made(f"sink.{name}", make) for name, make in make_sinks.items()},
            may_call=lambda: self._ledger.lease.is_fresh,
        )
        changed = CameraBook(self._folder).changed()  # since this run began, if this process replaces one that died
        members = {*camera_ids, *changed.added} - changed.removed
        self._buffer = EventTimeBuffer(members, window_s=window_s, max_lateness_s=max_lateness_s)
        self._flush_every_s, self._max_waiting_embeddings = flush_every_s, max_waiting_embeddings
        self._has_live = max_lateness_s < inf
        self._max_wait_s = max_lateness_s if self._has_live else None
        self._is_finished = False
        self._retention_s, self._max_events = retention_s, max_events
        self._compacted_at = self._safe_until = -inf
        self._turn, self._room = asyncio.Lock(), asyncio.Event()
        self._working: set[asyncio.Task[None]] = set()
        self._due_at: dict[TrackPart, float] = {}
        self._flushed_at = time.monotonic()
        self._latencies_s: deque[float] = deque(maxlen=self.MAX_LATENCIES)
        self._publish_s, self._num_passed_over = 0.0, 0
        self._unclosed: Mapping[str, str] = {}
        self._epoch = secrets.token_hex(8)
        saved = self._ledger.saved()
        self._unpublished = self._reducer.bring_back(saved, self._folder)
        self._sinks.rewind(saved.marks)
        self._buffer.resume(self._reducer.processed_until, self._reducer.busy_until)
        self._processed_until = self._reducer.processed_until

    async def ready(self) -> None:
        """Return; everything is built."""

    async def status(self) -> MatchStatus:
        """Return the counts and the calibration now. Whoever directs the run keeps the ledger ours by asking.

        Deliveries do not: cameras that are cut off together with this process still deliver to it.

        Raises:
            ConnectorError: If another process has taken the ledger over.
        """
        self._ledger.lease.renew()
        counts, calibration = self._reducer.counts, self._reducer.match.calibration
        return MatchStatus(
            num_identities=self._reducer.match.num_identities,
            num_sightings=counts[Sighting],
            num_corrections=counts[Correction],
            num_alerts=counts[Alert],
            num_late=self._buffer.num_late,
            num_passed_over=self._num_passed_over,
            num_sink_retries=self._sinks.num_retries,
            num_waiting=len(self._buffer),
            num_unusable=self._reducer.match.num_unusable,
            freshness_p95_s=freshness_p95_s(self._latencies_s),
            calibration_labels=calibration.num_labels,
            calibration_drift=calibration.drift,
            calibration_model=astuple(calibration.model),
            projection_version=self._reducer.match.projection_version,
            clock_offsets=self._reducer.match.clock_offsets.estimates(),
            pairs=self._reducer.match.clock_offsets.pairs(),
            sinks=self._sinks.reports,
            epoch=self._epoch,
        )

    async def enrol(self, person_id: int, embedding: Embedding) -> None:
        """Enrol a person by pictures, unless an earlier run has; before the first ``deliver``."""
        self._ledger.lease.renew()
        if not self._reducer.match.is_known(person_id):
            await self._whole(self._reduce(Enrolment(person_id, embedding)))
            self._ledger.note("configuration", "enrol", f"person {person_id}")

    async def join(self, camera_id: str, from_at: float | None) -> float:
        """Expect one more camera, or one that was removed, and return the newest event time of all, Unix seconds.

        Args:
            camera_id: The camera.
            from_at: Unix seconds of event time: it will deliver nothing before; from now on, nothing later is decided
                without it. None: it joins with its first delivery.

        Raises:
            ConfigError: If later events are decided already.
        """
        async with self._turn:
            decided_until = max(self._buffer.released_until, self._reducer.processed_until)
            if from_at is not None and from_at < decided_until:
                later = f"--at of {decided_until:g} or later" if decided_until < inf else "recordings that go on"
                raise ConfigError(
                    f"cameras add: expected {later}, got --at {from_at:g}: the run has decided what was until then"
                )
            self._buffer.join(camera_id, -inf if from_at is None else from_at)
            self._reducer.match.clock_offsets.forget(camera_id)
        return self._buffer.newest

    async def deliver(
        self,
        camera_id: str,
        items: Sequence[Item],
        watermark: float,
        due_at: float,
        epoch: str | None = None,
    ) -> Acknowledgement:
        """Accept the embeddings, view reports and the watermark of one camera.

        Returns before they are processed, but waits for room: while too many embeddings wait for slower cameras, only
        the camera that is furthest behind passes. Among live cameras the others pass after ``max_lateness_s``, so that
        their watermarks go on and leave a stalled camera behind.

        Args:
            camera_id: The camera.
            items: In the order in which they were completed; embeddings that were processed before are skipped.
            watermark: Unix seconds: later ones will be complete no earlier than this. Infinite at the end.
            due_at: Unix seconds by the wall clock: when the frame that completed them was due.
            epoch: Of the acknowledgement before; None for the first delivery of a camera. For an earlier epoch nothing
                is accepted: the camera has to deliver again all that was not processed then.
        """
        if epoch is None:
            self._edits.look_again()  # they may name this camera, and have been refused before it was added
        elif epoch != self._epoch:
            return Acknowledgement(self._epoch, False, -inf, -inf)
        if self._is_finished:  # a recording that was stopped while it delivered
            return Acknowledgement(self._epoch, True, self._processed_until, self._safe_until)
        for item in items:
            if isinstance(item, ViewReport):
                self._buffer.add(item)
                continue
            part = TrackPart(item.track_id, item.part)
            if part in self._due_at or self._ledger.has(part):
                self._num_passed_over += 1
            else:
                self._buffer.add(item)
                self._due_at[part] = due_at
        self._buffer.advance(camera_id, watermark)
        await self._whole(self._release())
        with suppress(TimeoutError):
            async with asyncio.timeout(self._max_wait_s):
                while len(self._buffer) > self._max_waiting_embeddings and watermark > self._buffer.watermark:
                    self._room.clear()
                    await self._room.wait()
        return Acknowledgement(self._epoch, True, self._processed_until, self._safe_until)

    async def finish(self, patience_s: float, is_whole: bool = True) -> MatchReport:
        """Process what is left, publish it, close everything, and return the report of the run.

        Recordings that were stopped early end nothing: no track, no window that another camera has not passed. The
        ledger then is that of a run that was killed at this moment, so that a run that continues it has the result of
        an undisturbed one. Live cameras lose what they do not see, so their tracks end.

        Args:
            patience_s: Seconds after which a busy sink is waited for no longer; the report names it.
            is_whole: Every recording was read to its end.
        """
        self._sinks.be_patient_for(patience_s)
        with self._ledger.lease.kept():
            await self._process_rest(is_whole)
        num_people = len(self._reader.persons())  # those that the matcher has forgotten, too
        self._reader.close()
        self._ledger.close()
        counts = self._reducer.counts
        return MatchReport(
            num_identities=num_people,
            num_sightings=counts[Sighting],
            num_corrections=counts[Correction],
            num_alerts=counts[Alert],
            num_late=self._buffer.num_late,
            num_passed_over=self._num_passed_over,
            num_sink_retries=self._sinks.num_retries,
            clock_offsets=self._reducer.match.clock_offsets.estimates(is_last=True),
            pairs=self._reducer.match.clock_offsets.pairs(),
            latencies_s=list(self._latencies_s),
            digest=self._ledger.digest,
            busy_s={**self._reducer.busy_s, "publish": self._publish_s},
            behind=tuple(self._sinks.behind),
            dropped=self._sinks.dropped,
            why_dropped=self._sinks.why_dropped,
            unclosed=self._unclosed,
        )

    async def _process_rest(self, is_whole: bool) -> None:
        """Process and publish what is left, and close the sinks."""
        async with self._turn:
            self._is_finished = True
            if not is_whole and self._has_live:
                self._buffer.end_all()
            await self._process_released()
            if (is_whole or self._has_live) and not self._reducer.is_ended:
                await self._reduce(EndOfStream(self._buffer.newest))
            if await self._sinks.flush():
                self._ledger.note_published(self._sinks.marks())
                self._ledger.save(self._reducer.snapshot())
        self._unclosed = await self._sinks.close()

    async def _whole(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for work that goes on to its end although its caller is cancelled, as a camera's deliveries are.

        Otherwise the ledger would have records that no sink was given, and the next flush would call them published.
        """
        task = asyncio.create_task(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        await asyncio.shield(task)

    async def _release(self) -> None:
        async with self._turn:
            await self._process_released()
            self._processed_until = max(self._processed_until, self._buffer.released_until)
            if time.monotonic() - self._flushed_at >= self._flush_every_s:
                await self._flush()
        self._room.set()

    async def _process_released(self) -> None:
        unpublished, self._unpublished = self._unpublished, []
        await self._sinks.write(unpublished)
        for command in self._expiry.due(time.time()):
            self._ledger.submit(command)
        for submitted in self._ledger.pending_commands():
            await apply_command(submitted, self._ledger, self._reader, self._host)
            self._expiry.changed()
        await self._take_edits()
        for now, items in self._buffer.release():
            embeddings = [item for item in items if isinstance(item, Embedding)]
            reports = [item for item in items if isinstance(item, ViewReport)]
            if embeddings:
                await self._reduce(Window(now, embeddings))
            if reports or not embeddings:
                await self._reduce(TimePassed(now, reports))
            published_at = time.time()
            due_at = [self._due_at.pop(TrackPart(each.track_id, each.part)) for each in embeddings]
            self._latencies_s.extend(published_at - at for at in due_at)

    async def _take_edits(self) -> None:
        """Follow edited rules from here on; refuse them with a reason if they cannot be used."""
        text = self._edits.new_text()
        if text is None or text == self._reducer.edits:
            return
        try:
            await self._reduce(RulesEdited(text))
        except ConfigError as error:
            logger.warning("the rules stay as they are: %s", error)
            self._ledger.note("configuration", "rules refused", str(error))
        else:
            logger.info("the rules of %s hold from now on", self._edits.path)
            self._ledger.note("configuration", "rules applied", sha256(text.encode()).hexdigest())

    async def _apply(
        self, command: CorrectionCommand, correction: Correction, alerts: Sequence[Alert], outcome: Outcome
    ) -> None:
        await self._reduce(AppliedCommand(command, correction, list(alerts)), outcomes=[outcome])
        if forgets_pictures(command, correction):
            await self._sinks.settle(SETTLE_S)
            await self._flush()
            owed = unpublished_records(self._ledger.saved(), self._reader)
            self._ledger.replace_inputs(self._reducer.snapshot(), 0, owed)
            await asyncio.to_thread(erase_stores, self._folder, correction.parts)

    async def _erase(self, command: CorrectionCommand, correction: Correction, last_person_id: int) -> Removed:
        """Forget a person in the matcher, the ledger, the sinks and the stores beside them."""
        await self._sinks.settle(SETTLE_S)
        await self._flush()  # what is not safe by then is kept for the sinks; the journal goes
        traces = self._reducer.match.traces_of(correction.person_ids)
        records = self._reducer.apply(AppliedCommand(command, correction))
        removed, needles = self._ledger.erase(
            correction,
            records,
            state=self._reducer.snapshot(),
            last_person_id=last_person_id,
            unpublished=lambda saved: unpublished_records(saved, self._reader, correction),
        )
        await self._sinks.write(records)  # a sink takes back what it wrote about the person
        await self._flush()
        from_stores, excerpts = await asyncio.to_thread(erase_stores, self._folder, correction.parts)
        return removed | from_stores, [*needles, *traces, *excerpts]

    async def _reduce(self, event: InputEvent, outcomes: Sequence[Outcome] = ()) -> None:
        """Apply an event, and write what follows to the ledger, then to every sink; a busy sink is waited for."""
        records = self._reducer.apply(event)
        began = time.perf_counter()
        self._ledger.append(records, entry=entry_of(event), outcomes=outcomes)
        await self._sinks.write(records)
        self._publish_s += time.perf_counter() - began

    async def _flush(self) -> None:
        """Flush the sinks; once all have everything safe, the ledger need not keep it for them."""
        flushed = await self._sinks.try_to_flush((self._processed_until, self._ledger.last_entry()))
        is_due = flushed is not None and (self._ledger.wants_snapshot or self._reducer.is_snapshot_due())
        if is_due and await self._sinks.settle(SETTLE_S):
            flushed = await self._sinks.try_to_flush((self._processed_until, self._ledger.last_entry())) or flushed
        self._flushed_at = time.monotonic()
        if flushed is not None:
            self._safe_until, until = flushed.note
            self._ledger.note_published(flushed.marks, until=until)
            if is_due and until == self._ledger.last_entry():
                self._ledger.save(self._reducer.snapshot())
        if self._flushed_at - self._compacted_at >= COMPACT_EVERY_S:
            self._compacted_at = self._flushed_at
            self._ledger.compact(retention_s=self._retention_s, max_events=self._max_events)
