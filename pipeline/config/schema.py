"""The schema of everything that is not a plug-in: the keys, their types and their ranges.

The dataclasses are not frozen, because hydra cannot fill frozen ones; no code changes them. A number without a range
of its own has to be at least 1 if it is whole, and at least 0 otherwise.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

from omegaconf import MISSING

Range = tuple[str, Callable[[float], bool]]
"""What is expected, in words for an error, and the test of it. Not-a-number passes no test."""

ABOVE_0: Range = ("a number above 0", lambda value: value > 0)
AT_LEAST_0: Range = ("a number of at least 0", lambda value: value >= 0)
AT_LEAST_2: Range = ("at least 2", lambda value: value >= 2)
AT_LEAST_1: Range = ("at least 1", lambda value: value >= 1)
FROM_0_TO_1: Range = ("a number from 0 to 1", lambda value: 0 <= value <= 1)
ABOVE_0_TO_1: Range = ("a number above 0, 1 at most", lambda value: 0 < value <= 1)
PORT: Range = ("a port from 1 to 65535", lambda value: 1 <= value <= 65535)
BETWEEN_0_AND_1: Range = ("a number between 0 and 1", lambda value: 0 < value < 1)
RESERVED: Range = ("0, or a finite number of at least 0.0001", lambda value: value == 0 or 0.0001 <= value < inf)
"""What an actor reserves of a resource: Ray counts in steps of 0.0001."""
RESERVED_GPUS: Range = (
    "a number from 0 to 1, or a whole number of GPUs",
    lambda value: RESERVED[1](value) and (value <= 1 or value == int(value)),
)


def number(valid: Range, default: Any = MISSING) -> Any:
    """Return a field for a number with a range of its own."""
    return field(default=default, metadata={"range": valid})


@dataclass
class TransitConfig:
    """Seconds that people take between two cameras, either way; ``typical_s`` holds until enough transits were seen."""

    between: list[str]
    min_s: float
    max_s: float
    typical_s: float | None = None


@dataclass
class TruthConfig:
    """Where the ground truth of a recording is.

    ``format`` is pets_xml or mot. ``file`` covers the whole picture, or has ``{camera_id}`` in its name and covers one
    camera each. ``crops`` says which part of the picture each camera shows, x1, y1, x2, y2 in pixels, or null for all
    of it. ``returns`` maps the true number of a person who came back to the number of the first visit.
    """

    format: str
    file: str
    crops: dict[str, Any] = field(default_factory=dict)
    returns: dict[str, int] = field(default_factory=dict)


@dataclass
class SiteConfig:
    """A place: its cameras and what is known of it.

    ``later`` names cameras that may be added while the run goes on, so that the other keys can name them. ``masks`` are
    covered in every picture before anything sees it. ``camera_groups`` are cameras that the page shows together, by the
    name of the group. ``overlaps`` lists the pairs of cameras that may see one person at once; null if that is not
    known. ``no_overlap`` lists pairs that never do. ``no_transit`` lists pairs (from, to): no person walks straight
    from the first camera to the second. ``ground`` has a homography for each camera, three rows that take pixels to
    metres on the ground. ``max_dwell_s`` is how long a person may stay in a zone, seconds. ``leave_after_s`` becomes
    ``matcher.leave_after_s``. ``footage`` says where the recordings can be had, for those who do not have them.
    ``camera_folders`` are those below which recordings may be added in the page; without one, none may.
    """

    cameras: dict[str, Any] = field(default_factory=dict)
    later: list[str] = field(default_factory=list)
    zones: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, Any] = field(default_factory=dict)
    masks: dict[str, Any] = field(default_factory=dict)
    camera_groups: dict[str, list[str]] = field(default_factory=dict)
    overlaps: list[list[str]] | None = None
    no_overlap: list[list[str]] = field(default_factory=list)
    transit_times: list[TransitConfig] = field(default_factory=list)
    no_transit: list[list[str]] = field(default_factory=list)
    ground: dict[str, Any] = field(default_factory=dict)
    max_dwell_s: float = 30.0
    leave_after_s: float = 2.0
    truth: TruthConfig | None = None
    footage: str | None = None
    camera_folders: list[str] = field(default_factory=list)


@dataclass
class ReplayConfig:
    """How fast recordings are replayed: ``max``, or a multiple of real time."""

    speed: Any = "max"


@dataclass
class DetectConfig:
    """See ``DetectionStage``."""

    min_score: float = number(FROM_0_TO_1)
    min_height_px: float = MISSING


@dataclass
class BufferConfig:
    """See ``TrackingStage``."""

    crop_size_hw: list[int] = MISSING
    clip_len: int = MISSING
    first_after_s: float = MISSING
    part_s: float = number(ABOVE_0)
    contact_coverage: float = number(FROM_0_TO_1)
    min_peak_score: float = number(FROM_0_TO_1)
    static_min_score: float = number(FROM_0_TO_1)
    max_open_tracks: int = MISSING


@dataclass
class EmbedConfig:
    """See ``EmbeddingStage``."""

    min_quality: float = number(FROM_0_TO_1)


@dataclass
class CalibrationConfig:
    """See ``Calibration`` and ``DistanceModel``."""

    same_mean: float = MISSING
    same_std: float = number(ABOVE_0)
    different_mean: float = MISSING
    different_std: float = number(ABOVE_0)
    caution: float = number(ABOVE_0_TO_1)
    max_llr: float = number(ABOVE_0)


@dataclass
class MatcherConfig:
    """See ``Matcher``, ``LinkConstraints`` and ``EventTimeBuffer``."""

    window_s: float = number(ABOVE_0)
    max_lateness_s: float = MISSING
    clock_error_s: float = number(AT_LEAST_0)
    max_false_match_rate: float = number(BETWEEN_0_AND_1)
    leave_after_s: float = MISSING
    recluster_every_s: float = number(ABOVE_0)
    recluster_window_s: float = MISSING
    forget_after_s: float = number(ABOVE_0)
    max_identities: int = MISSING
    max_prototypes: int = MISSING
    adapt_to_cameras: bool = MISSING
    calibration: CalibrationConfig = field(default_factory=CalibrationConfig)


@dataclass
class LedgerConfig:
    """See ``Ledger.compact``."""

    retention_s: float = MISSING
    max_events: int = number(AT_LEAST_0)


@dataclass
class DiskConfig:
    """How much of the disk a run takes, GB of 10^9 bytes; see ``DiskBudget``. ``max_gb`` is null for no limit."""

    max_gb: float | None = number(ABOVE_0, None)
    min_free_gb: float = number(AT_LEAST_0, 0.5)


@dataclass
class LogConfig:
    """A file for the log of the process that directs the run, besides standard error; see ``log_to_file``."""

    file: str | None = None
    max_mb: float = number(ABOVE_0, 10.0)
    files: int = number(AT_LEAST_2, 5)


@dataclass
class MetricsConfig:
    """Where the run itself serves its metrics; see ``serve_metrics``. ``port`` is null for nowhere."""

    port: int | None = number(PORT, None)
    host: str = "127.0.0.1"


@dataclass
class AlertingConfig:
    """See ``AlertEngine``."""

    cooldown_s: float = MISSING
    max_open: int = MISSING
    max_parts: int = MISSING
    exempt: list[str] = field(default_factory=list)


@dataclass
class FlowConfig:
    """What bounds the flow; see ``CameraLimits`` and ``MatchActor``."""

    max_inflight_frames: int = MISSING
    max_waiting_tracklets: int = MISSING
    read_ahead_frames: int = MISSING
    max_waiting_embeddings: int = MISSING
    flush_every_s: float = MISSING
    drain_s: float = MISSING
    max_reopens: int = number(AT_LEAST_0)
    reopens_within_s: float = MISSING
    min_backoff_s: float = number(ABOVE_0)
    max_backoff_s: float = number(ABOVE_0)


@dataclass
class BatchConfig:
    """See ``BatchActor``. ``max_items`` is null for what suits the device, see ``process_limits``."""

    max_items: int | None = number(AT_LEAST_1, None)
    max_wait_s: float = 0.0


@dataclass
class ShareConfig:
    """What an actor reserves of its machine on Ray; of a camera's process, for each camera.

    ``num_gpus`` is null for what the device of its plug-in asks for. ``resources`` are the cluster's own kinds by name.
    """

    num_cpus: float = number(RESERVED, 0.0)
    num_gpus: float | None = number(RESERVED_GPUS, None)
    resources: dict[str, float] = field(default_factory=dict)


@dataclass
class ReplicaConfig:
    """How many actors of a stage there are, and what each reserves of its machine on Ray; see ``ShareConfig``.

    ``beside_cameras`` is null for true where it reserves neither GPUs nor resources.
    """

    replicas: int = 1
    num_cpus: float = number(RESERVED, 0.0)
    num_gpus: float | None = number(RESERVED_GPUS, None)
    resources: dict[str, float] = field(default_factory=dict)
    beside_cameras: bool | None = None


@dataclass
class RuntimeConfig:
    """In which processes the pipeline runs; see ``ProcessLimits``. ``threads`` is for each network.

    ``cameras_per_process`` is null for what suits the cluster.
    """

    kind: str = MISSING
    threads: int = MISSING
    batch: BatchConfig = field(default_factory=BatchConfig)
    camera: ShareConfig = field(default_factory=ShareConfig)
    detect: ReplicaConfig = field(default_factory=ReplicaConfig)
    pose: ReplicaConfig = field(default_factory=ReplicaConfig)
    embed: ReplicaConfig = field(default_factory=ReplicaConfig)
    match: ShareConfig = field(default_factory=ShareConfig)
    max_restarts: int = number(AT_LEAST_0, 0)
    checkpoint_every_s: float = 5.0
    place_s: float = number(ABOVE_0, 120.0)
    silent_s: float = number(ABOVE_0, 30.0)
    cameras_per_process: int | None = None


@dataclass
class PipelineConfig:
    """A run of one site. Plug-ins are dictionaries with ``_target_``; ``pipeline/config/plugins.py`` checks them.

    ``site_name`` is the name of the site in a job of several, which ``pipeline/config/sites.py`` sets.
    """

    site: SiteConfig = field(default_factory=SiteConfig)
    site_name: str = ""
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
    alert_pictures: Any = None
    alert_clips: Any = None
    recording: Any = None
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)
    allow_plugins: list[str] = field(default_factory=list)
    weights_dir: str | None = None
    output_dir: str = MISSING
    resume: bool = False
    edits: str | None = None
    device: str = MISSING
    threads: int = MISSING
    reproducible: bool = True
    replay: ReplayConfig = field(default_factory=ReplayConfig)
    detect: DetectConfig = field(default_factory=DetectConfig)
    buffer: BufferConfig = field(default_factory=BufferConfig)
    embed: EmbedConfig = field(default_factory=EmbedConfig)
    ledger: LedgerConfig = field(default_factory=LedgerConfig)
    disk: DiskConfig = field(default_factory=DiskConfig)
    log: LogConfig = field(default_factory=LogConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    alerting: AlertingConfig = field(default_factory=AlertingConfig)
    flow: FlowConfig = field(default_factory=FlowConfig)
