"""One readable line on standard output for every alert, and for more if asked.

Needs: rich.
Guarantee: none beyond what standard output gives.
When slow: ``write`` waits for the terminal.
Secrets: none.
"""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from pipeline.core import Alert, AlertState, Correction, Record, Severity, Sighting
from pipeline.core.errors import ConfigError, ConnectorError

KINDS: dict[str, type] = {"alerts": Alert, "sightings": Sighting, "corrections": Correction}

STYLES = {Severity.INFO: "cyan", Severity.WARNING: "yellow", Severity.CRITICAL: "bold red"}

YEAR_S = 365 * 86400.0
"""Times below are those of a recording that began at 0, and are shown as time since then."""


class TerminalSink:
    """Prints records for people to read.

    Args:
        show: Which: some of ``alerts``, ``sightings``, ``corrections``.

    Raises:
        ConfigError: If it cannot show such a thing.
    """

    def __init__(self, *, show: Sequence[str]) -> None:
        for name in show:
            if name not in KINDS:
                raise ConfigError(f"sink.terminal.show: expected some of {', '.join(KINDS)}, got {name!r}; correct it")
        self._kinds = tuple(KINDS[name] for name in show)

    def write(self, records: Sequence[Record]) -> None:
        """Print the records that were asked for.

        Raises:
            ConnectorError: If standard output is closed.
        """
        lines = [_line(record) for record in records if isinstance(record, self._kinds)]
        if not lines:
            return
        # Made here and printed below: rich would end the process when a pipe is closed.
        console = Console(highlight=False, soft_wrap=True)
        with console.capture() as capture:
            for line in lines:
                console.print(line)
        encoding = sys.stdout.encoding or "utf-8"
        text = capture.get().encode(encoding, "replace").decode(encoding)
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError as error:
            raise ConnectorError(
                f"standard output: expected to write, got {error.strerror}; leave out sink terminal"
            ) from error

    def flush(self) -> None:
        """Do nothing: ``write`` leaves nothing behind."""

    def close(self) -> None:
        """Do nothing: standard output is not ours."""


def _line(record: Record) -> Text:
    """Return a record in words."""
    if isinstance(record, Alert):
        return _alert_line(record)
    if isinstance(record, Sighting):
        return _sighting_line(record)
    return _correction_line(record)


def _alert_line(alert: Alert) -> Text:
    style = "dim" if alert.state is AlertState.RETRACTED else STYLES[alert.severity]
    line = _start(alert.started_at, alert.severity.upper(), style)
    if alert.state is not AlertState.RAISED:
        line.append(f"{alert.state}: ", style="bold")
    line.append(_printable(alert.message), style=style)
    line.append(f"  [{_printable(f'{alert.rule}, {alert.camera_id}, person {alert.person_id}')}]", style="dim")
    return line


def _sighting_line(sighting: Sighting) -> Text:
    line = _start(sighting.last.captured_at, "SEEN", "green")
    line.append(f"person {sighting.person_id}", style="bold")
    line.append(_printable(f" in {sighting.track_id.camera_id}, {sighting.outcome}"))
    details = f"{sighting.probability:.0%}"
    if sighting.distance is not None:
        details += f", distance {sighting.distance:.3f}"
    line.append(_printable(f"  [{details}, track {sighting.track_id}]"), style="dim")
    return line


def _correction_line(correction: Correction) -> Text:
    line = _start(correction.at, "CORRECTED", "magenta")
    people = ", ".join(map(str, correction.person_ids))
    line.append(f"{correction.kind}: {people}", style="bold")
    if correction.name:
        line.append(f" is {_printable(correction.name)!r}", style="bold")
    reason = f"{correction.reason}, " if correction.reason else ""
    line.append(_printable(f"  [{reason}by {correction.by}]"), style="dim")
    return line


def _start(at: float, word: str, style: str) -> Text:
    """Return time and kind, the first two columns."""
    line = Text(_clock_time(at), style="dim")
    line.append(f"  {word:<9} ", style=style)
    return line


def _clock_time(at: float) -> str:
    """Return a time for people: UTC, or hours since the start of a recording.

    Example:
        >>> _clock_time(3723.4), _clock_time(1.7e9)
        ('01:02:03.4', '2023-11-14 22:13:20Z')
    """
    if 0 <= at < YEAR_S:
        tenths = round(at * 10)
        seconds, tenth = divmod(tenths, 10)
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{tenth}"
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _printable(text: str) -> str:
    """Return text without signs that would command the terminal."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
