"""Cuts a clip out of segments: packets are copied into one MP4, nothing is encoded."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import av.error
from av.container import InputContainer, OutputContainer

from connectors.alerting.clip_store import StoredSegment

CLOCK = Fraction(1, 90_000)
"""Seconds of one tick of a clip."""

MAX_HOLE_S = 1.0
"""Seconds between two segments above which the second one must begin with a key frame. Larger values show pictures that
are made of the wrong ones."""

TITLE = "passerby alert clip {}"
"""What a clip holds of its own name: the check after an erasure searches for it."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip in memory.

    Attributes:
        since: Unix seconds, event time, of its first picture; players begin later, where the clip was to begin.
        data: MP4.
    """

    since: float
    data: bytes


def cut(segments: Sequence[StoredSegment], since: float, until: float, *, name: str) -> Clip | None:
    """Return a clip of segments; None if none of them can be read.

    Packets from the key frame before ``since`` are in it, because the later ones need them. The file tells players to
    begin at ``since`` (an edit list).

    Args:
        segments: In order of time. Those that are no longer there, and those that need one that is not, are left out.
        since: Unix seconds: where the clip begins.
        until: Unix seconds: where it ends.
        name: Name of the clip.
    """
    film: _Film | None = None
    begins_at, shown_until = since, float("-inf")
    for segment in segments:
        if not segment.is_key and segment.since > shown_until + MAX_HOLE_S:
            continue
        try:
            with av.open(str(segment.path), format="mpegts") as container:
                if film is None:
                    # A clip that begins in the middle begins at its first picture.
                    begins_at = min(begins_at, segment.since)
                    film = _Film(container, max(since, segment.since), name)
                if not segment.is_key or film.takes(container):
                    film.add(container, segment.since, until)
                    shown_until = segment.until
        except (av.error.FFmpegError, OSError, IndexError):
            continue  # dropped from the ring, or incomplete
    if film is None or not film.num_packets:
        return None
    return Clip(begins_at, film.finish())


class _Film:
    """An MP4 that grows; its times begin at ``zero_at``, Unix seconds."""

    def __init__(self, container: InputContainer, zero_at: float, name: str) -> None:
        stream = container.streams.video[0]
        self._shape = _shape(container)
        self._zero_at = zero_at
        self._buffer = io.BytesIO()
        self._container: OutputContainer = av.open(self._buffer, "w", format="mp4")
        self._container.metadata["comment"] = TITLE.format(name)
        self._stream = self._container.add_stream_from_template(stream)
        self._stream.time_base = CLOCK
        self._last_dts: int | None = None
        self.num_packets = 0

    def takes(self, container: InputContainer) -> bool:
        """Return whether a segment fits: a clip has one size and codec."""
        return _shape(container) == self._shape

    def add(self, container: InputContainer, since: float, until: float) -> None:
        """Add the packets of one segment that begins at ``since``."""
        timed = [(packet.pts, packet.dts, packet) for packet in container.demux(video=0) if packet.size]
        first_pts = min((pts for pts, _, _ in timed if pts is not None), default=0)
        for pts, dts, packet in timed:
            if pts is None or dts is None or since + float((pts - first_pts) * packet.time_base) > until:
                continue
            shift = round((since - self._zero_at) / CLOCK) - first_pts
            dts += shift
            if self._last_dts is not None and dts <= self._last_dts:
                dts = self._last_dts + 1
            self._last_dts = dts
            packet.pts, packet.dts = max(pts + shift, dts), dts
            packet.stream = self._stream
            self._container.mux(packet)
            self.num_packets += 1

    def finish(self) -> bytes:
        """Return the file."""
        self._container.close()
        return self._buffer.getvalue()


def _shape(container: InputContainer) -> tuple[object, ...]:
    context = container.streams.video[0].codec_context
    return context.name, context.width, context.height
