"""Cuts a film out of segments: packets are copied into one MP4, nothing is encoded."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import IO

import av
import av.error
from av.container import InputContainer, OutputContainer

from connectors.footage.store import StoredSegment

CLOCK = Fraction(1, 90_000)
"""Seconds of one tick of a film."""

MAX_HOLE_S = 1.0
"""Seconds between two segments above which the second one must begin with a key frame. Larger values show pictures that
are made of the wrong ones."""


@dataclass(frozen=True, slots=True)
class Film:
    """A film that was cut.

    Attributes:
        since: Unix seconds, event time, of its first picture; players begin later, at ``begins_at``.
        begins_at: Unix seconds of the moment that players show first, as 0 s of the film.
    """

    since: float
    begins_at: float


def cut(segments: Sequence[StoredSegment], since: float, until: float, into: IO[bytes], *, title: str) -> Film | None:
    """Write a film of segments; return None if none of them can be read.

    Packets from the key frame before ``since`` are in it, because the later ones need them. The file tells players to
    begin at ``since`` (an edit list), or at its first picture if that is later. Holes between segments stay: there, the
    last picture stands.

    Args:
        segments: In order of time. Those that are no longer there, and those that need one that is not, are left out.
        since: Unix seconds: where the film begins.
        until: Unix seconds: where it ends.
        into: Takes the MP4; must be able to seek.
        title: What the file holds of its own name.
    """
    film: _Film | None = None
    first_at, begins_at, shown_until = since, since, float("-inf")
    for segment in segments:
        if not segment.is_key and segment.since > shown_until + MAX_HOLE_S:
            continue
        try:
            with av.open(str(segment.path), format="mpegts") as container:
                if film is None:
                    first_at, begins_at = min(since, segment.since), max(since, segment.since)
                    film = _Film(container, begins_at, into, title)
                if not segment.is_key or film.takes(container):
                    film.add(container, segment.since, until)
                    shown_until = segment.until
        except (av.error.FFmpegError, OSError, IndexError):
            continue  # deleted meanwhile, or incomplete
    if film is None or not film.num_packets:
        return None
    film.close()
    return Film(first_at, begins_at)


class _Film:
    """An MP4 that grows; its times begin at ``zero_at``, Unix seconds."""

    def __init__(self, container: InputContainer, zero_at: float, into: IO[bytes], title: str) -> None:
        stream = container.streams.video[0]
        self._shape = _shape(container)
        self._zero_at = zero_at
        self._container: OutputContainer = av.open(into, "w", format="mp4")
        self._container.metadata["comment"] = title
        self._stream = self._container.add_stream_from_template(stream)
        self._stream.time_base = CLOCK
        self._last_dts: int | None = None
        self.num_packets = 0

    def takes(self, container: InputContainer) -> bool:
        """Return whether a segment fits: a film has one size and codec."""
        return _shape(container) == self._shape

    def add(self, container: InputContainer, since: float, until: float) -> None:
        """Add the packets of one segment that begins at ``since``, up to the last one that is shown until ``until``.

        Those that are shown later but come before it stay, because it needs them.
        """
        timed = [
            (packet.pts, packet.dts, packet)
            for packet in container.demux(video=0)
            if packet.size and packet.pts is not None and packet.dts is not None
        ]
        first_pts = min((pts for pts, _, _ in timed), default=0)
        while timed and since + float((timed[-1][0] - first_pts) * timed[-1][2].time_base) > until:
            timed.pop()
        for pts, dts, packet in timed:
            shift = round((since - self._zero_at) / CLOCK) - first_pts
            dts += shift
            if self._last_dts is not None and dts <= self._last_dts:
                dts = self._last_dts + 1
            self._last_dts = dts
            packet.pts, packet.dts = max(pts + shift, dts), dts
            packet.stream = self._stream
            self._container.mux(packet)
            self.num_packets += 1

    def close(self) -> None:
        """Complete the file."""
        self._container.close()


def _shape(container: InputContainer) -> tuple[object, ...]:
    context = container.streams.video[0].codec_context
    return context.name, context.width, context.height
