"""The box store of the end-of-run sinks: every box, on disk until the final identities are known."""

import json
import secrets
import shutil
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectors.sinks.append_file import AppendFile
from connectors.sinks.box_store import StoredPart, read_boxes, read_fates, read_masks, write_boxes
from pipeline.core import Correction, Record, Sighting, TrackPart
from pipeline.core.errors import ConfigError, ConnectorError
from pipeline.ledger import NOBODY, Finals, FinalTracks
from pipeline.ledger.codec import correction_from_dict, to_line

SPOOLED = np.dtype(
    [("slot", "<i4"), ("index", "<i8"), ("captured_at", "<f8"), ("box_xyxy", "<f4", (4,)), ("score", "<f4")]
)
"""One box on disk: 40 bytes."""

FINAL = np.dtype(
    [
        ("index", "<i8"),
        ("person_id", "<i8"),
        ("captured_at", "<f8"),
        ("box_xyxy", "<f4", (4,)),
        ("score", "<f4"),
        ("is_filled", "?"),
    ]
)
"""One box of the result; ``is_filled``: it was interpolated, not detected."""


class FinalBoxes:
    """Boxes of all cameras by their final person; a sink whose files are written by ``close``.

    The boxes are in one binary file per camera and the identities in another file, so that a process that replaces
    a killed one continues with them. Only the identities are in memory.

    Args:
        folder: The files are in its subfolder ``.spool``, which ``close`` removes. What an earlier process left there
            is moved away, and ``rewind`` moves it back. ``close`` writes ``boxes.sqlite``, the box store, from which
            ``rewind`` continues a run that has ended, and which ``re_export`` reads.
        camera_ids: The cameras that get a file in ``folder``.
        write_files: Writes the files of the end of the run. It is not called again after an error.
        keeps_masks: Whether boxes of erased people are kept, without whose they are, to cover them in films.

    Raises:
        ConfigError: If a camera's name cannot be the name of a file.
        ConnectorError: If the folder cannot be made.
    """

    def __init__(
        self, folder: Path, camera_ids: Iterable[str], write_files: Callable[[], None], *, keeps_masks: bool = False
    ) -> None:
        for camera_id in camera_ids:
            _check_file_name(camera_id)
        self._write_files = write_files
        self._store = folder / "boxes.sqlite"
        self._spool = folder / ".spool"
        self._folder = folder
        self._tracks = FinalTracks()
        self._files: dict[str, AppendFile] = {}
        self._frame_hw: dict[str, tuple[int, int]] = {}
        self._keeps_masks = keeps_masks
        self._masks: list[tuple[str, bytes]] = []
        self._is_done = False
        try:
            if self._spool.exists():
                self._spool.rename(folder / f".spool-before-{len(self._spools())}")
            self._spool.mkdir(parents=True)
        except OSError as error:
            raise ConnectorError(
                f"{self._spool}: expected to make this folder, got {error.strerror}; check rights"
            ) from error
        self._name: str | None = secrets.token_hex(8)
        self._who = AppendFile(self._spool / "who.jsonl")
        self._who.append(_line({"spool": self._name}))

    def mark(self) -> str:
        """Return the name of the spool and the lengths of its files."""
        cameras = [(camera_id, file.num_bytes, self._frame_hw[camera_id]) for camera_id, file in self._files.items()]
        return json.dumps({"spool": self._name, "who": self._who.num_bytes, "cameras": cameras})

    def rewind(self, mark: str) -> None:
        """Return to the mark of an earlier process: in the spool that it left or, if it had finished, the box store.

        A process that continues from the store leaves a spool as well, but of another name: as long as the mark is of
        the one before, the store is whole.
        """
        lengths = json.loads(mark)
        if self._store.exists():
            self._masks = read_masks(self._store)
        earlier = [path for path in self._spools() if _name_of(path) == lengths.get("spool")]
        if not earlier:
            self._continue_from_store()
            return
        self._name = lengths.get("spool")
        self._who.close()
        shutil.rmtree(self._spool)
        earlier[0].rename(self._spool)
        for other in {*self._spools()} - {self._spool}:
            shutil.rmtree(other, ignore_errors=True)
        self._who = AppendFile(self._spool / "who.jsonl")
        self._who.truncate(lengths["who"])
        for number, (camera_id, num_bytes, frame_hw) in enumerate(lengths["cameras"]):
            self._files[camera_id] = AppendFile(self._spool / f"{number}.boxes")
            self._files[camera_id].truncate(num_bytes)
            self._frame_hw[camera_id] = (frame_hw[0], frame_hw[1])
        for unknown in self._spool.glob("*.boxes"):
            if int(unknown.stem) >= len(self._files):
                unknown.unlink()
        with (self._spool / "who.jsonl").open("rb") as lines:
            for line in lines:
                self._follow(json.loads(line))

    def _spools(self) -> list[Path]:
        """Return all spools: of earlier processes several, if some ended before ``rewind``, as on a full disk."""
        return sorted(self._folder.glob(".spool*"))

    def _continue_from_store(self) -> None:
        """Take all boxes and identities from the store; without a store there is nothing to continue."""
        if not self._store.exists():
            return
        fates = read_fates(self._store)
        self._tracks.follow(fates)
        self._who.append(_line({"fates": fates}))
        for stored in read_boxes(self._store):
            slot, _ = self._tracks.see(stored.part, stored.person_id)
            self._who.append(_who_line(stored.part, stored.person_id))
            self._append_stored(slot, stored)

    @property
    def camera_ids(self) -> tuple[str, ...]:
        """The cameras that saw a person, in order of appearance."""
        return tuple(self._files)

    def frame_hw(self, camera_id: str) -> tuple[int, int] | None:
        """Return height and width of a camera's frames, pixels; None if it saw no person."""
        return self._frame_hw.get(camera_id)

    def write(self, records: Sequence[Record]) -> None:
        """Take sightings and corrections, in order; ignore other records.

        Raises:
            ConnectorError: If the disk is full.
        """
        for is_sighting, group in groupby(records, lambda record: isinstance(record, Sighting)):
            if is_sighting:
                self._spool_boxes([record for record in group if isinstance(record, Sighting)])
                continue
            for record in group:
                if isinstance(record, Correction):
                    self._tracks.correct(record)
                    self._who.append(to_line(record))

    def flush(self) -> None:
        """Do nothing: the files are written by ``close``."""

    def boxes(self, camera_id: str, *, max_gap_s: float) -> NDArray[np.void]:
        """Return the boxes of one camera, ordered by frame, then person.

        Gaps inside a track of up to ``max_gap_s`` are filled by linear interpolation. If a person has two boxes in
        a frame, the one with the higher score stays.

        Args:
            camera_id: The camera.
            max_gap_s: Seconds between two boxes of a track.

        Returns:
            Shape ``(N,)``, dtype ``FINAL``; empty for a camera that saw no person.

        Raises:
            ConnectorError: If the boxes cannot be read.
        """
        return final_boxes(self._spooled(camera_id), self._tracks.finals(), max_gap_s=max_gap_s)

    def masks(self, camera_id: str, *, max_gap_s: float) -> NDArray[np.void]:
        """Return the boxes of one camera that showed people who were erased, as ``boxes`` returns those of the others.

        The numbers of people mean nothing. Without ``keeps_masks``, only people who were erased in this run count.
        """
        finals, spooled = self._tracks.finals(), self._spooled(camera_id)
        erased = spooled[finals.person_ids[spooled["slot"]] == NOBODY]
        groups = [
            erased[finals.track_numbers[erased["slot"]] == track]
            for track in np.unique(finals.track_numbers[erased["slot"]])
        ]
        groups += [np.frombuffer(boxes, SPOOLED).copy() for camera, boxes in self._masks if camera == camera_id]
        for number, group in enumerate(groups):
            group["slot"] = number
        numbers = np.arange(len(groups))
        return final_boxes(np.concatenate([spooled[:0], *groups]), Finals(numbers, numbers), max_gap_s=max_gap_s)

    def _spooled(self, camera_id: str) -> NDArray[np.void]:
        file = self._files.get(camera_id)
        if file is None:
            return np.zeros(0, SPOOLED)
        try:
            return np.fromfile(file.path, SPOOLED)
        except OSError as error:
            raise ConnectorError(f"{file.path}: expected to read it, got {error.strerror}; run again") from error

    def re_export(self, person_of: Callable[[TrackPart], int]) -> None:
        """Take the boxes that an earlier run stored, with the identities as they are now; in place of ``write``.

        Args:
            person_of: Returns the person of a part of a track; ``NOBODY`` for a part that the ledger does not know,
                which is left out.

        Raises:
            ConnectorError: If there is no store, it is damaged, or the ledger knows none of its parts. ``close`` was
                called then.
        """
        try:
            stored, self._masks = read_boxes(self._store), read_masks(self._store)
            people = [person_of(part.part) for part in stored]
            if stored and set(people) == {NOBODY}:
                raise ConnectorError(f"{self._store}: expected boxes of people whom the ledger knows, got none of them")
        except ConnectorError:
            self._end(self._spools())
            raise
        for part, person_id in zip(stored, people, strict=True):
            if person_id != NOBODY:
                slot, _ = self._tracks.see(part.part, person_id)
                self._append_stored(slot, part)
            else:
                self._masks.append((part.part.track_id.camera_id, part.boxes))

    def close(self) -> None:
        """Write the files of the end of the run once, then the box store, then remove the spool; idempotent.

        Raises:
            ConnectorError: If the disk is full. The spool stays, for a run that continues this one.
        """
        if self._is_done:
            return
        spools: list[Path] = []
        try:
            self._write_files()
            self._write_store()
            spools = self._spools()
        finally:
            self._end(spools)

    def _end(self, spools: Sequence[Path]) -> None:
        self._is_done = True
        for file in (self._who, *self._files.values()):
            file.close()
        for spool in spools:
            shutil.rmtree(spool, ignore_errors=True)

    def _write_store(self) -> None:
        """Write the boxes of all people who were not erased to one file; of those who were, where they are covered."""
        parts, finals = self._tracks.parts(), self._tracks.finals()
        stored: dict[int, StoredPart] = {}
        masks = list(self._masks)
        for camera_id, file in self._files.items():
            spooled = np.fromfile(file.path, SPOOLED)
            for rows in np.split(spooled, np.flatnonzero(np.diff(spooled["slot"])) + 1):
                slot = int(rows["slot"][0])
                person_id = int(finals.person_ids[slot])
                if person_id != NOBODY:
                    stored[slot] = StoredPart(parts[slot], self._frame_hw[camera_id], rows.tobytes(), person_id)
                else:
                    masks.append((camera_id, rows.tobytes()))
        kept = masks if self._keeps_masks else None
        write_boxes(self._store, [stored[slot] for slot in sorted(stored)], self._tracks.fates(), kept)

    def _spool_boxes(self, sightings: Sequence[Sighting]) -> None:
        """Append the boxes of new parts, in one write per camera."""
        rows_by_camera: dict[str, tuple[tuple[int, int], list[bytes]]] = {}
        self._who.append(b"".join(_who_line(TrackPart(each.track_id, each.part), each.person_id) for each in sightings))
        for sighting in sightings:
            slot, is_first = self._tracks.see(TrackPart(sighting.track_id, sighting.part), sighting.person_id)
            if not is_first:
                continue
            path = sighting.path
            rows = np.zeros(len(path), SPOOLED)
            rows["slot"] = slot
            rows["index"] = path.indices
            rows["captured_at"] = path.captured_at
            rows["box_xyxy"] = path.boxes_xyxy
            rows["score"] = path.scores
            rows_by_camera.setdefault(sighting.track_id.camera_id, (path.frame_hw, []))[1].append(rows.tobytes())
        for camera_id, (frame_hw, rows_of_camera) in rows_by_camera.items():
            self._append(camera_id, frame_hw, b"".join(rows_of_camera))

    def _append_stored(self, slot: int, stored: StoredPart) -> None:
        """Append the boxes of a part from the store, which held them under another slot."""
        rows = np.frombuffer(stored.boxes, SPOOLED).copy()
        rows["slot"] = slot
        self._append(stored.part.track_id.camera_id, stored.frame_hw, rows.tobytes())

    def _append(self, camera_id: str, frame_hw: tuple[int, int], rows: bytes) -> None:
        self._frame_hw[camera_id] = frame_hw
        if camera_id not in self._files:
            self._files[camera_id] = AppendFile(self._spool / f"{len(self._files)}.boxes")
        self._files[camera_id].append(rows)

    def _follow(self, who: dict[str, Any]) -> None:
        """Apply one line of the identities that an earlier process wrote."""
        if "event" in who:
            self._tracks.correct(correction_from_dict(who))
        elif "fates" in who:
            self._tracks.follow((number, kept) for number, kept in who["fates"])
        elif "part" in who:
            self._tracks.see(TrackPart.parse(who["part"]), who["person_id"])


