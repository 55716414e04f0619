"""Cameras that are tried, added, changed and removed in the page: by commands to the run, and kept for the next one."""

import base64
import json
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from connectors.console.site_editing.camera_faults import for_operator
from connectors.console.site_editing.camera_form import (
    CameraForm,
    check_form,
    credentials_of,
    entry_of,
    with_options_of,
    write_password,
)
from connectors.console.site_editing.command_line import passerby
from connectors.console.site_editing.kept_cameras import KeptCameras
from connectors.redaction import redact_url
from pipeline.core.camera_uri import parse_camera
from pipeline.core.errors import ConfigError
from pipeline.ledger.cameras.book import CameraBook
from pipeline.ledger.cameras.command import CameraCommand, CameraCommandKind, SubmittedCameraCommand
from pipeline.ledger.cameras.states import camera_states
from pipeline.ledger.cameras.submit import CheckAtRest, apply_at_rest, submit_camera_command
from pipeline.ledger.ledger import is_being_written

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Reads YAML as plain values; in C where that was built."""

TRY_TIMEOUT_S = 60.0
"""Seconds that a test picture may take. A camera that does not answer is given up after 15 at most."""

WAIT_S = 60.0
"""Seconds that a command is waited for, as ``passerby cameras`` does."""

LOOK_EVERY_S = 0.2
"""Seconds between two looks for the outcome. More answer later."""


class SiteCameras:
    """The cameras of a run, and what of them is kept in its file of edits.

    Args:
        output_dir: Output folder of the run.
        kept: The cameras in the file of edits.
        check_at_rest: What a command of a run that has ended comes to; None: it waits for the run that continues.
    """

    def __init__(self, output_dir: Path, kept: KeptCameras, check_at_rest: CheckAtRest | None) -> None:
        self._output_dir = output_dir
        self._kept = kept
        self._check_at_rest = check_at_rest
        self._trying = threading.Lock()
        self._changing = threading.Lock()

    def rows(self) -> list[dict[str, Any]]:
        """Return the cameras, those that were removed included, with what the form needs to change one; no password.

        Raises:
            ConfigError: If the run left no configuration.
        """
        kept = self._kept.entries()
        return [
            {
                "camera": each.camera_id,
                "state": each.state,
                "frames": each.frames,
                "is_removed": each.is_removed,
                **_of_entry(each.entry),
                **_of_form(kept.get(each.camera_id)),
            }
            for each in camera_states(self._output_dir, self._run()["site"]["cameras"])
        ]

    def history(self) -> list[dict[str, Any]]:
        """Return the commands of this run, the newest first; they say what was done and show no address."""
        return [
            {
                "at": each.command.at,
                "by": each.command.by,
                "kind": each.command.kind,
                "camera": each.command.camera_id,
                "reason": each.command.reason,
                "state": each.state,
                "outcome": each.outcome,
            }
            for each in reversed(CameraBook(self._output_dir).commands())
        ]

    def trial(self, form: CameraForm) -> dict[str, Any]:
        """Return the first picture of a camera, its size, its rate, and what is wrong in one line.

        Raises:
            ConfigError: If it may not be added here, cannot be read, or another trial goes on.
        """
        form = self._checked(form)
        if not self._trying.acquire(blocking=False):
            raise ConfigError("another camera is tried now; wait for its end")
        try:
            with tempfile.TemporaryDirectory() as folder:
                entry = entry_of(form, self._password_file(form, Path(folder)))
                picture = Path(folder) / "picture.jpg"
                words = ("cameras", "try", str(self._output_dir), form.camera, "--picture", str(picture), "--json")
                try:
                    printed = passerby(words, timeout_s=TRY_TIMEOUT_S, given=json.dumps(entry))
                except ConfigError as error:
                    raise ConfigError(for_operator(str(error), form.camera, form.password)) from error
                return {**json.loads(printed), "picture": base64.b64encode(picture.read_bytes()).decode()}
        finally:
            self._trying.release()

    def add(self, form: CameraForm, *, by: str, reason: str, event_at: float | None, force: bool) -> dict[str, str]:
        """Add a camera, and keep it.

        Raises:
            ConfigError: If it may not be added here, or is refused.
        """
        form = self._checked(form)
        return self._given(
            CameraCommandKind.ADD, form.camera, self._entry(form), by=by, reason=reason, event_at=event_at, force=force
        )

    def change(self, form: CameraForm, *, by: str, reason: str) -> dict[str, str]:
        """Read a camera anew as the form says, and keep that; where that is refused, it stays as it was.

        Raises:
            ConfigError: If it may not be so, or is refused.
        """
        form = self._checked(form)
        before = self._kept.entries().get(form.camera) or self._run()["site"]["cameras"].get(form.camera)
        with_options_of(entry_of(form, None), before)  # refuses before a password is written
        self.trial(form)  # while the camera is still read
        entry = with_options_of(self._entry(form), before)
        return self._given(CameraCommandKind.CHANGE, form.camera, entry, by=by, reason=reason, force=True)

    def add_again(self, camera_id: str, *, by: str, reason: str) -> dict[str, str]:
        """Add a camera that was removed, as it was.

        Raises:
            ConfigError: If it is refused.
        """
        return self._given(CameraCommandKind.ADD, camera_id, by=by, reason=reason)

    def remove(self, camera_id: str, *, by: str, reason: str, event_at: float | None) -> dict[str, str]:
        """Remove a camera, and keep that.

        Raises:
            ConfigError: If it is refused.
        """
        return self._given(CameraCommandKind.REMOVE, camera_id, by=by, reason=reason, event_at=event_at)

    def read_anew(self, camera_ids: Iterable[str], *, by: str, reason: str) -> dict[str, str]:
        """Let the run open live cameras again, so that they follow the file of edits: their tracks begin anew.

        Returns:
            By camera: ``applied``; ``next_start`` for one that the run does not read now, and for a recording, whose
            result rests on its times; else what is wrong, in words.
        """
        outcomes = {}
        rows = {row["camera"]: row for row in self.rows()}
        with self._changing:
            for camera_id in camera_ids:
                row = rows.get(camera_id)
                is_read = row is not None and not (row["is_recording"] or row["is_removed"])
                outcomes[camera_id] = "next_start"
                if is_read and is_being_written(self._output_dir / "ledger.sqlite"):
                    outcomes[camera_id] = self._read_anew(camera_id, by, reason)
        return outcomes

    def _read_anew(self, camera_id: str, by: str, reason: str) -> str:
        try:
            submitted = self._done(CameraCommandKind.CHANGE, camera_id, by=by, reason=reason, force=True)
        except ConfigError as error:
            return str(error)
        return "applied" if submitted.state == "done" else "next_start"

    def _checked(self, form: CameraForm) -> CameraForm:
        form, run = form.without_password(), self._run()
        sources, folders = run["source"], run["site"].get("camera_folders") or ()
        if form.username and not form.password and self._password_before(form) is not None:
            check_form(CameraForm(form.camera, form.address, detector=form.detector), sources, folders)
        else:
            check_form(form, sources, folders)
        return form

    def _run(self) -> dict[str, Any]:
        """Return what the run wrote of its configuration."""
        try:
            run: Any = yaml.load((self._output_dir / "config.yaml").read_text(encoding="utf-8"), LOADER)
            if isinstance(run["source"], dict) and isinstance(run["site"]["cameras"], dict):
                return dict(run)
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
            pass
        raise ConfigError("this run left no configuration, so its cameras are not known")

    def _password_before(self, form: CameraForm) -> Path | None:
        """Return the file of the camera's password, if the address and the user are what they were."""
        entry = self._kept.entries().get(form.camera)
        if entry is None:
            return None
        username, file = credentials_of(entry)
        is_same = parse_camera(entry).uri == form.address and username == form.username
        return file if is_same else None

    def _password_file(self, form: CameraForm, folder: Path) -> Path | None:
        if form.password:
            return write_password(folder, form.password)
        return self._password_before(form) if form.username else None

    def _entry(self, form: CameraForm) -> object:
        return entry_of(form, self._password_file(form, self._kept.password_folder()))

    def _given(
        self,
        kind: CameraCommandKind,
        camera_id: str,
        entry: object = None,
        *,
        by: str,
        reason: str,
        event_at: float | None = None,
        force: bool = False,
    ) -> dict[str, str]:
        """Give a command, and keep what it did; one from a second of the recordings on belongs to that run alone."""
        keep = event_at is None
        with self._changing:
            try:
                submitted = self._done(
                    kind, camera_id, by=by, reason=reason, event_at=event_at, entry=entry, force=force, keep=keep
                )
            finally:
                self._kept.settle()
        waits = "It waits for the run; if that has ended, for the one that continues it."
        return {"state": submitted.state, "outcome": submitted.outcome or waits}

    def _done(
        self, kind: CameraCommandKind, camera_id: str, *, by: str, reason: str, **options: Any
    ) -> SubmittedCameraCommand:
        """Submit a command and wait for its outcome; raise ``ConfigError`` if it is refused."""
        replaces = self._run()["site"]["cameras"].get(camera_id)
        command = CameraCommand(kind, camera_id, by, time.time(), reason=reason, replaces=replaces, **options)
        number = submit_camera_command(self._output_dir, command, self._check_at_rest)
        give_up_at = time.monotonic() + WAIT_S
        while True:
            submitted = next(each for each in CameraBook(self._output_dir).commands() if each.number == number)
            if submitted.state == "refused":
                raise ConfigError(for_operator(submitted.outcome, camera_id, ""))
            if submitted.state == "done" or time.monotonic() > give_up_at:
                return submitted
            if self._check_at_rest is None and not is_being_written(self._output_dir / "ledger.sqlite"):
                return submitted  # nobody takes it now
            if self._check_at_rest is not None:
                apply_at_rest(self._output_dir, self._check_at_rest)  # the run may have ended meanwhile
            time.sleep(LOOK_EVERY_S)


def _of_entry(entry: object) -> dict[str, Any]:
    """Return what is shown of an entry of ``site.cameras``; never its password."""
    found = parse_camera(entry)
    has_detector = isinstance(entry, Mapping) and entry.get("detector") is not None
    return {"address": redact_url(found.uri), "is_recording": found.is_recording, "has_detector": has_detector}


def _of_form(entry: object) -> dict[str, Any]:
    """Return what the form shows of a kept entry; never its password."""
    if entry is None:
        return {"username": "", "detector_choice": ""}
    detector = entry.get("detector") if isinstance(entry, Mapping) else None
    return {"username": credentials_of(entry)[0], "detector_choice": detector if isinstance(detector, str) else ""}
