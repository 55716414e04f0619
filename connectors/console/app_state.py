"""State of the page of one run: its files, its networks and its live view."""

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.alerting.picture_store import FILE as ALERT_PICTURES
from connectors.alerting.picture_store import AlertPictureStore
from connectors.console.api.sessions import Sessions
from connectors.console.live_video.permitted import PermittedVideo
from connectors.console.live_video.relay import LiveVideoRelay
from connectors.console.live_view import LiveView
from connectors.console.search.networks import RunNetworks
from connectors.console.search.probability import ProbabilityScale
from connectors.console.search.similarity import SimilaritySearch
from connectors.console.search.turns import Turns
from connectors.console.settings import Settings
from connectors.console.site_editing.edited_shapes import EditedShapes
from connectors.console.site_editing.versions import EDITS, RuleStore
from connectors.console.store.accounts import Accounts
from connectors.console.store.ledger_view import LedgerView
from connectors.console.store.notes import NotesStore
from connectors.console.store.pictures import PictureStore
from connectors.console.store.site import SiteReader
from connectors.console.watchlist.pictures import EnrolledPictures, Uploads
from connectors.recording.store import RecordingStore
from pipeline.core import CommandKind, CorrectionCommand
from pipeline.ledger import NOBODY, submit_command
from pipeline.ledger.cameras.submit import CheckAtRest
from pipeline.ledger.corrections.apply import Forget, apply_pending
from pipeline.ledger.ledger import is_being_written

if TYPE_CHECKING:
    from connectors.console.sign_in.oidc import OidcProvider

logger = logging.getLogger(__name__)

ORPHAN_AGE_S = 600.0
"""Seconds after which a picture without a sighting is deleted.

The sighting of a picture follows within seconds. A picture that never gets one belongs to no person and could not be
erased with its person. A smaller value deletes pictures whose sightings are late; a larger one keeps orphans longer.
"""


@dataclass(frozen=True, slots=True)
class AtRest:
    """What the page asks of the pipeline's command line, which it does not know, after a run has ended.

    Attributes:
        forget: See ``pipeline.ledger.corrections.apply.Forget``.
        write_again: Writes the films of an output folder again, and says what became of them.
        check_camera: See ``pipeline.ledger.cameras.submit.CheckAtRest``.
    """

    forget: Forget
    write_again: Callable[[Path, Sequence[Path]], str]
    check_camera: CheckAtRest


