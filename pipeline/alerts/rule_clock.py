"""Until when the rules of an alert engine have been told that time has passed."""

from math import inf


class RuleClock:
    """Tells rules time up to the moment that every part of a track is known of.

    A part of a track is known when it is complete. So the present is never known: who was not seen for the last seconds
    may be in a part that is under way.

    Args:
        settle_s: Seconds of event time after a moment until every part of a track that shows it is processed, at least
            0; see ``pipeline.camera.tracking``. A larger value tells absences and ends later.

    Attributes:
        told_until: Unix seconds that rules were told; infinite until a stream begins.
    """

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self.told_until = inf

    def begin(self, at: float) -> None:
        """Let time begin with the first moment of a stream, Unix seconds; later ones change nothing."""
        self.told_until = at if self.told_until == inf else self.told_until

    def advance(self, now: float) -> float:
        """Return what rules are told when event time is ``now``, Unix seconds."""
        self.begin(now)
        self.told_until = max(self.told_until, now - self._settle_s)
        return self.told_until

    def end(self) -> None:
        """Note that the stream has ended: with the next one time begins anew."""
        self.told_until = inf
