"""The clock behind the stamps of one live camera: how far it is from this machine's, and what is corrected."""

import logging
from math import inf

from pipeline.core.records.clock_offset import AHEAD_S

WAITED_S = 5.0
"""Seconds for which frames may be too far behind until their clock is wrong: those that waited, behind a network that
was away or a process that stood still, are old for a moment. A larger value leaves those of a slow network late."""
STEP_S = 0.001
"""Least seconds between two stamps where a correction begins or changes: stamps ascend."""

logger = logging.getLogger(__name__)


class CameraClock:
    """Moves the stamps of a camera whose clock is wrong to this machine's time, by a constant until it is wrong again.

    All stamps of a camera keep their distances. A clock that is right within the bounds is trusted, so that frames that
    arrive late keep the time at which they were captured. So is one whose frames are old for up to ``WAITED_S`` and go
    on from the last one: they waited. A clock that was set back does not go on.

    Args:
        camera_id: The camera, for messages.
        behind_s: Seconds that stamps may be behind this machine's clock: what event time waits for a camera.

    Attributes:
        ahead_s: By how much the newest stamp was ahead of this machine's clock before correction, seconds.
    """

    def __init__(self, camera_id: str, *, behind_s: float) -> None:
        self._camera_id = camera_id
        self._behind_s = behind_s
        self._correction_s = 0.0
        self._last_at = -inf
        self._old_from = inf
        self.ahead_s = 0.0

    def corrected(self, captured_at: float, now: float) -> float:
        """Return the corrected stamp of a frame that has just arrived; both are Unix seconds."""
        self.ahead_s = captured_at - now
        if self._is_wrong(captured_at + self._correction_s, now):
            self._correction_s = -self.ahead_s
            logger.warning(
                "camera %s: its clock is %.1f s %s; its times are corrected",
                self._camera_id,
                abs(self.ahead_s),
                "ahead" if self.ahead_s > 0 else "behind",
            )
        self._last_at = max(captured_at + self._correction_s, self._last_at + STEP_S)
        return self._last_at

    def _is_wrong(self, at: float, now: float) -> bool:
        """Return whether a stamp, as corrected so far, is not one of a right clock."""
        if at >= now - self._behind_s:
            self._old_from = inf
            return at > now + AHEAD_S
        self._old_from = min(self._old_from, now)
        return not -inf < self._last_at < at or now - self._old_from > WAITED_S
