"""From the files of ``configs/`` and the overrides of a command line to a configuration.

hydra composes the files. No other module of the pipeline knows hydra.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from models.weights.store import cache_folder
from pipeline.config.choice_files import check_choice_files, not_text
from pipeline.config.masking import masked, without_secrets
from pipeline.config.messages import RENAMED, choices, message_of, unknown_choice, unknown_key, unknown_keys
from pipeline.config.overrides import Change, Overrides, quoted, read_overrides
from pipeline.config.schema import PipelineConfig, TruthConfig
from pipeline.core.camera_uri import are_rendered
from pipeline.core.errors import ConfigError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"

ENVIRONMENT = re.compile(r"\$\{oc\.env:(\w+)\}")
"""An environment variable without a default, in a value of the configuration."""

CONFIG_DIR = "PASSERBY_CONFIG_DIR"
"""Environment variable: a folder with sites and other choices of one's own, as ``--config-dir``."""

_HYDRA = Lock()
"""Held while hydra composes: it has one state for the whole process."""


@contextmanager
def _no_other_hydra() -> Iterator[None]:
    """Set the hydra of a program that uses it as well aside, and bring it back."""
    known, GlobalHydra.instance().hydra = GlobalHydra.instance().hydra, None
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = known


def load_config(words: Sequence[str]) -> PipelineConfig:
    """Return the configuration of the files with these overrides; plain values, nothing left to resolve.

    Args:
        words: Of a command line: ``key=value``, and ``--config-dir DIR`` for choices that are not in ``configs/``.

    Raises:
        ConfigError: If a key or a choice is unknown, or a value has the wrong type; one line that names it.
    """
    overrides = read_overrides(words)
    for key in overrides.keys:
        if key.partition(".")[0] == "sites":
            raise ConfigError(f"{key}: only passerby run and passerby doctor take several sites; name one, site=…")
        if (now := RENAMED.get(key)) is not None:
            raise ConfigError(f"{key}: this key is now {now}; write {now}=…")
    for word in overrides.words:
        if word.startswith("allow_plugins=") and not word.startswith("allow_plugins=["):
            name = word.partition("=")[2]
            raise ConfigError(f"allow_plugins: expected a list, got {name}; write 'allow_plugins=[{name}]'")
    own = [*overrides.config_dirs, *folders_of_environment()]
    folders = [*own, CONFIGS]
    for_hydra = [*overrides.words]
    if "site.cameras" in overrides.keys and "site" not in overrides.keys:
        for_hydra.insert(0, f"site={site_of(overrides.cameras)}")
    check_choice_files(overrides.words, folders)
    try:
        composed = _composed("config", for_hydra, own)
        _check_footage(composed, overrides)
        for change in overrides.changes:
            _apply(composed, change, folders)
        for key, text in _texts(OmegaConf.to_container(composed, resolve=False), ""):
            if key in ("output_dir", "weights_dir"):
                composed[key] = os.path.expanduser(text)  # plug-ins take it from here
        for key in unknown_keys(composed, PipelineConfig):
            raise ConfigError(unknown_key(key, folders))
        if "watchlist" in composed.alerts:
            if not isinstance(composed.alerts.watchlist.people, DictConfig):
                got = composed.alerts.watchlist.people
                raise ConfigError(
                    f"alerts.watchlist.people: expected numbers by name, {{lost child: 7}}, got {got}; correct it"
                )
            numbers = {name: number for number, name in enumerate(composed.enrol, start=1)}
            for listed, number in composed.alerts.watchlist.people.items():
                if numbers.get(listed, number) != number:
                    raise ConfigError(f"alerts.watchlist.people.{listed!s}: enrol has that name; give one another name")
            composed.alerts.watchlist.people = {**numbers, **composed.alerts.watchlist.people}
        _check_environment(composed)
        OmegaConf.resolve(composed)
        missing = OmegaConf.missing_keys(composed)
        if missing:
            raise ConfigError(f"{sorted(missing)[0]}: expected a value, got none; set it with {sorted(missing)[0]}=…")
        return with_detectors(_typed(composed), overrides.config_dirs)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise ConfigError(masked(message_of(error, folders))) from error
    except UnicodeDecodeError as error:
        raise ConfigError(not_text(error, folders)) from error


def folders_of_environment() -> list[Path]:
    """Return the folders with choices of one's own that the environment names."""
    return [Path(folder) for folder in os.environ.get(CONFIG_DIR, "").split(":") if folder]


