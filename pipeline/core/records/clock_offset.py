"""How far the clock of one camera is from those of the others."""

from dataclasses import dataclass

CERTAIN = 3.0
"""Standard errors above which an offset is no chance. More corrects fewer."""
MATTERS_S = 0.5
"""Seconds above which an offset disturbs the links between cameras, which reckon with steps of about that."""

AHEAD_S = 0.5
"""Seconds that stamps of a live camera may be ahead of this machine's clock. Nothing is captured in the future, so more
is an error of the clock. A larger value lets a camera whose clock is ahead make others late."""


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """An estimate from people whom several cameras saw.

    Attributes:
        camera_id: The camera.
        ahead_s: Seconds by which its times, as they are used now, are later than those of the other cameras; negative
            if they are earlier.
        error_s: Standard error of that, seconds.
        num_people: How often somebody was seen in it and in another camera, as far as the estimate rests on it.
    """

    camera_id: str
    ahead_s: float
    error_s: float
    num_people: int

    @property
    def is_wrong(self) -> bool:
        """Whether the clock is off by more than chance, and by enough to matter."""
        return abs(self.ahead_s) > max(MATTERS_S, CERTAIN * self.error_s)

    def advice(self, offset_s: float) -> str:
        """Return what to do about it, in words; ``offset_s`` is that of the camera now."""
        direction = "ahead of" if self.ahead_s > 0 else "behind"
        return (
            f"camera {self.camera_id}: its clock seems to be {abs(self.ahead_s):.1f} s {direction} the other cameras' "
            f"(error {self.error_s:.1f} s, {self.num_people} links); to correct it, set "
            f"site.cameras.{self.camera_id}.offset_s={round(offset_s - self.ahead_s, 1) + 0.0:g}"
        )
