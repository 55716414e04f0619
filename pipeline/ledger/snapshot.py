"""What a ledger keeps so that a process that died can be restored exactly: a snapshot and a journal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

AT_REST = "order at rest"
"""Kind of a journal entry: a command that was applied while no matcher was running."""
FORGOTTEN = "forgotten"
"""Kind of a journal entry: what people look like was forgotten, by order or with a person who was erased."""
OWED = "owed"
"""Kind of a journal entry: records that sinks may lack, of inputs that were removed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event that the reducer applied since the last snapshot.

    Attributes:
        number: 1, 2, 3 …
        kind: Kind of the event.
        body: The event, serialised.
        chain: The last hash of the ledger after the records that followed from it.
    """

    number: int
    kind: str
    body: bytes
    chain: bytes


@dataclass(frozen=True, slots=True)
class Saved:
    """The state to go on from.

    Attributes:
        state: The last snapshot; None if there is none: then the journal starts at the beginning.
        chain: The last hash of the ledger at that time.
        entries: The events after it, in order.
        published: Number of the last entry whose records all sinks have safe.
        marks: The mark of each sink at that entry.
    """

    state: bytes | None
    chain: bytes
    entries: Sequence[Entry]
    published: int
    marks: Mapping[str, str]
