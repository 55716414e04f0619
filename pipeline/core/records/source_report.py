"""What a source had to repair or leave out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class GapOutcome(StrEnum):
    """What was made of a lasting leap of the times."""

    KEPT = "kept"
    """The times leap as they are in the stream."""
    CUT = "cut"
    """The next frame follows as if there was no leap."""
    RESTARTED = "restarted"
    """The stream's clock went back; the times go on from the last frame, because they must ascend."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A lasting leap of the times of a stream.

    Attributes:
        at: Unix seconds of the last frame before it, as ``FrameStamp.captured_at``.
        seconds: Length of the leap in the stream's own times; negative if its clock went back.
        outcome: What was made of it.
    """

    at: float
    seconds: float
    outcome: GapOutcome


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What a source had to repair or leave out so far.

    Attributes:
        bad_at: Unix seconds of the newest bad frames.
        num_times_repaired: Frames whose time was missing, doubled or an outlier, and was replaced.
        gaps: The newest lasting leaps of the times.
        shift_s: Seconds by which the times are later than the stamps, because the clock behind these went back.
        num_concealed: Frames that were given, of which the decoder made up a part, because data were lost or damaged.
        decoder: What decodes: cpu, or the device; empty if the source does not say, or is not open yet.
        num_on_device: Frames that a device decoded.
        left_out: How many frames or messages gave nothing, by reason.
        recorded_bytes: What was recorded beside the pictures that are looked at.
        unrecorded: Why nothing is recorded now, though it should be; None if all is well.
        is_unverified: The connection is encrypted, but by choice nobody looks who is at its other end.
    """

    bad_at: tuple[float, ...] = ()
    num_times_repaired: int = 0
    gaps: tuple[Gap, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    recorded_bytes: int = 0
    unrecorded: str | None = None
    is_unverified: bool = False
    decoder: str = ""
    num_on_device: int = 0
    num_concealed: int = 0
    shift_s: float = 0.0
