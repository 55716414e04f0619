"""Every box of every person, kept on disk until it is known who is who."""

import json
import shutil
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from connectors.sinks.append_file import AppendFile
from connectors.sinks.box_store import StoredPart, read_boxes, write_boxes
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
"""One box of the result; ``is_filled``: nobody detected it, it was interpolated."""


class FinalBoxes:
    """Boxes of all cameras by their final person.

    Boxes wait in one binary file per camera, and who is who in a file of its own, so that a process that takes over
    from one that died goes on with them. In memory is only who is who.

    Args:
        folder: The files wait in its subfolder ``.spool``, which ``close`` removes. What is in it now is set aside,
            and comes back with ``rewind``. What ``keep`` leaves in ``boxes.sqlite`` comes back with ``bring_back``.

    Raises:
        ConnectorError: If the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._kept = folder / "boxes.sqlite"
        self._spool = folder / ".spool"
        self._aside = folder / ".spool-before"
        self._tracks = FinalTracks()
        self._files: dict[str, AppendFile] = {}
        self._frame_hw: dict[str, tuple[int, int]] = {}
        try:
            if self._spool.exists():
                shutil.rmtree(self._aside, ignore_errors=True)
                self._spool.rename(self._aside)
            self._spool.mkdir(parents=True)
        except OSError as error:
            raise ConnectorError(
                f"{self._spool}: expected to make this folder, got {error.strerror}; check rights"
            ) from error
        self._who = AppendFile(self._spool / "who.jsonl")

    def mark(self) -> str:
        """Return where it stands."""
        cameras = [(camera_id, file.num_bytes, self._frame_hw[camera_id]) for camera_id, file in self._files.items()]
        return json.dumps({"who": self._who.num_bytes, "cameras": cameras})

    def rewind(self, mark: str) -> bool:
        """Go back to where another one stood; return False if nothing of it is left, for it was closed."""
        if not (self._aside / "who.jsonl").exists():
            return False
        stood = json.loads(mark)
        self._who.close()
        shutil.rmtree(self._spool)
        self._aside.rename(self._spool)
        self._who = AppendFile(self._spool / "who.jsonl")
        self._who.truncate(stood["who"])
        for number, (camera_id, num_bytes, frame_hw) in enumerate(stood["cameras"]):
            self._files[camera_id] = AppendFile(self._spool / f"{number}.boxes")
            self._files[camera_id].truncate(num_bytes)
            self._frame_hw[camera_id] = (frame_hw[0], frame_hw[1])
        for unknown in self._spool.glob("*.boxes"):
            if int(unknown.stem) >= len(self._files):
                unknown.unlink()
        with (self._spool / "who.jsonl").open("rb") as lines:
            for line in lines:
                self._follow(json.loads(line))
        return True

    @property
    def camera_ids(self) -> tuple[str, ...]:
        """The cameras that somebody was seen in, in order of appearance."""
        return tuple(self._files)

    def frame_hw(self, camera_id: str) -> tuple[int, int] | None:
        """Return height and width of a camera's frames, pixels; None if it saw nobody."""
        return self._frame_hw.get(camera_id)

    def write(self, records: Sequence[Record]) -> None:
        """Take sightings and corrections, in order; ignore the rest.

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

    def boxes(self, camera_id: str, *, max_gap_s: float) -> NDArray[np.void]:
        """Return the boxes of one camera, by frame, then person.

        Holes inside one track of up to ``max_gap_s`` are filled by linear interpolation. Where two boxes of a
        frame are the same person's, the one with the higher score stays.

        Args:
            camera_id: Which.
            max_gap_s: Seconds between two boxes of a track.

        Returns:
            Shape ``(N,)``, dtype ``FINAL``; empty for a camera that saw nobody.
        """
        file = self._files.get(camera_id)
        if file is None:
            return np.zeros(0, FINAL)
        try:
            spooled = np.fromfile(file.path, SPOOLED)
        except OSError as error:
            raise ConnectorError(f"{file.path}: expected to read it, got {error.strerror}; run again") from error
        return final_boxes(spooled, self._tracks.finals(), max_gap_s=max_gap_s)

    def keep(self) -> None:
        """Leave the boxes of everybody who was not erased in one file, for ``bring_back``.

        Raises:
            ConnectorError: If the disk does not take it.
        """
        parts, finals = self._tracks.parts(), self._tracks.finals()
        pieces: dict[int, StoredPart] = {}
        for camera_id, file in self._files.items():
            spooled = np.fromfile(file.path, SPOOLED)
            for rows in np.split(spooled, np.flatnonzero(np.diff(spooled["slot"])) + 1):
                slot = int(rows["slot"][0])
                if finals.person_ids[slot] != NOBODY:
                    pieces[slot] = StoredPart(parts[slot], self._frame_hw[camera_id], rows.tobytes())
        write_boxes(self._kept, [pieces[slot] for slot in sorted(pieces)])

    def bring_back(self, person_of: Callable[[TrackPart], int]) -> None:
        """Take in what another one kept, with who is who now; parts that nobody knows any more are left out.

        Raises:
            ConnectorError: If nothing was kept, it is damaged, or none of it is known; this one is closed then.
        """
        try:
            kept = read_boxes(self._kept)
            people = [person_of(part.part) for part in kept]
            if kept and set(people) == {NOBODY}:
                raise ConnectorError(f"{self._kept}: expected boxes of people whom the ledger knows, got none of them")
        except ConnectorError:
            self.close()
            raise
        for part, person_id in zip(kept, people, strict=True):
            if person_id != NOBODY:
                slot, _ = self._tracks.see(part.part, person_id)
                rows = np.frombuffer(part.boxes, SPOOLED).copy()
                rows["slot"] = slot
                self._append(part.part.track_id.camera_id, part.frame_hw, rows.tobytes())

    def close(self) -> None:
        """Remove the files; idempotent."""
        for file in (self._who, *self._files.values()):
            file.close()
        shutil.rmtree(self._spool, ignore_errors=True)
        shutil.rmtree(self._aside, ignore_errors=True)

    def _spool_boxes(self, sightings: Sequence[Sighting]) -> None:
        """Append the boxes of parts that were not seen before, one piece per camera."""
        pieces: dict[str, tuple[tuple[int, int], list[bytes]]] = {}
        self._who.append(b"".join(_who_line(sighting) for sighting in sightings))
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
            pieces.setdefault(sighting.track_id.camera_id, (path.frame_hw, []))[1].append(rows.tobytes())
        for camera_id, (frame_hw, rows_of_camera) in pieces.items():
            self._append(camera_id, frame_hw, b"".join(rows_of_camera))

    def _append(self, camera_id: str, frame_hw: tuple[int, int], rows: bytes) -> None:
        self._frame_hw[camera_id] = frame_hw
        if camera_id not in self._files:
            self._files[camera_id] = AppendFile(self._spool / f"{len(self._files)}.boxes")
        self._files[camera_id].append(rows)

    def _follow(self, who: dict[str, object]) -> None:
        """Take in a line that another one wrote of who is who."""
        if "event" in who:
            self._tracks.correct(correction_from_dict(who))
        else:
            part, person_id = who["part"], who["person_id"]
            assert isinstance(person_id, int)
            self._tracks.see(TrackPart.parse(str(part)), person_id)


def _who_line(sighting: Sighting) -> bytes:
    who = {"part": str(TrackPart(sighting.track_id, sighting.part)), "person_id": sighting.person_id}
    return json.dumps(who).encode("ascii") + b"\n"


def final_boxes(spooled: NDArray[np.void], finals: Finals, *, max_gap_s: float) -> NDArray[np.void]:
    """Return spooled boxes with their persons, holes filled, one per person and frame.

    Args:
        spooled: Shape ``(N,)``, dtype ``SPOOLED``, any order.
        finals: Who is who.
        max_gap_s: Seconds between two boxes of a track.

    Returns:
        Shape ``(M,)``, dtype ``FINAL``, ascending frame, then person.
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
    """Return the boxes that are missing inside tracks; input by track, then frame."""
    person_ids = finals.person_ids[detected["slot"]]
    track_numbers = finals.track_numbers[detected["slot"]]
    before, after = detected[:-1], detected[1:]
    steps = after["index"] - before["index"]
    # Times come from frame rates: a hole of exactly max_gap_s must not depend on the last bit.
    is_hole = (
        (track_numbers[:-1] == track_numbers[1:])
        & (person_ids[:-1] == person_ids[1:])
        & (steps > 1)
        & (after["captured_at"] - before["captured_at"] <= max_gap_s + 1e-6)
    )
    before, after, steps = before[is_hole], after[is_hole], steps[is_hole]
    num_missing = steps - 1
    hole = np.repeat(np.arange(len(steps)), num_missing)
    # 1, 2, 3 … within each hole.
    step = np.arange(len(hole)) - np.repeat(np.cumsum(num_missing) - num_missing, num_missing) + 1
    weight = step / steps[hole]

    filled = np.zeros(len(hole), SPOOLED)
    filled["slot"] = before["slot"][hole]
    filled["index"] = before["index"][hole] + step
    filled["score"] = np.minimum(before["score"], after["score"])[hole]
    for name, weights in (("captured_at", weight), ("box_xyxy", weight[:, None])):
        start, end = before[name][hole].astype(np.float64), after[name][hole].astype(np.float64)
        filled[name] = start + weights * (end - start)
    return filled


def check_file_name(camera_id: str) -> None:
    """Raise unless a camera's name can be a file's name.

    Raises:
        ConfigError: If it cannot.
    """
    if not camera_id or camera_id.startswith(".") or any(sign in camera_id for sign in "/\\\0"):
        raise ConfigError(
            f"site.cameras: expected a name that can be a file's name, got {camera_id!r}; rename the camera"
        )
