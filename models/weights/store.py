"""Finds checkpoints by name, downloads what is missing, and refuses what is altered."""

import hashlib
import logging
import os
import tempfile
from pathlib import Path
from typing import IO, Any

import httpx
import yaml

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
    expected = sha256 or entry.get("sha256")
    if Path(name).suffix.lower() in _PICKLES and expected is None:
        raise WeightsError(
            f"{name}: expected its sha256 in the configuration, because loading a pickle runs code from it, "
            "got none; set sha256 to the digest that its publisher states"
        )
    places = _places(name, weights_dir, is_known=name in known)
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        path = _download(name, entry, expected, places)
    elif expected is not None:
        _check_digest(path, _digest(path), expected)
    for companion in entry.get("companions", ()):
        _complete(path.parent, companion, known[companion])
    return path


def find_weights(name: str, *, weights_dir: str | Path | None) -> Path | None:
    """Return where a checkpoint of the catalogue is, unchecked; None if it is nowhere. Nothing is downloaded."""
    return next((place for place in _places(name, weights_dir, is_known=True) if place.is_file()), None)


def _places(name: str, weights_dir: str | Path | None, *, is_known: bool) -> list[Path]:
    """Return the paths at which a checkpoint may be, in the order in which they are tried."""
    folders = [Path(weights_dir)] if weights_dir is not None else []
    folders += [SHIPPED, _cache_folder()]
    own = [] if is_known else [Path(name)]
    # A path that is absolute stays itself whatever folder stands before it.
    return list(dict.fromkeys(own + [folder / name for folder in folders]))


def _cache_folder() -> Path:
    chosen = os.environ.get("PASSERBY_CACHE")
    return Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "passerby"


def _complete(folder: Path, name: str, entry: dict[str, Any]) -> None:
    """Make sure that a companion lies in ``folder``, unaltered."""
    path = folder / name
    if path.is_file():
        _check_digest(path, _digest(path), entry["sha256"])
    elif folder == _cache_folder():
        _download(name, entry, entry["sha256"], [path])
    else:
        raise WeightsError(f"{name}: expected beside the file it belongs to, got none in {folder}; copy it there")


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path}: expected a readable file, got: {error.strerror}") from error


def _check_digest(path: Path, got: str, expected: str) -> None:
    if got != expected.lower():
        raise WeightsError(
            f"{path}: expected sha256 {expected}, got {got}; the file is damaged or another version: "
            "delete it, or state its own sha256 in the configuration if you trust it"
        )


def _download(name: str, entry: dict[str, Any], expected: str | None, places: list[Path]) -> Path:
    """Fetch into the cache, under a temporary name until the digest is right."""
    absent = f"{name}: expected in one of {', '.join(map(str, places))}, got none"
    url = entry.get("url")
    if url is None or expected is None:
        why = "no address is known to download it from" if entry else "it is not in models/weights/catalogue.yaml"
        raise WeightsError(f"{absent}, and {why}; put the file there")
    target = _cache_folder() / name
    part = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{name}.", delete=False) as file:
            part = Path(file.name)
            logger.info("downloading %s (%d bytes, %s)", name, entry["size"], entry["licence"])
            _fetch(url, file, max_bytes=entry["size"])
        _check_digest(part, _digest(part), expected)
        part.replace(target)
    except (httpx.HTTPError, OSError, WeightsError) as error:
        reason = str(error) or type(error).__name__
        raise WeightsError(f"{absent}, and {url} failed: {reason}; put the file there") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
    return target


def _fetch(url: str, file: IO[bytes], *, max_bytes: int) -> None:
    """Write what ``url`` serves; every address on the way must be https."""
    with (
        httpx.Client(timeout=_TIMEOUT_S, follow_redirects=True, event_hooks={"request": [_check_https]}) as client,
        client.stream("GET", url) as response,
    ):
        response.raise_for_status()
        for chunk in response.iter_bytes():
            file.write(chunk)
            if file.tell() > max_bytes:
                raise WeightsError(f"expected {max_bytes} bytes, got more")


def _check_https(request: httpx.Request) -> None:
    if request.url.scheme != "https":
        raise WeightsError(f"expected https, got {request.url.scheme}")
