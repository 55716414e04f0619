"""Takes people off the watch-list when their time there is over."""

import time
from math import inf

from pipeline.core import CommandKind, CorrectionCommand
from pipeline.ledger.reader import LedgerReader

EXPIRY = "expiry"
"""Author of the commands that take people off the watch-list because their time is over."""


class Expiry:
    """Says whose time on the watch-list is over.

    Args:
        reader: Of the ledger.
    """

    def __init__(self, reader: LedgerReader) -> None:
        self._reader = reader
        self._looked_at = -inf
        self._next_at = -inf

    def changed(self) -> None:
        """Look again: a command has changed the list."""
        self._looked_at = self._next_at = -inf

    def due(self, now: float) -> list[CorrectionCommand]:
        """Return the commands that are due by ``now``, Unix seconds by the wall clock; each is returned once."""
        if now < self._next_at:
            return []
        self._next_at = self._reader.next_expiry(after=self._looked_at)
        if now < self._next_at:
            return []
        self._looked_at = now
        self._next_at = self._reader.next_expiry(after=now)
        ended = {
            person_id: listing.expires_at
            for person_id, listing in self._reader.people().listings.items()
            if listing.expires_at is not None and listing.expires_at <= now
        }
        return [
            CorrectionCommand(CommandKind.UNLIST, (person_id,), EXPIRY, now, reason=f"until {_date(at)}")
            for person_id, at in sorted(ended.items())
        ]


def _date(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))
