"""The identity ledger: every sighting, correction and alert, in order, in one SQLite file."""

from pipeline.ledger.audit import AuditEntry
from pipeline.ledger.corrections.apply import submit_command
from pipeline.ledger.corrections.commands import Outcome, SubmittedCommand
from pipeline.ledger.corrections.resolve import describe, resolve
from pipeline.ledger.events import Event
from pipeline.ledger.final_tracks import NOBODY, Finals, FinalTracks
from pipeline.ledger.ledger import Ledger, set_aside
from pipeline.ledger.people import Person
from pipeline.ledger.reader import LedgerReader
from pipeline.ledger.snapshot import Entry, Saved

__all__ = [
    "NOBODY",
    "AuditEntry",
    "Entry",
    "Event",
    "FinalTracks",
    "Finals",
    "Ledger",
    "LedgerReader",
    "Outcome",
    "Person",
    "Saved",
    "SubmittedCommand",
    "describe",
    "resolve",
    "set_aside",
    "submit_command",
]
