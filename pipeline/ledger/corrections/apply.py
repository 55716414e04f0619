"""Submits and applies correction commands: by a running matcher, or to the ledger of a run that has ended."""

import re
import sqlite3
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core import Alert, CommandKind, Correction, CorrectionCommand, CorrectionKind, Record
from pipeline.core.errors import ConnectorError, DataError, EmbeddingSpaceError
from pipeline.core.serialisation import serialise
from pipeline.core.sqlite_files import why_failed
from pipeline.ledger.corrections.commands import Outcome, SubmittedCommand, add_command, check_command
from pipeline.ledger.corrections.expiry import Expiry
from pipeline.ledger.corrections.resolve import alerts_before, amended, describe, resolve
from pipeline.ledger.erasure import Erasure, erase_files, erase_stores, footage_of, lines_with, places_with
from pipeline.ledger.export import renew_exports
from pipeline.ledger.ledger import Ledger, ledger_at_rest
from pipeline.ledger.people import People
from pipeline.ledger.reader import LedgerReader
from pipeline.ledger.retained import retained_topics
from pipeline.ledger.snapshot import AT_REST, Saved
from pipeline.ledger.tables import check_schema, connect
from pipeline.ledger.unpublished import unpublished_records

Removed = tuple[dict[str, int], list[bytes]]
"""How much an erasure removed, by place, and fragments of it to search files for."""

CONFIG, RULE = "config.yaml", ".WatchlistRule"
"""The configuration that a run leaves beside its ledger, and how the rule that knows the watch-list is named in it."""

EDITS, EDITED_RULE = "edits.yaml", "watchlist"
"""The rules that are edited while a run goes on, unless the configuration names another file, and the same there."""


@dataclass(frozen=True, slots=True)
class CommandHost:
    """What differs between a running matcher and a ledger at rest.

    Attributes:
        next_person_id: Returns the number for a new person.
        apply: Decides what follows from a correction, and writes it together with the outcome of the command. Its third
            argument are the alerts that an undo brings back, as they were.
        erase: Decides what follows from an erasure, and removes the people from the ledger, the sinks and other files.
            Its last argument is the highest number that a person has had.
        call: Calls a function that reads or writes files for long.
        is_at_rest: No run goes on: sinks that clear what a broker retains are told of nothing.
    """

    next_person_id: Callable[[People], int]
    apply: Callable[[CorrectionCommand, Correction, Sequence[Alert], Outcome], Awaitable[None]]
    erase: Callable[[CorrectionCommand, Correction, int], Awaitable[Removed]]
    call: Callable[..., Awaitable[Any]]
    is_at_rest: bool = False


async def apply_command(submitted: SubmittedCommand, ledger: Ledger, reader: LedgerReader, host: CommandHost) -> None:
    """Apply a command, or refuse it with a reason; the outcome goes into the ledger."""
    people: People = await host.call(reader.people)
    command = submitted.command
    try:
        correction = resolve(
            command,
            people,
            at=people.last_at,
            next_person_id=host.next_person_id(people),
            number=submitted.number,
        )
        if correction.kind is not CorrectionKind.ERASED:
            undone = people.done.get(correction.undoes)
            alerts = [] if undone is None else await host.call(lambda: _alerts_before(reader, undone.event))
            text = describe(correction) + unwatched(correction, reader.path.parent)
            await host.apply(command, correction, alerts, Outcome(submitted, time.time(), True, text))
            return
    except (DataError, EmbeddingSpaceError) as error:  # the latter: pictures that another network looked at
        ledger.append([], outcomes=[Outcome(submitted, time.time(), False, str(error))])
        return
    retained = retained_topics(reader.path.parent / CONFIG, reader.alerts(), correction) if host.is_at_rest else ()
    removed, needles = await host.erase(command, correction, people.numbers.last)
    removed["exports"], away = await host.call(renew_exports, reader)
    left = await host.call(places_with, reader.path.parent, needles, lines_with(correction.parts))
    erasure = Erasure(removed, left, tuple(away), footage_of(reader.path.parent), retained)
    ledger.append([], outcomes=[Outcome(submitted, time.time(), True, str(erasure))])


def forgets_pictures(command: CorrectionCommand, correction: Correction) -> bool:
    """Return whether enrolled pictures go: then what they came to may stay in no journal and no file."""
    return command.kind is CommandKind.UNLIST and bool(correction.parts)


def unwatched(correction: Correction, folder: Path) -> str:
    """Return a warning if a correction puts somebody on the watch-list of a run that has no rule for it; else "".

    Args:
        correction: What was done.
        folder: Output folder of the run. Without a ``config.yaml`` nothing is known, and nothing is warned of.
    """
    if correction.kind is not CorrectionKind.NAMED or not correction.name:
        return ""
    try:
        config = (folder / CONFIG).read_text(encoding="utf-8")
    except OSError:
        return ""
    edits = _edits(config, folder)
    is_watched = EDITED_RULE in edits if "alerts:" in edits else RULE in config  # they name every rule, or none
    return "" if is_watched else "; warning: no alert will follow, because alerts of this run lacks watchlist"


