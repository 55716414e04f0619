"""Numbers the frames of a camera whose sender may start anew."""

from connectors.kafka.frame_message import Fault, FaultyMessageError
from pipeline.core import FrameStamp


class FrameNumbering:
    """Gives indices that ascend, also when the sender begins again with 0.

    Args:
        last: The frame that came before; None: there was none.
    """

    def __init__(self, last: FrameStamp | None = None) -> None:
        self._last = last
        self._shift = 0

    def stamp(self, camera_id: str, sent: FrameStamp) -> FrameStamp:
        """Return the stamp of a frame that was sent with ``sent``.

        Raises:
            FaultyMessageError: If it is no later than the frame before.
        """
        if self._last is not None:
            if sent.captured_at <= self._last.captured_at:
                raise FaultyMessageError(
                    Fault.ORDER,
                    f"captured_at: expected later than {self._last.captured_at}, got {sent.captured_at}",
                )
            if sent.index + self._shift <= self._last.index:
                self._shift = self._last.index + 1 - sent.index
        self._last = FrameStamp(camera_id, sent.index + self._shift, sent.captured_at)
        return self._last
