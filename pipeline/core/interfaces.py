"""What a plug-in must be: structural types, nothing to inherit, nothing to register.

The docstrings are the contracts; ``tests/contracts`` runs every plug-in that a YAML names against them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pipeline.core.alert import Alert
from pipeline.core.detections import Detections
from pipeline.core.embedding import Embedding
from pipeline.core.frame import Frame, FrameStamp, LetterboxedFrame
from pipeline.core.identity import Correction, Identity, Match, Sighting
from pipeline.core.track import TrackId, Tracklet, TrackPart, TrackUpdate

Record = Sighting | Correction | Alert
"""What leaves the pipeline."""


class Source(Protocol):
    """Frames of one camera, in order of ``index``.

    The constructor's first argument is ``camera_id``, the second ``uri``. It opens nothing; ``frames`` does.
    """

    camera_id: str
    live: bool
    """True: only the newest frame matters. False: every frame does, and times come from the recording."""
    num_dropped: int
    """Frames that it did not yield because newer ones were there."""
    num_bad: int
    """Frames that it did not yield because they were broken."""

    def check(self) -> None:
        """Raise ``ConfigError`` if this cannot work (no such file, not a video); opens live cameras too."""
        ...

    def frames(self) -> Iterator[Frame]:
        """Yield frames; blocks; returns at the end of a recording.

        Calling it again after an error opens the source anew and goes on after the last frame where it can.

        Raises:
            SourceLostError: If it broke, or if a recording ends before its end.
        """
        ...

    def resume(self, stamp: FrameStamp) -> None:
        """Let ``frames`` go on behind ``stamp``, to which another process had come; before it is first called.

        A recording yields what follows; a live camera goes on with its newest frame, and a higher ``index``.
        """
        ...

    def ack(self, stamp: FrameStamp) -> None:
        """Learn that nothing up to ``stamp`` is needed again; may commit offsets, at the latest with ``close``."""
        ...

    def close(self) -> None:
        """Stop and free everything; idempotent, from any thread; unblocks ``frames``."""
        ...


class Sink(Protocol):
    """Takes sightings, corrections and alerts away. Called by one thread."""

    def write(self, records: Sequence[Record]) -> None:
        """Take records, in order; may buffer.

        Raises:
            SinkBusyError: None of them was taken; write the same ones again after ``retry_after_s``.
            ConnectorError: It will never work again (full disk).
        """
        ...

    def flush(self) -> None:
        """Return only when everything written is safe. Raises as ``write``."""
        ...

    def close(self) -> None:
        """Finish files and connections; idempotent. Called after the last ``flush``."""
        ...


@runtime_checkable
class RewindableSink(Protocol):
    """A sink that can go back to where it stood, so that what is written again after a crash is not there twice.

    One that cannot is written the same records again, and those who read them drop repeats by their keys.
    """

    def mark(self) -> str:
        """Return where it stands, after a ``flush``."""
        ...

    def rewind(self, mark: str) -> None:
        """Forget what was written after a mark of an earlier instance; before the first ``write``."""
        ...


@runtime_checkable
class ReExportableSink(Protocol):
    """A sink whose files say who everybody was in the end, and can be made anew when that was corrected later."""

    def re_export(self, person_of: Callable[[TrackPart], int]) -> None:
        """Let ``close`` make what another instance made, with who is who now; in place of every ``write``.

        Raises:
            ConnectorError: If that one left nothing to make it of.
        """
        ...


class Monitor(Protocol):
    """Shows people how one camera is doing, beside the line. No call waits, raises or changes what comes out."""

    def show(self, frame: Frame, people: Mapping[TrackId, NDArray[np.float32]]) -> None:
        """Take a frame that was tracked, and everybody's box in it, shape ``(4,)``, pixels; only the newest counts."""
        ...

    def keep(self, tracklet: Tracklet) -> None:
        """Take a part of a track that was completed, to keep a picture of it."""
        ...

    def close(self) -> None:
        """Let everything go; idempotent, from any thread; may wait a few seconds."""
        ...


class Detector(Protocol):
    """Finds people. Same input, same output, bit for bit, whatever else is in the batch."""

    input_hw: tuple[int, int]
    """Height and width that frames are letter-boxed to."""

    def detect(self, frames: Sequence[LetterboxedFrame]) -> list[Detections]:
        """Return one record a frame, in order, boxes in pixels of the full frame; ``[]`` for ``[]``."""
        ...


class Tracker(Protocol):
    """Follows people through one camera. Stateful; stamps ascend; times come from the stamps.

    A copy, in another process too, goes on as it would itself.
    """

    def update(self, detections: Detections) -> TrackUpdate:
        """Return a track number for every row, and the tracks that ended with this frame."""
        ...


class PoseNeed(StrEnum):
    """What an embedder asks of the pose stage."""

    NOTHING = "nothing"
    KEYPOINTS = "keypoints"
    HEATMAPS = "heatmaps"


class PoseEstimator(Protocol):
    """Finds the 17 COCO keypoints in crops."""

    gives: PoseNeed
    """KEYPOINTS, or HEATMAPS if it gives both."""

    def estimate(self, tracklets: Sequence[Tracklet]) -> list[Tracklet]:
        """Return the same tracklets, in the same order, with keypoints; inputs stay as they are."""
        ...


class Embedder(Protocol):
    """Turns a tracklet into one vector. Same tracklet, same vector, whatever else is in the batch."""

    space: str
    clip_len: int
    """The number T of crops it was made for."""
    crop_size_hw: tuple[int, int]
    needs: PoseNeed

    def embed(self, tracklets: Sequence[Tracklet]) -> list[Embedding]:
        """Return one embedding a tracklet, in the same order; ``[]`` for ``[]``."""
        ...


class Gallery(Protocol):
    """Known people, searched by appearance."""

    def nearest(self, embedding: Embedding, k: int) -> list[Match]:
        """Return up to ``k`` people, ascending distance (of the nearest prototype), ties by ``person_id``.

        Raises:
            EmbeddingSpaceError: If the embedding is of another space than the gallery.
        """
        ...

    def put(self, identity: Identity) -> None:
        """Add a person, or replace what is known of them."""
        ...

    def drop(self, person_id: int) -> None:
        """Forget a person; unknown ones are ignored."""
        ...

    def __len__(self) -> int:
        """Return the number of people."""
        ...


class AlertRule(Protocol):
    """Decides what is worth telling. Event time only; same events, same alerts."""

    name: str

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        """Return what this sighting leads to. Sightings come in event time."""
        ...

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Return what became due by event time ``now``, Unix seconds."""
        ...
