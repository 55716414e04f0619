"""Bad frames of one source: counted with their times, reported once a burst, and given up when there are too many."""

import logging
from collections import deque
from math import inf

from pipeline.core.errors import SourceLostError

logger = logging.getLogger(__name__)

MAX_IN_A_ROW = 300
"""Bad frames in a row after which a source is given up: 12 s of a camera of 25 frames/s.

Longer than the usual distance of key frames, 250. More wait longer for a stream that never recovers.
"""

BURST_ENDS_AFTER = 25
"""Good frames in a row that end a burst. More give fewer warnings."""

SAID_EVERY_S = 60.0
"""Seconds of the camera after which concealed damage is said again. More say it less often."""

NUM_TIMES = 100
"""Newest bad frames whose times are kept. More cost memory in ``summary.json``."""


class DamageLog:
    """Counts the bad frames of one source.

    Args:
        camera_id: The camera, for messages.
        max_in_a_row: Bad frames in a row after which the source is given up, at least 1; None: never.

    Attributes:
        num_bad: Bad frames so far.
        num_concealed: Frames so far of which the decoder made up a part.
    """

    def __init__(self, camera_id: str, *, max_in_a_row: int | None = MAX_IN_A_ROW) -> None:
        self._camera_id = camera_id
        self._max_in_a_row = max_in_a_row
        self._times: deque[float] = deque(maxlen=NUM_TIMES)
        self._num_in_a_row = 0
        self._num_good = BURST_ENDS_AFTER
        self._concealed_at = -inf
        self.num_bad = self.num_concealed = 0

    @property
    def times(self) -> tuple[float, ...]:
        """Unix seconds of the newest bad frames, as far as they are known."""
        return tuple(self._times)

    def bad(self, at: float | None, reason: str, *, count: int = 1) -> None:
        """Count bad frames; the first one of a burst is logged.

        Args:
            at: Unix seconds of the frame; None if not known.
            reason: What is wrong with it.
            count: How many there are, of which some came before the newest good one; together they count as one in a
                row.

        Raises:
            SourceLostError: If it is one too many in a row.
        """
        self.num_bad += count
        if at is not None:
            self._times.append(at)
        if self._num_good >= BURST_ENDS_AFTER:
            when = "" if at is None else f" at {at:.2f} s"
            logger.warning(
                "camera %s: left out a bad frame%s: %s; it and those that follow are counted in bad_frames",
                self._camera_id,
                when,
                reason,
            )
        self._num_good = 0
        self._num_in_a_row += 1
        if self._max_in_a_row is not None and self._num_in_a_row > self._max_in_a_row:
            self._num_in_a_row = 0
            raise SourceLostError(
                f"camera {self._camera_id}: expected frames, got more than {self._max_in_a_row} bad ones in a row, "
                f"at last {reason}; copy the recording again, or check the camera"
            )

    def concealed(self, at: float) -> None:
        """Count a frame of which the decoder made up a part; the first one in a minute is logged.

        Args:
            at: Unix seconds of the frame.
        """
        self.num_concealed += 1
        if at - self._concealed_at >= SAID_EVERY_S:
            self._concealed_at = at
            logger.warning(
                "camera %s: a part of the picture at %.2f s was lost or damaged, and the decoder made it up; it and "
                "those that follow are counted in frames_concealed",
                self._camera_id,
                at,
            )

    def good(self) -> None:
        """Learn that a frame was good."""
        self._num_in_a_row = 0
        self._num_good += 1
