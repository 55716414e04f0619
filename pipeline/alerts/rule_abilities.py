"""What a rule may have besides the methods of ``AlertRule``; the engine asks it only if it has."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from pipeline.alerts.picture_check import Sizes
from pipeline.core import Alert, Correction
from pipeline.core.records.view_event import ViewReport


@runtime_checkable
class CorrectableRule(Protocol):
    """Methods that a rule may have besides those of ``AlertRule``."""

    def on_correction(self, correction: Correction) -> Iterable[Alert]:
        """Learn of a correction, and report the situations of the people it concerns. Called before ``reconsider``."""
        ...

    def reconsider(self, alert: Alert) -> Alert | None:
        """Return the alert as it reads with its new person or evidence, or None if it is no longer true.

        Also asked of alerts that are over when a part of a track of their person comes late.

        The rule may date it anew, by ``started_at`` and ``ended_at``: what it reports next says whether it goes on.
        """
        ...


@runtime_checkable
class EndingRule(Protocol):
    """A method that a rule with lasting situations may have besides those of ``AlertRule``."""

    def on_end(self, at: float) -> Iterable[Alert]:
        """Report all situations that last as over: the stream has ended.

        Args:
            at: Unix seconds: the newest frame of any camera; minus infinite if it is not known.
        """
        ...


@runtime_checkable
class ViewRule(Protocol):
    """A method that a rule about cameras may have besides those of ``AlertRule``."""

    def on_view(self, report: ViewReport) -> Iterable[Alert]:
        """Report what a camera says of its view. A report may come twice, if a process was lost."""
        ...


@runtime_checkable
class DrawnRule(Protocol):
    """A method that a rule with zones or lines in pictures may have besides those of ``AlertRule``."""

    def check_picture(self, camera_id: str, sizes: Sizes) -> None:
        """Raise ``ConfigError`` if a shape lies outside the picture of a camera."""
        ...
