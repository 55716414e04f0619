"""Correction commands and their outcomes, as the ledger keeps them."""

import json
import sqlite3
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass, replace

from pipeline.core import CommandKind, CorrectionCommand, Embedding, Listing, TrackId, TrackPart
from pipeline.core.errors import ConfigError
from pipeline.core.serialisation import deserialise, serialise
from pipeline.ledger.audit import add_audit
from pipeline.ledger.submitted import Submitted

NUM_PEOPLE = {CommandKind.MERGE: (2,), CommandKind.CONFIRM: (1, 2), CommandKind.ENROL: (0, 1), CommandKind.UNDO: (0,)}
"""Numbers of people that a command may name; one for kinds that are not listed."""

RECLUSTERING = "review"
"""Author of the corrections that re-clustering makes; no operator may have this name."""

NEEDS_PARTS = (CommandKind.SPLIT, CommandKind.REJECT)
"""Kinds of command that must name parts of tracks."""

SubmittedCommand = Submitted[CorrectionCommand]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a command.

    Attributes:
        submitted: The command.
        at: Unix seconds by the wall clock.
        is_done: Whether it was applied; False if it was refused.
        text: What was done, or why it was refused.
    """

    submitted: SubmittedCommand
    at: float
    is_done: bool
    text: str


def add_command(database: sqlite3.Connection, command: CorrectionCommand) -> int:
    """Write a command, inside the caller's transaction, and return its number."""
    number = database.execute(
        "INSERT INTO orders (body, state) VALUES (?, 'pending')", (command_body(command),)
    ).lastrowid
    add_audit(database, command.at, command.by, command.kind, subject_of(command), command.reason)
    assert number is not None
    return number


def check_command(command: CorrectionCommand) -> None:
    """Raise ``ConfigError`` unless a command is complete and consistent."""
    num_people = NUM_PEOPLE.get(command.kind, (1,))
    if len(command.person_ids) not in num_people or len(set(command.person_ids)) != len(command.person_ids):
        expected = " or ".join(map(str, num_people))
        raise ConfigError(f"{command.kind}: expected {expected} different people, got {list(command.person_ids)}")
    if command.kind in NEEDS_PARTS and not command.parts:
        raise ConfigError(f"{command.kind}: expected parts of tracks such as east/0/7:2, got none")
    if (command.kind is CommandKind.ENROL) != (command.embedding is not None) or (
        command.kind is CommandKind.ENROL and not (command.name and command.parts)
    ):
        raise ConfigError(f"{command.kind}: expected a name and pictures, for enrol only")
    if (command.kind is CommandKind.UNDO) != (command.undoes > 0):
        raise ConfigError(f"{command.kind}: expected the number of a correction to undo, for undo only")
    if command.by.strip() == RECLUSTERING:
        raise ConfigError(f"{command.kind}: expected the name of the operator, got {command.by}, which is the pipeline")
    if not command.by.strip():
        raise ConfigError(f"{command.kind}: expected the name of the operator, got none; say by whom")


def read_commands(
    database: sqlite3.Connection, state: str | None = None, *, number: int | None = None, newest: int | None = None
) -> list[SubmittedCommand]:
    """Return the commands in order of submission; all, or those of one state, the one of a number, or the newest.

    The newest ones come newest first.
    """
    where, values = "", list[object]()
    for column, value in (("state", state), ("number", number)):
        if value is not None:
            where += f"{' AND' if where else ' WHERE'} {column} = ?"
            values.append(value)
    order = "number" if newest is None else "number DESC LIMIT ?"
    values += [] if newest is None else [newest]
    rows = database.execute(f"SELECT number, body, state, outcome FROM orders{where} ORDER BY {order}", values)
    return [Submitted(number, command_from(body), state, outcome) for number, body, state, outcome in rows]


def write_outcome(database: sqlite3.Connection, outcome: Outcome) -> None:
    """Note the outcome of a command, inside the caller's transaction; what pictures came to is not kept in it."""
    state = "done" if outcome.is_done else "refused"
    if outcome.submitted.command.embedding is not None:
        body = command_body(replace(outcome.submitted.command, embedding=None))
        database.execute("UPDATE orders SET body = ? WHERE number = ?", (body, outcome.submitted.number))
    database.execute(
        "UPDATE orders SET state = ?, outcome = ? WHERE number = ?", (state, outcome.text, outcome.submitted.number)
    )
    command = outcome.submitted.command
    add_audit(database, outcome.at, command.by, f"{command.kind} {state}", subject_of(command), outcome.text)


def subject_of(command: CorrectionCommand) -> str:
    """Return what a command concerns: numbers of people, and how many parts."""
    if command.kind is CommandKind.UNDO:
        return f"correction {command.undoes}"
    people = ", ".join(map(str, command.person_ids)) or "new"
    tail = f", {len(command.parts)} parts" if command.parts else ""
    return f"{'persons' if len(command.person_ids) > 1 else 'person'} {people}{tail}"


def command_body(command: CorrectionCommand) -> str:
    """Return a command as JSON."""
    parts = [[str(part.track_id), part.part] for part in command.parts]
    values = {**asdict(replace(command, embedding=None)), "parts": parts}
    if command.embedding is not None:
        values["embedding"] = b64encode(serialise(command.embedding)).decode()
    return json.dumps(values, sort_keys=True)


def command_from(body: str) -> CorrectionCommand:
    """Return the command that ``command_body`` wrote."""
    values = json.loads(body)
    listing, embedding = values.get("listing"), values.get("embedding")
    return CorrectionCommand(
        kind=CommandKind(values["kind"]),
        person_ids=tuple(values["person_ids"]),
        by=values["by"],
        at=values["at"],
        parts=tuple(TrackPart(TrackId.parse(track), part) for track, part in values["parts"]),
        name=values["name"],
        reason=values["reason"],
        undoes=values.get("undoes", 0),
        force=values.get("force", False),
        listing=None if listing is None else Listing(**listing),
        embedding=None if embedding is None else deserialise(b64decode(embedding), Embedding),
    )
