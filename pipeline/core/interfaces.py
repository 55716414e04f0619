"""Interfaces of plug-ins: structural types. There is nothing to inherit and nothing to register.

The docstrings are the contracts. The tests in ``pipeline/contracts`` check them: every plug-in that a YAML file of
``configs/`` names, and plug-ins of any other package. Of every kind holds:

- The constructor takes keywords, after those arguments that a kind names here. Its call can be pickled: a plug-in is
  made in the process where it works.
- A class may have ``preflight``, see ``Preflighted``.
- Inputs stay unchanged, and what was returned stays what it is when the plug-in is called again.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pipeline.core.records.alert import Alert
from pipeline.core.records.detections import Detections
from pipeline.core.records.embedding import Embedding
from pipeline.core.records.frame import Frame, FrameStamp, LetterboxedFrame
from pipeline.core.records.identity import Correction, Identity, Match, Sighting
from pipeline.core.records.sink_report import SinkReport
from pipeline.core.records.source_report import SourceReport
from pipeline.core.records.track import TrackId, Tracklet, TrackPart, TrackUpdate

Record = Sighting | Correction | Alert
"""What leaves the pipeline."""


@runtime_checkable
class Preflighted(Protocol):
    """A plug-in whose class says, before a run starts and before anything is made, whether it could work here."""

    @staticmethod
    def preflight(**options: Any) -> None:
        """Take the keywords of the constructor.

        Raises:
            WeightsError: If weights are absent or altered.
            ConfigError: If the options do not fit together, or a device is not there.
        """
        ...


class Source(Protocol):
    """Frames of one camera: ``index`` and time ascend strictly; images are RGB, read-only and contiguous.

    The constructor's first argument is ``camera_id``, the second ``uri``. It opens nothing; ``frames`` does.
    A recording gives the same frames each time it is opened.
    """

    camera_id: str
    live: bool
    """True: only the newest frame matters. False: every frame matters, and times come from the recording."""

    @property
    def num_dropped(self) -> int:
        """Frames it dropped because newer ones had arrived."""
        ...

    @property
    def num_bad(self) -> int:
        """Frames it left out because they were broken. Those before ``resume`` do not count again."""
        ...

    def check(self) -> None:
        """Raise ``ConfigError`` if this cannot work (no such file, not a video). Opens live cameras as well."""
        ...

    def frames(self) -> Iterator[Frame]:
        """Yield frames; blocks; returns at the end of a recording.

        Called again after an error, it opens the source anew and continues after the last frame where it can.

        Raises:
            SourceLostError: If it broke off, or a recording is shorter than it says.
        """
        ...

    def resume(self, stamp: FrameStamp) -> None:
        """Make ``frames`` continue after ``stamp``, which another process reached. Called before ``frames``.

        A recording yields the frames that follow; a live camera goes on with its newest frame and a higher ``index``.
        """
        ...

    def ack(self, stamp: FrameStamp) -> None:
        """Learn that no frame up to ``stamp`` is needed again. May commit offsets, at the latest in ``close``."""
        ...

    def close(self) -> None:
        """Stop and free everything. Idempotent; from any thread; ends ``frames`` and all later ones."""
        ...


@runtime_checkable
class ReportingSource(Protocol):
    """A source that says what it had to repair or leave out."""

    def report(self) -> SourceReport:
        """Return what was repaired and left out so far; from any thread."""


class PacketTap(Protocol):
    """Sees the packets of a video stream before they are decoded. Its calls come from one thread at a time."""

    def packet(self, packet: Any) -> None:
        """Take a packet of PyAV, which stays as it is."""

    def shown(self, seconds: float, captured_at: float) -> None:
        """Learn that the picture of this time in the stream, seconds, was taken at ``captured_at``, Unix seconds."""

    def end(self) -> None:
        """Take no packet any more, whatever comes: they show what is covered now; from any thread."""


@runtime_checkable
class PacketSource(Protocol):
    """A source of encoded video, or its opener, that shows its packets to a ``tap`` which is set before it is read."""

    tap: PacketTap | None


class Sink(Protocol):
    """Delivers sightings, corrections and alerts. Called by one thread. Another run may use the same folder."""

    def write(self, records: Sequence[Record]) -> None:
        """Take records, in order, none included; may buffer. The same ones may come again. Other kinds are ignored.

        Raises:
            SinkBusyError: It took none of them; write the same ones again after ``retry_after_s``.
            ConnectorError: It will never work again (a full disk, for instance).
        """
        ...

    def flush(self) -> None:
        """Return once everything written is safe. Raises as ``write``."""
        ...

    def close(self) -> None:
        """Finish files and connections; idempotent. Called after the last ``flush``."""
        ...


@runtime_checkable
class RemoteSink(Sink, Protocol):
    """A sink that a network may slow down: it is called by a thread of its own, behind a bounded queue."""

    kinds: tuple[type, ...]
    """Records that it delivers; others do not reach it."""
    may_drop: bool
    """True: while it is too slow, the oldest records in the queue are dropped and counted. False: it keeps records on
    the disk, and is waited for when that is full as well."""


@runtime_checkable
class ReportingSink(Protocol):
    """A sink that says what it has not delivered."""

    def report(self) -> SinkReport:
        """Return what waits, what was given up, and why nothing is taken; from any thread."""
        ...


@runtime_checkable
class RewindableSink(Protocol):
    """A sink that can go back to an earlier position, so records written again after a crash are not there twice.

    A sink that cannot is given the same records again, and its readers drop repeats by their keys.
    """

    def mark(self) -> str:
        """Return its position, after a ``flush``."""
        ...

    def rewind(self, mark: str) -> None:
        """Remove what was written after the mark of an earlier instance; before the first ``write``."""
        ...


@runtime_checkable
class ReExportableSink(Protocol):
    """A sink whose files hold final identities, and can be written again after later corrections."""

    def re_export(self, person_of: Callable[[TrackPart], int]) -> None:
        """Make ``close`` write the files of another instance again, with present identities; in place of ``write``.

        Args:
            person_of: Whose a part of a track is now.

        Raises:
            ConnectorError: If that instance left nothing to export from.
        """
        ...


class Monitor(Protocol):
    """Shows a camera live, beside the pipeline. No call waits, raises or changes a result."""

    def show(self, frame: Frame, people: Mapping[TrackId, NDArray[np.float32]]) -> None:
        """Take a tracked frame and the box of each person in it, shape ``(4,)``, pixels; only the newest counts."""
        ...

    def keep(self, tracklet: Tracklet) -> None:
        """Take a completed part of a track, to keep a picture of it."""
        ...

    def close(self) -> None:
        """Free everything. Idempotent; from any thread; may wait a few seconds."""
        ...


@runtime_checkable
class PacketMonitor(Protocol):
    """A monitor that wants the packets of the camera's source, where it has any."""

    def packet_tap(self) -> PacketTap | None:
        """Return what is to see them; None for nothing."""
        ...


