"""Finds checkpoints by name, downloads what is missing, and refuses what is altered."""

import fcntl
import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import httpx
import yaml
from rich.console import Console
from rich.progress import DownloadColumn, Progress

from pipeline.core.errors import WeightsError

logger = logging.getLogger(__name__)

SHIPPED = Path(__file__).parent
"""The folder of the weights that come with the project, of their cards and of the catalogue."""

CATALOGUE = SHIPPED / "catalogue.yaml"
_PICKLES = {".pt", ".pth", ".pkl", ".ckpt"}
_TIMEOUT_S = httpx.Timeout(30, connect=10)


def locate_weights(
    name: str, *, weights_dir: str | Path | None, sha256: str | None = None, catalogue: Path = CATALOGUE
) -> Path:
    """Return where a checkpoint lies, after its digest was checked.

    It is looked for in ``weights_dir``, then in ``models/weights``, then in the cache (``$PASSERBY_CACHE``, else
    ``$XDG_CACHE_HOME/passerby``); then it is downloaded into the cache if an address is known.

    Args:
        name: A file name of the catalogue, or a path to a file of one's own.
        weights_dir: Where to look first; None for nowhere.
        sha256: The digest the file must have, 64 hexadecimal digits; None takes the catalogue's. Files that
            run code when they are loaded (pickles) must have one.
        catalogue: YAML file like ``models/weights/catalogue.yaml``.

    Raises:
        WeightsError: If the file is absent, altered, or a pickle without a digest.
    """
    known: dict[str, dict[str, Any]] = yaml.safe_load(catalogue.read_text(encoding="utf-8"))
    entry = known.get(name, {})
    expected = [sha256] if sha256 else _digests(entry)
    if Path(name).suffix.lower() in _PICKLES and not expected:
        raise WeightsError(
            f"{name}: expected its sha256 in the configuration, because loading a pickle runs code from it, "
            "got none; set sha256 to the digest that its publisher states"
        )
    places = _places(name, weights_dir, is_known=name in known)
    path = next((place for place in places if place.is_file()), None)
    revision = 0
    folder = next((place for place in places if place.is_dir()), None)
    if path is None and folder is not None:
        raise WeightsError(f"{folder}: expected a file with weights, got a folder; name the file in it")
    if path is None:
        path = _download(name, entry, expected, places)
    elif expected:
        revision = _check_digest(path, expected)
    for companion in entry.get("companions", ()):
        _complete(path.parent, companion, known[companion], revision)
    return path


def _digests(entry: Mapping[str, Any]) -> list[str]:
    """Return the digests that a file may have: what the address serves, then other revisions of the same network."""
    return [entry["sha256"], *entry.get("also", ())] if entry.get("sha256") else []


def find_weights(name: str, *, weights_dir: str | Path | None) -> Path | None:
    """Return where a checkpoint of the catalogue is, unchecked; None if it is nowhere. Nothing is downloaded."""
    return next((place for place in _places(name, weights_dir, is_known=True) if place.is_file()), None)


def _places(name: str, weights_dir: str | Path | None, *, is_known: bool) -> list[Path]:
    """Return the paths at which a checkpoint may be, in the order in which they are tried."""
    folders = [Path(weights_dir)] if weights_dir is not None else []
    folders += [SHIPPED, cache_folder()]
    path = Path(name).expanduser()
    own = [] if is_known else [path]
    # A path that is absolute stays itself whatever folder stands before it.
    return list(dict.fromkeys(own + [folder / path for folder in folders]))


def cache_folder() -> Path:
    """Return where downloads are kept: ``$PASSERBY_CACHE``, else ``passerby`` in the cache of the user (XDG)."""
    chosen = os.environ.get("PASSERBY_CACHE")
    return (
        Path(chosen).expanduser()
        if chosen
        else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "passerby"
    )


def _complete(folder: Path, name: str, entry: dict[str, Any], revision: int) -> None:
    """Make sure that a companion lies in ``folder``, unaltered and of the same revision as the file it belongs to."""
    path = folder / name
    if path.is_file():
        _check_digest(path, [_digests(entry)[revision]])
    elif folder == cache_folder() and revision == 0:
        _download(name, entry, _digests(entry), [path])
    else:
        raise WeightsError(f"{name}: expected beside the file it belongs to, got none in {folder}; copy it there")


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path}: expected a readable file, got: {error.strerror}") from error


def _check_digest(path: Path, expected: Sequence[str]) -> int:
    """Return which of the digests a file has.

    Raises:
        WeightsError: If it has none of them.
    """
    got = _digest(path)
    for number, digest in enumerate(expected):
        if got == digest.lower():
            return number
    raise WeightsError(
        f"{path}: expected sha256 {' or '.join(expected)}, got {got}; the file is damaged or another version: "
        "delete it, or state its own sha256 in the configuration if you trust it"
    )


def _download(name: str, entry: dict[str, Any], expected: Sequence[str], places: list[Path]) -> Path:
    """Fetch into the cache, under another name until the digest is right; what broke off is continued next time."""
    absent = f"{name}: expected in one of {', '.join(map(str, places))}, got none"
    url = entry.get("url")
    if url is None or not expected:
        why = "no address is known to download it from" if entry else "it is not in models/weights/catalogue.yaml"
        page = f"; {entry['page']}" if entry.get("page") else "; put the file there"
        raise WeightsError(f"{absent}, and {why}{page}")
    target = cache_folder() / name
    part = target.with_name(f".{name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # another process may be fetching the same file
            if target.is_file():
                return target
            logger.info("downloading %s (%.1f MB, %s)", name, entry["size"] / 1e6, entry["licence"])
            _fetch(url, file, max_bytes=entry["size"])
        _check_digest(part, expected[:1])
        part.replace(target)
    except (httpx.HTTPError, OSError, WeightsError) as error:
        if not isinstance(error, httpx.TransportError | OSError):
            part.unlink(missing_ok=True)
        instead = f", or choose {entry['instead']}" if entry.get("instead") else ""
        if isinstance(error, OSError):  # of the disk; httpx has its own for networks
            got = f"{absent}, and the cache cannot be written: {error}"
            raise WeightsError(f"{got}; set PASSERBY_CACHE to a folder that can{instead}") from error
        reason = str(error) or type(error).__name__
        raise WeightsError(
            f"{absent}, and {url} failed: {reason}; put the file there, or name its folder with weights_dir=…{instead}"
        ) from error
    return target


def _fetch(url: str, file: IO[bytes], *, max_bytes: int) -> None:
    """Append what ``url`` serves and the file does not hold; every address on the way must be https."""
    done = file.tell()
    headers = {"Range": f"bytes={done}-"} if 0 < done < max_bytes else {}
    with (
        httpx.Client(timeout=_TIMEOUT_S, follow_redirects=True, event_hooks={"request": [_check_https]}) as client,
        client.stream("GET", url, headers=headers) as response,
        Progress(*Progress.get_default_columns(), DownloadColumn(), console=Console(stderr=True)) as progress,
    ):
        response.raise_for_status()
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            file.truncate(0)
            done = 0
        task = progress.add_task(url.rpartition("/")[2], total=max_bytes, completed=done)
        for chunk in response.iter_bytes():
            file.write(chunk)
            done += len(chunk)
            progress.update(task, completed=done)
            if done > max_bytes:
                raise WeightsError(f"expected {max_bytes} bytes, got more")


def _check_https(request: httpx.Request) -> None:
    if request.url.scheme != "https":
        raise WeightsError(f"expected https, got {request.url.scheme}")
