"""Erasure: removes a person from everything that a run left, then checks that nothing is left."""

import json
import mmap
import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import Any

from pipeline.core import CommandKind, Correction, CorrectionKind, TrackPart
from pipeline.core.errors import ConnectorError
from pipeline.core.records.alert import NOBODY_IN_PARTICULAR
from pipeline.core.sqlite_files import why_failed
from pipeline.ledger.codec import correction_from_dict, to_line
from pipeline.ledger.corrections.commands import command_body, command_from
from pipeline.ledger.events import body_of, from_row
from pipeline.ledger.retained import how_to_clear

NEEDLE_BYTES = 100
"""Bytes of each removed row that the check searches for, from its beginning, where boxes and keys are.

Chosen to be long enough to be unique; a larger value finds fewer fragments.
"""
MIN_NEEDLE_BYTES = 32
"""Bytes below which a fragment is not searched for: it may be found in what is about other people.

Larger: fewer fragments are searched for.
"""
STILL_FOUND = "STILL FOUND"
"""Words of an outcome by which an erasure says that it is not complete."""
FILES = "files_of_parts"
"""View of a store that says which files beside it show a part of a track: columns ``track``, ``part``, ``file``."""
MARK = re.compile(rb"passerby [a-z ]+ [0-9a-f]{16,}")
"""What such a file may hold of its own name, so that the check after an erasure finds copies of it."""
MAX_NEEDLES = 100
"""Number of removed rows that the check searches for, at most, spread evenly over all. A larger value checks more and
takes longer."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """The result of an erasure.

    Attributes:
        removed: Number of things removed, by place; 0 where nothing was found.
        left: Places that still hold something of the person; empty if all went well.
        away: Exports that are no longer where they were written, and so were not reached.
        footage: Folders of recorded main streams, which show everybody until they are deleted.
        retained: MQTT topics that a broker may still hold; see ``retained``.
    """

    removed: dict[str, int]
    left: tuple[str, ...]
    away: tuple[str, ...] = ()
    footage: tuple[str, ...] = ()
    retained: tuple[str, ...] = ()

    def __str__(self) -> str:
        words = [f"{place}: {count}" for place, count in self.removed.items()]
        tail = f"; {STILL_FOUND} in {', '.join(self.left)}" if self.left else "; nothing of it is found any more"
        if self.away:
            tail = f"; NOT REACHED, moved since they were exported: {', '.join(self.away)}{tail}"
        if self.footage:
            tail = f"; NOT REACHED, footage that is deleted after record.keep_s: {', '.join(self.footage)}{tail}"
        if self.retained:
            tail = f"; NOT REACHED, retained by the MQTT broker; clear it: {how_to_clear(self.retained)}{tail}"
        return "removed " + ", ".join(words) + tail


def footage_of(folder: Path) -> tuple[str, ...]:
    """Return the folders of a run in which main streams of its cameras were recorded."""
    return tuple(sorted({str(path.parent) for path in folder.glob("recordings/*/*.mkv")}))


def redact(database: sqlite3.Connection, correction: Correction) -> tuple[dict[str, int], list[bytes]]:
    """Empty the events and commands about erased people, inside the caller's transaction.

    Args:
        database: Of the ledger.
        correction: ERASED, with every number the people had and every part of a track that showed them.

    Returns:
        How much was removed, by kind, and fragments of it for the check. An alert counts once, in however many states.
    """
    parts = frozenset(correction.parts)
    people = ", ".join(str(int(person_id)) for person_id in correction.person_ids)
    columns = "number, kind, at, person_id, camera_id, track, part, body"
    gone: dict[str, list[int]] = {"sighting": [], "correction": [], "alert": []}
    needles: list[bytes] = []
    for part in parts:
        found = database.execute(
            "SELECT number, body FROM events WHERE track = ? AND part = ? AND body IS NOT NULL",
            (str(part.track_id), part.part),
        ).fetchall()
        gone["sighting"] += [number for number, _ in found]
        needles += [body.encode() for _, body in found]
    newest = "SELECT max(number) FROM events WHERE kind = 'alert' GROUP BY json_extract(body, '$.key')"
    about_them = (
        f"SELECT json_extract(body, '$.key') FROM events WHERE number IN ({newest}) AND person_id IN ({people})"
    )
    keys = {key for (key,) in database.execute(about_them)}
    for number, key, body in database.execute(
        "SELECT number, json_extract(body, '$.key'), body FROM events WHERE kind = 'alert' AND body IS NOT NULL "
        f"AND (person_id IN ({people}) OR json_extract(body, '$.key') IN ({about_them}))"
    ).fetchall():
        gone["alert"].append(number)
        if key in keys:  # else it is about somebody else by now, and its later states may begin like this one
            needles.append(body.encode())
    for row in database.execute(
        f"SELECT {columns} FROM events WHERE kind = 'correction' AND body IS NOT NULL"
    ).fetchall():
        event = from_row(row)
        made = event.correction()
        rest = without(made, correction)
        if rest is None:
            gone["correction"].append(event.number)
        elif rest != made:
            values = body_of(rest), event.number
            database.execute("UPDATE events SET body = ?, is_redacted = 1 WHERE number = ?", values)
    for numbers in gone.values():
        database.executemany(
            "UPDATE events SET person_id = NULL, camera_id = NULL, track = NULL, part = NULL, body = NULL, "
            "is_redacted = 1 WHERE number = ?",
            [(number,) for number in numbers],
        )
    about_places = "SELECT number, body FROM events WHERE kind = 'alert' AND person_id = ? AND body IS NOT NULL"
    for number, text in database.execute(about_places, (NOBODY_IN_PARTICULAR,)).fetchall():
        message = json.loads(text)
        if _drop_evidence(message, parts):
            values = json.dumps(message, sort_keys=True), number
            database.execute("UPDATE events SET body = ?, is_redacted = 1 WHERE number = ?", values)
    database.executemany("INSERT OR IGNORE INTO erased VALUES (?)", [(digest_of(part),) for part in parts])
    removed = {f"{kind}s": len(numbers) for kind, numbers in gone.items()} | {"alerts": len(keys)}
    removed["commands"] = _redact_commands(database, frozenset(correction.person_ids), parts)
    return removed, [needle[:NEEDLE_BYTES] for needle in needles]


def digest_of(part: TrackPart) -> bytes:
    """Return the hash that is kept of an erased part, so that reading a recording again does not bring it back."""
    return sha256(str(part).encode()).digest()


def without(made: Correction, erased: Correction) -> Correction | None:
    """Return what stays of a correction, which may name others as well; None if it is about erased people alone.

    Args:
        made: The correction.
        erased: ERASED, with every number the people had and every part of a track that showed them.
    """
    if made.kind is CorrectionKind.ERASED:
        return made
    parts, people = frozenset(erased.parts), frozenset(erased.person_ids)
    rest = tuple(part for part in made.parts if part not in parts)
    if made.kind is CorrectionKind.UNDONE:
        names = tuple(each for each in made.names if each[0] not in people)
        listings = tuple(each for each in made.listings if each[0] not in people)
        is_same = (rest, names, listings) == (made.parts, made.names, made.listings)
        return made if is_same else replace(made, parts=rest, names=names, listings=listings, reason="")
    if people.issuperset(made.person_ids) or (made.parts and not rest):
        return None
    return made if rest == made.parts else replace(made, parts=rest)


def lines_with(parts: Iterable[TrackPart]) -> list[bytes]:
    """Return the text by which JSON lines name these parts, for the check."""
    return [
        f'"track": {json.dumps(str(part.track_id))}, "part": {part.part}{tail}'.encode()
        for part in parts
        for tail in (",", "}")
    ]


def _redact_commands(database: sqlite3.Connection, person_ids: Set[int], parts: Set[TrackPart]) -> int:
    """Remove names, parts and reasons from commands about erased people, also from those that split them off others."""
    num_commands = 0
    for number, body in database.execute("SELECT number, body FROM orders").fetchall():
        command = command_from(body)
        is_about = bool(person_ids & set(command.person_ids)) or not parts.isdisjoint(command.parts)
        told = command.parts or command.name or (command.reason and command.kind is not CommandKind.ERASE)
        if is_about and told:
            empty = type(command)(command.kind, command.person_ids, command.by, command.at)
            database.execute("UPDATE orders SET body = ? WHERE number = ?", (command_body(empty), number))
            num_commands += 1
    return num_commands


def about(correction: Correction) -> Callable[[dict[str, Any]], bool]:
    """Return what says of a sighting or an alert, as schemas describe them, whether it is about erased people."""
    parts = {(str(part.track_id), part.part) for part in correction.parts}
    people = set(correction.person_ids)

    def is_about(message: dict[str, Any]) -> bool:
        if message.get("event") == "sighting":
            return (message["track"], message["part"]) in parts
        return message.get("event") == "alert" and message["person_id"] in people

    return is_about


def erase_lines(path: Path, correction: Correction) -> list[tuple[int, int]]:
    """Remove erased people from a file of JSON lines.

    Returns:
        Where each line was that was removed or changed, and by how much it is shorter now, bytes.
    """
    is_about = about(correction)
    keys = _keys_about(path, is_about)

    def changed(line: bytes) -> bytes:
        if not line.endswith(b"\n"):  # the half line of a run that was killed; the one that goes on writes it again
            return b""
        message = json.loads(line)
        if is_about(message) or (message.get("event") == "alert" and message["key"] in keys):
            return b""
        if message.get("event") == "correction":
            made = correction_from_dict(message)
            rest = without(made, correction)
            return b"" if rest is None else line if rest == made else to_line(rest)
        is_of_place = message.get("event") == "alert" and message["person_id"] == NOBODY_IN_PARTICULAR
        return (
            json.dumps(message).encode() + b"\n" if is_of_place and _drop_evidence(message, correction.parts) else line
        )

    return _rewritten(path, changed)


def _keys_about(path: Path, is_about: Callable[[dict[str, Any]], bool]) -> set[str]:
    """Return the keys of the alerts in a file of JSON lines whose newest form is about erased people."""
    newest: dict[str, bool] = {}
    for line in path.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n") and line.strip() and (message := json.loads(line)).get("event") == "alert":
            newest[message["key"]] = is_about(message)
    return {key for key, is_it in newest.items() if is_it}


def _drop_evidence(message: dict[str, Any], parts: Iterable[TrackPart]) -> bool:
    """Drop the tracks of erased parts from the evidence of an alert about a place; return whether there were any."""
    tracks = {str(part.track_id) for part in parts}
    rest = [track for track in message["evidence"] if track not in tracks]
    num_dropped = len(message["evidence"]) - len(rest)
    message["evidence"] = rest
    return num_dropped > 0


def erase_files(
    folder: Path, correction: Correction, marks: Mapping[str, str]
) -> tuple[dict[str, int], dict[str, str]]:
    """Remove erased people from the files of a run that has ended.

    JSON lines and MOT text lose their lines. Annotated videos and image grids, which show many people, are deleted.
    ``erase_stores`` does the rest.

    Args:
        folder: Of the run.
        correction: ERASED, with every number the people had and every part of a track that showed them.
        marks: The marks of sinks; those of files of lines are lengths by the name of the file.

    Returns:
        How much was removed, by place, and the marks as they are now.
    """
    removed = {}
    marks = dict(marks)
    for path in sorted(folder.glob("*.jsonl")):
        shorter = erase_lines(path, correction)
        removed[path.name] = len(shorter)
        for sink, mark in marks.items():
            lengths = json.loads(mark)
            if isinstance(lengths, dict) and isinstance(length := lengths.get(path.name), int):
                lengths[path.name] = length - sum(by for at, by in shorter if at < length)
                marks[sink] = json.dumps(lengths)
    people = {str(person_id).encode() for person_id in correction.person_ids}
    for path in sorted(folder.glob("mot/*.txt")):
        shorter = _rewritten(path, lambda line: b"" if line.split(b",", 2)[1] in people else line)
        removed[f"mot/{path.name}"] = len(shorter)
    for path in sorted(folder.glob("annotated/*.*")):
        if path.suffix != ".sqlite":
            path.unlink()
            removed[f"annotated/{path.name}"] = 1
    return removed, marks


def erase_stores(folder: Path, parts: Sequence[TrackPart]) -> tuple[dict[str, int], list[bytes]]:
    """Delete the rows of these parts of tracks from every SQLite file except ledgers.

    They go from each table with the columns ``track`` and ``part``. A file may have a view ``files_of_parts`` with the
    columns ``track``, ``part`` and ``file``: these files, beside it, show the part and are deleted as well.

    Returns:
        How many rows and files were deleted, by table, and fragments of the files for the check.

    Raises:
        ConnectorError: If a file cannot be changed or deleted.
    """
    removed: dict[str, int] = {}
    needles: list[bytes] = []
    for path in sorted(folder.rglob("*.sqlite")):
        if path.name.startswith("ledger"):
            continue
        try:
            database = sqlite3.connect(path, timeout=10)
            database.execute("PRAGMA secure_delete = ON")
            kinds = dict(database.execute("SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')"))
            files = _files_of(database, path.parent, parts) if kinds.get(FILES) == "view" else []
            for name in (name for name, kind in kinds.items() if kind == "table"):
                columns = {row[1] for row in database.execute(f'PRAGMA table_info("{name}")')}
                if {"track", "part"} <= columns:
                    removed[f"{path.relative_to(folder)} {name}"] = database.executemany(
                        f'DELETE FROM "{name}" WHERE track = ? AND part = ?',
                        [(str(part.track_id), part.part) for part in parts],
                    ).rowcount
            database.commit()
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            database.close()
            for file in files:
                needles.append(_excerpt(file))
                file.unlink(missing_ok=True)
            if files:
                removed[f"{path.parent.relative_to(folder)} files"] = len(files)
        except (OSError, sqlite3.Error) as error:
            raise ConnectorError(
                why_failed(path, error, f"expected to erase from it, got {error}; erase once more")
            ) from error
    return removed, needles


def _files_of(database: sqlite3.Connection, folder: Path, parts: Sequence[TrackPart]) -> list[Path]:
    """Return the files of the view ``FILES`` that show these parts."""
    found: dict[str, None] = {}
    for part in parts:
        query = f"SELECT file FROM {FILES} WHERE track = ? AND part = ?"
        found |= dict.fromkeys(row[0] for row in database.execute(query, (str(part.track_id), part.part)))
    return [folder / file for file in found]


def _excerpt(file: Path) -> bytes:
    """Return an excerpt of a file that is in no other one; empty if it has none: then it is not searched for."""
    found = MARK.search(file.read_bytes()) if file.is_file() else None
    return found[0] if found else b""


def places_with(folder: Path, fragments: Sequence[bytes], lines: Sequence[bytes] = ()) -> tuple[str, ...]:
    """Return the files below a folder that still contain one of these fragments, or one of these texts of lines."""
    long = [fragment for fragment in fragments if len(fragment) >= MIN_NEEDLE_BYTES]
    wanted = [needle for needles in (long, lines) for needle in needles[:: 1 + len(needles) // MAX_NEEDLES]]
    return tuple(
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.stat().st_size and _holds(path, wanted)
    )


def _holds(path: Path, needles: Iterable[bytes]) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return any(data.find(needle) >= 0 for needle in needles if needle)


def _rewritten(path: Path, changed: Callable[[bytes], bytes]) -> list[tuple[int, int]]:
    """Write a file again with its lines changed, or removed if nothing is left; return as ``erase_lines``."""
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [changed(line) if line.strip() else line for line in lines]
    starts = accumulate(map(len, lines), initial=0)
    shorter = [(at, len(old) - len(new)) for at, old, new in zip(starts, lines, kept, strict=False) if old != new]
    if shorter:
        unfinished = path.with_name(f".{path.name}")
        unfinished.write_bytes(b"".join(kept))
        os.replace(unfinished, path)
    return shorter
