"""JSON lines: ``sightings.jsonl``, ``corrections.jsonl`` and ``alerts.jsonl``.

Needs: nothing.
Guarantee: exactly once by ``flush`` (fsync), even if the match process is killed. A crash leaves no partial line.
When slow: ``write`` waits for the disk; a full disk is a ``ConnectorError`` that names the file.
Secrets: none.
"""

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from connectors.sinks.append_file import AppendFile
from pipeline.core import Alert, Correction, CorrectionKind, Record, Sighting
from pipeline.core.errors import ConnectorError
from pipeline.ledger.codec import to_line
from pipeline.ledger.erasure import erase_lines

logger = logging.getLogger(__name__)

BLOCK = 65536
"""Bytes read at once in the search for the end of the last line."""


class JsonlSink:
    """Appends every record as one line to the file of its kind.

    The constructor creates the three files, so that they exist even if nothing happens, and cuts a partial line that a
    crash left at the end of an existing file.

    Args:
        output_dir: Folder of the files; created if it does not exist.

    Raises:
        ConnectorError: If a file cannot be opened.
    """

    def __init__(self, *, output_dir: str) -> None:
        folder = Path(output_dir)
        names = {Sighting: "sightings.jsonl", Correction: "corrections.jsonl", Alert: "alerts.jsonl"}
        for name in names.values():
            _cut_partial_line(folder / name)
        self._files: dict[type, AppendFile] = {kind: AppendFile(folder / name) for kind, name in names.items()}

    def write(self, records: Sequence[Record]) -> None:
        """Append all of the records or, after an error, none. Records of other kinds are ignored.

        Raises:
            ConnectorError: If the disk is full.
            WireFormatError: If a record holds a number that is not finite.
        """
        lines: dict[type, list[bytes]] = {kind: [] for kind in self._files}
        for record in records:
            if type(record) in lines:
                lines[type(record)].append(to_line(record))
        before = {file: file.num_bytes for file in self._files.values()}
        try:
            for kind, file in self._files.items():
                file.append(b"".join(lines[kind]))
        except ConnectorError:
            for file, num_bytes in before.items():
                if file.num_bytes > num_bytes:
                    file.truncate(num_bytes)
            raise
        for record in records:
            if isinstance(record, Correction) and record.kind is CorrectionKind.ERASED:
                self._erase(record)

    def _erase(self, erased: Correction) -> None:
        """Delete the lines about an erased person from the files."""
        for kind, file in self._files.items():
            file.close()
            try:
                erase_lines(file.path, erased)
            except OSError as error:
                raise ConnectorError(f"{file.path}: expected to erase from it, got {error.strerror}") from error
            self._files[kind] = AppendFile(file.path)

    def flush(self) -> None:
        """Return when every line is on the disk. Raises ``ConnectorError`` as ``write``."""
        for file in self._files.values():
            file.sync()

    def mark(self) -> str:
        """Return the length of each file."""
        return json.dumps({file.path.name: file.num_bytes for file in self._files.values()})

    def rewind(self, mark: str) -> None:
        """Cut what was written after a mark. A file that is shorter than its mark, because it was emptied, stays."""
        lengths = json.loads(mark)
        for file in self._files.values():
            if file.num_bytes > lengths.get(file.path.name, file.num_bytes):
                file.truncate(lengths[file.path.name])

    def close(self) -> None:
        """Close the files; idempotent."""
        for file in self._files.values():
            file.close()


def _cut_partial_line(path: Path) -> None:
    """Cut what follows the last line feed, if the file exists."""
    try:
        if not path.exists():
            return
        with path.open("r+b") as file:
            length = file.seek(0, os.SEEK_END)
            end = _after_last_line_feed(file, length)
            if end < length:
                logger.warning("%s: cut a partial line that an earlier run left", path.name)
                file.truncate(end)
    except OSError as error:
        raise ConnectorError(f"{path}: expected a writable file, got {error.strerror}; check rights") from error


def _after_last_line_feed(file: BinaryIO, length: int) -> int:
    """Return the offset after the last complete line, bytes; reads from the end, because files can be large."""
    end = length
    while end > 0:
        start = max(0, end - BLOCK)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
