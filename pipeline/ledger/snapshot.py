"""What a ledger keeps so that a process that died goes on as if nothing had happened: a snapshot and a journal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

AT_REST = "order at rest"
"""What the journal calls an order that was carried out while nobody decided who is who."""
FORGOTTEN = "forgotten"
"""What the journal holds when somebody was erased while nobody could make a snapshot without them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was taken in since the last snapshot.

    Attributes:
        number: 1, 2, 3 …
        kind: What it is.
        body: Itself.
        chain: The end of the chain of hashes with the events that followed from it.
    """

    number: int
    kind: str
    body: bytes
    chain: bytes


@dataclass(frozen=True, slots=True)
class Saved:
    """What there is to go on from.

    Attributes:
        state: The last snapshot; None if there is none, and the journal goes back to the beginning.
        chain: The end of the chain of hashes then.
        entries: What came after it, in order.
        published: Number of the last entry whose records all sinks had safe.
        marks: Where each sink stood then, in its own words.
    """

    state: bytes | None
    chain: bytes
    entries: Sequence[Entry]
    published: int
    marks: Mapping[str, str]
