"""The reader of a ledger, beside the process that writes it."""

import sqlite3
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from typing import TypeVar

from pipeline.core import Alert, Correction, TrackId, TrackPart
from pipeline.core.errors import ConnectorError
from pipeline.core.sqlite_files import why_failed
from pipeline.ledger.audit import AuditEntry, read_audit
from pipeline.ledger.corrections.commands import SubmittedCommand, read_commands
from pipeline.ledger.erasure import digest_of
from pipeline.ledger.events import COLUMNS, Event, from_row
from pipeline.ledger.people import People, Person
from pipeline.ledger.tables import check_schema, connect, last_person_id

Result = TypeVar("Result")

AT_ONCE = 5000
"""Events read or named by one query. Chosen to bound memory; a larger value means fewer queries."""


class LedgerReader:
    """Reads a ledger, in any process, while another one writes it. Results are as of the moment of the call.

    Args:
        path: The file.

    Raises:
        ConnectorError: If the file is missing, not a ledger, or of another schema. The methods raise it if the file is
            damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._people = People()
        if not path.is_file():
            raise ConnectorError(f"{path}: expected a ledger, got no file; name the ledger.sqlite of a run")
        self._database = connect(path, read_only=True)
        check_schema(path, self._database)

    def persons(self) -> list[Person]:
        """Return each person who was seen, after all corrections, by number."""
        return self.people().persons()

    def person_of(self, part: TrackPart) -> int:
        """Return the person of a part after all corrections; ``NOBODY`` if it was erased or never seen."""
        return self.people().person_of(part)

    def was_erased(self, part: TrackPart) -> bool:
        """Return whether a part was erased; if its recording is read again, nothing about it may be kept."""
        query = "SELECT 1 FROM erased WHERE digest = ?"
        return self._read(lambda: self._database.execute(query, (digest_of(part),)).fetchone() is not None)

    def sightings_of(self, person_id: int) -> list[Event]:
        """Return the sightings that show a person after all corrections, in order."""
        numbers = self.people().events_of(person_id)
        return [
            event
            for start in range(0, len(numbers), AT_ONCE)
            for event in self._numbered(numbers[start : start + AT_ONCE])
        ]

    def sighting(self, part: TrackPart) -> Event | None:
        """Return the newest sighting of a part; None if there is none."""
        found = self._events("track = ? AND part = ? ORDER BY number DESC LIMIT 1", str(part.track_id), part.part)
        return found[0] if found else None

    def sighting_near(self, track_id: TrackId, at: float) -> Event | None:
        """Return the sighting of a track that is nearest to a moment, Unix seconds; None if there is none."""
        found = self._events(
            "track = ? AND body IS NOT NULL ORDER BY abs(at - ?), number DESC LIMIT 1", str(track_id), at
        )
        return found[0] if found else None

    def events(self, *, after: int = 0, limit: int = AT_ONCE, kind: str | None = None) -> list[Event]:
        """Return the next events, in order.

        Args:
            after: Only those with higher numbers.
            limit: Number of events, at most; -1 for all.
            kind: ``sighting``, ``correction`` or ``alert``; None for all.
        """
        if kind is None:
            return self._events("number > ? ORDER BY number LIMIT ?", after, limit)
        return self._events("kind = ? AND number > ? ORDER BY number LIMIT ?", kind, after, limit)

    def last_event(self) -> int:
        """Return the number of the newest event; 0 before the first."""
        return self._read(lambda: int(self._database.execute("SELECT max(number) FROM events").fetchone()[0] or 0))

    def number_of(self, chain: bytes) -> int:
        """Return the number of the event that has this hash; 0 if it has left the ledger, or is none."""
        query = "SELECT coalesce(max(number), 0) FROM events WHERE chain = ?"
        return self._read(lambda: int(self._database.execute(query, (chain,)).fetchone()[0]))

    def last_at(self, camera_id: str) -> float | None:
        """Return the Unix seconds of the newest event of a camera; None if there is none."""
        found = self._events("camera_id = ? ORDER BY at DESC LIMIT 1", camera_id)
        return found[0].at if found else None

    def last_index(self, camera_id: str) -> int:
        """Return the largest index of a frame in which a camera saw a person; -1 if it saw nobody."""
        newest = "max(json_extract(body, '$.last[0]'))"
        query = f"SELECT {newest} FROM events WHERE camera_id = ? AND kind = 'sighting' AND body IS NOT NULL"
        found = self._read(lambda: self._database.execute(query, (camera_id,)).fetchone()[0])
        return -1 if found is None else int(found)

    def corrections(self, *, after: int = 0) -> list[tuple[int, Correction]]:
        """Return all corrections after an event, with the numbers of their events, in order."""
        events = self.events(after=after, limit=-1, kind="correction")
        return [(event.number, event.correction()) for event in events if not event.is_erased]

    def alerts(self) -> list[Alert]:
        """Return the newest record of each alert, in the order in which the alerts were raised."""
        newest: dict[str, Alert] = {}
        for event in self.events(limit=-1, kind="alert"):
            if not event.is_erased:
                newest[event.alert().key] = event.alert()
        return list(newest.values())

    def corrections_of(self, person_ids: Sequence[int]) -> list[tuple[int, Correction]]:
        """Return the corrections that concern one of these numbers, with the numbers of their events, in order."""
        marks = ", ".join("?" * len(person_ids))
        concerns = f"EXISTS (SELECT 1 FROM json_each(body, '$.person_ids') WHERE value IN ({marks}))"
        events = self._events(f"kind = 'correction' AND body IS NOT NULL AND {concerns} ORDER BY number", *person_ids)
        return [(event.number, event.correction()) for event in events]

    def next_expiry(self, *, after: float) -> float:
        """Return the first moment after another, Unix seconds by the wall clock, at which somebody was to be unlisted.

        It is infinite if there is none. The person may be off the list by now, or on it for longer.
        """
        expires_at = "json_extract(each.value, '$[2]')"
        query = (
            f"SELECT min({expires_at}) FROM events, json_each(events.body, '$.listings') AS each "
            f"WHERE events.kind = 'correction' AND events.body LIKE '%\"listings\"%' AND {expires_at} > ?"
        )
        found = self._read(lambda: self._database.execute(query, (after,)).fetchone()[0])
        return inf if found is None else float(found)

    def command(self, number: int) -> SubmittedCommand | None:
        """Return a command by its number; None if there is none."""
        found = self._read(lambda: read_commands(self._database, number=number))
        return found[0] if found else None

    def newest_commands(self, limit: int) -> list[SubmittedCommand]:
        """Return the newest commands, newest first."""
        return self._read(lambda: read_commands(self._database, newest=limit))

    def num_answered(self) -> int:
        """Return how many commands were applied or refused."""
        query = "SELECT count(*) FROM orders WHERE state <> 'pending'"
        return self._read(lambda: int(self._database.execute(query).fetchone()[0]))

    def commands(self) -> list[SubmittedCommand]:
        """Return all commands and their outcomes."""
        return self._read(lambda: read_commands(self._database))

    def audit(self) -> list[AuditEntry]:
        """Return who asked for what, when and why."""
        return self._read(lambda: read_audit(self._database))

    def people(self) -> People:
        """Return the present identities; events since the last call are folded in."""
        while events := self.events(after=self._people.last_event):
            self._people.fold(events)
        # Numbers were given, too, to people whose events are gone.
        self._people.numbers.reserve(self._read(lambda: last_person_id(self._database)))
        return self._people

    def close(self) -> None:
        """Close the file; idempotent."""
        self._database.close()

    def _numbered(self, numbers: Sequence[int]) -> list[Event]:
        marks = ", ".join("?" * len(numbers))
        return self._events(f"number IN ({marks}) ORDER BY number", *numbers)

    def _events(self, where: str, *values: object) -> list[Event]:
        query = f"SELECT {COLUMNS} FROM events WHERE {where}"
        return self._read(lambda: [from_row(row) for row in self._database.execute(query, values)])

    def _read(self, read: Callable[[], Result]) -> Result:
        try:
            return read()
        except sqlite3.Error as error:
            raise ConnectorError(
                why_failed(self.path, error, f"cannot be read: {error}; passerby ledger check says what is left")
            ) from error
