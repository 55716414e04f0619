"""Readers of ground truth and results: MOTChallenge files, PETS 2009 XML, and crops of an image."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from pipeline.core.boxes import area, intersection_matrix
from pipeline.core.errors import ConfigError, DataError
from pipeline.evaluation.track_table import TrackTable

MIN_VISIBLE = 0.25
"""Least share of a box inside a crop, in (0, 1], that keeps the box. A larger one drops more people at the border."""


def read_mot_truth(path: Path) -> TrackTable:
    """Read a ground truth of MOTChallenge; a row whose seventh field is 0 does not count (``TrackTable.counts``).

    Raises:
        ConfigError: If there is no such file.
        DataError: If a line has another format; the message names it.
    """
    return _read_mot(path, read_flags=True)


def read_mot(path: Path) -> TrackTable:
    """Read a MOTChallenge file; each row counts.

    A line starts with ``frame,id,left,top,width,height``; further fields are ignored. Frames count from 1 in the file
    and from 0 in the table.

    Raises:
        ConfigError: If there is no such file.
        DataError: If a line has another format; the message names it.
    """
    return _read_mot(path, read_flags=False)


def _read_mot(path: Path, *, read_flags: bool) -> TrackTable:
    rows, counts = [], []
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        fields = line.split(",")
        try:
            frame, identity, *box = (float(field) for field in fields[:6])
            counts.append(not read_flags or len(fields) < 7 or float(fields[6]) != 0)
        except ValueError as error:
            raise _not_mot(path, number, line) from error
        if len(box) != 4 or frame < 1 or not (frame.is_integer() and identity.is_integer()):
            raise _not_mot(path, number, line)
        rows.append((frame - 1, identity, *box))
    table = np.array(rows, np.float64).reshape(-1, 6)
    boxes_xyxy = np.concatenate([table[:, 2:4], table[:, 2:4] + table[:, 4:6]], axis=1).astype(np.float32)
    frames, ids = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    return TrackTable(frames, ids, boxes_xyxy, np.array(counts, np.bool_))


def read_pets(path: Path) -> TrackTable:
    """Read a ground truth in the XML of PETS 2009 (``<box xc yc w h>``, frames from 0).

    Raises:
        ConfigError: If there is no such file.
        DataError: If the file is not such XML.
    """
    rows = []
    try:
        for frame in ElementTree.fromstring(_read_text(path)).iter("frame"):
            for person in frame.iter("object"):
                box = person.find("box")
                if box is None:
                    raise DataError(f"{path}: expected a <box> in every <object>, got none; repair the file")
                center, size = (
                    np.array([float(box.attrib[key]) for key in keys]) for keys in (("xc", "yc"), ("w", "h"))
                )
                rows.append((frame.attrib["number"], person.attrib["id"], center - size / 2, center + size / 2))
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise DataError(
            f"{path}: expected the ground truth XML of PETS 2009, got {error!r}; give another file"
        ) from error
    return TrackTable(
        np.array([int(row[0]) for row in rows], np.int64),
        np.array([int(row[1]) for row in rows], np.int64),
        np.array([np.concatenate(row[2:]) for row in rows], np.float32).reshape(-1, 4),
    )


def cut_out(
    table: TrackTable, window_xyxy: tuple[float, float, float, float], *, min_visible: float = MIN_VISIBLE
) -> TrackTable:
    """Return the boxes that a camera would see that shows only a window of the image.

    Boxes are clipped to the window and shifted into its coordinates.

    Args:
        table: Boxes in the whole image.
        window_xyxy: Left, top, right, bottom, pixels.
        min_visible: In (0, 1]: boxes with a smaller share of their area in the window are left out.

    Example:
        >>> box = np.array([[90, 0, 110, 40]], np.float32)
        >>> one = TrackTable(np.array([0]), np.array([7]), box)
        >>> cut_out(one, (100, 0, 200, 100)).boxes_xyxy
        array([[ 0.,  0., 10., 40.]], dtype=float32)
        >>> len(cut_out(one, (100, 0, 200, 100), min_visible=0.6))
        0
    """
    window = np.array([window_xyxy], np.float32)
    visible = intersection_matrix(table.boxes_xyxy, window)[:, 0]
    kept = table.select((visible > 0) & (visible >= min_visible * area(table.boxes_xyxy)))
    left, top, right, bottom = window_xyxy
    shifted = np.clip(kept.boxes_xyxy, [left, top, left, top], [right, bottom, right, bottom])
    return TrackTable(kept.frames, kept.ids, (shifted - [left, top, left, top]).astype(np.float32))


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: expected a readable file, got {error.strerror}; give its path") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected UTF-8 text, got {error.reason}; give another file") from error


def _not_mot(path: Path, number: int, line: str) -> DataError:
    return DataError(
        f"{path}, line {number}: expected frame,id,left,top,width,height with frames from 1, "
        f"got {line[:80]!r}; repair the line"
    )
