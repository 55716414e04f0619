"""Rules, zones and lines that are edited while a run goes on: a YAML that is laid over the configuration of the run.

The file has some of the keys ``site``, ``alerts`` and ``alerting``; one that it leaves out is as in the run. ``alerts``
names every rule. The console writes it, ``passerby alerts replay --rules`` tries it, and a run reads it::

    site: {zones: {door: {camera: east, polygon: [[0, 0], [90, 0], [90, 60]]}}, max_dwell_s: 20}
    alerts: {zone_dwell: {severity: critical}, line_crossing: {}}
    alerting: {cooldown_s: 0}

Cameras that were added or removed in the page are there, too; see ``kept_cameras``.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from types import NoneType
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pipeline.alerts.engine import AlertEngine
from pipeline.camera.tracking import settle_s
from pipeline.config.composition import CONFIGS, folders_of_environment
from pipeline.config.kept_cameras import CAMERAS, OFFSETS, kept_cameras, offsets_of, without_cameras
from pipeline.config.messages import message_of
from pipeline.config.places import check_places, warn_of_rules
from pipeline.config.plugins import build
from pipeline.config.schema import AlertingConfig, PipelineConfig, SiteConfig
from pipeline.config.topology import TOPOLOGY, site_topology
from pipeline.config.validation import check_numbers
from pipeline.core.errors import ConfigError
from pipeline.core.plugin_contract import made

EDITS = "edits.yaml"
"""File of a run's output folder that has its edits, unless ``edits`` names another."""

EXPECTED = "expected rules as docs/alerts.md shows"
"""What messages say of a file that is none."""

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Reads YAML as plain values; in C where that was built, a hundred times faster."""

MAX_DEPTH = 12
"""Levels of a file of edits. Rules have 6; each level more takes stack, and a file may be from anybody."""

TOP = ("site", "alerts", "alerting")
OF_SITE = ("zones", "lines", "masks", "ground", "max_dwell_s")
"""Keys of a site that rules follow from, and that the file replaces as a whole: it adds no camera, for instance.

So are those of ``TOPOLOGY``, which the matcher follows.
"""

OF_RUN = (*TOP, "allow_plugins", "buffer", "tracker")
"""Keys of a run's configuration that its rules follow from."""

CONFIG_DIRS = "config_dirs"
"""Beside the keys of a run: folders with choices of one's own, besides those of the environment."""

LOST_S = 2.0
"""Seconds after which a tracker without an option ``lost_s`` ends a track without a box. Larger: ends come later."""


def of_run(config: PipelineConfig) -> dict[str, Any]:
    """Return what the rules of a configuration follow from, as plain values."""
    whole: Any = {key: getattr(config, key) for key in OF_RUN}
    return {key: _plain(value) for key, value in whole.items()}


def settle_of(run: Mapping[str, Any]) -> float:
    """Return ``settle_s`` of a run, see ``AlertEngine``."""
    buffer, lost_s = run["buffer"], run["tracker"].get("lost_s", LOST_S)
    return settle_s(first_after_s=buffer["first_after_s"], part_s=buffer["part_s"], lost_s=lost_s)


def edits_path(config: PipelineConfig) -> Path:
    """Return where the edits of a run are kept, absolute."""
    return Path(config.edits or Path(config.output_dir) / EDITS).absolute()