def _name_of(spool: Path) -> str | None:
    """Return the name of a spool; None if its process ended before it had one."""
    try:
        with (spool / "who.jsonl").open("rb") as lines:
            return str(json.loads(lines.readline())["spool"])
    except (OSError, ValueError, KeyError):  # none, or not a whole line
        return None


def _who_line(part: TrackPart, person_id: int) -> bytes:
    return _line({"part": str(part), "person_id": person_id})


def _line(who: dict[str, object]) -> bytes:
    return json.dumps(who).encode("ascii") + b"\n"


def final_boxes(spooled: NDArray[np.void], finals: Finals, *, max_gap_s: float) -> NDArray[np.void]:
    """Return spooled boxes with their people, gaps filled, one per person and frame.

    Args:
        spooled: Shape ``(N,)``, dtype ``SPOOLED``, any order.
        finals: The final identities.
        max_gap_s: Seconds between two boxes of a track.

    Returns:
        Shape ``(M,)``, dtype ``FINAL``, ordered by frame, then person.
    """
    track_numbers = finals.track_numbers[spooled["slot"]]
    detected = spooled[np.lexsort((spooled["index"], track_numbers))]
    filled = _between(detected, finals, max_gap_s)
    everything = np.concatenate([detected, filled])
    person_ids = finals.person_ids[everything["slot"]]

    final = np.zeros(len(everything), FINAL)
    for name in ("index", "captured_at", "box_xyxy", "score"):
        final[name] = everything[name]
    final["person_id"] = person_ids
    final["is_filled"][len(detected) :] = True
    final = final[person_ids != NOBODY]

    order = np.lexsort((final["is_filled"], -final["score"], final["person_id"], final["index"]))
    final = final[order]
    is_first = np.ones(len(final), np.bool_)
    is_first[1:] = (np.diff(final["index"]) != 0) | (np.diff(final["person_id"]) != 0)
    unique: NDArray[np.void] = final[is_first]
    return unique


