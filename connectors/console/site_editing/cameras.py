"""Cameras that are tried, added, changed and removed in the page: by commands to the run, and kept for the next one."""

import base64
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from connectors.console.site_editing.camera_faults import for_operator
from connectors.console.site_editing.camera_form import (
    FOLDER,
    CameraForm,
    check_form,
    credentials_of,
    entry_of,
    write_password,
)
from connectors.console.site_editing.command_line import passerby
from connectors.console.site_editing.versions import RuleStore
from connectors.redaction import redact_url
from pipeline.core.camera_uri import parse_camera
from pipeline.core.errors import ConfigError, ConnectorError, DataError
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

MAX_TRIES = 5
"""Times that a version is written again because somebody else saved one at that moment."""


class SiteCameras:
    """The cameras of a run, and what of them is kept in its file of edits.

    Args:
        output_dir: Output folder of the run.
        rules: Opens the file of edits.
        check_at_rest: What a command of a run that has ended comes to; None: it waits for the run that continues.
    """

    def __init__(self, output_dir: Path, rules: Callable[[], RuleStore], check_at_rest: CheckAtRest | None) -> None:
        self._output_dir = output_dir
        self._rules = rules
        self._check_at_rest = check_at_rest
        self._trying = threading.Lock()
        self._changing = threading.Lock()

    def rows(self) -> list[dict[str, Any]]:
        """Return the cameras, those that were removed included, with what the form needs to change one; no password.

        Raises:
            ConfigError: If the run left no configuration.
        """
        kept = self._kept()
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
        with self._changing:
            return self._added(form, by=by, reason=reason, event_at=event_at, force=force)

    def change(self, form: CameraForm, *, by: str, reason: str) -> dict[str, str]:
        """Remove a camera and add it as the form says; where that is refused, it comes back as it was.

        Raises:
            ConfigError: If it may not be so, or is refused.
        """
        form = self._checked(form)
        self.trial(form)  # while the camera is still read
        with self._changing:
            submitted = self._done(CameraCommandKind.REMOVE, form.camera, by=by, reason=reason)
            if submitted.state == "pending":
                raise ConfigError("the run does not answer; the camera is removed when it does, so add it again then")
            try:
                return self._added(form, by=by, reason=reason, event_at=None, force=True)
            except ConfigError:
                self._done(CameraCommandKind.ADD, form.camera, by=by, reason="as it was", force=True)
                raise

    def add_again(self, camera_id: str, *, by: str, reason: str) -> dict[str, str]:
        """Add a camera that was removed, as it was.

        Raises:
            ConfigError: If it is refused.
        """
        with self._changing:
            submitted = self._done(CameraCommandKind.ADD, camera_id, by=by, reason=reason)
            if submitted.state == "done":
                self._keep(camera_id, self._last_entry(camera_id), by, f"camera {camera_id} again")
        return _outcome(submitted)

    def remove(self, camera_id: str, *, by: str, reason: str, event_at: float | None) -> dict[str, str]:
        """Remove a camera, and keep that.

        Raises:
            ConfigError: If it is refused.
        """
        with self._changing:
            submitted = self._done(CameraCommandKind.REMOVE, camera_id, by=by, reason=reason, event_at=event_at)
            if submitted.state == "done" and event_at is None:
                self._keep(camera_id, None, by, f"camera {camera_id} removed")
        return _outcome(submitted)

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
            submitted = self._done(CameraCommandKind.REMOVE, camera_id, by=by, reason=reason)
            if submitted.state == "done":
                submitted = self._done(CameraCommandKind.ADD, camera_id, by=by, reason=reason, force=True)
        except ConfigError as error:
            return str(error)
        return "applied" if submitted.state == "done" else "next_start"

    def _added(self, form: CameraForm, *, by: str, reason: str, event_at: float | None, force: bool) -> dict[str, str]:
        password_file = self._password_file(form, self._rules().path.parent / FOLDER)
        entry = entry_of(form, password_file)
        try:
            submitted = self._done(
                CameraCommandKind.ADD, form.camera, by=by, reason=reason, event_at=event_at, entry=entry, force=force
            )
        except ConfigError:
            if password_file is not None and form.password:
                password_file.unlink()
            raise
        if submitted.state == "done" and event_at is None:
            self._keep(form.camera, entry, by, f"camera {form.camera}: {form.address}")
        return _outcome(submitted)

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
        entry = self._kept().get(form.camera)
        if entry is None:
            return None
        username, file = credentials_of(entry)
        is_same = parse_camera(entry).uri == form.address and username == form.username
        return file if is_same else None

    def _password_file(self, form: CameraForm, folder: Path) -> Path | None:
        if form.password:
            return write_password(folder, form.password)
        return self._password_before(form) if form.username else None

    def _done(
        self,
        kind: CameraCommandKind,
        camera_id: str,
        *,
        by: str,
        reason: str,
        event_at: float | None = None,
        entry: object = None,
        force: bool = False,
    ) -> SubmittedCameraCommand:
        """Submit a command and wait for its outcome; raise ``ConfigError`` if it is refused."""
        command = CameraCommand(kind, camera_id, by, time.time(), entry, event_at, reason, force)
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

    def _kept(self) -> Mapping[str, Any]:
        return cameras_of(self._rules().text())

    def _last_entry(self, camera_id: str) -> object:
        for version in self._rules().versions():
            entry = cameras_of(version.text).get(camera_id)
            if entry is not None:
                return entry
        return _AS_CONFIGURED

    def _keep(self, camera_id: str, entry: object, by: str, reason: str) -> None:
        """Write a camera into the file of edits, as a new version: the next run that begins with it has it."""
        store = self._rules()
        for _ in range(MAX_TRIES):
            base, before = store.newest(), store.text()
            cameras = {**cameras_of(before), camera_id: entry}
            if entry is _AS_CONFIGURED:
                del cameras[camera_id]
            try:
                store.save(with_cameras(before, cameras), before, by=by, reason=reason, base=base)
                return
            except DataError:
                continue
        raise ConnectorError(f"{store.path}: somebody else saves all the time; camera {camera_id} is not kept in it")


_AS_CONFIGURED = object()
"""Stands for the entry of a camera that the configuration has itself."""


def cameras_of(text: str) -> dict[str, Any]:
    """Return the cameras of a file of edits, see ``pipeline.config.kept_cameras``; none of one that is no such file."""
    try:
        return dict(yaml.safe_load(text)["site"]["cameras"])
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        return {}


def with_cameras(text: str, cameras: Mapping[str, Any]) -> str:
    """Return a file of edits with these cameras."""
    edits = yaml.safe_load(text) or {}
    site = {key: value for key, value in (edits.get("site") or {}).items() if key != "cameras"}
    edits = {**edits, "site": {**site, **({"cameras": dict(cameras)} if cameras else {})}}
    return yaml.safe_dump(edits, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)


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


def _outcome(submitted: SubmittedCameraCommand) -> dict[str, str]:
    waits = "It waits for the run; if that has ended, for the one that continues it."
    return {"state": submitted.state, "outcome": submitted.outcome or waits}
