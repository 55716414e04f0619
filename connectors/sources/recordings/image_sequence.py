"""A folder of images as a sequence: their order, and the numbers and times that their names hold."""

import math
import re
from collections.abc import Iterable, Mapping
from configparser import ConfigParser, DuplicateOptionError, SectionProxy
from configparser import Error as IniError
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, pairwise
from pathlib import Path

from pipeline.core.camera_uri import IMAGE_SUFFIXES, is_video_name

MAX_SPARSE = 100
"""Numbers for each image, on average, from which they are no frame numbers. More accept longer holes."""

_MOMENT = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])([-_.T ]{0,2})"
    r"([01]\d|2[0-3])[-_.:]?([0-5]\d)[-_.:]?([0-5]\d)(?:[-_.,]?(\d{3})|[.,](\d{1,9}))?(?!\d)"
    r"(?:([+-])(0\d|1[0-4])[-_.:]?([0-5]\d)(?!\d))?"
)
"""Date and time: 2026-11-29T08-00-00, 20261129_080000.250, 20261129080000250, as cameras and recorders write them.

Then hours and minutes east of UTC: 20261129T080000+0200. West of UTC (-0500) only behind a T, or it may be a number.
"""

_EPOCH = re.compile(r"(?<!\d)(1\d{9})(?:(\d{3})|[.,](\d{1,9}))?(?!\d)")
"""Unix seconds of 2001 to 2033, also with a fraction, or milliseconds."""


class UnreadableFolderError(Exception):
    """A folder is no sequence of images."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One image of a sequence.

    Attributes:
        path: The file.
        index: The frame's number, from 0.
        seconds: Since the sequence began.
    """

    path: Path
    index: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ImageSequence:
    """The images of a folder, in order.

    Attributes:
        images: At least one.
        fps: Images a second.
        began_at: Unix seconds of second 0, from the names; None if they do not say.
        num_missing: Images that ``seqinfo.ini`` promises and that are not there.
        note: What was made of the names, where that is not what most of them say; empty if it is.
    """

    images: tuple[ImageFile, ...]
    fps: float
    began_at: float | None = None
    num_missing: int = 0
    note: str = ""


def read_sequence(folder: Path, fps: float) -> ImageSequence:
    """Return the sequence in a folder.

    - With ``seqinfo.ini`` it is a MOT sequence: the numbers in the names count from 1, or from 0 if there is a 0.
    - Names with a date and time, or with Unix seconds, say when each image was taken. UTC is assumed, unless they say
      how far from it.
    - Other numbers count frames, from the first image on; a hole in them is a hole in time.
    - Else the images follow one another.

    Args:
        folder: The folder, or one with ``seqinfo.ini``.
        fps: Images a second where nothing says.

    Raises:
        UnreadableFolderError: If there is no image, or ``seqinfo.ini`` cannot be read.
    """
    promised, where, is_mot = 0, folder, (folder / "seqinfo.ini").is_file()
    if is_mot:
        where, fps, promised = _read_seqinfo(folder)
    try:
        paths = [path for path in where.iterdir() if _is_image(path)]
        videos = [] if is_mot else [path for path in where.iterdir() if is_video_name(path)]
    except OSError as error:
        raise UnreadableFolderError(
            f"expected a folder of images, got {error.strerror} for {where}; correct the path"
        ) from error
    if not paths:
        deeper = next((path.parent for path in sorted(where.glob("*/**/*")) if _is_image(path)), None)
        raise UnreadableFolderError(
            f"expected {promised or 'some'} images ({', '.join(IMAGE_SUFFIXES)}), got 0 in {where}; "
            + (
                f"name a folder in it, such as {deeper}"
                if deeper
                else "correct the path, or save other kinds as one of these"
            )
        )
    if videos:
        raise UnreadableFolderError(
            f"expected images or videos, got {len(paths)} and {len(videos)} in {where}; for the videos name a pattern, "
            f"such as {where / f'*{videos[0].suffix}'}, or move one kind away"
        )
    moments, unread = in_order(paths)
    paths = list(moments)
    if not is_mot and None not in moments.values():
        began_at = moments[paths[0]] or 0.0
        since = _spread([(moment or 0.0) - began_at for moment in moments.values()])
        images = tuple(ImageFile(path, n, seconds) for n, (path, seconds) in enumerate(zip(paths, since, strict=True)))
        return ImageSequence(images, fps, began_at)
    numbers, note = _numbers(paths, is_mot=is_mot)
    images = tuple(ImageFile(path, number, number / fps) for number, path in zip(numbers, paths, strict=True))
    note = note if is_mot else unread or note
    return ImageSequence(images, fps, None, max(0, promised - len(paths)), note)


def in_order(paths: Iterable[Path]) -> tuple[dict[Path, float | None], str]:
    """Return files in the order of the times in their names if all hold one, or else of their names.

    Args:
        paths: In any order.

    Returns:
        Each file and the Unix seconds that its name holds, as ``moment_in_name``, None if not all hold some; and what
        is said of those that hold none, empty if all do, or none.
    """
    moments = {path: moment_in_name(path.stem) for path in sorted(paths, key=natural_order)}
    if None in moments.values():
        return dict.fromkeys(moments), _without_time(moments)
    return dict(sorted(moments.items(), key=lambda each: each[1] or 0.0)), ""