class AppState:
    """Opens the files of a run and keeps pictures and notes in step with the ledger.

    Args:
        settings: How the page is served.
        accounts: Users and tokens.
        at_rest: What only the pipeline can do for a run that has ended; None: an erasure then forgets the appearance
            of all people.

    Raises:
        ConnectorError: If there is no ledger, or a file cannot be opened.
    """

    def __init__(self, settings: Settings, accounts: Accounts, at_rest: AtRest | None = None) -> None:
        self.settings = settings
        self._at_rest = at_rest
        self.ledger_path = settings.output_dir / "ledger.sqlite"
        self.site_file = SiteReader(settings.output_dir)
        self.ledger_view = LedgerView(self.ledger_path, self.site_file)
        self.accounts = accounts
        self.provider = _provider(settings)
        page_url = (settings.ways.oidc and settings.ways.oidc.page_url) or ""
        self.sessions = Sessions(
            self.accounts,
            max_age_s=settings.session_s,
            is_open=settings.is_open,
            is_tls=settings.certificate is not None or page_url.startswith("https:"),
            ways=settings.ways,
            provider=self.provider,
        )
        self.notes = NotesStore(settings.folder / "journal.sqlite", self.ledger_path)
        self.pictures = PictureStore(
            settings.folder / "pictures.sqlite",
            keep_s=settings.keep_pictures_s,
            max_bytes=settings.max_picture_bytes,
        )
        self.enrolled = EnrolledPictures(settings.folder / "enrolled.sqlite")
        self.uploads = Uploads()
        self._alert_pictures: AlertPictureStore | None = None
        self._recording: RecordingStore | None = None
        self._rules: RuleStore | None = None
        self._submitting = threading.Lock()
        self._dropped_up_to = 0
        self._undone_up_to = 0
        self._permitted = PermittedVideo(self.site_file, self.edits_path)
        video = settings.live_video
        self.live_video = None if video is None else LiveVideoRelay(video, self._permitted.why_not)
        self.networks = RunNetworks(settings.output_dir)
        self.turns = Turns()
        self.probability_scale = ProbabilityScale(settings.output_dir)
        self.similarity = SimilaritySearch(self.ledger_view, self.pictures, self.networks, self.probability_scale)
        self.live_view = LiveView(
            self.pictures,
            self.ledger_view.persons_of,
            self.ledger_view.was_erased,
            EditedShapes(self.edits_path),
            lambda camera_id, box_xyxy: self.site_file.site().place(camera_id, box_xyxy),
        )

    def has_video(self, camera_id: str) -> bool:
        """Return whether live video of a camera may be shown, and there is a server of it."""
        return self.live_video is not None and self.is_live and not self._permitted.why_not(camera_id)

    def submit(self, command: CorrectionCommand) -> int:
        """Submit a correction command and return its number.

        A running pipeline applies it; after the run it is applied before this returns.

        Raises:
            ConfigError: If the command is not valid.
            ConnectorError: If the ledger cannot be written.
        """
        with self._submitting:  # after the run, commands are applied here, one at a time
            return submit_command(self.ledger_path, command, self._forget)

    @property
    def _forget(self) -> Forget | None:
        return None if self._at_rest is None else self._at_rest.forget

    def _expire(self) -> None:
        """After a run, take people off the watch-list whose time is over; a run does so itself."""
        ends = [each.listing.expires_at for each in self.ledger_view.listed()]
        if any(end is not None and end <= time.time() for end in ends) and not self.is_live:
            with self._submitting:
                apply_pending(self.ledger_path, self._forget)

    @property
    def check_camera(self) -> CheckAtRest | None:
        """What a camera command comes to after the run; None: it waits for the run that continues."""
        return None if self._at_rest is None else self._at_rest.check_camera

    def films(self) -> list[Path]:
        """Return the films that a run wrote at its end; an erasure deletes them."""
        return sorted((self.settings.output_dir / "annotated").glob("*.mp4"))

    def write_films_again(self, films: Sequence[Path]) -> str:
        """Write films again that an erasure has deleted, and return in one sentence what became of them."""
        gone = [film for film in films if not film.exists()]
        if not gone:
            return ""
        if self._at_rest is None or self.is_live:
            return f"deleted: {', '.join(film.name for film in gone)}; write them again with passerby re-export"
        return self._at_rest.write_again(self.settings.output_dir, gone)

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

    def alert_pictures(self) -> AlertPictureStore | None:
        """Return the pictures for alerts; None while the run has kept none, or where it keeps none."""
        path = self.settings.output_dir / ALERT_PICTURES
        if self._alert_pictures is None and path.is_file():
            self._alert_pictures = AlertPictureStore(path)
        return self._alert_pictures

    def recording(self) -> RecordingStore | None:
        """Return the recorded video; None while the run has recorded none, or where it records none."""
        with self._submitting:
            if self._recording is None and RecordingStore.is_in(self.settings.output_dir):
                self._recording = RecordingStore(self.settings.output_dir)
            return self._recording

    def rules(self) -> RuleStore:
        """Return the edits of the site's zones, lines and rules; opened at the first use."""
        with self._submitting:
            if self._rules is None:
                self._rules = RuleStore(self.edits_path)
            return self._rules

    @property
    def edits_path(self) -> Path:
        """The file in which zones, lines and rules are edited."""
        return self.site_file.site().edits or self.settings.output_dir / EDITS

    def follow(self) -> int:
        """Read the new events of the ledger; return the number of the newest one.

        If a person was erased, in whichever way, delete their pictures and notes too, once the outcome is known. If the
        correction that followed from an answer was undone, the question is asked again.
        """
        last_event, last_erasure = self.ledger_view.follow()
        if last_erasure > self._dropped_up_to and not self._is_erasing():
            self.drop_erased()
            self._dropped_up_to = last_erasure
        for number, undoes in self.ledger_view.undone(after=self._undone_up_to):
            self._undone_up_to = number
            self.notes.forget_answer(undoes)
        return last_event

    def _is_erasing(self) -> bool:
        """Whether an erasure is being applied: it deletes the pictures, and counts them for its outcome."""
        commands = (each for each in self.ledger_view.commands() if each.state == "pending")
        return any(each.command.kind is CommandKind.ERASE for each in commands)

    def drop_erased(self) -> int:
        """Delete pictures and notes of erased sightings; return the number of pictures deleted."""
        parts = [*self.pictures.parts(), *self.notes.noted_parts()]
        gone = [part for part in parts if self.ledger_view.was_erased(part)]
        self.ledger_view.forget(gone)
        self.notes.forget_parts(gone)
        return self.pictures.drop(gone)

    def tidy(self) -> int:
        """Delete what is too old or too much, and orphans; return the number of orphaned pictures deleted."""
        self._expire()
        self.enrolled.keep_only(self.ledger_view.kept_parts)
        self.pictures.tidy()
        old = self.pictures.parts(older_than_s=ORPHAN_AGE_S)
        orphans = [part for part in old if self.ledger_view.person_of(part) == NOBODY]
        return self.pictures.drop(orphans) if orphans else 0

    def close(self) -> None:
        """Close the files."""
        self.ledger_view.close()
        self.accounts.close()
        self.notes.close()
        self.pictures.close()
        self.enrolled.close()
        for opened in (self._alert_pictures, self._recording, self._rules):
            if opened is not None:
                opened.close()


def _provider(settings: Settings) -> "OidcProvider | None":
    """Return the provider at which users sign in; its packages are an extra, so they are imported only here."""
    if settings.ways.oidc is None:
        return None
    from connectors.console.sign_in.oidc import OidcProvider

    return OidcProvider(settings.ways.oidc)
