"""Sets of the benchmark, with everything before the matcher done once: boxes, tracklets, embeddings, naive tracks."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from omegaconf import OmegaConf

from pipeline.camera.detection import DetectionStage, letterbox
from pipeline.cli.evaluate import LIBRARY_DEFAULTS, naive_tracks
from pipeline.cli.scoring.truth import true_tables
from pipeline.config.composition import load_config
from pipeline.config.plan import make_plan
from pipeline.config.plugins import build
from pipeline.config.schema import PipelineConfig, SiteConfig
from pipeline.core import Detections, Embedding, FrameStamp, LetterboxedFrame
from pipeline.core.serialisation import deserialise, serialise
from pipeline.evaluation.naive import Track
from pipeline.evaluation.track_table import TrackTable
from pipeline.runtime.plan import Plan

UPSTREAM = ("detector", "tracker", "pose", "embedder", "detect", "buffer", "embed")
"""Blocks of the configuration that decide what the matcher is given."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedSet:
    """What the matcher is given on one set, and what it is scored against.

    Attributes:
        name: Of the set.
        config: Its configuration; ``matcher`` and ``site`` of it count.
        embeddings: Of all cameras.
        tracks: Whole tracks for the baselines.
        truth: By camera.
    """

    name: str
    config: PipelineConfig
    embeddings: Sequence[Embedding]
    tracks: Sequence[Track]
    truth: Mapping[str, TrackTable]

    @property
    def max_gap_s(self) -> float:
        """Gap that the MOT sink fills, seconds."""
        return float(load_config(["sink=[mot]"]).sink["mot"]["max_gap_s"])

    @property
    def plan(self) -> Plan:
        """The plan of its configuration."""
        return make_plan(self.config)


def recorded_set(name: str, entry: Mapping[str, Any], folder: Path) -> RecordedSet:
    """Return a set of a file of sets; what is computed before the matcher is kept in ``folder``.

    Args:
        name: Of the set.
        entry: ``overrides`` of a run; or ``world``, options of ``passerby world render``, and what is changed about
            it: ``ground: false``, ``offsets`` in seconds by camera.
        folder: Of rendered worlds and kept embeddings.
    """
    config = load_config(["sink=[]", *entry.get("overrides", ["site=rendered"])])
    if "world" in entry:
        site = yaml.safe_load((_rendered(entry["world"], folder / "worlds") / "site.yaml").read_text())
        del site["defaults"]  # chosen above
        config.site = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(SiteConfig), site))  # type: ignore[assignment]
        config.matcher.leave_after_s = config.site.leave_after_s
    if not entry.get("ground", True):
        config.site.ground = {}
    truth = true_tables(config)
    assert truth is not None
    key = [OmegaConf.to_container(OmegaConf.create({k: getattr(config, k) for k in UPSTREAM})), config.site.cameras]
    kept = folder / "kept" / f"{sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()[:16]}.bin"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(serialise(_computed(config)))
    embeddings, tracks = deserialise(kept.read_bytes(), tuple[list[Embedding], list[Track]])
    offsets = entry.get("offsets", {})
    return RecordedSet(name, config, [_shifted(e, offsets) for e in embeddings], tracks, truth)


def _rendered(options: str, folder: Path) -> Path:
    """Return the folder of a world; it is rendered if it is absent."""
    world = folder / sha256(options.encode()).hexdigest()[:16]
    if not (world / "site.yaml").exists():
        subprocess.run(["passerby", "world", "render", "--out", str(world), *options.split()], check=True)
    return world


def _computed(config: PipelineConfig) -> tuple[list[Embedding], list[Track]]:
    plan = make_plan(config)
    detect, embed = _Remembering(plan.make_detect()), plan.make_embed()
    pose = None if plan.make_pose is None else plan.make_pose()
    embeddings: list[Embedding | None] = []
    for make_source in plan.make_sources.values():
        track, source = plan.make_track(), make_source()
        for frame in source.frames():
            tracklets = track.process([(frame, detect.process([letterbox(frame, plan.input_hw)])[0])])
            embeddings += embed.process(tracklets if pose is None else pose.process(tracklets))
        tracklets = track.flush()
        embeddings += embed.process(tracklets if pose is None else pose.process(tracklets))
        source.close()
    naive = naive_tracks(
        replace(plan, make_detect=lambda: detect), build({**config.tracker, **LIBRARY_DEFAULTS}, "tracker")
    )
    return [e for e in embeddings if e is not None], naive


class _Remembering:
    """A detection stage that computes each frame once, for the pipeline and for the baselines."""

    def __init__(self, stage: DetectionStage) -> None:
        self._stage = stage
        self._found: dict[FrameStamp, Detections] = {}

    def process(self, batch: Sequence[LetterboxedFrame]) -> list[Detections]:
        new = [frame for frame in batch if frame.stamp not in self._found]
        self._found |= zip((frame.stamp for frame in new), self._stage.process(new), strict=True)
        return [self._found[frame.stamp] for frame in batch]


def _shifted(embedding: Embedding, offsets: Mapping[str, float]) -> Embedding:
    """Return an embedding as a camera delivers it whose clock is off by so many seconds."""
    off_s = offsets.get(embedding.track_id.camera_id, 0.0)
    if not off_s:
        return embedding

    def later(stamp: FrameStamp) -> FrameStamp:
        return replace(stamp, captured_at=stamp.captured_at + off_s)

    path = replace(embedding.path, captured_at=np.array(embedding.path.captured_at + off_s))
    return replace(
        embedding,
        first=later(embedding.first),
        last=later(embedding.last),
        path=path,
        completed_at=embedding.completed_at + off_s,
    )