def _composed(name: str | None, words: Sequence[str], own: Sequence[Path]) -> DictConfig:
    """Return what hydra composes of a file in ``configs/``, or of nothing; ``own`` are more folders with choices."""
    ConfigStore.instance().store(name="schema", node=PipelineConfig)
    OmegaConf.register_new_resolver("root", lambda: str(CONFIGS.parent), replace=True)
    OmegaConf.register_new_resolver("cache", lambda: str(cache_folder()), replace=True)
    search = [f"hydra.searchpath=[{', '.join(quoted(f'file://{folder}') for folder in own)}]"] if own else []
    with _HYDRA, _no_other_hydra(), initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose(name, overrides=[*words, *search])


def with_detectors(config: PipelineConfig, config_dirs: Sequence[Path] = ()) -> PipelineConfig:
    """Return a configuration in which the detector of each camera that has one of its own is written out.

    It differs from the detector of the run in what its block names; from a choice of ``configs/detector`` with
    ``choice``, or if it is a text; with ``_target_`` the block is all of it.

    Args:
        config: Whose cameras' detectors may be written out already.
        config_dirs: Folders with more choices, before those of the environment.

    Raises:
        ConfigError: If it is no detector, or lacks a value; names the key.
    """
    folders = [*config_dirs, *folders_of_environment()]
    cameras = {
        name: {
            **camera,
            "detector": _whole_detector(f"site.cameras.{name}.detector", camera["detector"], config, folders),
        }
        if isinstance(camera, Mapping) and camera.get("detector") is not None
        else camera
        for name, camera in config.site.cameras.items()
    }
    return replace(config, site=replace(config.site, cameras=cameras))


def _whole_detector(key: str, stated: object, config: PipelineConfig, own: Sequence[Path]) -> dict[str, Any]:
    block = {"choice": stated} if isinstance(stated, str) else stated
    if not isinstance(block, Mapping):
        raise ConfigError(f"{key}: expected a choice of detector, or {{key: value, …}}, got {stated}; correct it")
    base = {} if "_target_" in block else config.detector
    if "choice" in block and "_target_" not in block:
        base, block = _chosen_detector(key, str(block["choice"]), config, own), {**block}
        del block["choice"]
    whole = {**base, **block}
    for name, value in whole.items():
        if value == MISSING:
            raise ConfigError(f"{key}.{name}: expected a value, got none; set it with {key}.{name}=…")
    return whole


def _chosen_detector(key: str, name: str, config: PipelineConfig, own: Sequence[Path]) -> dict[str, Any]:
    """Return a choice of detector with the device, the threads and the folders of a run."""
    folders = [*own, CONFIGS]
    known = choices("detector", folders)
    if name not in known:
        raise ConfigError(unknown_choice(key, name, known))
    check_choice_files([f"detector={name}"], folders)
    try:
        chosen = _composed(None, [f"+detector={quoted(name)}"], own)
        if others := sorted(str(each) for each in chosen if each != "detector"):
            raise ConfigError(f"{key}: expected a choice of a detector alone, got {name}, which sets {others[0]}, too")
        whole = OmegaConf.merge(OmegaConf.structured(replace(config, detector=None)), chosen)
        for inner, text in _texts(OmegaConf.to_container(whole.detector, resolve=False), ""):
            _check_set(f"{key}.{inner}", text)
        return dict(OmegaConf.to_container(whole.detector, resolve=True))  # type: ignore[arg-type]
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise ConfigError(f"{key}: {masked(message_of(error, folders))}") from error


def site_of(cameras: Mapping[str, object]) -> str:
    """Return the choice of ``site`` for named cameras, which are at no place that we know."""
    return "rendered" if are_rendered(cameras) else "empty"


def load_written(path: Path) -> PipelineConfig:
    """Return the configuration that a run wrote beside its results; its secrets are masked.

    Keys that an earlier version did not have are at their present default.

    Raises:
        ConfigError: If there is no such file, or it has keys that are unknown.
    """
    try:
        present = vars(load_config(["site=empty"]))
        defaults = {
            name: asdict(node)
            for name, node in present.items()
            if name != "site" and is_dataclass(node) and not isinstance(node, type)
        }
        merged = OmegaConf.merge(OmegaConf.structured(PipelineConfig), defaults, OmegaConf.load(path))
        assert isinstance(merged, DictConfig)
        return _typed(merged)
    except (OSError, UnicodeDecodeError, OmegaConfBaseException, yaml.YAMLError) as error:
        got = masked(message_of(error, []))
        raise ConfigError(f"{path}: expected the configuration of a run, got {got}") from error


