"""The clock behind the stamps of one live camera: how far it is from this machine's, and what is corrected."""

import logging

AHEAD_S = 0.5
"""Seconds that stamps may be ahead of this machine's clock. Nothing is captured in the future, so more is an error of
the clock. A larger value lets a camera whose clock is ahead make others late."""
STEP_S = 0.001
"""Least seconds between two stamps where a correction begins or changes: stamps ascend."""

logger = logging.getLogger(__name__)


class CameraClock:
    """Moves the stamps of a camera whose clock is wrong to this machine's time, by a constant until it is wrong again.

    All stamps of a camera keep their distances. A clock that is right within the bounds is trusted, so that frames that
    arrive late keep the time at which they were captured.

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
        self._last_at = float("-inf")
        self.ahead_s = 0.0

    def corrected(self, captured_at: float, now: float) -> float:
        """Return the corrected stamp of a frame that has just arrived; both are Unix seconds."""
        self.ahead_s = captured_at - now
        ahead_s = self.ahead_s + self._correction_s
        if not -self._behind_s <= ahead_s <= AHEAD_S:
            self._correction_s = -self.ahead_s
            logger.warning(
                "camera %s: its clock is %.1f s %s; its times are corrected",
                self._camera_id,
                abs(self.ahead_s),
                "ahead" if self.ahead_s > 0 else "behind",
            )
        self._last_at = max(captured_at + self._correction_s, self._last_at + STEP_S)
        return self._last_at
