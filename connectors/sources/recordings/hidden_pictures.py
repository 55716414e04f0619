"""Finds pictures of VP8 that damage has hidden: a bit of each says whether it is shown, and decoders believe it."""

import av

SHOWN = 0x10
"""Bit of a packet's first byte. RFC 6386, 9.1."""

MIN_SHARE = 0.5
"""Share of a frame's length that a hidden picture is away from both neighbours if it should be shown.

Encoders hide pictures that others refer to; those stand right beside a shown one. Larger misses damage, smaller calls
such a picture bad.
"""


class HiddenPictures:
    """Looks at the packets of one stream, in order.

    Args:
        codec: Its name; of other codecs than VP8 nothing is looked at.
        frame_s: Seconds of one frame.
    """

    def __init__(self, codec: str, frame_s: float) -> None:
        self._is_looked_at = codec == "vp8"
        self._near_s = MIN_SHARE * frame_s
        self._last: av.Packet | None = None
        self._hidden: av.Packet | None = None

    def before(self, packet: av.Packet) -> int | None:
        """Return the time, in units of the stream, of the picture before a packet if it should be shown, else None."""
        if not self._is_looked_at or not packet.size or packet.pts is None:
            return None
        found = None
        if self._hidden is not None and self._hidden.pts is not None and self._is_far(self._hidden, packet):
            found = self._hidden.pts
        is_hidden = not memoryview(packet)[0] & SHOWN and self._last is not None and self._is_far(self._last, packet)
        self._hidden = packet if is_hidden else None
        self._last = packet
        return found

    def _is_far(self, one: av.Packet, other: av.Packet) -> bool:
        return one.pts is None or other.pts is None or float((other.pts - one.pts) * other.time_base) >= self._near_s
