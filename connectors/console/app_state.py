"""State of the page of one run: its files, its networks and its live view."""

import json
import logging
import threading
from collections.abc import Sequence
from typing import Any

from connectors.console.api.sessions import Sessions
from connectors.console.live_view import LiveView
from connectors.console.search.networks import RunNetworks
from connectors.console.search.probability import ProbabilityScale
from connectors.console.search.similarity import SimilaritySearch
from connectors.console.settings import Settings
from connectors.console.store.accounts import Accounts
from connectors.console.store.ledger_view import LedgerView
from connectors.console.store.notes import NotesStore
from connectors.console.store.pictures import PictureStore
from connectors.console.store.site import SiteReader
from pipeline.core import CommandKind, CorrectionCommand, TrackPart
from pipeline.ledger import NOBODY, submit_command
from pipeline.ledger.ledger import is_being_written

logger = logging.getLogger(__name__)

ORPHAN_AGE_S = 600.0
"""Seconds after which a picture without a sighting is deleted.

The sighting of a picture follows within seconds. A picture that never gets one belongs to no person and could not be
erased with its person. A smaller value deletes pictures whose sightings are late; a larger one keeps orphans longer.
"""


class AppState:
    """Opens the files of a run and keeps pictures and notes in step with the ledger.

    Args:
        settings: How the page is served.
        accounts: Users and tokens.

    Raises:
        ConnectorError: If there is no ledger, or a file cannot be opened.
    """

    def __init__(self, settings: Settings, accounts: Accounts) -> None:
        self.settings = settings
        self.ledger_path = settings.output_dir / "ledger.sqlite"
        self.site_file = SiteReader(settings.output_dir)
        self.ledger_view = LedgerView(self.ledger_path, self.site_file)
        self.accounts = accounts
        self.sessions = Sessions(self.accounts, max_age_s=settings.session_s, is_open=settings.is_open)
        self.notes = NotesStore(settings.folder / "journal.sqlite", self.ledger_path)
        self.pictures = PictureStore(
            settings.folder / "pictures.sqlite",
            keep_s=settings.keep_pictures_s,
            max_bytes=settings.max_picture_bytes,
        )
        self._submitting = threading.Lock()
        self._dropped_up_to = 0
        self.networks = RunNetworks(settings.output_dir)
        self.probability_scale = ProbabilityScale(settings.output_dir)
        self.similarity = SimilaritySearch(self.ledger_view, self.pictures, self.networks, self.probability_scale)
        self.live_view = LiveView(self.pictures, self.ledger_view.persons_of)

    def submit(self, command: CorrectionCommand) -> int:
        """Submit a correction command and return its number.

        A running pipeline applies it; after the run it is applied before this returns.

        Raises:
            ConfigError: If the command is not valid.
            ConnectorError: If the ledger cannot be written.
        """
        moved: Sequence[TrackPart] = command.parts
        if command.kind is CommandKind.MERGE:
            absorbed = [
                event for person_id in command.person_ids[1:] for event in self.ledger_view.events_of(person_id)
            ]
            moved = [event.part for event in absorbed if event.part is not None]
        with self._submitting:  # after the run, commands are applied here, one at a time
            number = submit_command(self.ledger_path, command)
        self.notes.remember_parts(number, moved)
        return number

    @property
    def is_live(self) -> bool:
        """Whether a run is writing the ledger; such a run applies the commands itself."""
        return self.settings.is_live or is_being_written(self.ledger_path)

    def report(self, name: str) -> Any:
        """Return the content of ``status.json`` or ``summary.json``; None if there is no such file yet."""
        try:
            return json.loads((self.settings.output_dir / name).read_text())
        except (OSError, ValueError):
            return None

    def follow(self) -> int:
        """Read the new events of the ledger; return the number of the newest one.

        If a person was erased, in whichever way, delete their pictures and notes too.
        """
        last_event, last_erasure = self.ledger_view.follow()
        if last_erasure > self._dropped_up_to:
            self.drop_erased()
            self._dropped_up_to = last_erasure
        return last_event

    def drop_erased(self) -> int:
        """Delete pictures and notes of erased sightings; return the number of pictures deleted."""
        gone = [part for part in self.pictures.parts() if self._is_erased(part)]
        gone += [part for part in self.notes.noted_parts() if self._is_erased(part)]
        self.ledger_view.forget(gone)
        self.notes.forget_parts(gone)
        return self.pictures.drop(gone)

    def tidy(self) -> int:
        """Delete pictures that are too old or too many, and orphans; return the number of orphans deleted."""
        self.pictures.tidy()
        old = self.pictures.parts(older_than_s=ORPHAN_AGE_S)
        orphans = [part for part in old if self.ledger_view.person_of(part) == NOBODY]
        return self.pictures.drop(orphans) if orphans else 0

    def _is_erased(self, part: TrackPart) -> bool:
        return self.ledger_view.person_of(part) == NOBODY and self.ledger_view.was_seen(part)

    def close(self) -> None:
        """Close the files."""
        self.ledger_view.close()
        self.accounts.close()
        self.notes.close()
        self.pictures.close()
