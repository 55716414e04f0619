"""From the files of ``configs/`` and the overrides of a command line to a configuration.

hydra composes the files. No other module of the pipeline knows hydra.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pipeline.config.schema import PipelineConfig
from pipeline.core.errors import ConfigError

REPLACED = ("site.cameras", "site.zones", "site.lines", "enrol")
"""Dictionaries that an override replaces; hydra would merge them with those of the site."""

SECRETS = (
    re.compile(r"(//)\S*(?=@)"),  # //user:password@host; a password may hold what should have been escaped
    re.compile(r"([?&][^=&\s]*(?:token|secret|password|key|auth|sig)[^=&\s]*=)[^&\s'\"]+", re.IGNORECASE),
    re.compile(r"^(\s*\w*(?:password|token|secret)\w*: )(?!null$|\w*_env: ).+$", re.IGNORECASE | re.MULTILINE),
)
"""What a written configuration must not show. The first group of each is kept, the rest is replaced."""

CONFIGS = Path(__file__).resolve().parents[2] / "configs"

RENAMED = {
    "buffer.doubtful_score": "buffer.static_min_score",
    "buffer.sure_score": "buffer.min_peak_score",
    "matcher.calibration.max_evidence": "matcher.calibration.max_llr",
    "matcher.review_every_s": "matcher.recluster_every_s",
    "matcher.review_window_s": "matcher.recluster_window_s",
    "site.no_way": "site.no_transit",
    "site.walking_times": "site.transit_times",
}
"""Keys of earlier versions, and their names now."""


def load_config(overrides: Sequence[str]) -> PipelineConfig:
    """Return the configuration of the files with these overrides; plain values, nothing left to resolve.

    Raises:
        ConfigError: If a key or a choice is unknown, or a value has the wrong type; one line that names it.
    """
    overrides = list(overrides)
    names = [override.split("=", 1)[0] for override in overrides]
    if "site.cameras" in names and "site" not in names:
        overrides.insert(0, "site=empty")  # named cameras are at no place that we know
        names.insert(0, "site")
    for name in names:
        if (now := RENAMED.get(name.lstrip("+"))) is not None:
            raise ConfigError(f"{name}: this key is now {now}; write {now}=…")
    ConfigStore.instance().store(name="schema", node=PipelineConfig)
    try:
        OmegaConf.register_new_resolver("root", lambda: str(CONFIGS.parent), replace=True)
        with initialize_config_dir(str(CONFIGS), version_base="1.3"):
            composed = compose(
                "config", overrides=[o for o, name in zip(overrides, names, strict=True) if name not in REPLACED]
            )
        for override in OverridesParser.create().parse_overrides(
            [o for o in overrides if o.split("=", 1)[0] in REPLACED]
        ):
            _check_named_once(str(override.key_or_group), str(override.input_line).partition("=")[2])
            OmegaConf.update(composed, str(override.key_or_group), override.value(), merge=False, force_add=True)
        if "watchlist" in composed.alerts:
            numbers = {name: number for number, name in enumerate(composed.enrol, start=1)}
            composed.alerts.watchlist.people = {**numbers, **composed.alerts.watchlist.people}
        OmegaConf.resolve(composed)
        missing = OmegaConf.missing_keys(composed)
        if missing:
            raise ConfigError(f"{sorted(missing)[0]}: expected a value, got none; set it with {sorted(missing)[0]}=…")
        return _typed(composed)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise ConfigError(_one_line(error)) from error


def load_written(path: Path) -> PipelineConfig:
    """Return the configuration that a run wrote beside its results; its secrets are masked.

    Raises:
        ConfigError: If there is no such file, or it is of another version.
    """
    try:
        merged = OmegaConf.merge(OmegaConf.structured(PipelineConfig), OmegaConf.load(path))
        assert isinstance(merged, DictConfig)
        return _typed(merged)
    except (OSError, OmegaConfBaseException, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: expected the configuration of a run, got {_one_line(error)}") from error


def _check_named_once(key: str, text: str) -> None:
    """Raise ``ConfigError`` if a dictionary has a name twice; hydra would silently take the last."""
    try:
        node = yaml.compose(text)
    except yaml.YAMLError:
        return  # hydra's own syntax, such as ${oc.env:NAME}, is not all YAML
    names = [name.value for name, _ in node.value] if isinstance(node, yaml.MappingNode) else []
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{key}: expected a different name for each, got {', '.join(twice)} twice; rename one")


def to_yaml(config: PipelineConfig) -> str:
    """Return the configuration as YAML, with its secrets masked."""
    return _masked(OmegaConf.to_yaml(OmegaConf.structured(config)))


def _masked(text: str) -> str:
    for pattern in SECRETS:
        text = pattern.sub(r"\1***", text)
    return text


def _typed(composed: DictConfig) -> PipelineConfig:
    config = OmegaConf.to_object(composed)
    assert isinstance(config, PipelineConfig)
    return config


def _one_line(error: Exception) -> str:
    """Return an error of hydra in one line, without its advice and secrets; the key comes first where it is known."""
    text = str(error).split("Config search path:")[0]
    text = text.replace(":\n\t", ": ").replace("\n\t", ", ")  # a list of choices
    lines = [line.strip().rstrip(".") for line in text.splitlines() if line.strip()]
    cause = error.__cause__
    if cause is not None:
        first = str(cause).strip().splitlines()[0] if str(cause).strip() else ""
        if first and first not in lines[0]:
            lines.insert(1, first)
    # hydra advises to add the key, which a closed schema does not allow.
    unwanted = ("reference_type", "object_type", "See https", "To append")
    kept = [line for line in lines if not line.startswith(unwanted)]
    override = getattr(error, "override", None)
    if override is not None:
        kept.insert(0, f"{override.split('=', 1)[0]}: expected key=value in the syntax of hydra")
    for old, now in RENAMED.items():
        if re.search(rf"\b{old.rpartition('.')[2]}\b", text):
            kept.insert(1, f"{old} is now {now}")
    return _masked("; ".join(kept[:4]))
