"""A test picture of a camera that is no part of the run yet: what it shows, how large, how often, and what is wrong."""

from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np

from connectors.console.camera.best_pictures import encoded
from pipeline.cli.cameras.changes import plan_camera
from pipeline.config.composition import load_written, resolved
from pipeline.core.errors import ConfigError, SourceLostError
from pipeline.core.plugin_contract import blaming, made
from pipeline.runtime.cameras.paced_frames import LOW_FPS

WATCH_S = 2.0
"""Seconds in which frames are counted. More tell the rate of slow cameras better, and take longer."""

MAX_FRAMES = 60
"""Frames after which no more are counted: recordings give them as fast as they are read."""

FLAT = 2.0
"""Standard deviation of a picture, of 255, below which it shows nothing: a covered lens, or a camera that starts."""

QUALITY = 85
"""JPEG quality, in [1, 100]."""


def try_camera(folder: Path, name: str, entry: object) -> tuple[dict[str, Any], bytes]:
    """Return what a camera sends, and its first picture as JPEG, covered as the site's privacy masks say.

    Args:
        folder: Output folder of the run, which knows the sources.
        name: Of the camera.
        entry: As in ``site.cameras``.

    Raises:
        ConfigError: If it could not be added, its detector included, cannot be read, or breaks off before its first
            picture; one line that says why.
    """
    key = f"site.cameras.{name}"
    _, planned = plan_camera(load_written(folder / "config.yaml"), name, resolved(entry, key))
    make_source = planned.make_sources[name]
    source = made(key, make_source)
    timer = Timer(WATCH_S, source.close)
    times: list[float] = []
    image = None
    try:
        with blaming(key, source):
            for frame in source.frames():
                if image is None:
                    image = frame.image
                    timer.start()
                times.append(frame.stamp.captured_at)
                if len(times) == MAX_FRAMES:
                    break
    except SourceLostError as error:
        if image is None:  # else it broke off later, and the rate tells
            raise ConfigError(f"{key}: {error}") from error
    finally:
        timer.cancel()
        source.close()
    if image is None:
        raise ConfigError(f"{key}: expected a picture, got none; check the address")
    height, width = image.shape[:2]
    span_s = times[-1] - times[0]
    rate_hz = round((len(times) - 1) / span_s, 1) if span_s > 0 else None
    found = {"width": width, "height": height, "rate_hz": rate_hz, "is_live": bool(source.live)}
    return {**found, "wrong": _wrong(float(np.std(image)), rate_hz)}, encoded(image, QUALITY)


def _wrong(spread: float, rate_hz: float | None) -> str:
    """Return in a line what is wrong with what a camera sends; empty if nothing is."""
    if spread < FLAT:
        return "The picture has one colour: the lens may be covered."
    if rate_hz is None:
        return f"Only one picture came in two seconds: people are lost below {LOW_FPS:g} pictures a second."
    return f"{rate_hz:g} pictures a second are few: people are lost below {LOW_FPS:g}." if rate_hz < LOW_FPS else ""
