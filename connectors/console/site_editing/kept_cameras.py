"""Cameras that the page adds, changes and removes are kept in the file of edits, once the run has done so."""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from connectors.console.site_editing.camera_form import FOLDER, credentials_of
from connectors.console.site_editing.versions import RuleStore
from connectors.redaction import redact_url
from pipeline.core.camera_uri import parse_camera
from pipeline.core.errors import ConnectorError, DataError, ReidError
from pipeline.ledger.cameras.book import CameraBook
from pipeline.ledger.cameras.command import CameraCommand, CameraCommandKind

MAX_TRIES = 5
"""Times that a version is written again because somebody else saved one at that moment."""

SETTLE_EVERY_S = 5.0
"""Seconds between two looks for commands whose outcome came late. A run that begins in between may lack a camera."""

_AS_CONFIGURED = object()
"""Stands for the entry of a camera that the configuration has itself."""

logger = logging.getLogger(__name__)


class KeptCameras:
    """The cameras in a site's file of edits.

    What is to be kept is written in the run's list of commands, so an outcome that comes when nobody waits for it any
    more, or after the page was killed, is kept as well.

    Args:
        output_dir: Output folder of the run.
        rules: Opens the file of edits.
    """

    def __init__(self, output_dir: Path, rules: Callable[[], RuleStore]) -> None:
        self._output_dir = output_dir
        self._rules = rules
        self._settling = threading.Lock()

    def entries(self) -> Mapping[str, Any]:
        """Return the entries of ``site.cameras`` that are kept; None is a camera that is removed."""
        return cameras_of(self._rules().text())

    def password_folder(self) -> Path:
        """Return the folder of the passwords of cameras that are kept, beside the file of edits."""
        return self._rules().path.parent / FOLDER

    def settle(self) -> None:
        """Keep what commands have done since, and delete the passwords of those that were refused.

        Raises:
            ReidError: If that cannot be read or written; nothing is lost then.
        """
        with self._settling:
            ended = [each for each in CameraBook(self._output_dir).commands() if each.state != "pending"]
            if not ended:
                return
            store = self._rules()
            settled = store.settled_commands()
            for submitted in ended:
                command = submitted.command
                if (submitted.number, command.at) in settled:
                    continue
                if submitted.state == "refused":
                    self._forget_password(store, command)
                elif command.keep:
                    self._keep(store, command)
                store.settle_command(submitted.number, command.at)

    async def follow(self) -> None:
        """Settle now and then, until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.settle)
            except ReidError as error:
                logger.warning("what became of the cameras is not kept yet: %s", error)
            await asyncio.sleep(SETTLE_EVERY_S)

    def _keep(self, store: RuleStore, command: CameraCommand) -> None:
        """Write a camera into the file of edits, as a new version: the next run that begins with it has it."""
        camera_id, entry = command.camera_id, command.entry
        if command.kind is not CameraCommandKind.REMOVE and entry is None:
            entry = _last_entry(store, camera_id)
        for _ in range(MAX_TRIES):
            base, before = store.newest(), store.text()
            cameras = cameras_of(before)
            after = {**cameras, camera_id: entry}
            if entry is _AS_CONFIGURED:
                del after[camera_id]
            if after == cameras:
                return
            try:
                store.save(with_cameras(before, after), before, by=command.by, reason=_reason(command), base=base)
                return
            except DataError:
                continue
        raise ConnectorError(f"{store.path}: somebody else saves all the time; camera {camera_id} is not kept in it")

    def _forget_password(self, store: RuleStore, command: CameraCommand) -> None:
        """Delete the password that a refused command brought, unless a version has it as well."""
        file = None if command.entry is None else credentials_of(command.entry)[1]
        is_ours = file is not None and file.parent == store.path.parent / FOLDER
        if file is not None and is_ours and not any(str(file) in each.text for each in store.versions()):
            file.unlink(missing_ok=True)


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


def _last_entry(store: RuleStore, camera_id: str) -> object:
    for version in store.versions():
        entry = cameras_of(version.text).get(camera_id)
        if entry is not None:
            return entry
    return _AS_CONFIGURED


def _reason(command: CameraCommand) -> str:
    if command.kind is CameraCommandKind.REMOVE:
        return f"camera {command.camera_id} removed"
    if command.entry is None:
        return f"camera {command.camera_id} again"
    return f"camera {command.camera_id}: {redact_url(parse_camera(command.entry).uri)}"
