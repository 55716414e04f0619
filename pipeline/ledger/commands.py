"""Orders of operators and what came of them, as the ledger keeps them."""

import json
import sqlite3
from dataclasses import asdict, dataclass

from pipeline.core import Order, OrderKind, TrackId, TrackPart
from pipeline.core.errors import ConfigError
from pipeline.ledger.audit import add_audit

NUM_PEOPLE = {OrderKind.MERGE: (2,), OrderKind.CONFIRM: (1, 2)}
"""How many people an order names; one but for these."""

NEEDS_PARTS = (OrderKind.SPLIT, OrderKind.REJECT)


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order and what came of it.

    Attributes:
        number: 1, 2, 3 … in the order in which they were placed.
        order: What was asked for.
        state: ``pending``, ``done`` or ``refused``.
        outcome: What was done, or why not.
    """

    number: int
    order: Order
    state: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an order.

    Attributes:
        placed: The order.
        at: Unix seconds by the wall clock.
        is_done: False: it was refused.
        text: What was done, or why not.
    """

    placed: PlacedOrder
    at: float
    is_done: bool
    text: str


def add_order(database: sqlite3.Connection, order: Order) -> int:
    """Write an order, inside the caller's transaction, and return its number."""
    number = database.execute("INSERT INTO orders (body, state) VALUES (?, 'pending')", (order_body(order),)).lastrowid
    add_audit(database, order.at, order.by, order.kind, subject_of(order), order.reason)
    assert number is not None
    return number


def check_order(order: Order) -> None:
    """Raise ``ConfigError`` unless an order can mean something."""
    num_people = NUM_PEOPLE.get(order.kind, (1,))
    if len(order.person_ids) not in num_people or len(set(order.person_ids)) != len(order.person_ids):
        expected = " or ".join(map(str, num_people))
        raise ConfigError(f"{order.kind}: expected {expected} different people, got {list(order.person_ids)}")
    if order.kind in NEEDS_PARTS and not order.parts:
        raise ConfigError(f"{order.kind}: expected parts of tracks such as east/0/7:2, got none")
    if not order.by.strip():
        raise ConfigError(f"{order.kind}: expected the name of who orders it, got none; say by whom")


def read_orders(database: sqlite3.Connection, state: str | None = None) -> list[PlacedOrder]:
    """Return orders in the order in which they were placed; all, or those of one state."""
    rows = database.execute(
        "SELECT number, body, state, outcome FROM orders WHERE ?1 IS NULL OR state = ?1 ORDER BY number", (state,)
    )
    return [PlacedOrder(number, order_from(body), state, outcome) for number, body, state, outcome in rows]


def write_outcome(database: sqlite3.Connection, outcome: Outcome) -> None:
    """Note what came of an order, inside the caller's transaction."""
    state = "done" if outcome.is_done else "refused"
    database.execute(
        "UPDATE orders SET state = ?, outcome = ? WHERE number = ?", (state, outcome.text, outcome.placed.number)
    )
    order = outcome.placed.order
    add_audit(database, outcome.at, order.by, f"{order.kind} {state}", subject_of(order), outcome.text)


def subject_of(order: Order) -> str:
    """Return whom and what an order concerns, in numbers."""
    people = ", ".join(map(str, order.person_ids))
    tail = f", {len(order.parts)} parts" if order.parts else ""
    return f"{'persons' if len(order.person_ids) > 1 else 'person'} {people}{tail}"


def order_body(order: Order) -> str:
    """Return an order as JSON."""
    parts = [[str(part.track_id), part.part] for part in order.parts]
    return json.dumps({**asdict(order), "parts": parts}, sort_keys=True)


def order_from(body: str) -> Order:
    """Return the order of its JSON."""
    values = json.loads(body)
    return Order(
        kind=OrderKind(values["kind"]),
        person_ids=tuple(values["person_ids"]),
        by=values["by"],
        at=values["at"],
        parts=tuple(TrackPart(TrackId.parse(track), part) for track, part in values["parts"]),
        name=values["name"],
        reason=values["reason"],
    )
