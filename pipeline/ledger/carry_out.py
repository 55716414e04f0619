"""Carries orders out on the ledger of a run that has ended, at the level of events."""

import time
from pathlib import Path

from pipeline.core import Record
from pipeline.core.errors import DataError
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.orders import Outcome, PlacedOrder
from pipeline.ledger.reader import LedgerReader
from pipeline.ledger.resolve import amended, describe, resolve


def carry_out_pending(path: Path) -> list[PlacedOrder]:
    """Carry out the orders that wait, and return them with their outcome.

    Raises:
        ConnectorError: If a run is writing the ledger, which will carry them out itself.
    """
    ledger = Ledger(path)
    try:
        pending = ledger.pending_orders()
        reader = LedgerReader(path)
        for placed in pending:
            _carry_out(placed, ledger, reader)
        numbers = {placed.number for placed in pending}
        settled = [placed for placed in reader.orders() if placed.number in numbers]
        reader.close()
    finally:
        ledger.close()
    return settled


def _carry_out(placed: PlacedOrder, ledger: Ledger, reader: LedgerReader) -> None:
    people = reader.people()
    try:
        correction = resolve(placed.order, people, at=people.last_at, next_person_id=people.last_person_id + 1)
    except DataError as error:
        ledger.append([], outcomes=[Outcome(placed, time.time(), False, str(error))])
        return
    records: list[Record] = [correction, *amended(reader.alerts(), correction)]
    ledger.append(records, outcomes=[Outcome(placed, time.time(), True, describe(correction))])
