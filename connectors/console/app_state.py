"""Everything that the page of one run works with."""

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
from pipeline.core import CommandKind, CorrectionCommand, CorrectionKind, TrackPart
from pipeline.ledger import NOBODY, submit_command
from pipeline.ledger.ledger import is_being_written

logger = logging.getLogger(__name__)

UNUSED_S = 600.0
"""A picture of which no sighting came for so long is of no use, and could not be erased with its person."""


class AppState:
    """Opens the files of a run, and keeps what belongs together in step.

    Args:
        settings: How the page is served.
        accounts: Who may use it.

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
        self._placing = threading.Lock()
        self.networks = RunNetworks(settings.output_dir)
        self.probability_scale = ProbabilityScale(settings.output_dir)
        self.similarity = SimilaritySearch(self.ledger_view, self.pictures, self.networks, self.probability_scale)
        self.wall = LiveView(self.pictures, self.ledger_view.persons_of)

    def place(self, command: CorrectionCommand) -> int:
        """Place an order and return its number; where the run has ended, it is carried out at once.

        Raises:
            ConfigError: If it cannot mean anything.
            ConnectorError: If the ledger cannot be written.
        """
        moved: Sequence[TrackPart] = command.parts
        if command.kind is CommandKind.MERGE:
            absorbed = [
                event for person_id in command.person_ids[1:] for event in self.ledger_view.events_of(person_id)
            ]
            moved = [event.part for event in absorbed if event.part is not None]
        with self._placing:  # where the run has ended, one carries out at a time
            number = submit_command(self.ledger_path, command)
        self.notes.remember_parts(number, moved)
        return number

    @property
    def is_live(self) -> bool:
        """Whether a run is writing the ledger; it carries orders out itself."""
        return self.settings.is_live or is_being_written(self.ledger_path)

    def report(self, name: str) -> Any:
        """Return what ``status.json`` or ``summary.json`` of the run holds; None while there is none."""
        try:
            return json.loads((self.settings.output_dir / name).read_text())
        except (OSError, ValueError):
            return None

    def follow(self) -> int:
        """Take in what is new in the ledger; return the number of the newest event.

        Pictures and notes of whoever was erased, by whomever, go with them.
        """
        last_event, corrections = self.ledger_view.follow()
        if any(correction.kind is CorrectionKind.ERASED for correction in corrections):
            self.forget_nobody()
        return last_event

    def forget_nobody(self) -> int:
        """Delete pictures and notes of what is nobody's any more; return how many pictures there were."""
        gone = [part for part in self.pictures.parts() if self._is_erased(part)]
        gone += [part for part in self.notes.noted_parts() if self._is_erased(part)]
        self.ledger_view.forget(gone)
        self.notes.forget_parts(gone)
        return self.pictures.drop(gone)

    def tidy(self) -> int:
        """Delete pictures that are too old or too many, and those that no sighting came of; return these."""
        self.pictures.tidy()
        gone = [
            part for part in self.pictures.parts(older_than_s=UNUSED_S) if self.ledger_view.person_of(part) == NOBODY
        ]
        return self.pictures.drop(gone) if gone else 0

    def _is_erased(self, part: TrackPart) -> bool:
        return self.ledger_view.person_of(part) == NOBODY and self.ledger_view.was_seen(part)

    def close(self) -> None:
        """Let the files go."""
        self.ledger_view.close()
        self.accounts.close()
        self.notes.close()
        self.pictures.close()
