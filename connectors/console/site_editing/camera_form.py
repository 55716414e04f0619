"""What somebody writes into the camera form, as an entry of ``site.cameras``: which addresses may be written there.

A camera's password goes into a file of its own. So it is in no command, no version and no answer of the page.
"""

import os
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from connectors.redaction import redact_url
from pipeline.core.camera_uri import DEVICE, RECORDINGS, WEB_RECORDING, file_path, parse_camera, uri_kind
from pipeline.core.errors import ConfigError

FOLDER = "camera_passwords"
"""Folder beside the file of edits: the passwords of cameras that were added in the page. Only its owner may read it."""

CREDENTIALS = ("username", "password", "password_env", "password_file")
"""Options of an opener that the form replaces."""

STREAMS = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "srt", "udp", "rtp")
"""Schemes that may be written in the page: what cameras speak.

Not those that are read with rights of this machine, such as ``s3`` and ``kafka``, and not plain ``tcp``.
"""

DETECTOR = re.compile(r"\w{0,60}")


@dataclass(frozen=True, slots=True)
class CameraForm:
    """A camera as it is written in the page.

    Attributes:
        camera: Its name.
        address: A stream, a device's number, a file or a folder; it may hold user and password.
        username: The user, unless the address holds one.
        password: The password, unless the address holds one.
        detector: A choice of detector; empty: that of the run.
    """

    camera: str
    address: str
    username: str = ""
    password: str = ""
    detector: str = ""

    def without_password(self) -> "CameraForm":
        """Return the form with user and password of the address in their fields.

        Raises:
            ConfigError: If there are two users, or a secret is somewhere else in the address.
        """
        address, username, password = self.address.strip(), self.username, self.password
        if "://" in address:
            try:
                parts = urlsplit(address)
            except ValueError as error:
                raise ConfigError(
                    "address: expected one, such as rtsp://10.0.0.9/live, got another; correct it"
                ) from error
            user, at, host = parts.netloc.rpartition("@")
            if at:
                if username or password:
                    raise ConfigError("address: expected user and password in it or in their fields, got both")
                name, _, secret = user.partition(":")
                username, password = unquote(name), unquote(secret)
                address = urlunsplit(parts._replace(netloc=host))
            if redact_url(address) != address:
                raise ConfigError(
                    "address: expected no secret but user:password@ before the host, got another; write them into "
                    "their fields, or add this camera with passerby cameras add"
                )
        return CameraForm(self.camera.strip(), address, username, password, self.detector.strip())


def check_form(form: CameraForm, sources: Mapping[str, Any], folders: Sequence[str]) -> None:
    """Raise ``ConfigError`` unless a camera may be added in the page.

    Args:
        form: Without a password in its address.
        sources: Of the run, by kind.
        folders: Those below which recordings may be; ``site.camera_folders``.
    """
    for name in ("camera", "address", "username", "password", "detector"):
        value = getattr(form, name)
        if "${" in value or not value.isprintable():
            raise ConfigError(f"{name}: expected printable text without ${{…}}, got another; correct it")
    if not form.camera:
        raise ConfigError("camera: expected a name, got none; write one")
    if not form.address:
        raise ConfigError("address: expected one, such as rtsp://10.0.0.9/live, got none; write it")
    if not DETECTOR.fullmatch(form.detector):
        raise ConfigError("detector: expected the name of a choice, such as yolox_onnx; passerby run --help lists them")
    kind = uri_kind(form.address)
    if kind in RECORDINGS:
        _check_below(form.address, folders)
    elif kind not in (*STREAMS, DEVICE, WEB_RECORDING) or kind not in sources:
        known = ", ".join(f"{each}://" for each in STREAMS if each in sources)
        raise ConfigError(
            f"address: expected {known}, a device's number, a file or a folder, got {kind}://; correct it"
        )
    if form.username or form.password:
        if kind in RECORDINGS or kind == DEVICE:
            raise ConfigError("username: expected none for a file, a folder or a device, got one; leave it out")
        if not (form.username and form.password):
            raise ConfigError("username: expected user and password, got one of them; write both")


def entry_of(form: CameraForm, password_file: Path | None) -> object:
    """Return an entry of ``site.cameras``.

    Args:
        form: Checked.
        password_file: File that holds the password; None: there is none.
    """
    is_path = uri_kind(form.address) in RECORDINGS  # the run may be in another folder
    uri = str(file_path(form.address).resolve()) if is_path else form.address
    block: dict[str, Any] = {"uri": uri}
    if form.detector:
        block["detector"] = form.detector
    if password_file is not None:
        owner = "files" if uri_kind(form.address) == WEB_RECORDING else "opener"
        block[owner] = {"username": form.username, "password_file": str(password_file)}
    return block if len(block) > 1 else uri


def with_options_of(entry: object, before: object) -> object:
    """Return an entry that ``entry_of`` made, with the options that a camera has besides what the form shows.

    Args:
        entry: The new one.
        before: The entry of the camera so far, as a run writes it or as it was kept.

    Raises:
        ConfigError: If an option of before is a secret, which is not known here.
    """
    if not isinstance(before, Mapping):
        return entry
    block: dict[str, Any] = dict(entry) if isinstance(entry, Mapping) else {"uri": entry}
    for key, value in before.items():
        if key in ("opener", "files") and isinstance(value, Mapping):
            others = {name: option for name, option in value.items() if name not in CREDENTIALS}
            block |= {key: {**others, **block.get(key, {})}} if others else {}
        elif key not in ("uri", "detect") and not (key == "detector" and isinstance(value, str)):  # the form shows that
            block.setdefault(key, value)
    if "***" in str(block):
        raise ConfigError(
            "address: expected a camera without secrets in its options, got one with; use passerby cameras change"
        )
    return block if len(block) > 1 else block["uri"]


def credentials_of(entry: object) -> tuple[str, Path | None]:
    """Return the user and the file of the password in an entry that ``entry_of`` made; empty and None without."""
    options = parse_camera(entry).options
    found = options.get("opener") or options.get("files") or {}
    file = found.get("password_file")
    return str(found.get("username") or ""), None if file is None else Path(file)


def write_password(folder: Path, password: str) -> Path:
    """Write a password into a new private file and return its path."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / secrets.token_hex(8)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(password)
    return path


def _check_below(address: str, folders: Sequence[str]) -> None:
    path = file_path(address).resolve()
    if not any(path.is_relative_to(Path(folder).expanduser().resolve()) for folder in folders):
        where = ", ".join(folders)
        raise ConfigError(
            f"address: expected a file or folder below {where}, got another; put it there, or add it with passerby "
            "cameras add"
            if folders
            else "address: expected a stream, got a file or folder: none may be added here unless site.camera_folders "
            "names where they are"
        )