def read_rules(path: Path) -> str:
    """Return the text of a file of rules, or of a configuration; raises ``ConfigError``."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: {EXPECTED}, got no such file; correct the path") from error
    except OSError as error:
        got = f"a file that cannot be read ({error.strerror or error})"
        raise ConfigError(f"{path}: {EXPECTED}, got {got}; check its rights") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: {EXPECTED}, got no YAML; correct it") from error


def parse_edits(text: str, name: str) -> dict[str, Any]:
    """Return the content of a file of edits.

    It may be written by those who may edit rules and nothing else: it takes no value from elsewhere.

    Args:
        text: YAML.
        name: Of the file, for the message.

    Raises:
        ConfigError: If it is no such file.
    """
    if "${" in text:
        raise ConfigError(f"{name}: {EXPECTED}, got a reference ${{…}}; write its value")
    try:
        _check_events(text, name)
        _check_twice(yaml.compose(text, LOADER), name)
        found = yaml.load(text, LOADER)
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f" in line {error.problem_mark.line + 1}"
        raise ConfigError(
            f"{name}: {EXPECTED}, got no YAML: {error.problem or 'an error'}{line}; correct it"
        ) from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{name}: {EXPECTED}, got no YAML; correct it") from error
    if found is None:
        return {}
    if not isinstance(found, dict) or not set(found) <= set(TOP):
        got = ", ".join(map(str, found)) if isinstance(found, dict) else repr(found)
        raise ConfigError(f"{name}: expected some of {', '.join(TOP)}, got {got:.80}; correct it")
    return found


def edited(run: Mapping[str, Any], other: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return site, rules and limits of alerts with edits, resolved and checked.

    Args:
        run: See ``of_run``, or what a run wrote of its configuration.
        other: Edits.
        name: Of their file, for messages.

    Raises:
        ConfigError: If they cannot be used; names the key.
    """
    offsets_of(other, run["site"], name)
    other = without_cameras(other)
    for part in ("site", "alerting"):
        given = other.get(part)
        keys = (*OF_SITE, *TOPOLOGY) if part == "site" else run[part]
        known = ", ".join(sorted(keys))
        if not isinstance(given, Mapping | NoneType):
            raise ConfigError(f"{name}: {part}: expected some of {known}, got {given!r:.80}; correct it")
        for key in sorted(set(map(str, given or {})) - set(keys)):
            raise ConfigError(f"{name}: {part}.{key}: rules have no such key; expected one of {known}; leave it out")
        _check_kinds(f"{name}: {part}", given or {}, run[part])
    chosen = other.get("alerts")
    if chosen is None:
        chosen = {rule: _own_options(rule, node, run, run["site"]) for rule, node in run["alerts"].items()}
    if not isinstance(chosen, list | Mapping):
        raise ConfigError(f"{name}: alerts: expected rules by name, got {chosen!r:.80}; correct it")
    chosen = dict.fromkeys(chosen) if isinstance(chosen, list) else dict(chosen)
    try:
        site = {**run["site"], **(other.get("site") or {})}
        alerts = {rule: _with_options(rule, run, options, name) for rule, options in chosen.items()}
        whole: Any = OmegaConf.to_container(
            OmegaConf.merge(
                {"site": site, "alerts": alerts, "alerting": AlertingConfig},
                {"alerting": run["alerting"]},
                {"alerting": other.get("alerting") or {}},
            ),
            resolve=True,
        )
        site_topology(whole["site"])
    except OmegaConfBaseException as error:
        raise ConfigError(f"{name}: {message_of(error, [CONFIGS])}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{name}: {EXPECTED}, got other keys or kinds of values; correct it") from error
    check_places(whole["site"], whole["alerts"])
    check_numbers(SiteConfig(max_dwell_s=float(whole["site"]["max_dwell_s"])), "site.")
    check_numbers(AlertingConfig(**whole["alerting"]), "alerting.")
    return dict(whole)


def engine_of(
    run: Mapping[str, Any],
    other: Mapping[str, Any],
    name: str,
    names: Mapping[int, str] | None = None,
    *,
    has_clips: bool = False,
    warns: bool = True,
) -> AlertEngine:
    """Return the alert engine of a configuration with edits; see ``edited``, ``AlertEngine``.

    Unless ``warns`` is False, what its rules will never tell is logged.

    Raises:
        ConfigError: If they cannot be used; names the key.
    """
    whole = edited(run, other, name)
    make = partial(build, allow=run.get("allow_plugins") or ())
    rules = [made(f"alerts.{rule}", make(node, f"alerts.{rule}")) for rule, node in whole["alerts"].items()]
    options = {rule.name: node for rule, node in zip(rules, whole["alerts"].values(), strict=True)}
    engine = AlertEngine(
        rules, **whole["alerting"], settle_s=settle_of(run), names=names, has_clips=has_clips, options=options
    )
    if warns:
        warn_of_rules(whole["site"], whole["alerts"], (names or {}).values())
    return engine


