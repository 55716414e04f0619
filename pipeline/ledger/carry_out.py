"""Carries orders out on the ledger of a run that has ended, at the level of events."""

import time
from pathlib import Path

from pipeline.core import Record
from pipeline.core.errors import DataError
from pipeline.ledger.ledger import Ledger, is_being_written
from pipeline.ledger.orders import Outcome, PlacedOrder
from pipeline.ledger.reader import LedgerReader
from pipeline.ledger.resolve import amended, describe, resolve
from pipeline.packing import pack

AT_REST = "order at rest"
"""What the journal calls an order that was carried out while nobody decided who is who."""


def carry_out_pending(path: Path) -> None:
    """Carry out the orders that wait, or leave them to a run that has just begun to write the ledger."""
    if is_being_written(path):
        return
    ledger = Ledger(path)
    reader = LedgerReader(path)
    try:
        for placed in ledger.pending_orders():
            _carry_out(placed, ledger, reader)
    finally:
        reader.close()
        ledger.close()


def _carry_out(placed: PlacedOrder, ledger: Ledger, reader: LedgerReader) -> None:
    people = reader.people()
    try:
        correction = resolve(placed.order, people, at=people.last_at, next_person_id=people.last_person_id + 1)
    except DataError as error:
        ledger.append([], outcomes=[Outcome(placed, time.time(), False, str(error))])
        return
    records: list[Record] = [correction, *amended(reader.alerts(), correction)]
    taken = (AT_REST, pack({"order": placed.order, "correction": correction}))  # for a run that goes on from here
    ledger.append(records, taken=taken, outcomes=[Outcome(placed, time.time(), True, describe(correction))])
