"""What all rules share: building alerts, and checking their configuration."""

from collections.abc import Mapping

from pipeline.core import Alert, Severity, Sighting, TrackId
from pipeline.core.errors import ConfigError


class AlertBuilder:
    """Builds the alerts of one rule.

    Args:
        name: Name of the rule, as in the configuration.
        severity: info, warning or critical.

    Raises:
        ConfigError: If ``severity`` is none of them.
    """

    def __init__(self, *, name: str, severity: str) -> None:
        self.name = name
        try:
            self._severity = Severity(severity)
        except ValueError as error:
            choices = ", ".join(Severity)
            raise self.wrong("severity", f"one of {choices}", severity) from error

    def build(
        self, sighting: Sighting, *, started_at: float, message: str, evidence: tuple[TrackId, ...] = ()
    ) -> Alert:
        """Return an alert about the person of a sighting, raised when the sighting ended.

        Args:
            sighting: The sighting that led to it.
            started_at: Unix seconds: when the reported situation began.
            message: One sentence, without the person's number: a correction may change the number.
            evidence: The tracks that show it; the track of the sighting if empty.
        """
        return Alert(
            key=alert_key(self.name, sighting.person_id, started_at),
            rule=self.name,
            severity=self._severity,
            person_id=sighting.person_id,
            camera_id=sighting.track_id.camera_id,
            started_at=started_at,
            raised_at=sighting.last.captured_at,
            message=message,
            evidence=evidence or (sighting.track_id,),
        )

    def wrong(self, key: str, expected: str, got: object) -> ConfigError:
        """Return the error for a bad value of this rule."""
        return ConfigError(f"alerts.{self.name}.{key}: expected {expected}, got {got!r}; correct the value")

    def check_at_least(self, low: float, **values: float) -> None:
        """Raise ``ConfigError`` unless all values are numbers of at least ``low``."""
        for key, value in values.items():
            if not isinstance(value, int | float) or not value >= low:
                raise self.wrong(key, f"a number of at least {low:g}", value)

    def check_block(self, key: str, block: object, keys: set[str]) -> Mapping[str, object]:
        """Return the block; raise ``ConfigError`` unless it is a mapping with exactly these keys."""
        if not isinstance(block, Mapping) or set(block) != keys:
            got = sorted(map(str, block)) if isinstance(block, Mapping) else block
            raise self.wrong(key, f"a block with {', '.join(sorted(keys))}", got)
        return block


def alert_key(rule: str, person_id: int, started_at: float) -> str:
    """Return the key under which an alert is raised, amended and retracted.

    Example:
        >>> alert_key("zone_dwell", 7, 12.5)
        'zone_dwell/7/12.500'
    """
    return f"{rule}/{person_id}/{started_at:.3f}"
