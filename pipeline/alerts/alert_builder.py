"""What all rules share: building alerts, and checking their configuration."""

import difflib
from collections.abc import Mapping

from pipeline.alerts.gathering import Gathering
from pipeline.alerts.presences import Presence
from pipeline.core import Alert, Severity, Sighting, TrackId
from pipeline.core.errors import ConfigError
from pipeline.core.records.alert import NOBODY_IN_PARTICULAR


class AlertBuilder:
    """Builds the alerts of one rule.

    Args:
        name: Name of the rule, as in the configuration.
        severity: info, warning or critical.
        group: Of the configuration, for messages.
        shapes: Key that has the zones and lines, for messages.

    Raises:
        ConfigError: If ``severity`` is none of them.
    """

    def __init__(self, *, name: str, severity: str, group: str = "alerts", shapes: str = "site") -> None:
        self.name = name
        self._group, self._shapes = group, shapes
        self.default_severity = self.severity("severity", severity)

    def severity(self, key: str, given: object) -> Severity:
        """Return a severity by its name. Raises ``ConfigError``, which names the key, if there is none."""
        if given not in list(Severity):
            raise self.wrong(key, f"one of {', '.join(Severity)}", given)
        return Severity(str(given))

    def build(
        self,
        sighting: Sighting,
        *,
        place: str,
        started_at: float,
        message: str,
        raised_at: float | None = None,
        ended_at: float | None = None,
        evidence: tuple[TrackId, ...] = (),
        severity: Severity | None = None,
    ) -> Alert:
        """Return an alert about the person of a sighting.

        Args:
            sighting: The sighting that shows it.
            place: Zone, line or camera where it happens.
            started_at: Unix seconds: when the reported situation began.
            message: One sentence, without the person's number: a correction may change the number.
            raised_at: Unix seconds: the newest moment at which it held; the end of the sighting if None.
            ended_at: Unix seconds: when it was over; None while it lasts.
            evidence: The tracks that show it; the track of the sighting if empty.
            severity: How urgent; that of the rule if None.
        """
        return self.build_for(
            sighting.person_id,
            sighting.track_id.camera_id,
            place=place,
            started_at=started_at,
            message=message,
            raised_at=sighting.last.captured_at if raised_at is None else raised_at,
            ended_at=ended_at,
            evidence=evidence or (sighting.track_id,),
            severity=severity,
        )

    def build_for(
        self,
        person_id: int,
        camera_id: str,
        *,
        place: str,
        started_at: float,
        raised_at: float,
        message: str,
        ended_at: float | None = None,
        evidence: tuple[TrackId, ...] = (),
        severity: Severity | None = None,
    ) -> Alert:
        """Return an alert about a person in a camera; otherwise as ``build``."""
        return Alert(
            key=alert_key(self.name, person_id, started_at, place),
            rule=self.name,
            severity=severity or self.default_severity,
            person_id=person_id,
            camera_id=camera_id,
            started_at=started_at,
            raised_at=raised_at,
            message=message,
            evidence=evidence,
            place=place,
            ended_at=ended_at,
        )

    def build_presence(self, presence: Presence, *, message: str, severity: Severity | None = None) -> Alert:
        """Return an alert about a presence; otherwise as ``build``."""
        dwell = presence.dwell
        return self.build_for(
            presence.person_id,
            dwell.tracks[-1].camera_id,
            place=presence.place,
            started_at=dwell.since,
            raised_at=dwell.until,
            ended_at=dwell.until if presence.is_over else None,
            message=message,
            evidence=dwell.tracks,
            severity=severity,
        )

    def build_gathering(
        self,
        gathering: Gathering,
        *,
        track: TrackId | None,
        place: str,
        message: str,
        is_over: bool,
        severity: Severity | None = None,
    ) -> Alert:
        """Return an alert about the place of a gathering, seen by ``track`` now; otherwise as ``build``."""
        evidence = gathering.shown_by(track)
        return self.build_for(
            NOBODY_IN_PARTICULAR,
            evidence[0].camera_id,
            place=place,
            started_at=gathering.since,
            raised_at=gathering.until,
            ended_at=gathering.until if is_over else None,
            message=message,
            evidence=evidence,
            severity=severity,
        )

    def wrong(self, key: str, expected: str, got: object) -> ConfigError:
        """Return the error for a bad value of this rule, or of a shape, which it has from the site."""
        return ConfigError(f"{self._where(key)}: expected {expected}, got {got!r}; correct the value")

    def _where(self, key: str) -> str:
        owner = self._shapes if key.startswith(("zones.", "lines.")) else f"{self._group}.{self.name}"
        return f"{owner}.{key}"

    def check_at_least(self, low: float, **values: float) -> None:
        """Raise ``ConfigError`` unless all values are numbers of at least ``low``."""
        for key, value in values.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= low:
                raise self.wrong(key, f"a number of at least {low:g}", value)

    def check_distance(self, **values: float) -> None:
        """Raise ``ConfigError`` unless all values are numbers above 0: nobody is nearer than that to anybody."""
        for key, value in values.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise self.wrong(key, "a number above 0", value)

    def check_block(
        self, key: str, block: object, keys: set[str], optional: set[str] | frozenset[str] = frozenset()
    ) -> Mapping[str, object]:
        """Return the block; raise ``ConfigError`` unless it is a mapping with these keys and no others."""
        for name in sorted(set(map(str, block)) - keys - optional) if isinstance(block, Mapping) else ():
            close = difflib.get_close_matches(name, sorted(keys | optional), 1)
            meant = f", perhaps {close[0]} is meant" if close else ""
            also = ", ".join(sorted(keys | optional))
            raise ConfigError(f"{self._where(key)}: unexpected key {name}{meant}; expected some of {also}")
        if not isinstance(block, Mapping) or not keys <= set(block) <= keys | optional:
            got = sorted(map(str, block)) if isinstance(block, Mapping) else block
            also = f"perhaps {', '.join(sorted(optional))}" if optional else ""
            raise self.wrong(key, f"a block with {', and '.join(filter(None, (', '.join(sorted(keys)), also)))}", got)
        return block


def alert_key(rule: str, person_id: int, started_at: float, place: str) -> str:
    """Return the key under which an alert is raised, amended and retracted.

    Example:
        >>> alert_key("zone_dwell", 7, 12.5, "door")
        'zone_dwell/7/12.500/door'
    """
    return f"{rule}/{person_id}/{started_at:.3f}/{place}"
