"""Who is on the watch-list now, since when and why, and which sinks are told of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core import CorrectionKind, Listing, Severity, TrackPart
from pipeline.ledger import LedgerReader

QUIET = ("alert_clips", "alert_pictures", "annotated_video", "console", "counts", "jsonl", "memory", "mot", "recording")
"""Sinks that send no alert to anybody."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A person on the watch-list.

    Attributes:
        person_id: The number.
        name: What the person is called.
        listing: How urgent, and until when.
        by: Who listed the person so.
        at: Unix seconds by the wall clock: when that was asked for.
        reason: Why, in words.
        parts: The parts of tracks that stand for the enrolled pictures.
    """

    person_id: int
    name: str
    listing: Listing
    by: str
    at: float | None
    reason: str
    parts: tuple[TrackPart, ...]


def listed_in(reader: LedgerReader) -> list[Listed]:
    """Return the people on the watch-list of a ledger, by number."""
    people = reader.people()
    given = {}
    for number, done in people.done.items():
        made = done.correction
        if made.kind is CorrectionKind.NAMED and made.name:
            given[people.tracks.current_id(made.person_ids[0])] = number, made
    found = []
    for person_id, name in sorted(people.names.items()):
        listing, parts = people.listings.get(person_id, Listing()), people.enrolled_of(person_id)
        by, reason, at = "", "", None
        if person_id in given:
            number, made = given[person_id]
            by, reason, command = made.by, made.reason, reader.command(number)
            at = None if command is None else command.command.at
        found.append(Listed(person_id, name, listing, by, at, reason, parts))
    return found


def kept_parts(reader: LedgerReader) -> set[TrackPart]:
    """Return the parts of tracks that stand for enrolled pictures, of commands that wait to be applied too."""
    waiting = [each.command for each in reader.commands() if each.state == "pending"]
    return {*reader.people().enrolled, *(part for command in waiting for part in command.parts)}


def told_by(sinks: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """Return the names of the sinks that send alerts of each severity.

    Args:
        sinks: Their configuration, by name.

    Example:
        >>> told_by({"apprise": {"min_severity": "warning"}, "kafka": {}})
        {'info': ['kafka'], 'warning': ['apprise', 'kafka'], 'critical': ['apprise', 'kafka']}
    """
    order = [str(each) for each in Severity]

    def sends(options: Any, severity: str) -> bool:
        least = options.get("min_severity", order[0]) if isinstance(options, dict) else order[0]
        return least not in order or order.index(severity) >= order.index(least)

    loud = {name: options for name, options in sinks.items() if name not in QUIET}
    return {severity: [name for name, options in loud.items() if sends(options, severity)] for severity in order}
