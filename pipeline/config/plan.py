"""From a configuration to the plan of a run: the options of every plug-in are checked, and nothing is started."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from pipeline.alerts.engine import AlertEngine
from pipeline.association.adaptation.adaptation import Adaptation
from pipeline.association.calibration.likelihood_ratio import Calibration, DistanceModel
from pipeline.association.constraints import LinkConstraints
from pipeline.association.geometry.ground_plane import Ground
from pipeline.association.geometry.topology import Topology
from pipeline.association.matcher import Matcher
from pipeline.camera.detection import DetectionStage
from pipeline.camera.tracking import TrackingStage
from pipeline.config.cameras import any_is_live, check_camera_names, known_cameras, plan_cameras
from pipeline.config.detection import OF_RUN, check_size, detection_of, own_detections, own_detectors, size_hw
from pipeline.config.edits_of_run import with_edits
from pipeline.config.places import check_places, parse_ground, warn_of_rules
from pipeline.config.plugins import SEVERAL, attribute, build, build_source, check_named
from pipeline.config.process_limits import is_elsewhere, process_limits
from pipeline.config.rule_edits import EDITS, edited, edits_path, engine_of, of_run, parse_edits, settle_of
from pipeline.config.schema import (
    BufferConfig,
    MatcherConfig,
    PipelineConfig,
    SiteConfig,
)
from pipeline.config.topology import site_topology, topology_of
from pipeline.config.validation import check_ranges
from pipeline.core import (
    AlertRule,
    Embedder,
    Gallery,
    PoseEstimator,
    PoseNeed,
    Tracker,
)
from pipeline.core.errors import ConfigError
from pipeline.core.plugin_contract import made, plugin_name
from pipeline.embedding.embedding import EmbeddingStage
from pipeline.embedding.pose import PoseStage
from pipeline.ledger.cameras.book import CameraBook
from pipeline.runtime.plan import CameraLimits, MatchLimits, Plan


def make_plan(config: PipelineConfig, *, has_detector: bool = True) -> Plan:
    """Return the plan of a configuration.

    Args:
        config: The configuration.
        has_detector: False if the caller finds people by itself: nothing of the configured detector is looked for.

    Raises:
        ConfigError: If it cannot be run; names the key.
        WeightsError: If weights are absent or altered.
    """
    if not config.site.cameras:
        raise ConfigError("site.cameras: expected at least one, got none; 'site.cameras={east: /a/east.mp4}'")
    check_values(config)
    alerting, config = config, with_edits(config)  # alert rules and topology follow the edits themselves
    folder = Path(config.output_dir).absolute()
    is_here = not is_elsewhere(config)
    if is_here:
        _check_weights_dir(config.weights_dir)
    make = partial(build, allow=config.allow_plugins)
    make_network = partial(make, preflight=is_here)  # elsewhere, the constructor raises the same where it works
    make_embedder = make_network(config.embedder, "embedder")
    needs = _needs(make_embedder)
    detection = detection_of(config, config.detector) if has_detector else None
    make_tracker = make(config.tracker, "tracker")
    cameras = plan_cameras(config)
    has_live = any_is_live(cameras.make_sources)
    plan = Plan(
        make_sources=cameras.make_sources,
        intakes=cameras.intakes,
        make_enrolled={
            name: build_source(name, folder, config.source, key=f"enrol.{name}", allow=config.allow_plugins)
            for name, folder in config.enrol.items()
        },
        make_track=partial(_tracking_stage, make_tracker, config.buffer),
        input_hw=check_size(config.detector, OF_RUN),
        crop_size_hw=size_hw(config.buffer.crop_size_hw, "buffer.crop_size_hw"),
        make_detect=_no_detection if detection is None else detection.make,
        make_pose=None if needs is PoseNeed.NOTHING else partial(_pose_stage, make_network(config.pose, "pose"), needs),
        make_embed=partial(_embedding_stage, make_embedder, config.embed.min_quality),
        make_match=matcher_factory(config, has_live=has_live),
        make_alert=partial(
            _alert_engine,
            {name: make(node, f"alerts.{name}") for name, node in alerting.alerts.items()},
            of_run(alerting),
            folder,
            dict(enumerate(config.enrol, start=1)),
            config.alert_clips is not None,
        ),
        make_topology=partial(_edited_topology, of_run(alerting), folder),
        make_sinks={name: make(node, f"sink.{name}") for name, node in config.sink.items()},
        make_monitors=cameras.make_monitors,
        camera=CameraLimits(
            max_inflight_frames=config.flow.max_inflight_frames,
            max_waiting_tracklets=config.flow.max_waiting_tracklets,
            read_ahead_frames=config.flow.read_ahead_frames,
            replay_speed=_replay_speed(config.replay.speed),
            max_reopens=config.flow.max_reopens,
            reopens_within_s=config.flow.reopens_within_s,
            min_backoff_s=config.flow.min_backoff_s,
            max_backoff_s=config.flow.max_backoff_s,
            max_lateness_s=config.matcher.max_lateness_s,
        ),
        match=MatchLimits(
            window_s=config.matcher.window_s,
            max_lateness_s=config.matcher.max_lateness_s if has_live else inf,
            flush_every_s=config.flow.flush_every_s,
            max_waiting_embeddings=config.flow.max_waiting_embeddings,
            retention_s=config.ledger.retention_s,
            max_events=config.ledger.max_events,
        ),
        processes=process_limits(config),
        drain_s=config.flow.drain_s,
        output_dir=folder,
        edits=edits_path(config),
        resume=config.resume,
        detections=own_detections(config) if has_detector else {},
        networks=_networks(config),
    )
    if not plan.edits.exists():  # else its rules warn when they are taken
        warn_of_rules(vars(config.site), config.alerts, config.enrol)
    return plan


def check_values(config: PipelineConfig) -> None:
    """Check what needs no file, device or network: numbers, names, sizes, and what the site says of its cameras.

    Raises:
        ConfigError: Names the key.
    """
    check_ranges(config)
    for kind in SEVERAL:
        check_named(kind, getattr(config, kind))
    check_camera_names(config.site)
    check_places(vars(config.site), config.alerts)
    topology_of(config.site)  # a mistake shows here, and not only in the process that needs it
    for key, node in [(OF_RUN, config.detector), *own_detectors(config.site.cameras).values()]:
        check_size(node, key)
    size_hw(config.buffer.crop_size_hw, "buffer.crop_size_hw")
    _replay_speed(config.replay.speed)


def matcher_factory(
    config: PipelineConfig, *, cameras: Sequence[str] | None = None, has_live: bool = False
) -> Callable[[], Matcher]:
    """Return a picklable factory of the matcher alone.

    Args:
        config: The configuration.
        cameras: As in ``Matcher``.
        has_live: Cameras are live, so that their clocks may be apart.

    Raises:
        ConfigError: If the gallery or the ground plane cannot be used; names the key.
    """
    make_gallery = build(config.gallery, "gallery", allow=config.allow_plugins, preflight=not is_elsewhere(config))
    ground = Ground(parse_ground(config.site.ground, known_cameras(config.site)))
    clock_error_s = config.matcher.clock_error_s if has_live else 0.0
    return partial(_matcher, make_gallery, config.matcher, config.site, clock_error_s, ground, cameras)


def _needs(make_embedder: Callable[[], Embedder]) -> PoseNeed:
    """Return what an embedder asks of the pose stage."""
    assert isinstance(make_embedder, partial)
    try:
        return PoseNeed(attribute(make_embedder, "needs"))
    except (AttributeError, ValueError) as error:
        raise ConfigError(
            f"embedder ({plugin_name(make_embedder.func)}): expected needs, in the class or in the YAML, to be one of "
            f"{', '.join(PoseNeed)}, got {error}; correct it: Embedder in pipeline/core/interfaces.py"
        ) from error


def _networks(config: PipelineConfig) -> str:
    """Return which networks a configuration has, and what is asked of them; equal ones are the same text."""
    asked = [config.detector, config.pose, config.embedder, asdict(config.detect), asdict(config.embed)]
    return json.dumps(asked, sort_keys=True, default=str)


def _check_weights_dir(folder: str | None) -> None:
    """Raise ``ConfigError`` if a folder is named that is not there: weights of another version might be taken."""
    if folder is not None and not Path(folder).is_dir():
        raise ConfigError(f"weights_dir: expected a folder, got nothing at {folder}; correct it, or leave it out")


def _replay_speed(speed: object) -> float:
    if speed == "max":
        return inf
    if isinstance(speed, int | float) and not isinstance(speed, bool) and speed > 0:
        return float(speed)
    raise ConfigError(f"replay.speed: expected max or a number above 0, got {speed}; correct it")


# What follows runs in the process where the stage works.


def _tracking_stage(make_tracker: Callable[[], Tracker], buffer: BufferConfig) -> TrackingStage:
    return TrackingStage(
        made("tracker", make_tracker),
        crop_size_hw=(buffer.crop_size_hw[0], buffer.crop_size_hw[1]),
        clip_len=buffer.clip_len,
        first_after_s=buffer.first_after_s,
        part_s=buffer.part_s,
        contact_coverage=buffer.contact_coverage,
        min_peak_score=buffer.min_peak_score,
        static_min_score=buffer.static_min_score,
        max_open_tracks=buffer.max_open_tracks,
    )


def _no_detection() -> DetectionStage:
    raise AssertionError("this plan was made without a detector")


def _pose_stage(make_estimator: Callable[[], PoseEstimator], needs: PoseNeed) -> PoseStage:
    estimator = made("pose", make_estimator)
    if needs is PoseNeed.HEATMAPS and estimator.gives is not PoseNeed.HEATMAPS:
        raise ConfigError(
            "pose: expected heat-maps, which the embedder needs, got a pose without; choose pose=rtmpose_onnx"
        )
    return PoseStage(estimator)


def _embedding_stage(make_embedder: Callable[[], Embedder], min_quality: float) -> EmbeddingStage:
    return EmbeddingStage(made("embedder", make_embedder), min_quality=min_quality)


def _matcher(
    make_gallery: Callable[[], Gallery],
    matcher: MatcherConfig,
    site: SiteConfig,
    clock_error_s: float,
    ground: Ground,
    cameras: Sequence[str] | None,
) -> Matcher:
    start = matcher.calibration
    return Matcher(
        made("gallery", make_gallery),
        Calibration(
            DistanceModel(start.same_mean, start.same_std, start.different_mean, start.different_std),
            caution=start.caution,
            max_llr=start.max_llr,
        ),
        LinkConstraints(topology_of(site), matcher.leave_after_s, clock_error_s),
        ground,
        Adaptation() if matcher.adapt_to_cameras else None,
        max_false_match_rate=matcher.max_false_match_rate,
        recluster_every_s=matcher.recluster_every_s,
        recluster_window_s=matcher.recluster_window_s,
        forget_after_s=matcher.forget_after_s,
        max_identities=matcher.max_identities,
        max_prototypes=matcher.max_prototypes,
        cameras=cameras,
    )


def _alert_engine(
    make_rules: Mapping[str, Callable[[], AlertRule]],
    run: Mapping[str, Any],
    folder: Path,
    names: Mapping[int, str],
    has_clips: bool,
    edits: str = "",
) -> AlertEngine:
    """Return the alert engine of a configuration; with edits, if their text is given."""
    if edits:
        run = _with_added(run, folder)
        return engine_of(run, parse_edits(edits, EDITS), EDITS, names, has_clips=has_clips)
    rules = [made(f"alerts.{name}", make_rule) for name, make_rule in make_rules.items()]
    options = {rule.name: node for rule, node in zip(rules, run["alerts"].values(), strict=True)}
    return AlertEngine(
        rules, **run["alerting"], settle_s=settle_of(run), names=names, has_clips=has_clips, options=options
    )


def _edited_topology(run: Mapping[str, Any], folder: Path, edits: str) -> Topology:
    """Return the topology of a configuration with edits, given their text."""
    return site_topology(edited(_with_added(run, folder), parse_edits(edits, EDITS), EDITS)["site"])


def _with_added(run: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return what rules follow from, with the cameras that were added to the run in this folder since it began."""
    later = [*run["site"]["later"], *CameraBook(folder).changed().added]
    return {**run, "site": {**run["site"], "later": later}}