def _edits(config: str, folder: Path) -> str:
    """Return the edits of a run as text; nothing if there are none."""
    named = re.search(r"^edits: (?!null)['\"]?(.+?)['\"]?$", config, re.MULTILINE)
    try:
        return Path(named[1] if named else folder / EDITS).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _alerts_before(reader: LedgerReader, event: int) -> list[Alert]:
    return alerts_before(reader.events(limit=-1, kind="alert"), event)


Forget = Callable[[Path, Saved, CorrectionCommand, Correction], tuple[bytes, list[bytes]] | None]
"""Returns the state of a run without erased people, and excerpts of what was removed; None if it cannot be restored.

Takes the run's folder, its saved state, the command and its correction. Only the matcher can do that, and it is known
above this package.
"""


def submit_command(path: Path, command: CorrectionCommand, forget: Forget | None = None) -> int:
    """Write a command into a ledger and return its number; safe beside the run that writes the ledger.

    The run applies it between two windows of event time. If no run writes the ledger, it is applied at once.

    Args:
        path: The ledger.
        command: The command.
        forget: See ``Forget``.

    Raises:
        ConfigError: If it names too many or too few people or parts, or no operator.
        ConnectorError: If there is no such ledger, or it cannot be written.
    """
    check_command(command)
    if not path.is_file():
        raise ConnectorError(f"{path}: expected a ledger, got no file; name the ledger.sqlite of a run")
    database = connect(path, read_only=False)
    try:
        check_schema(path, database)
        database.execute("BEGIN IMMEDIATE")
        number = add_command(database, command)
        database.execute("COMMIT")
    except sqlite3.Error as error:
        raise ConnectorError(why_failed(path, error, f"cannot be written: {error}; try again")) from error
    finally:
        database.close()
    apply_pending(path, forget)
    return number


def apply_pending(path: Path, forget: Forget | None = None) -> None:
    """Apply the pending commands, or leave them to a run that has just started to write the ledger.

    Args:
        path: The ledger.
        forget: See ``Forget``. Without it, an erasure forgets the appearance of all people.
    """
    with ledger_at_rest(path) as ledger:
        if ledger is None:
            return
        with closing(LedgerReader(path)) as reader:
            for command in Expiry(reader).due(time.time()):
                ledger.submit(command)
            for submitted in ledger.pending_commands():
                _finish(apply_command(submitted, ledger, reader, _host_at_rest(ledger, reader, forget)))


def _host_at_rest(ledger: Ledger, reader: LedgerReader, forget: Forget | None) -> CommandHost:
    """Return the host where no matcher runs: it changes events and alerts, and notifies no sink."""

    def records(correction: Correction, alerts: Sequence[Alert] = ()) -> list[Record]:
        is_undo = correction.kind is CorrectionKind.UNDONE
        return [correction, *(alerts if is_undo else amended(reader.alerts(), correction))]

    async def apply(
        command: CorrectionCommand, correction: Correction, alerts: Sequence[Alert], outcome: Outcome
    ) -> None:
        written = records(correction, alerts)
        revisions = {each.key: each.revision for each in written if isinstance(each, Alert)}
        if forgets_pictures(command, correction):
            folder, saved = reader.path.parent, ledger.saved()
            left = None if forget is None else forget(folder, saved, command, correction)
            ledger.append(written, outcomes=[outcome])
            last = reader.people().numbers.last
            ledger.replace_inputs(None if left is None else left[0], last, unpublished_records(saved, reader))
            erase_stores(folder, correction.parts)
            return
        event = {"command": command, "correction": correction, "alerts": alerts, "revisions": revisions}
        ledger.append(written, entry=(AT_REST, serialise(event)), outcomes=[outcome])  # for a run that is resumed

    async def erase(command: CorrectionCommand, correction: Correction, last_person_id: int) -> Removed:
        folder, saved = reader.path.parent, ledger.saved()
        left = None if forget is None else forget(folder, saved, command, correction)
        state, traces = left or (None, [])
        removed, needles = ledger.erase(
            correction,
            records(correction),
            state=state,
            last_person_id=last_person_id,
            unpublished=lambda saved: unpublished_records(saved, reader, correction),
        )
        erased, marks = erase_files(folder, correction, saved.marks)
        ledger.note_published(marks, until=saved.published)
        from_stores, excerpts = erase_stores(folder, correction.parts)
        return removed | erased | from_stores, [*needles, *traces, *excerpts]

    async def call(function: Callable[..., Any], *arguments: object) -> Any:
        return function(*arguments)

    def next_person_id(people: People) -> int:
        # People who were enrolled at the start of a run have numbers, and no event until they are seen.
        entries = [each for each in reader.audit() if (each.by, each.action) == ("configuration", "enrol")]
        return max(people.numbers.upcoming, *(1 + int(each.subject.split()[-1]) for each in entries), 0)

    return CommandHost(next_person_id, apply, erase, call, is_at_rest=True)


def _finish(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits, and so needs no event loop: one may be running in this thread."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("a command at rest waits for something")
