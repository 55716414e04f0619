"""A camera of a run with everything around it replaced: sources that break or never end, and what a camera calls."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf

import numpy as np
from factories import make_detections, make_embedding, make_frame, make_stamp

from pipeline.camera.tracking import TrackingStage
from pipeline.core import Detections, Embedding, Frame, FrameStamp, LetterboxedFrame, Source, Tracklet, TrackUpdate
from pipeline.core.errors import ProcessLostError, ShapeError, SourceLostError
from pipeline.core.records.view_event import ViewReport
from pipeline.runtime.cameras.camera_actor import CameraActor
from pipeline.runtime.deliveries import Acknowledgement
from pipeline.runtime.event_time import Item
from pipeline.runtime.plan import ALL_FRAMES, CameraIntake, CameraLimits

LIMITS = CameraLimits(
    max_inflight_frames=3,
    max_waiting_tracklets=4,
    read_ahead_frames=8,
    replay_speed=inf,
    max_reopens=3,
    reopens_within_s=100.0,
    min_backoff_s=0.001,
    max_backoff_s=0.002,
)


class OneTracker:
    """Gives every detection to track 1."""

    def update(self, detections: Detections) -> TrackUpdate:
        return TrackUpdate(np.ones(len(detections), np.int64), ())


class HopelessSource:
    """Breaks whenever it is opened."""

    camera_id, live = "east", True
    num_dropped = num_bad = 0

    def __init__(self, live: bool = True) -> None:
        self.live = live
        self.num_opened = 0
        self.num_closed = 0

    def check(self) -> None: ...

    def frames(self) -> Iterator[Frame]:
        self.num_opened += 1
        raise SourceLostError("east: no route to host")
        yield

    def resume(self, stamp: FrameStamp) -> None: ...

    def ack(self, stamp: FrameStamp) -> None: ...

    def close(self) -> None:
        self.num_closed += 1


class EndlessSource(HopelessSource):
    """Gives frames until it is closed."""

    def __init__(self, camera_id: str = "east", *, live: bool = False) -> None:
        super().__init__(live)
        self.camera_id = camera_id
        self._closed = threading.Event()

    def frames(self) -> Iterator[Frame]:
        index = 0
        while not self._closed.is_set():
            yield make_frame(make_stamp(self.camera_id, index), seed=index)
            index += 1

    def close(self) -> None:
        self._closed.set()


class FakePipeline:
    """What a camera calls; remembers its calls."""

    def __init__(self, *, safe_until: float = -inf, bad_frames: Sequence[int] = (), lost: bool = False) -> None:
        self.delivered: list[tuple[list[Item], float]] = []
        self.searched: list[int] = []
        self._safe_until, self._bad_frames, self._lost = safe_until, bad_frames, lost

    async def detect(self, frame: LetterboxedFrame) -> Detections:
        await asyncio.sleep(0)
        if self._lost:
            raise ProcessLostError("detect")
        if frame.stamp.index in self._bad_frames:
            raise ShapeError("image: broken")
        self.searched.append(frame.stamp.index)
        return make_detections(stamp=frame.stamp)

    async def pose(self, tracklet: Tracklet) -> Tracklet:
        return tracklet

    async def embed(self, tracklet: Tracklet) -> Embedding | None:
        return replace(make_embedding(tracklet.track_id, tracklet.part, tracklet.path), is_last=tracklet.is_last)

    async def deliver(
        self, camera_id: str, items: Sequence[Item], watermark: float, due_at: float, epoch: str | None
    ) -> Acknowledgement:
        self.delivered.append((list(items), watermark))
        return Acknowledgement("one", True, inf, self._safe_until)

    @property
    def embeddings(self) -> list[Embedding]:
        return [item for items, _ in self.delivered for item in items if isinstance(item, Embedding)]

    @property
    def reports(self) -> list[ViewReport]:
        return [item for items, _ in self.delivered for item in items if isinstance(item, ViewReport)]

    @property
    def watermarks(self) -> list[float]:
        return [watermark for _, watermark in self.delivered]


def make_actor(
    source: Source, pipeline: FakePipeline, limits: CameraLimits = LIMITS, intake: CameraIntake = ALL_FRAMES
) -> CameraActor:
    return CameraActor(
        make_source=lambda: source,
        make_track=lambda: TrackingStage(
            OneTracker(),
            crop_size_hw=(16, 8),
            clip_len=4,
            first_after_s=1.0,
            part_s=3.0,
            contact_coverage=0.3,
            min_peak_score=0.0,
            static_min_score=0.0,
            max_open_tracks=10,
        ),
        input_hw=(32, 32),
        detect=pipeline.detect,
        pose=pipeline.pose,
        embed=pipeline.embed,
        deliver=pipeline.deliver,
        limits=limits,
        intake=intake,
    )


def make_frames(num: int) -> list[Frame]:
    return [make_frame(make_stamp(index=index), seed=index) for index in range(num)]
