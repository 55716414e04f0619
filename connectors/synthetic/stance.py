"""Position and action of one person at one moment."""

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Stance:
    """Position and action of one person at one moment.

    Attributes:
        person: Index from 0.
        outfit: 0, or 1 after a return in other outerwear.
        x: Metres.
        y: Metres.
        heading: Direction the body faces, radians, 0 along x, counter-clockwise.
        walked_m: Distance walked since entering, metres.
        speed_m_s: Current speed, metres per second.
        walking: From 0, standing, to 1, walking.
        action: ``walk``, ``stand``, ``phone`` or ``talk``.
    """

    person: int
    outfit: int
    x: float
    y: float
    heading: float
    walked_m: float
    speed_m_s: float
    walking: float
    action: str

    def toward(self, later: "Stance", share: float) -> "Stance":
        """Interpolate to a later stance of the same visit; ``share`` 0 is this one, 1 the later one."""
        turn = (later.heading - self.heading + math.pi) % (2 * math.pi) - math.pi
        mixed = {
            name: getattr(self, name) + share * (getattr(later, name) - getattr(self, name))
            for name in ("x", "y", "walked_m", "speed_m_s", "walking")
        }
        return replace(self, heading=self.heading + share * turn, **mixed)
