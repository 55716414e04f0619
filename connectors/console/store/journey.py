"""The journey of a person as one film: the clips of all cameras, one after the other."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from connectors.console.camera.best_pictures import Image, blurred
from connectors.console.camera.clips import FRAME_HW
from connectors.console.search.similarity import decoded
from connectors.console.store.export import CRF, pixels
from connectors.console.store.pictures import Clip
from connectors.pictures.video_writer import VideoWriter

MAX_CLIPS = 300
"""Clips in one film, the first; more take longer, and a film of a day is watched by nobody."""

ENLARGED = 3
"""Factor by which pictures are enlarged, so that the bar has room for a name and a date."""

MAX_NAME = 18
"""Letters of a camera's name in the bar; longer names are cut."""

LONGEST_GAP_S = 1.0
"""Seconds of film that pass while nobody sees the person, at most. More make films in which nothing happens."""

BAR_PX = 40
"""Height of the bar that says camera and time, pixels."""


def journey_film(clips: Sequence[Clip]) -> bytes:
    """Return clips as one mp4 in the order of time, in which other people cannot be recognised.

    Of two cameras at once, the one that saw the person first is shown until it loses them. A bar says which camera it
    is, and when.

    Args:
        clips: At least one.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journey.mp4"
        film = VideoWriter(path, crf=CRF, threads=1)
        last_at, now = -np.inf, 0.0
        for camera_id, at, image in _frames(sorted(clips, key=lambda clip: clip.captured_at[0])):
            if at <= last_at:
                continue
            now += min(at - last_at, LONGEST_GAP_S) if np.isfinite(last_at) else 0.0
            film.add(_with_bar(image, f"{camera_id[:MAX_NAME]}  {_time_text(at)}"), now)
            last_at = at
        film.finish()
        return path.read_bytes()


def _frames(clips: Sequence[Clip]) -> Iterator[tuple[str, float, Image]]:
    for clip in clips[:MAX_CLIPS]:
        frames = np.split(decoded(clip.jpeg), len(clip.captured_at), axis=1)
        for at, image, heads in zip(clip.captured_at, frames, clip.heads_xyxy, strict=True):
            shown = blurred(np.ascontiguousarray(image), pixels(heads, image))
            size = (FRAME_HW[1] * ENLARGED, FRAME_HW[0] * ENLARGED)
            yield (
                clip.part.track_id.camera_id,
                at,
                np.asarray(cv2.resize(shown, size, interpolation=cv2.INTER_CUBIC), np.uint8),
            )


def _with_bar(image: Image, text: str) -> Image:
    from connectors.pictures.drawing import INK, WHITE, lettering, paste  # here: it takes a second to import

    framed = np.vstack([np.full((BAR_PX, image.shape[1], 3), INK, np.uint8), image])
    letters = lettering(text, font_px=BAR_PX // 3, ink=WHITE, background=INK)
    paste(framed, letters, left=10, top=(BAR_PX - letters.image.shape[0]) // 2)
    return framed


def _time_text(at: float) -> str:
    """Return the time since the start of a recording, or date and time (UTC).

    Example:
        >>> _time_text(83.46), _time_text(1.7e9)
        ('1:23.4', '2023-11-14 22:13:20')
    """
    if abs(at) < 365 * 86400:
        return f"{int(at // 60)}:{int(at % 60):02}.{int(at * 10 % 10)}"
    return str(np.datetime64(int(at), "s")).replace("T", " ")
