"""Prints one readable line for every alert, and for other records if configured.

Needs: rich.
Guarantee: that of standard output.
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
from pipeline.core.records.alert import NOBODY_IN_PARTICULAR

KINDS: dict[str, type] = {"alerts": Alert, "sightings": Sighting, "corrections": Correction}

STYLES = {Severity.INFO: "cyan", Severity.WARNING: "yellow", Severity.CRITICAL: "bold red"}

YEAR_S = 365 * 86400.0
"""Seconds. Earlier times are of a recording that began at 0, and are shown as the time since then."""


class TerminalSink:
    """Prints records for people to read.

    Args:
        show: Kinds to print: some of ``alerts``, ``sightings``, ``corrections``.

    Raises:
        ConfigError: If there is no such kind.
    """

    def __init__(self, *, show: Sequence[str]) -> None:
        for name in show:
            if name not in KINDS:
                raise ConfigError(f"sink.terminal.show: expected some of {', '.join(KINDS)}, got {name!r}; correct it")
        self._kinds = tuple(KINDS[name] for name in show)

    def write(self, records: Sequence[Record]) -> None:
        """Print the records of the configured kinds.

        Raises:
            ConnectorError: If standard output is closed.
        """
        text = lines_of([record for record in records if isinstance(record, self._kinds)])
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError as error:
            raise ConnectorError(
                f"standard output: expected to write, got {error.strerror}; leave out sink terminal"
            ) from error

    def flush(self) -> None:
        """Do nothing: ``write`` flushes."""

    def close(self) -> None:
        """Do nothing: standard output stays open."""


def lines_of(records: Sequence[Record]) -> str:
    """Return records as the lines that standard output shows, each with its end; with colours in a terminal."""
    if not records:
        return ""
    console = Console(highlight=False, soft_wrap=True)
    with console.capture() as capture:  # printed by the caller: rich would end the process when a pipe is closed
        for record in records:
            console.print(_line(record))
    encoding = sys.stdout.encoding or "utf-8"
    return capture.get().encode(encoding, "replace").decode(encoding)


def _line(record: Record) -> Text:
    """Return a record as a line of text."""
    if isinstance(record, Alert):
        return _alert_line(record)
    if isinstance(record, Sighting):
        return _sighting_line(record)
    return _correction_line(record)


def _alert_line(alert: Alert) -> Text:
    style = "dim" if alert.state is AlertState.RETRACTED else STYLES[alert.severity]
    line = _start(alert.started_at, alert.severity.upper(), style)
    if alert.state is AlertState.AMENDED and alert.ended_at is not None:
        times = f", {alert.count} times" if alert.count > 1 else ""
        line.append(f"over after {alert.ended_at - alert.started_at:.0f} s{times}: ", style="bold")
    elif alert.state is not AlertState.RAISED:
        line.append(f"{alert.state}: ", style="bold")
    line.append(_printable(alert.message), style=style)
    about = f", person {alert.person_id}" if alert.person_id != NOBODY_IN_PARTICULAR else ""
    line.append(f"  [{_printable(f'{alert.rule}, {alert.camera_id}{about}')}]", style="dim")
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
    """Return the first two columns, time and kind."""
    line = Text(_clock_time(at), style="dim")
    line.append(f"  {word:<9} ", style=style)
    return line


def _clock_time(at: float) -> str:
    """Return a time as text: UTC, or the time since the start of a recording.

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
    """Return text without control characters, which could command the terminal."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
