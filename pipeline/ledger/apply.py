"""Applies correction commands to the ledger of a run that has ended."""

import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.core import Correction, CorrectionKind, Record
from pipeline.core.errors import DataError
from pipeline.core.serialisation import serialise
from pipeline.ledger.commands import Outcome, SubmittedCommand
from pipeline.ledger.erasure import Erasure, erase_files, lines_with, places_with
from pipeline.ledger.export import renew_exports
from pipeline.ledger.ledger import Ledger, is_being_written
from pipeline.ledger.reader import LedgerReader
from pipeline.ledger.resolve import amended, describe, resolve
from pipeline.ledger.snapshot import AT_REST


def apply_pending(path: Path) -> None:
    """Apply the pending commands, or leave them to a run that has just started to write the ledger."""
    if is_being_written(path):
        return
    ledger = Ledger(path)
    reader = LedgerReader(path)
    try:
        for submitted in ledger.pending_commands():
            _carry_out(submitted, ledger, reader)
    finally:
        reader.close()
        ledger.close()


def _carry_out(submitted: SubmittedCommand, ledger: Ledger, reader: LedgerReader) -> None:
    people = reader.people()
    try:
        correction = resolve(submitted.command, people, at=people.last_at, next_person_id=people.last_person_id + 1)
    except DataError as error:
        ledger.append([], outcomes=[Outcome(submitted, time.time(), False, str(error))])
        return
    records: list[Record] = [correction, *amended(reader.alerts(), correction)]
    if correction.kind is CorrectionKind.ERASED:
        text = str(_erase(correction, records, ledger, reader, people.last_person_id))
        ledger.append([], outcomes=[Outcome(submitted, time.time(), True, text)])
        return
    entry = (
        AT_REST,
        serialise({"command": submitted.command, "correction": correction}),
    )  # for a run that goes on from here
    ledger.append(records, entry=entry, outcomes=[Outcome(submitted, time.time(), True, describe(correction))])


def _erase(
    correction: Correction, records: Sequence[Record], ledger: Ledger, reader: LedgerReader, last_person_id: int
) -> Erasure:
    folder = reader.path.parent
    removed, needles = ledger.erase(correction, records, state=None, last_person_id=last_person_id)
    removed |= erase_files(folder, correction)
    removed["exports"], away = renew_exports(reader)
    return Erasure(removed, places_with(folder, [*needles, *lines_with(correction.parts)]), tuple(away))
