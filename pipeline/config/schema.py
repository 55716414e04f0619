"""The schema of everything that is not a plug-in, and the way from YAML to it.

hydra composes the files of ``configs/``; these dataclasses say which keys there are and of which type. Below
``pipeline/cli/run.py`` nobody sees hydra. They are not frozen, because hydra cannot fill what is; nothing changes them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pipeline.core.errors import ConfigError

REPLACED = ("site.cameras", "site.zones", "site.lines", "enrol")
"""Dictionaries that an override replaces; hydra would merge them with what the site has."""

SECRETS = (
    re.compile(r"(//)\S*(?=@)"),  # //user:password@host; a password may hold what should have been escaped
    re.compile(r"([?&][^=&\s]*(?:token|secret|password|key|auth|sig)[^=&\s]*=)[^&\s'\"]+", re.IGNORECASE),
    re.compile(r"^(\s*\w*(?:password|token|secret)\w*: )(?!null$|\w*_env: ).+$", re.IGNORECASE | re.MULTILINE),
)
"""What a written configuration must not show, behind a first group that it may."""

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@dataclass
class WalkConfig:
    """How long people walk between two cameras, either way, seconds; ``typical_s`` is believed until it was learned."""

    between: list[str]
    min_s: float
    max_s: float
    typical_s: float | None = None


@dataclass
class TruthConfig:
    """Where the truth about a recording is.

    ``format`` is pets_xml or mot; ``file`` has everybody in the whole picture, or ``{camera_id}`` in its name and
    each camera's own; ``crops`` says which part of the picture each camera shows, pixels or null; ``returns`` gives
    true numbers that are people who had been there before, and their first number.
    """

    format: str
    file: str
    crops: dict[str, Any] = field(default_factory=dict)
    returns: dict[str, int] = field(default_factory=dict)


@dataclass
class SiteConfig:
    """A place: its cameras and what is known of it.

    ``no_way`` has pairs of cameras (from, to): nobody walks straight from the first to the second.
    ``ground`` has a homography for each camera, three rows that take pixels to metres on the ground; ``max_dwell_s`` is
    how long somebody may stay in a zone, ``leave_after_s`` is ``matcher.leave_after_s`` there.
    """

    cameras: dict[str, Any] = field(default_factory=dict)
    zones: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, Any] = field(default_factory=dict)
    overlaps: list[list[str]] | None = None
    walking_times: list[WalkConfig] = field(default_factory=list)
    no_way: list[list[str]] = field(default_factory=list)
    ground: dict[str, Any] = field(default_factory=dict)
    max_dwell_s: float = 30.0
    leave_after_s: float = 2.0
    truth: TruthConfig | None = None


@dataclass
class ReplayConfig:
    """How fast recordings are played: ``max``, or times real time."""

    speed: Any = "max"


@dataclass
class DetectConfig:
    """See ``DetectStage``."""

    min_score: float = MISSING
    min_height_px: float = MISSING


@dataclass
class BufferConfig:
    """See ``TrackStage``."""

    crop_size_hw: list[int] = MISSING
    clip_len: int = MISSING
    first_after_s: float = MISSING
    part_s: float = MISSING
    contact_coverage: float = MISSING
    sure_score: float = MISSING
    doubtful_score: float = MISSING
    max_open_tracks: int = MISSING


@dataclass
class EmbedConfig:
    """See ``EmbedStage``."""

    min_quality: float = MISSING


@dataclass
class CalibrationConfig:
    """See ``Calibration`` and ``DistanceModel``."""

    same_mean: float = MISSING
    same_std: float = MISSING
    different_mean: float = MISSING
    different_std: float = MISSING
    caution: float = MISSING
    max_evidence: float = MISSING


@dataclass
class MatcherConfig:
    """See ``MatchStage``, ``Rules`` and ``EventTimeBuffer``."""

    window_s: float = MISSING
    max_lateness_s: float = MISSING
    max_false_match_rate: float = MISSING
    leave_after_s: float = MISSING
    review_every_s: float = MISSING
    review_window_s: float = MISSING
    forget_after_s: float = MISSING
    max_identities: int = MISSING
    max_prototypes: int = MISSING
    calibration: CalibrationConfig = field(default_factory=CalibrationConfig)


@dataclass
class LedgerConfig:
    """See ``Ledger.compact``."""

    retention_s: float = MISSING
    max_events: int = MISSING


@dataclass
class AlertingConfig:
    """See ``AlertStage``."""

    cooldown_s: float = MISSING
    max_open: int = MISSING
    max_parts: int = MISSING


@dataclass
class FlowConfig:
    """What bounds the flow; see ``CameraLimits`` and ``MatchActor``."""

    max_inflight_frames: int = MISSING
    max_waiting_tracklets: int = MISSING
    read_ahead_frames: int = MISSING
    max_waiting_embeddings: int = MISSING
    flush_every_s: float = MISSING
    drain_s: float = MISSING
    max_reopens: int = MISSING
    reopens_within_s: float = MISSING
    min_backoff_s: float = MISSING
    max_backoff_s: float = MISSING


@dataclass
class BatchConfig:
    """See ``BatchActor``."""

    max_items: int = 16
    max_wait_s: float = 0.0


@dataclass
class ShareConfig:
    """What each actor of a kind reserves on a Ray cluster, and how many there are."""

    replicas: int = 1
    num_cpus: float = 0.0
    num_gpus: float = 0.0


@dataclass
class RuntimeConfig:
    """In which processes the line runs: ``inline`` or ``ray``."""

    kind: str = MISSING
    threads: int = MISSING
    batch: BatchConfig = field(default_factory=BatchConfig)
    camera: ShareConfig = field(default_factory=ShareConfig)
    detect: ShareConfig = field(default_factory=ShareConfig)
    pose: ShareConfig = field(default_factory=ShareConfig)
    embed: ShareConfig = field(default_factory=ShareConfig)
    match: ShareConfig = field(default_factory=ShareConfig)
    max_restarts: int = 0
    checkpoint_every_s: float = 5.0


@dataclass
class PipelineConfig:
    """A whole run. Plug-ins are dictionaries with ``_target_``; ``pipeline/config/plugins.py`` checks them."""

    site: SiteConfig = field(default_factory=SiteConfig)
    detector: Any = MISSING
    tracker: Any = MISSING
    pose: Any = MISSING
    embedder: Any = MISSING
    gallery: Any = MISSING
    matcher: MatcherConfig = field(default_factory=MatcherConfig)
    enrol: dict[str, str] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)
    alerts: dict[str, Any] = field(default_factory=dict)
    sink: dict[str, Any] = field(default_factory=dict)
    monitor: Any = None
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)
    weights_dir: str = MISSING
    output_dir: str = MISSING
    resume: bool = False
    device: str = MISSING
    threads: int = MISSING
    replay: ReplayConfig = field(default_factory=ReplayConfig)
    detect: DetectConfig = field(default_factory=DetectConfig)
    buffer: BufferConfig = field(default_factory=BufferConfig)
    embed: EmbedConfig = field(default_factory=EmbedConfig)
    ledger: LedgerConfig = field(default_factory=LedgerConfig)
    alerting: AlertingConfig = field(default_factory=AlertingConfig)
    flow: FlowConfig = field(default_factory=FlowConfig)


def load_config(overrides: Sequence[str]) -> PipelineConfig:
    """Return the configuration that the files and these overrides make; plain values, nothing left to resolve.

    Raises:
        ConfigError: If a key is unknown, a value of the wrong type, or a choice not there; one line that names it.
    """
    overrides = list(overrides)
    names = [override.split("=", 1)[0] for override in overrides]
    if "site.cameras" in names and "site" not in names:
        overrides.insert(0, "site=empty")  # whoever names cameras means these, at no place that we know
        names.insert(0, "site")
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


def _check_named_once(key: str, text: str) -> None:
    """Raise ``ConfigError`` if a dictionary has a name twice, of which hydra would take the last."""
    try:
        node = yaml.compose(text)
    except yaml.YAMLError:
        return  # hydra's own words, such as ${oc.env:NAME}, are not all YAML
    names = [name.value for name, _ in node.value] if isinstance(node, yaml.MappingNode) else []
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{key}: expected a different name for each, got {', '.join(twice)} twice; rename one")


def to_yaml(config: PipelineConfig) -> str:
    """Return the configuration as YAML, without the secrets in it."""
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
    """Return what went wrong, key first where hydra knows it, without the stack of its own words."""
    text = str(error).split("Config search path:")[0]
    text = text.replace(":\n\t", ": ").replace("\n\t", ", ")  # the choices there are
    lines = [line.strip().rstrip(".") for line in text.splitlines() if line.strip()]
    cause = error.__cause__
    if cause is not None:
        first = str(cause).strip().splitlines()[0] if str(cause).strip() else ""
        if first and first not in lines[0]:
            lines.insert(1, first)
    # hydra's advice to add a key leads nowhere here: the schema is closed.
    unwanted = ("reference_type", "object_type", "See https", "To append")
    kept = [line for line in lines if not line.startswith(unwanted)]
    override = getattr(error, "override", None)
    if override is not None:
        kept.insert(0, f"{override.split('=', 1)[0]}: expected key=value as hydra reads it")
    return _masked("; ".join(kept[:4]))