class Detector(Protocol):
    """Finds people.

    The same frame gives the same output, bit for bit, whatever else is in the batch, unless ``reproducible: false``.
    Frames of any size come, one pixel included. Boxes lie inside the full frame and are not empty; scores are in [0,
    1].
    """

    input_hw: tuple[int, int]
    """Height and width that frames are letter-boxed to."""

    def detect(self, frames: Sequence[LetterboxedFrame]) -> list[Detections]:
        """Return one record a frame, in order, boxes in pixels of the full frame; ``[]`` for ``[]``.

        Raises:
            ShapeError: If a frame is letter-boxed to another size than ``input_hw``.
        """
        ...


class Tracker(Protocol):
    """Follows people through one camera. Stateful; stamps ascend; times come from the stamps.

    A copy, even in another process, continues exactly as the original would.
    """

    def update(self, detections: Detections) -> TrackUpdate:
        """Return a track number for every row, in order, and the tracks that ended with this frame, each once.

        A number is at least 0, or ``UNCONFIRMED``. The same detections lead to the same numbers in every instance.
        """
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
        """Return the same tracklets, in the same order, with keypoints; ``[]`` for ``[]``.

        Keypoints: float32, shape ``(T, 17, 3)``, x and y as shares of the crop and a score, all in [0, 1]. Heat-maps:
        shape ``(T, 17, h, w)``, at least 0. A tracklet gives the same alone and among others, unless ``reproducible:
        false``.
        """
        ...


