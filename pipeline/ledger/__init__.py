"""The identity ledger: what was seen, decided, corrected and told, in order, in one SQLite file."""

from pipeline.ledger.audit import AuditEntry
from pipeline.ledger.events import Event
from pipeline.ledger.final_tracks import NOBODY, Finals, FinalTracks
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.orders import PlacedOrder, place_order
from pipeline.ledger.people import Person
from pipeline.ledger.reader import LedgerReader

__all__ = [
    "NOBODY",
    "AuditEntry",
    "Event",
    "FinalTracks",
    "Finals",
    "Ledger",
    "LedgerReader",
    "Person",
    "PlacedOrder",
    "place_order",
]