def _without_time(moments: Mapping[Path, float | None]) -> str:
    without = [path.name for path, moment in moments.items() if moment is None]
    if len(without) == len(moments):
        return ""
    return (
        f"{len(moments) - len(without)} of {len(moments)} names hold a date and time, and {without[0]} holds none, "
        "so no name is read as a time; move it away, or rename it"
    )


def _spread(moments_s: list[float]) -> list[float]:
    """Spread those that are equal inside their second, up to the next one; ascending in, strictly ascending out."""
    times: list[float] = []
    ends = [*sorted(set(moments_s))[1:], math.inf]
    for (moment, same), end in zip(groupby(moments_s), ends, strict=True):
        count = len(list(same))
        times += [moment + place * min(1.0, end - moment) / count for place in range(count)]
    return times


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def _read_seqinfo(folder: Path) -> tuple[Path, float, int]:
    """Return the image folder, images a second and number of images of a MOT sequence."""
    path, parser = folder / "seqinfo.ini", ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UnreadableFolderError(f"{path}: expected a file, got {error.strerror}; correct it") from error
    except UnicodeDecodeError:
        raise UnreadableFolderError(f"{path}: expected text in UTF-8, got other bytes; save it as UTF-8") from None
    except DuplicateOptionError as error:
        raise UnreadableFolderError(
            f"{path}: expected each name once, got {error.option} again in line {error.lineno}; leave one out"
        ) from error
    except IniError as error:
        line = getattr(error, "lineno", None) or next((line for line, _ in getattr(error, "errors", ())), 1)
        raise UnreadableFolderError(
            f"{path}: expected [Sequence] and below it lines such as frameRate=30, got another line {line}; correct it"
        ) from error
    if "Sequence" not in parser:
        raise UnreadableFolderError(f"{path}: expected a line [Sequence], got none; add it above the others")
    section = parser["Sequence"]
    fps = _number(path, section, "frameRate")
    length = _number(path, section, "seqLength")
    if length != int(length):
        raise UnreadableFolderError(f"{path}: expected whole images as seqLength, got {length:g}; correct it")
    images = folder / section.get("imDir", "img1")
    if not images.is_dir():
        raise UnreadableFolderError(
            f"{path}: expected the images in the folder {images} (imDir), got no such folder; correct imDir"
        )
    return images, fps, int(length)


def _number(path: Path, section: SectionProxy, name: str) -> float:
    """Return a number above 0 from ``seqinfo.ini``."""
    text = section.get(name)
    if text is None:
        raise UnreadableFolderError(f"{path}: expected {name} below [Sequence], got none; add it")
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise UnreadableFolderError(f"{path}: expected a number above 0 as {name}, got {text}; correct it")
    return number


def natural_order(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Return the sort key that puts frame_10 after frame_9."""
    parts = re.split(r"([0-9]+)", path.stem)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], path.name


def _numbers(paths: list[Path], *, is_mot: bool) -> tuple[list[int], str]:
    """Return the frame numbers, from 0, of images in order, and what is to be said of them."""
    in_order = list(range(len(paths)))
    found = [re.fullmatch(r"(.*?)([0-9]+)", path.stem) for path in paths]
    if None in found:
        without = paths[found.index(None)].name
        note = f"{without} does not end in a number, so the images are numbered by their order; move it away"
        return in_order, note if any(found) else ""
    names = [match.group(1) for match in found if match is not None]
    numbers = [int(match.group(2)) for match in found if match is not None]
    steps = [after - before for before, after in pairwise(numbers)]
    if len(set(names)) > 1 or any(step <= 0 for step in steps):
        first = {number: path for path, number in reversed(list(zip(paths, numbers, strict=True)))}
        twice = next((path.name for path, number in zip(paths, numbers, strict=True) if first[number] != path), "")
        note = f"the number of {twice} stands twice, so the images are numbered by their order; move one away"
        return in_order, note if twice else ""
    if is_mot:
        return [number - (1 if numbers[0] > 0 else 0) for number in numbers], ""
    step = math.gcd(*steps) or 1  # every tenth frame, kept by itself, is a sequence of its own rate
    if numbers[-1] - numbers[0] >= MAX_SPARSE * step * len(numbers):
        return in_order, ""
    note = f"the numbers in the names go up in steps of {step}, which count as one frame each; fps is the rate of these"
    return [(number - numbers[0]) // step for number in numbers], note if step > 1 and len(numbers) > 1 else ""


def moment_in_name(stem: str) -> float | None:
    """Return the Unix seconds that a name holds; None if it holds none."""
    if (found := _MOMENT.search(stem)) is not None:
        year, month, day, between, hour, minute, second, thousandths, fraction, sign, east_h, east_min = found.groups()
        try:
            named = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
        except ValueError:  # the 31st of a month of 30 days
            return None
        at = named.timestamp() + float(f"0.{thousandths or fraction or 0}")
        if sign == "+" or (sign == "-" and "T" in between):
            at -= int(f"{sign}1") * (3600 * int(east_h) + 60 * int(east_min))
        return at
    if (found := _EPOCH.search(stem)) is not None:
        seconds, thousandths, fraction = found.groups()
        return float(f"{seconds}.{thousandths or fraction or 0}")
    return None
