"""The plan of a run: everything the runtime needs to start one. ``pipeline.config.plan`` makes it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Literal

from pipeline.alerts.engine import AlertEngine
from pipeline.association.geometry.topology import Topology
from pipeline.association.matcher import Matcher
from pipeline.camera.detection import DetectionStage
from pipeline.camera.tracking import TrackingStage
from pipeline.core import Monitor, Sink, Source
from pipeline.embedding.embedding import EmbeddingStage
from pipeline.embedding.pose import PoseStage


@dataclass(frozen=True, slots=True)
class CameraLimits:
    """What bounds one camera.

    Attributes:
        max_inflight_frames: Frames in detection at once.
        max_waiting_tracklets: Tracked frames whose tracklets wait to be embedded.
        read_ahead_frames: Decoded frames that wait for detection, where every frame counts.
        replay_speed: Of recordings: times real time; infinite for as fast as possible.
        max_reopens: A live camera that broke this often within ``reopens_within_s`` is given up; 0 for never.
        reopens_within_s: Seconds.
        min_backoff_s: Seconds before a camera is opened again for the first time; doubles up to ``max_backoff_s``.
        max_backoff_s: Seconds.
        max_lateness_s: Stamps of a live camera that are further behind the clock than this are corrected.
    """

    max_inflight_frames: int
    max_waiting_tracklets: int
    read_ahead_frames: int
    replay_speed: float
    max_reopens: int
    reopens_within_s: float
    min_backoff_s: float
    max_backoff_s: float
    max_lateness_s: float = inf


@dataclass(frozen=True, slots=True)
class MatchLimits:
    """What bounds the match actor and its ledger; see ``MatchActor``.

    Attributes:
        window_s: Seconds of event time matched together.
        max_lateness_s: Seconds after which a live camera that is behind holds the others back no longer; infinite
            if every source is a recording, so that the result does not depend on speed.
        flush_every_s: Seconds between two flushes of the sinks.
        max_waiting_embeddings: Embeddings that may wait for slower cameras before the faster ones are held back.
        retention_s: Seconds of event time after which events leave the ledger.
        max_events: Events that stay in the ledger at most; 0 for all.
    """

    window_s: float
    max_lateness_s: float
    flush_every_s: float
    max_waiting_embeddings: int
    retention_s: float
    max_events: int


@dataclass(frozen=True, slots=True)
class Share:
    """How many actors of a kind there are, and what each reserves of its machine on Ray.

    Attributes:
        num_cpus: Processors; of a camera's process, for each camera.
        num_gpus: GPUs; parts of one are possible.
        replicas: Actors; of a stage beside cameras, in each of their processes.
        resources: Of the cluster's own kinds, by name.
        beside_cameras: The stage works in the processes of the cameras; unused inline and by other kinds.
    """

    num_cpus: float
    num_gpus: float
    replicas: int = 1
    resources: Mapping[str, float] = field(default_factory=dict)
    beside_cameras: bool = False

    def times(self, number: int) -> "Share":
        """Return what so many of these reserve together."""
        resources = {name: number * amount for name, amount in self.resources.items()}
        return Share(number * self.num_cpus, number * self.num_gpus, resources=resources)

    def __add__(self, other: "Share") -> "Share":
        """Return what one of each reserves together."""
        names = {*self.resources, *other.resources}
        return Share(
            self.num_cpus + other.num_cpus,
            self.num_gpus + other.num_gpus,
            resources={name: self.resources.get(name, 0) + other.resources.get(name, 0) for name in names},
        )


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """In which processes the actors run, and what bounds them.

    Attributes:
        kind: ``inline`` for this process, ``ray`` for processes on a Ray cluster.
        max_items: Items in a batch of detection, pose or embedding at most.
        max_wait_s: Seconds that such a batch waits for more items.
        shares: By kind of actor: camera, detect, pose, embed, match.
        max_restarts: How often each process may be replaced within an hour, because it died or hung.
        checkpoint_every_s: Seconds between two checkpoints of a camera on Ray.
        place_s: Seconds within which the cluster must have a place for every process.
        silent_s: Seconds after which a process on Ray that does not answer is replaced.
        cameras_per_process: Cameras that share a process on Ray; None for as many as the cluster's processors ask for.
    """

    kind: Literal["inline", "ray"]
    max_items: int
    max_wait_s: float
    shares: Mapping[str, Share]
    max_restarts: int
    checkpoint_every_s: float
    place_s: float = 120.0
    silent_s: float = 30.0
    cameras_per_process: int | None = None


@dataclass(frozen=True, slots=True)
class CameraIntake:
    """What is done to the frames of one camera before anything looks at them.

    Attributes:
        max_fps: Frames a second that are taken at most, as evenly spaced as they come; the others are not read. None:
            all.
        offset_s: Seconds that are added to their times, because the camera's clock is behind that of the others.
        watch_view: The view is watched; see ``ViewWatch``. False: a picture that stays the same is searched for people.
        motion_gate: Nobody is looked for while nothing moves; see ``MotionGate``.
        from_at: Unix seconds of event time; earlier frames of a recording are left out.
        until_at: Unix seconds of event time at which a recording ends, whatever follows.
        added_at: Unix seconds of event time at which it was added to the run; None: it was there from the start.
        zero_due_at: Unix seconds of the wall clock at which time 0 of a recording is due, at the speed of its replay.
            None: its first frame is due when it is read.
        first_index: Is added to the index of each frame of a recording, because the run has read another one before.
        first_at: Unix seconds of the first frame of a recording, before ``offset_s``; None: not looked at.
    """

    max_fps: float | None = None
    offset_s: float = 0.0
    watch_view: bool = True
    motion_gate: bool = False
    from_at: float = -inf
    until_at: float = inf
    added_at: float | None = None
    zero_due_at: float | None = None
    first_index: int = 0
    first_at: float | None = None


ALL_FRAMES = CameraIntake()
"""All frames, with their own times."""


@dataclass(frozen=True, slots=True)
class Detection:
    """How people are found in the pictures of one camera or of several.

    Attributes:
        name: Of the stage; ``detect`` with the detector of the run. No two that differ have one name.
        input_hw: Height and width of the detector's input, pixels.
        make: The detection stage.
        share: How many actors it has, and what each reserves.
    """

    name: str
    input_hw: tuple[int, int]
    make: Callable[[], DetectionStage]
    share: Share


@dataclass(frozen=True, slots=True)
class Plan:
    """Picklable factories of everything a run is made of, and what bounds it. Nothing is running yet.

    Attributes:
        make_sources: By camera.
        intakes: What is done to the frames of each camera.
        make_enrolled: Pictures of the people who are known from the start, by name.
        make_track: A new tracking stage, one for each camera and session.
        input_hw: Height and width of the input of the run's detector, pixels.
        crop_size_hw: Height and width of the embedder's crops, pixels.
        make_detect: The detection stage with that detector.
        make_pose: The pose stage; None where the embedder needs no keypoints.
        make_embed: The embedding stage.
        make_match: The matcher.
        make_alert: The alert engine; of a file of edits, if it is given its text.
        make_topology: The matcher's topology as a file of edits says it, given its text.
        make_sinks: By name.
        make_monitors: By camera; empty where no page shows the cameras.
        camera: Limits of each camera.
        match: Limits of the match actor.
        processes: Where all this runs.
        drain_s: Seconds that a stopped run may take to publish what it has read.
        output_dir: Folder of the run's files, absolute.
        edits: File of alert rules that are edited while the run goes on, absolute; it need not be there.
        resume: True: continue from the ledger in ``output_dir``. False: set that ledger aside.
        detections: How people are found, by camera, of those that have a detector of their own.
        networks: Says which networks find, pose and embed people, and how; sites that say the same share them.
    """

    make_sources: Mapping[str, Callable[[], Source]]
    intakes: Mapping[str, CameraIntake]
    make_enrolled: Mapping[str, Callable[[], Source]]
    make_track: Callable[[], TrackingStage]
    input_hw: tuple[int, int]
    crop_size_hw: tuple[int, int]
    make_detect: Callable[[], DetectionStage]
    make_pose: Callable[[], PoseStage] | None
    make_embed: Callable[[], EmbeddingStage]
    make_match: Callable[[], Matcher]
    make_alert: Callable[..., AlertEngine]
    make_topology: Callable[[str], Topology]
    make_sinks: Mapping[str, Callable[[], Sink]]
    make_monitors: Mapping[str, Callable[[], Monitor]]
    camera: CameraLimits
    match: MatchLimits
    processes: ProcessLimits
    drain_s: float
    output_dir: Path
    edits: Path
    resume: bool
    detections: Mapping[str, Detection] = field(default_factory=dict)
    networks: str = ""

    def detection(self, camera_id: str) -> Detection:
        """Return how people are found in the pictures of a camera."""
        of_run = Detection("detect", self.input_hw, self.make_detect, self.processes.shares["detect"])
        return self.detections.get(camera_id, of_run)