def _between(detected: NDArray[np.void], finals: Finals, max_gap_s: float) -> NDArray[np.void]:
    """Return interpolated boxes for the gaps inside tracks; the input is ordered by track, then frame."""
    person_ids = finals.person_ids[detected["slot"]]
    track_numbers = finals.track_numbers[detected["slot"]]
    before, after = detected[:-1], detected[1:]
    steps = after["index"] - before["index"]
    # Times come from frame rates: whether a gap of exactly max_gap_s is filled must not depend on rounding.
    is_gap = (
        (track_numbers[:-1] == track_numbers[1:])
        & (person_ids[:-1] == person_ids[1:])
        & (steps > 1)
        & (after["captured_at"] - before["captured_at"] <= max_gap_s + 1e-6)
    )
    before, after, steps = before[is_gap], after[is_gap], steps[is_gap]
    num_missing = steps - 1
    gap = np.repeat(np.arange(len(steps)), num_missing)
    # 1, 2, 3 … inside each gap.
    step = np.arange(len(gap)) - np.repeat(np.cumsum(num_missing) - num_missing, num_missing) + 1
    weight = step / steps[gap]

    filled = np.zeros(len(gap), SPOOLED)
    filled["slot"] = before["slot"][gap]
    filled["index"] = before["index"][gap] + step
    filled["score"] = np.minimum(before["score"], after["score"])[gap]
    for name, weights in (("captured_at", weight), ("box_xyxy", weight[:, None])):
        start, end = before[name][gap].astype(np.float64), after[name][gap].astype(np.float64)
        filled[name] = start + weights * (end - start)
    return filled


def _check_file_name(camera_id: str) -> None:
    if not camera_id or camera_id.startswith(".") or any(sign in camera_id for sign in "/\\\0"):
        raise ConfigError(
            f"site.cameras: expected a name that can be the name of a file, got {camera_id!r}; rename the camera"
        )
