"""In which processes a run works, and what each of them reserves."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipeline.config.schema import PipelineConfig, ReplicaConfig, ShareConfig
from pipeline.runtime.plan import ProcessLimits, Share

GPU_SHARE = 0.2
"""Share of a GPU that an actor with ``device=cuda`` reserves, if the configuration says nothing: two detectors, pose,
embedder and gallery fit on one. A larger one spreads them over more GPUs."""


MANY = 16
"""Items at most in a batch that costs nothing: each is a call of its own network, or it is on a GPU."""

FEW = 5
"""Items at most in a call of a network on a processor. More pictures do not fit its cache beside each other."""


def process_limits(config: PipelineConfig) -> ProcessLimits:
    """Return what a configuration says of processes."""
    runtime = config.runtime
    return ProcessLimits(
        kind="ray" if runtime.kind == "ray" else "inline",
        max_items=_max_items(config),
        max_wait_s=runtime.batch.max_wait_s,
        shares={
            "camera": _share(runtime.camera, "cpu"),
            "match": _share(runtime.match, config.gallery.get("device", "cpu")),
            "detect": stage_share(runtime.detect, config.detector),
            "pose": stage_share(runtime.pose, config.pose),
            "embed": stage_share(runtime.embed, config.embedder),
        },
        max_restarts=runtime.max_restarts,
        checkpoint_every_s=runtime.checkpoint_every_s,
        place_s=runtime.place_s,
        silent_s=runtime.silent_s,
        cameras_per_process=runtime.cameras_per_process,
    )


def _max_items(config: PipelineConfig) -> int:
    """Return how many items a batch has at most."""
    stated = config.runtime.batch.max_items
    if stated is not None:
        return stated
    devices = {plugin.get("device", "cpu") for plugin in (config.detector, config.pose, config.embedder)}
    return MANY if config.reproducible or "cuda" in devices else FEW


def stage_share(stage: ReplicaConfig, plugin: Mapping[str, Any]) -> Share:
    """Return what the actors of a stage reserve whose network is this plug-in."""
    one = _share(ShareConfig(stage.num_cpus, stage.num_gpus, stage.resources), plugin.get("device", "cpu"))
    has_place = one.num_gpus > 0 or bool(one.resources)
    beside = not has_place if stage.beside_cameras is None else stage.beside_cameras
    return replace(one, replicas=stage.replicas, beside_cameras=beside)


def is_elsewhere(config: PipelineConfig) -> bool:
    """Return whether the run is on a cluster of other machines, whose devices and folders this one may lack."""
    return config.runtime.kind == "ray" and bool(os.environ.get("RAY_ADDRESS"))


def _share(share: ShareConfig, device: str) -> Share:
    num_gpus = (GPU_SHARE if device == "cuda" else 0.0) if share.num_gpus is None else share.num_gpus
    return Share(share.num_cpus, num_gpus, resources=dict(share.resources))
