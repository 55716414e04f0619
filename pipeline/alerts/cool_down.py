"""The cool-down of alerts: for how long a rule raises no other alert about a person in a place."""

from pipeline.alerts.expiring_map import ExpiringMap
from pipeline.alerts.incidents import Subject
from pipeline.core.records.moves import Move


class CoolDown:
    """Knows the latest alert about each subject.

    Args:
        cooldown_s: Seconds of event time before and after an alert.

    Attributes:
        cooldown_s: The same.
    """

    def __init__(self, cooldown_s: float) -> None:
        self.cooldown_s = cooldown_s
        self._raised_at: ExpiringMap[Subject, float] = ExpiringMap(forget_after_s=cooldown_s)

    def holds(self, subject: Subject, at: float) -> bool:
        """Return whether it holds at a time, Unix seconds."""
        raised_at = self._raised_at.get(subject)
        return raised_at is not None and abs(at - raised_at) < self.cooldown_s

    def begin(self, subject: Subject, raised_at: float) -> None:
        """Begin with an alert that was raised at a time, Unix seconds; one before the latest changes nothing."""
        before = self._raised_at.get(subject)
        latest_at = raised_at if before is None else max(before, raised_at)
        self._raised_at.set(subject, latest_at, at=latest_at)

    def is_of(self, subject: Subject, raised_at: float) -> bool:
        """Return whether it began with the alert that was raised at this time, Unix seconds."""
        return self._raised_at.get(subject) == raised_at

    def end(self, subject: Subject) -> None:
        """End that of a subject."""
        self._raised_at.pop(subject)

    def give(self, subject: Subject, target: Subject | None) -> None:
        """Give that of a subject to another one; None: it ends."""
        self._raised_at.move(subject, target)

    def give_all(self, move: Move) -> None:
        """Give those of a person to another one."""
        for subject, _ in self._raised_at.items():
            if subject[1] == move.source:
                self.give(subject, None if move.target is None else (subject[0], move.target, subject[2]))

    def snapshot(self) -> bytes:
        """Return the state."""
        return self._raised_at.snapshot()

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        self._raised_at.restore(state, list[tuple[Subject, float, float]])
