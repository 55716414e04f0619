"""From the words of a command line to overrides: what hydra reads, and what it cannot.

hydra's grammar has no ``= [ ] ( ) ~``, umlauts or commas in a value without quotes, and no numbers as names. Files and
cameras are called so. A word that hydra cannot read is quoted for it where only one meaning is possible; otherwise the
error holds the line to copy.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

from pipeline.core.errors import ConfigError

DICTIONARIES = (
    *("sites", "site.cameras", "site.zones", "site.lines", "site.masks", "site.camera_groups", "site.truth"),
    *("site.ground", "enrol", "alerts.watchlist.people"),
    *(f"runtime.{kind}.resources" for kind in ("camera", "detect", "pose", "embed", "match")),
)
"""Keys that an override replaces as a whole; hydra would merge it with what the site has, or fail where it has nothing.

Of most of them, the user chooses the names."""

NOT_OFFERED = {
    "-m": "a run has one configuration; start one run for each value, in a loop of the shell with output_dir=…",
    "--config-name": "there is one configuration; add files of your own with --config-dir DIR",
    "--config-path": "there is one configuration; add files of your own with --config-dir DIR",
    "--info": "passerby run --cfg job prints the configuration, passerby doctor the installation",
    "--hydra-help": "see passerby run --help",
    "--package": "passerby run --cfg job prints the whole configuration",
    "--experimental-rerun": "passerby run $(…) is not recorded; config.yaml of a run holds its configuration",
}
"""Options of hydra that a run does not have, and what to do instead."""

SYNONYMS = {"--multirun": "-m", "-cn": "--config-name", "-cp": "--config-path", "-i": "--info", "-p": "--package"}

_WORD = re.compile(r"(?P<prefix>\+\+|\+|~)?(?P<key>[^=]*)(?P<equals>=)?(?P<text>.*)", re.DOTALL)
_KEY = re.compile(r"[A-Za-z_][\w./@:-]*(\[\d+\])*")
_INT = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[-+]?[0-9]+)?|[-+]?\.?inf|\.?nan", re.IGNORECASE)
_ENTRY = re.compile(r",\s*(?=[^\s,:{}\[\]'\"][^,:{}\[\]'\"]*:\s)")


@dataclass(frozen=True, slots=True)
class Change:
    """A value that is set after hydra has composed the files.

    Attributes:
        key: Dotted.
        value: Plain values, lists and dictionaries.
        merge: Keep what the value does not name; False replaces.
        may_add: The key may be new.
    """

    key: str
    value: Any
    merge: bool
    may_add: bool


@dataclass(frozen=True, slots=True)
class Overrides:
    """The words of a command line, read.

    Attributes:
        words: For hydra, in its grammar.
        changes: For after it, in order.
        keys: Every key that was named, without signs before it.
        config_dirs: Folders with more choices, such as ``site/mine.yaml``.
    """

    words: tuple[str, ...]
    changes: tuple[Change, ...]
    keys: tuple[str, ...]
    config_dirs: tuple[Path, ...]

    @property
    def cameras(self) -> dict[str, object]:
        """The cameras that are named, by name; as ``site.cameras``."""
        named: dict[str, object] = {}
        for change in self.changes:
            if change.key == "site.cameras":
                named = dict(change.value) if isinstance(change.value, Mapping) else {}
            elif change.key.startswith("site.cameras."):
                name = change.key.removeprefix("site.cameras.")
                if name.partition(".")[0] not in named or "." not in name:  # no key of a camera that is named already
                    named[name] = change.value
        return named


def read_overrides(words: Sequence[str]) -> Overrides:
    """Return the overrides that the words of a command line mean.

    Raises:
        ConfigError: If a word is no override; one line that names it.
    """
    config_dirs, rest = _config_dirs(words)
    for_hydra: list[str] = []
    changes: list[Change] = []
    keys: list[str] = []
    for word in rest:
        match = _WORD.fullmatch(word)
        assert match is not None  # the pattern takes every text
        prefix, key, text = match["prefix"] or "", match["key"], match["text"]
        _check_key(word, prefix, key, has_value=match["equals"] is not None)
        keys.append(key)
        owner = next((name for name in DICTIONARIES if key == name or key.startswith(f"{name}.")), None)
        if owner is not None and prefix != "~":
            changes.append(Change(key, _free_value(key, text), merge=key != owner, may_add=True))
        elif (change := _hydra_word(word, prefix, key, text)) is None:
            for_hydra.append(word)
        elif isinstance(change, str):
            for_hydra.append(change)
        else:
            changes.append(change)
    return Overrides(tuple(for_hydra), tuple(changes), tuple(keys), tuple(config_dirs))


def _config_dirs(words: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Split off ``--config-dir DIR``, ``--config-dir=DIR`` and ``-cd DIR``; refuse every other option."""
    folders, rest = [], []
    remaining = iter(words)
    for word in remaining:
        option, equals, value = word.partition("=")
        if option in ("--config-dir", "-cd"):
            named = value if equals else next(remaining, "")
            folder = Path(named).expanduser().absolute()
            if not named or not folder.is_dir():
                raise ConfigError(
                    f"--config-dir: expected a folder with site/, alerts/, …, got {named or 'nothing'}; correct it"
                )
            folders.append(folder)
        elif word.startswith("-"):
            name = SYNONYMS.get(option, option)
            what = NOT_OFFERED.get(name, "expected key=value, for instance site=demo; see passerby run --help")
            raise ConfigError(f"{option}: {'not offered: ' if name in NOT_OFFERED else ''}{what}")
        else:
            rest.append(word)
    return folders, rest