def _apply(composed: DictConfig, change: Change, folders: Sequence[Path]) -> None:
    """Set a value that hydra could not read.

    Raises:
        ConfigError: If it belongs to a plug-in that is not chosen.
    """
    parts = change.key.split(".")
    _split_choice(composed, parts)
    if parts[0] in ("alerts", "sink") and parts[1] not in composed[parts[0]]:
        raise ConfigError(unknown_key(change.key, folders))
    is_truth = parts[:2] == ["site", "truth"] and change.value is not None
    if is_truth and (len(parts) == 2 or composed.site.truth is None):
        composed.site.truth = OmegaConf.structured(TruthConfig)  # its values are missing until they are set below
    OmegaConf.update(composed, change.key, change.value, merge=change.merge or is_truth, force_add=change.may_add)


def _split_choice(composed: DictConfig, parts: Sequence[str]) -> None:
    """Let keys be set of a camera's detector that only its choice names so far."""
    if parts[:2] == ["site", "cameras"] and "detector" in parts[3:-1]:
        key = ".".join(parts[: parts.index("detector", 3) + 1])
        if isinstance(chosen := OmegaConf.select(composed, key), str):
            OmegaConf.update(composed, key, {"choice": chosen})


def _check_environment(composed: DictConfig) -> None:
    """Raise ``ConfigError`` if a value needs an environment variable that is not set."""
    for key, text in _texts(OmegaConf.to_container(composed, resolve=False), ""):
        _check_set(key, text)


def _check_set(key: str, text: str) -> None:
    absent = [name for name in ENVIRONMENT.findall(text) if name not in os.environ]
    if absent:
        lines = "; ".join(f"export {name}=…" for name in dict.fromkeys(absent))
        raise ConfigError(f"{key}: expected a value in the environment for {text}, got none; {lines}")


def _texts(node: object, key: str) -> Iterator[tuple[str, str]]:
    """Yield every text of nested dictionaries and lists with its dotted key."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _texts(value, f"{key}.{name}" if key else str(name))
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value, key)
    elif isinstance(node, str):
        yield key, node


def _check_footage(composed: DictConfig, overrides: Overrides) -> None:
    """Raise ``ConfigError`` if one camera of a place with ground truth is another film: its score would be wrong."""
    if composed.site.truth is None or {"site.cameras", "site.truth"} & set(overrides.keys):
        return
    for change in overrides.changes:
        _, _, camera = change.key.partition("site.cameras.")
        is_footage = camera and (not isinstance(change.value, dict) or "uri" in change.value)
        if is_footage and ("." not in camera or camera.endswith(".uri")):
            name = camera.removesuffix(".uri")
            raise ConfigError(
                f"{change.key}: expected the footage that the truth and the ground of this site belong to, got "
                f"another; name your own cameras as a whole: 'site.cameras={{{name}: …}}'"
            )


def resolved(value: object, key: str) -> Any:
    """Return a value of a command line with its environment variables (``${oc.env:NAME}``) filled in.

    Args:
        value: Text, a number, or nested dictionaries and lists.
        key: Its key in the configuration, for messages.

    Raises:
        ConfigError: If a variable is not set in this process, or the value is no configuration.
    """
    try:
        node = OmegaConf.create({"value": value})
        for name, text in _texts(OmegaConf.to_container(node, resolve=False), ""):
            _check_set(f"{key}{name.removeprefix('value')}", text)
        OmegaConf.resolve(node)
        return OmegaConf.to_container(node)["value"]  # type: ignore[index,call-overload]
    except OmegaConfBaseException as error:
        raise ConfigError(f"{key}: expected a value, got one that cannot be read: {masked(str(error))}") from error


def to_yaml(config: PipelineConfig) -> str:
    """Return the configuration as YAML, with its secrets masked."""
    values = OmegaConf.to_container(OmegaConf.structured(config), enum_to_str=True)
    return OmegaConf.to_yaml(OmegaConf.create(without_secrets(values)))


def _typed(composed: DictConfig) -> PipelineConfig:
    config = OmegaConf.to_object(composed)
    assert isinstance(config, PipelineConfig)
    return config