class Embedder(Protocol):
    """Turns a tracklet into one vector.

    The same tracklet gives the same vector, whatever else is in the batch, unless ``reproducible: false``.
    """

    space: str
    """Name of the vectors' space; vectors of different spaces are never compared."""
    clip_len: int
    """The number T of crops per tracklet that it wants; a tracklet may have fewer, down to one."""
    crop_size_hw: tuple[int, int]
    needs: PoseNeed

    def embed(self, tracklets: Sequence[Tracklet]) -> list[Embedding]:
        """Return one embedding a tracklet, in the same order; ``[]`` for ``[]``.

        Vectors have norm 1 and one length. Quality is the mean of the crops' qualities; path, times, part and flags are
        those of the tracklet.

        Raises:
            ShapeError: If crops have another size than ``crop_size_hw``.
        """
        ...


@runtime_checkable
class CountsCalls(Protocol):
    """A plug-in, or a stage with one, that counts how its network is called."""

    calls: Counter[int]
    """How often the network was called with so many frames, crops or clips at once."""


def calls_of(plugin: object) -> Counter[int]:
    """Return the counter of a plug-in's calls, which goes on counting; an empty one if its ``calls`` are no counter."""
    return plugin.calls if isinstance(plugin, CountsCalls) and isinstance(plugin.calls, Counter) else Counter()


class Gallery(Protocol):
    """Known people, searched by appearance. Answers depend on who is in it, and on no order of calls."""

    def nearest(self, embedding: Embedding, k: int) -> list[Match]:
        """Return up to ``k`` people, ascending distance (of the nearest prototype), ties by ``person_id``.

        The distance is 1 less the cosine, in [0, 2], summed up in double precision, however the search was done.

        Raises:
            EmbeddingSpaceError: If the embedding is of another space than the gallery.
        """
        ...

    def put(self, identity: Identity) -> None:
        """Add a person, or replace the entry of a known one. An empty gallery takes any space and length.

        Raises:
            EmbeddingSpaceError: If the person is of another space than the others.
            ShapeError: If there is no prototype, or they have another length than the others.
        """
        ...

    def drop(self, person_id: int) -> None:
        """Forget a person; an unknown number is ignored."""
        ...

    def __len__(self) -> int:
        """Return the number of people."""
        ...


class AlertRule(Protocol):
    """Decides what is worth an alert. Knows event time only; the same events give the same alerts.

    It goes on where it was when it is pickled, and, if it is ``Stateful``, restored from a snapshot. An alert has its
    name and a key, and is raised at the latest at the event time that led to it.
    """

    name: str

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        """Return the alerts of this sighting. Sightings come in the order of event time."""
        ...

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Return the alerts due by event time ``now``, Unix seconds, before which every part of a track is known."""
        ...


In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)


class Stage(Protocol[In, Out]):
    """Turns items into items, in memory. A stage knows no process, no Ray, no Kafka and no clock."""

    def process(self, batch: Sequence[In]) -> Sequence[Out]:
        """Return the results of these items, in order within each camera."""
        ...

    def flush(self) -> Sequence[Out]:
        """Return the results still held back; the stream has ended."""
        ...


@runtime_checkable
class Stateful(Protocol):
    """Has state that can be restored: after ``restore`` it goes on exactly as the original would, bit for bit."""

    def snapshot(self) -> bytes:
        """Return the whole state."""
        ...

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance with the same configuration.

        Raises:
            WireFormatError: If these bytes are not such a state.
        """
        ...