def whole_edits(run: Mapping[str, Any], other: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return edits that say everything they can: whatever configuration they are laid over, the rules are the same.

    Topology, offsets and cameras are there only if they were edited.

    Raises:
        ConfigError: If they cannot be used; names the key.
    """
    whole, cameras = edited(run, other, name), kept_cameras(other, name)
    given, offsets = other.get("site") or {}, offsets_of(other, run["site"], name)
    return {
        "site": {
            **{key: whole["site"].get(key, {}) for key in OF_SITE},
            **{key: whole["site"][key] for key in TOPOLOGY if key in given},
            **({OFFSETS: offsets} if offsets else {}),
            **({CAMERAS: cameras} if cameras else {}),
        },
        "alerts": {rule: _own_options(rule, node, run, whole["site"]) for rule, node in whole["alerts"].items()},
        "alerting": whole["alerting"],
    }


def templates() -> dict[str, dict[str, Any]]:
    """Return the options of each rule that there is, without those that the site gives."""
    found = {}
    for path in sorted((CONFIGS / "alerts").glob("*.yaml")):
        loaded: Any = OmegaConf.to_container(OmegaConf.load(path))
        options = loaded[path.stem]
        found[path.stem] = {
            key: value
            for key, value in options.items()
            if key not in ("_target_", "name") and not str(value).startswith("${")
        }
    return found


def to_text(edits: Mapping[str, Any]) -> str:
    """Return edits as YAML."""
    return yaml.safe_dump(_short(edits), sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)


def _check_events(text: str, name: str) -> None:
    """Raise ``ConfigError`` for references, which could multiply, and for very deep nesting."""
    depth = 0
    for event in yaml.parse(text, LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise ConfigError(f"{name}: {EXPECTED}, got a reference such as *zones; write its value")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ConfigError(f"{name}: {EXPECTED}, got more than {MAX_DEPTH} levels; correct it")


def _check_twice(node: yaml.Node | None, name: str) -> None:
    """Raise ``ConfigError`` for a key that is given twice, of which one would be lost."""
    if isinstance(node, yaml.MappingNode):
        known: set[str] = set()
        for key, value in node.value:
            if key.value in known:
                where = f"{key.value} twice in line {key.start_mark.line + 1}"
                raise ConfigError(f"{name}: {EXPECTED}, got the key {where}; give one another name")
            known.add(str(key.value))
            _check_twice(value, name)
    for each in node.value if isinstance(node, yaml.SequenceNode) else ():
        _check_twice(each, name)


def _short(value: Any) -> Any:
    """Return values with whole numbers as such: 8 for 8.0, so that a difference shows what differs."""
    if isinstance(value, Mapping):
        return {key: _short(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_short(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _check_kinds(owner: str, given: Mapping[str, Any], there: Mapping[str, Any]) -> None:
    """Raise ``ConfigError`` if a value is of another kind than the one that it replaces."""
    for key, value in given.items():
        expected = _kind(there.get(key))
        if expected and _kind(value) != expected:
            raise ConfigError(f"{owner}.{key}: expected {expected}, got {value!r:.80}; correct it")


def _kind(value: object) -> str:
    """Return what a message calls values of one kind; empty for those that may stand for others."""
    if isinstance(value, Mapping):
        return "{name: value, …}"
    if isinstance(value, list | tuple):
        return "[value, …]"
    return "a number" if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _with_options(rule: str, run: Mapping[str, Any], options: Any, name: str) -> Any:
    """Return a rule with some options changed."""
    if options is not None and not isinstance(options, Mapping):
        raise ConfigError(f"alerts.{rule}: expected options by name, got {options!r:.80}; correct it")
    node = _template(rule, run, (options or {}).get("_target_"))
    as_written: Any = OmegaConf.to_container(OmegaConf.create(node))
    _check_kinds(f"{name}: alerts.{rule}", options or {}, as_written)
    for key, value in (options or {}).items():
        if key == "_target_" and value != node["_target_"]:
            raise ConfigError(f"alerts.{rule}._target_: expected {node['_target_']}, got {value}; leave it out")
    return OmegaConf.merge(node, options or {})


def _template(rule: str, run: Mapping[str, Any], target: object = None) -> Any:
    """Return the options of a rule as its choice has them, found as a run finds it.

    A rule of another name is one more of the class that ``target`` names; nothing else can be built in this way.
    """
    known = _known(run)
    if rule in known:
        return known[rule]()
    if target is None:
        others = f"{', '.join(known)}, or one more of a class of these with _target_"
        raise ConfigError(f"alerts.{rule}: expected one of {others}, got {rule}; correct it")
    for node in (each() for each in known.values()):
        if node["_target_"] == target:
            return OmegaConf.merge(node, {"name": rule})
    raise ConfigError(
        f"alerts.{rule}._target_: expected the class of one of {', '.join(known)}, got {target}; correct it"
    )


def _known(run: Mapping[str, Any]) -> dict[str, Callable[[], Any]]:
    """Return what loads the options of each rule that there is: of a choice, or else as the run had it."""
    known: dict[str, Callable[[], Any]] = {}
    for folder in (CONFIGS, *run.get(CONFIG_DIRS, ()), *folders_of_environment()):
        for path in sorted((folder / "alerts").glob("*.yaml")):
            known.setdefault(path.stem, partial(_choice, path))
    return known | {rule: partial(dict, node) for rule, node in run["alerts"].items() if rule not in known}


def _choice(path: Path) -> Any:
    try:
        loaded: Any = OmegaConf.load(path)
        return loaded[path.stem]
    except (OmegaConfBaseException, yaml.YAMLError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected the options of a rule under {path.stem}:, got none; correct it") from error


def _own_options(rule: str, node: Mapping[str, Any], run: Mapping[str, Any], site: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a rule that do not follow from the site."""
    template: Any = OmegaConf.to_container(OmegaConf.create(_template(rule, run, node["_target_"])))
    from_site = {key: str(value)[len("${site.") : -1] for key, value in template.items() if _is_of_site(value)}
    return {
        key: value
        for key, value in node.items()
        if not (key == "_target_" and rule in _known(run))
        and not (key == "name" and template.get("name") == value)
        and not (key in from_site and site.get(from_site[key]) == value)
    }


def _is_of_site(value: object) -> bool:
    return isinstance(value, str) and value.startswith("${site.") and value.endswith("}")


def _plain(value: Any) -> Any:
    """Return nested dataclasses, dictionaries and lists as dictionaries and lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