def _check_key(word: str, prefix: str, key: str, *, has_value: bool) -> None:
    if not has_value and prefix != "~":
        raise ConfigError(f"{word}: expected key=value, for instance site=demo; see passerby run --help")
    if key.startswith("hydra."):
        raise ConfigError(f"{key}: no key of a run; output_dir=… says where results go")
    if not key.startswith(tuple(f"{name}." for name in DICTIONARIES)) and not _KEY.fullmatch(key):
        raise ConfigError(f"{word}: expected key=value, for instance site=demo, got the key {key!r}; correct it")


def _hydra_word(word: str, prefix: str, key: str, text: str) -> Change | str | None:
    """Return how an override must change so that it can be read; None if hydra reads it as it is."""
    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException:
        pass
    else:
        if not override.is_sweep_override():
            return None
        if "/" not in text:  # a path may hold a comma
            raise ConfigError(
                f"{key}: expected one value, got {text}; write {_copy(f'{key}=[{text}]')} for a list, "
                f"{_copy(f'{key}={_double_quoted(text)}')} for text; several runs are started one by one"
            )
    if text[:1] in ("{", "[", "'", '"'):
        return Change(key, _structure(key, text), merge=True, may_add=bool(prefix))
    return f"{prefix}{key}={quoted(text)}"


def quoted(text: str) -> str:
    """Return a text in quotes, for hydra."""
    return str(QuotedString(text=text, quote=Quote.single).with_quotes())


def _free_value(key: str, text: str) -> Any:
    """Return the value of a dictionary whose names the user chooses, or of one name in it."""
    if text[:1] in ("{", "[", "'", '"'):
        return _structure(key, text)
    return _scalar(text)


def _structure(key: str, text: str) -> Any:
    """Return what a text in braces, brackets or quotes means: as YAML, or else as hydra reads it.

    Names in braces stay text: a camera ``1`` is no number and a camera ``yes`` no truth value.
    """
    node = _yaml_node(text)
    if node is not None:
        return _plain(key, node)
    try:
        return _with_text_keys(OverridesParser.create().parse_override(f"{_safe(key)}={text}").value())
    except HydraException as error:
        line = _line_to_copy(key, text)
        if line is None:
            raise ConfigError(f"{key}: expected {{name: value, …}} or [value, …] with every bracket closed") from error
        raise ConfigError(f"{key}: expected quotes around what holds brackets or commas; write {line}") from error


def _safe(key: str) -> str:
    """Return the key, or another where hydra cannot read it; only the value is wanted."""
    return key if _KEY.fullmatch(key) and key.isascii() else "value"


def _yaml_node(text: str) -> yaml.Node | None:
    """Return the text as nodes of YAML; None where it is none, or a name in braces has no value, as in ``{a:1}``."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    values = [value for mapping in _mappings(node) for _, value in mapping.value]
    return None if any(value.value == "" and value.style is None for value in values) else node


def _mappings(node: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    if isinstance(node, yaml.MappingNode):
        yield node
        for _, value in node.value:
            yield from _mappings(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _mappings(item)


def _plain(key: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        names = [str(name.value) for name, _ in node.value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(f"{key}: expected a different name for each, got {', '.join(twice)} twice; rename one")
        return {str(name.value): _plain(f"{key}.{name.value}", value) for name, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(key, item) for item in node.value]
    is_plain = isinstance(node, yaml.ScalarNode) and node.style is None
    return _scalar(node.value) if is_plain else node.value


def _scalar(text: str) -> str | int | float | bool | None:
    """Return a number, true, false or null where the text is one, else the text."""
    lower = text.lower()
    if lower in ("null", "true", "false"):
        return {"null": None, "true": True, "false": False}[lower]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(lower.replace(".inf", "inf").replace(".nan", "nan"))
    return text


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _with_text_keys(item) for name, item in value.items()}
    return [_with_text_keys(item) for item in value] if isinstance(value, list) else value


def _line_to_copy(key: str, text: str) -> str | None:
    """Return the override with every value in quotes; None where it is no ``{name: value, …}``."""
    if not (text.startswith("{") and text.endswith("}")):
        return None
    entries = [entry.partition(":") for entry in _ENTRY.split(text[1:-1].strip())]
    if any(
        not name.strip() or not colon or value.strip()[:1] in ("", "{", "[", "'", '"') for name, colon, value in entries
    ):
        return None
    quoted = ", ".join(f"{name.strip()}: {_double_quoted(value.strip())}" for name, _, value in entries)
    line = f"{key}={{{quoted}}}"
    return _copy(line) if _yaml_node(f"{{{quoted}}}") is not None else None


def _double_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _copy(line: str) -> str:
    """Return an override as it is typed in a shell."""
    return shlex.quote(line)
