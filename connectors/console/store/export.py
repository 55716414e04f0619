"""A person's record as a zip: events, pictures and short films, without the faces of others."""

import io
import json
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from connectors.console.camera.best_pictures import Image, Rectangle, blurred, encoded
from connectors.console.camera.clips import FRAME_HW
from connectors.console.search.similarity import decoded
from connectors.console.store.pictures import Clip, Picture, PictureStore
from connectors.pictures.video_writer import VideoWriter
from pipeline.core import TrackPart

MAX_PICTURES = 500
"""Pictures in one export; with MAX_FILMS it bounds the memory that an export takes."""

MAX_FILMS = 200
"""Films in one export."""

QUALITY = 92
"""JPEG quality of pictures that are encoded again after others' heads were hidden, in [1, 100]."""

CRF = 23
"""Constant rate factor of films, the default of x264; higher means smaller files and less detail."""

ENLARGED = 2
"""Factor by which films are enlarged, because players scale small films badly."""

ABOUT = """\
What was kept of person {person_id}:
  record.json   {num_sightings} sightings, corrections and alerts
  pictures/     {num_pictures} pictures, the best of each sighting
  clips/        {num_films} short films of a few frames a second, one of each track
The heads of other people in pictures and films are made unrecognisable. Times are Unix seconds.
record.json says which picture and film shows which sighting.
Exported by {by}.
"""


def record_zip(
    person_id: int, parts: Sequence[TrackPart], record: dict[str, Any], pictures: PictureStore, *, by: str
) -> bytes:
    """Return a zip of everything that is kept of a person.

    Args:
        person_id: The person.
        parts: Parts of the tracks that show the person, in order of time.
        record: Content of ``record.json``; must have ``sightings``.
        pictures: Store of the pictures and clips.
        by: Name of the user who asks.
    """
    archive = io.BytesIO()
    files: list[dict[str, Any]] = []
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for part in parts:
            picture = pictures.get(part) if len(files) < MAX_PICTURES else None
            if picture is not None:
                name = f"pictures/{len(files) + 1:04}.jpg"
                file.writestr(name, _without_others(picture))
                files.append({"file": name, "track": str(part.track_id), "parts": [part.part]})
        num_pictures = len(files)
        for track_id in dict.fromkeys(part.track_id for part in parts):
            of_track = sorted(part for part in parts if part.track_id == track_id)
            shown = [(part, clip) for part in of_track if (clip := pictures.clip(part)) is not None]
            if shown and len(files) - num_pictures < MAX_FILMS:
                name = f"clips/{len(files) - num_pictures + 1:04}.mp4"
                file.writestr(name, film_of([clip for _, clip in shown]))
                files.append({"file": name, "track": str(track_id), "parts": [part.part for part, _ in shown]})
        file.writestr("record.json", json.dumps({**record, "files": files}, indent=1))
        about = ABOUT.format(
            person_id=person_id,
            num_sightings=len(record["sightings"]),
            num_pictures=num_pictures,
            num_films=len(files) - num_pictures,
            by=by,
        )
        file.writestr("README.txt", about)
    return archive.getvalue()


def film_of(clips: Sequence[Clip]) -> bytes:
    """Return clips, given in order of time, as one mp4 in which other people cannot be recognised."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        film = VideoWriter(path, crf=CRF, threads=1)
        last_at = -np.inf
        for clip in clips:
            frames = np.split(decoded(clip.jpeg), len(clip.captured_at), axis=1)
            for at, image, heads in zip(clip.captured_at, frames, clip.heads_xyxy, strict=True):
                if at > last_at:
                    size = (FRAME_HW[1] * ENLARGED, FRAME_HW[0] * ENLARGED)
                    shown = blurred(np.ascontiguousarray(image), pixels(heads, image))
                    film.add(np.asarray(cv2.resize(shown, size, interpolation=cv2.INTER_CUBIC), np.uint8), at)
                    last_at = at
        film.finish()
        return path.read_bytes()


def _without_others(picture: Picture) -> bytes:
    """Return a JPEG in which other people cannot be recognised."""
    if not picture.heads_xyxy:
        return picture.jpeg
    image = decoded(picture.jpeg)
    return encoded(blurred(image, pixels(picture.heads_xyxy, image)), QUALITY)


def pixels(shares_xyxy: Sequence[Rectangle], image: Image) -> list[Rectangle]:
    """Return rectangles in pixels of an image, of shares of it."""
    height, width = image.shape[:2]
    return [(a * width, b * height, c * width, d * height) for a, b, c, d in shares_xyxy]
