"""The YAML files of the choices that a command line names: each is text, holds something, and is alone of its name."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from pipeline.config.plugins import SEVERAL
from pipeline.core.errors import ConfigError

GROUPS = ("detector", "tracker", "pose", "embedder", "gallery", "matcher", "site", *SEVERAL)
"""Groups whose files always hold something."""

GLOBAL = re.compile(r"^#\s*@package\s+_global_\s*$", re.MULTILINE)

_NOT_TEXT = "{}: expected text in UTF-8, got other bytes; save it as UTF-8"


def check_choice_files(words: Iterable[str], folders: Sequence[Path]) -> None:
    """Raise ``ConfigError`` for a chosen file that says nothing, and for two that name their plug-ins alike.

    Args:
        words: ``key=value`` of a command line; those that choose no file are passed over.
        folders: Where the files are, in folders of their groups.
    """
    for word in words:
        group, _, chosen = word.lstrip("+").partition("=")
        if group in GROUPS:
            names = [each.strip(" '\"") for each in chosen.strip("[]").split(",")]
            _check_group(group, names, folders, is_list=chosen.startswith("[") and group in SEVERAL)


def _check_group(group: str, names: Sequence[str], folders: Sequence[Path], *, is_list: bool) -> None:
    found: dict[str, Path] = {}
    for number, name in enumerate(names):
        files = [folder / group / f"{name}.yaml" for folder in folders]
        files = [path for path in files if path.is_file()]
        if files and is_list and name in names[:number]:
            raise ConfigError(f"{group}: expected each choice once, got {name} twice; name it once")
        for path in files:
            for plugin in _names_in(path, group):
                if is_list and plugin in found:
                    raise ConfigError(
                        f"{group}.{plugin}: expected one of that name, got two, in {found[plugin]} and {path}; give "
                        "yours another name, in the YAML and of the file"
                    )
                found[plugin] = path


def _names_in(path: Path, group: str) -> list[str]:
    """Return the plug-ins that a YAML file names; none if it cannot be read, which hydra finds as well.

    Raises:
        ConfigError: If the file is no text, is empty, or holds something else than keys.
    """
    try:
        text = path.read_text(encoding="utf-8")
        loaded = yaml.safe_load(text)
    except UnicodeDecodeError as error:
        raise ConfigError(_NOT_TEXT.format(path)) from error
    except (OSError, yaml.YAMLError):
        return []
    if not isinstance(loaded, dict) or not loaded:
        got = "an empty file" if not loaded else f"{loaded!r:.40}"
        raise ConfigError(f"{path}: expected {_lines(group, path.stem)}, got {got}; write that into it")
    if GLOBAL.search(text):  # its keys are those of the whole configuration
        loaded = loaded.get(group)
    return [str(name) for name in loaded or () if name not in ("defaults", "_target_")]


def _lines(group: str, name: str) -> str:
    """Return the least that a file of a group has to say, as YAML in one line."""
    if group == "site":
        return "'cameras: {east: /videos/east.mp4}'"
    if group == "matcher":
        return "'key: value' lines of the matcher"
    plugin = "_target_: my_package.MyClass"
    return f"'{name}: {{{plugin}}}'" if group in SEVERAL else f"'{plugin}'"


def not_text(error: UnicodeDecodeError, folders: Sequence[Path]) -> str:
    """Return the message for a file of these folders that hydra could not decode: its bytes tell which one it is."""
    for path in (path for folder in folders for path in sorted(folder.glob("**/*.yaml"))):
        try:
            is_it = bytes(error.object) in path.read_bytes()
        except OSError:
            continue
        if is_it:
            return _NOT_TEXT.format(path)
    return f"configuration: expected files of text in UTF-8, got {error}; save them as UTF-8"
