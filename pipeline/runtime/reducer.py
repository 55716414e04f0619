"""From input events, in order, to the records that follow; the same events give the same records."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

from pipeline.alerts.engine import AlertEngine
from pipeline.alerts.revisions import Revisions
from pipeline.association.geometry.topology import Topology
from pipeline.association.matcher import Matcher
from pipeline.core import Alert, AlertState, Correction, CorrectionCommand, CorrectionKind, Embedding, Record, Sighting
from pipeline.core.errors import LedgerChangedError, WireFormatError
from pipeline.core.records.track import ENROLLED
from pipeline.core.records.view_event import ViewReport
from pipeline.core.serialisation import deserialise, serialise
from pipeline.ledger import Saved
from pipeline.ledger.ledger import chained
from pipeline.ledger.snapshot import AT_REST, FORGOTTEN, OWED
from pipeline.ledger.unpublished import RECORDS, StoredRecord


@dataclass(frozen=True, slots=True)
class Window:
    """The embeddings of one window of event time, in order; it ends at ``now``, Unix seconds."""

    now: float
    embeddings: Sequence[Embedding]


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Time went on to ``now``, Unix seconds, and cameras reported what is wrong with their views, in order."""

    now: float
    reports: Sequence[ViewReport] = ()


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A person who is enrolled by pictures."""

    person_id: int
    embedding: Embedding


@dataclass(frozen=True, slots=True)
class AppliedCommand:
    """A correction command of an operator, and the correction that it led to.

    Attributes:
        command: The command.
        correction: The correction.
        alerts: The alerts that an undo brings back.
        revisions: By key: the numbers of the alerts that the ledger wrote of a run that had ended.
    """

    command: CorrectionCommand
    correction: Correction
    alerts: Sequence[Alert] = ()
    revisions: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EndOfStream:
    """The last event of a run: tracks end, and people are re-clustered once more.

    Attributes:
        at: Unix seconds of event time: the newest frame of any camera; minus infinite if there was none.
    """

    at: float = -inf


@dataclass(frozen=True, slots=True)
class Forgotten:
    """All known people were forgotten at once; their numbers are not given again.

    Attributes:
        last_person_id: The highest number that was given.
        is_ended: The run had ended.
    """

    last_person_id: int
    is_ended: bool = False


@dataclass(frozen=True, slots=True)
class Owed:
    """Records that sinks may lack, of inputs that were removed; nothing follows from them.

    Attributes:
        records: The kind of each, and the record serialised.
    """

    records: Sequence[StoredRecord]


@dataclass(frozen=True, slots=True)
class RulesEdited:
    """The alert rules, and what the site says of its topology, are others from now on.

    Attributes:
        text: The file of edits; see ``pipeline.config.rule_edits``.
    """

    text: str


InputEvent = RulesEdited | Window | TimePassed | Forgotten | Owed | Enrolment | AppliedCommand | EndOfStream
KINDS: dict[str, type[Any]] = {
    "window": Window,
    "time": TimePassed,
    "enrolment": Enrolment,
    "order": AppliedCommand,
    AT_REST: AppliedCommand,
    FORGOTTEN: Forgotten,
    OWED: Owed,
    "edits": RulesEdited,
    "ending": EndOfStream,
}
"""Input events by the kind under which the journal of a ledger stores them."""
WITHOUT_RUN = (AT_REST, FORGOTTEN, OWED)
"""Kinds of what happened while no run went on, or beside it."""


REPLAY_S = 5.0
"""Seconds of work after which a snapshot is due: about as long a process that replaces this one works until it is where
this one was. A larger value leaves a site blind for longer after a kill; a smaller one makes more snapshots."""

WORK_PER_SNAPSHOT = 20.0
"""Least work between two snapshots, in terms of the time that one takes. More make large sites come back later."""


@dataclass(frozen=True, slots=True)
class _State:
    """What a snapshot stores, under these names; ``judged_until`` is ``Reducer.processed_until``."""

    match: bytes
    alert: bytes
    judged_until: float
    is_ended: bool
    counts: tuple[int, int, int]
    busy_until: float = -inf
    edits: str = ""
    revisions: dict[str, tuple[int, int]] = field(default_factory=dict)


class Reducer:
    """Matcher and alert engine as one, which can be brought back from a ledger.

    Args:
        match: The matcher.
        make_alert: Builds the alert engine; of a file of edits, if it is given its text. Raises ``ConfigError``.
        make_topology: Returns the topology of a file of edits, given its text. Raises ``ConfigError``. None: it stays.

    Attributes:
        edits: The file of edits that alert engine and matcher follow; empty: the configuration alone.
        processed_until: Unix seconds of event time: the end of the last window.
        busy_until: The end of the last window that was not empty.
        is_ended: The last event was the end of the stream.
        counts: Records so far, by kind, without the sightings of people who were erased.
        busy_s: Seconds of work, by stage.
    """

    def __init__(
        self,
        match: Matcher,
        make_alert: Callable[..., AlertEngine],
        make_topology: Callable[[str], Topology] | None = None,
    ) -> None:
        self.match = match
        self._make_alert, self._make_topology = make_alert, make_topology
        self._alert = make_alert()
        self._revisions = Revisions()
        self.edits = ""
        self.processed_until = self.busy_until = -inf
        self.is_ended = False
        self.counts: dict[type, int] = {Sighting: 0, Correction: 0, Alert: 0}
        self.busy_s = {"match": 0.0, "alert": 0.0}
        self._due_work_s = self._snapshot_s = 0.0

    def apply(self, event: InputEvent) -> list[Record]:
        """Return the records that follow."""
        records = self._records(event)
        self.is_ended = isinstance(event, EndOfStream)
        return self._counted(records)

    def apply_at_rest(self, event: InputEvent) -> list[Record]:
        """Return the records that follow from what was done while no run went on; a run that had ended stays ended."""
        records = self._counted(self._records(event))
        if isinstance(event, AppliedCommand):
            self._revisions.reach(event.revisions)
        return records

    def _counted(self, found: list[Record]) -> list[Record]:
        records = [self._revisions.numbered(each) if isinstance(each, Alert) else each for each in found]
        for record in records:
            # Of alerts only the raised ones count, not their amendments.
            self.counts[type(record)] += not isinstance(record, Alert) or record.state is AlertState.RAISED
            if isinstance(record, Correction) and record.kind is CorrectionKind.ERASED:
                erased = sum(part.track_id.camera_id != ENROLLED for part in record.parts)
                self.counts[Sighting] -= erased  # no file has them any more
                self._revisions.forget(record.person_ids)
        return records

    def bring_back(self, saved: Saved, folder: Path) -> list[Record]:
        """Restore the state that a ledger saved, and return the records that sinks may lack, in order.

        Args:
            saved: What the ledger saved.
            folder: Of the run; for the message.

        Raises:
            LedgerChangedError: If the events do not lead to the same records again, or the snapshot cannot be read,
                because the configuration or the program is another one.
        """
        way_on = f"go on with the same numbers and strangers only, after: passerby ledger forget {folder} --by NAME"
        if saved.state is not None:
            try:
                self._restore(deserialise(saved.state, _State))
            except WireFormatError as error:
                raise LedgerChangedError(
                    f"{folder / 'ledger.sqlite'}: expected a snapshot that this version can read, got one of another "
                    f"version; go back to that, or {way_on}"
                ) from error
        chain, unpublished = saved.chain, list[Record]()
        for entry in saved.entries:
            event = deserialise(entry.body, KINDS[entry.kind])
            records = self.apply_at_rest(event) if entry.kind in WITHOUT_RUN else self.apply(event)
            rows = chained(chain, records)
            # Commands at rest were applied without the rules that raise alerts.
            if entry.kind not in WITHOUT_RUN and (rows[-1][-1] if rows else chain) != entry.chain:
                raise LedgerChangedError(
                    f"{folder / 'ledger.sqlite'}: expected to come to the same events again, got others: the "
                    "configuration or the program changed since the run was interrupted; start it once more as it was "
                    f"and stop it in order, or {way_on}"
                )
            chain = entry.chain
            if isinstance(event, Owed):
                records = [deserialise(body, RECORDS[kind]) for kind, body in event.records]
            unpublished += records if entry.number > saved.published else []
        return unpublished

    def is_snapshot_due(self) -> bool:
        """Return whether it would take long to apply again what was applied since the last snapshot.

        If so, it is due again only after as much work more, whatever became of it.
        """
        work_s = sum(self.busy_s.values())
        if work_s - self._due_work_s < max(REPLAY_S, WORK_PER_SNAPSHOT * self._snapshot_s):
            return False
        self._due_work_s = work_s
        return True

    def snapshot(self) -> bytes:
        """Return the whole state."""
        began = time.perf_counter()
        counts = tuple(self.counts.values())
        other = self.processed_until, self.is_ended, counts, self.busy_until, self.edits, self._revisions.newest
        state = serialise(_State(self.match.snapshot(), self._alert.snapshot(), *other))  # type: ignore[arg-type]
        self._due_work_s, self._snapshot_s = sum(self.busy_s.values()), time.perf_counter() - began
        return state

    def _restore(self, state: _State) -> None:
        self.match.restore(state.match)
        if state.edits:
            self._alert = self._edited(state.edits)
        self._alert.restore(state.alert)
        self._revisions = Revisions(state.revisions)
        self.processed_until, self.is_ended = state.judged_until, state.is_ended
        self.busy_until = state.busy_until
        self.counts = dict(zip(self.counts, state.counts, strict=True))

    def _records(self, event: InputEvent) -> list[Record]:
        if isinstance(event, Forgotten):
            self.match.reserve(event.last_person_id)
            self.is_ended = event.is_ended
            return []
        if isinstance(event, Owed):
            return []
        if isinstance(event, RulesEdited):
            before, self._alert = self._alert, self._edited(event.text)
            return [*before.pass_state_to(self._alert)]
        if isinstance(event, Enrolment):
            self.match.enrol(event.person_id, event.embedding)
            return []
        if isinstance(event, TimePassed):
            self.processed_until = event.now
            self.busy_until = event.now if event.reports else self.busy_until
            return [
                *self._timed("alert", lambda: self._alert.watch(event.reports)),
                *self._timed("alert", lambda: self._alert.tick(event.now)),
            ]
        if isinstance(event, Window):
            found: Sequence[Sighting | Correction] = self._timed("match", lambda: self.match.process(event.embeddings))
            self.processed_until = self.busy_until = event.now
        elif isinstance(event, AppliedCommand):
            self._timed("match", lambda: self.match.apply(event.command, event.correction))
            found = [event.correction]
        else:
            found = self._timed("match", self.match.flush)
        alerts: list[Alert] = self._timed("alert", lambda: self._alert.process(found))
        if isinstance(event, AppliedCommand) and event.alerts:
            alerts = self._timed("alert", lambda: self._alert.reinstate(event.alerts, alerts))
        if isinstance(event, Window):
            alerts += self._timed("alert", lambda: self._alert.tick(event.now))
        elif isinstance(event, EndOfStream):
            alerts += self._timed("alert", lambda: self._alert.flush(event.at))
        return [*found, *alerts]

    def _edited(self, text: str) -> AlertEngine:
        """Follow a file of edits, given its text, and return its alert engine; nothing changes if it is refused."""
        engine = self._make_alert(text)
        if self._make_topology is not None:
            self.match.follow(self._make_topology(text))
        self.edits = text
        return engine

    def _timed(self, what: str, call: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = call()
        self.busy_s[what] += time.perf_counter() - began
        return result


def entry_of(event: InputEvent) -> tuple[str, bytes]:
    """Return an input event as the journal of a ledger stores it: kind and bytes."""
    kind = next(kind for kind, of_kind in KINDS.items() if of_kind is type(event))
    return kind, serialise(event)
