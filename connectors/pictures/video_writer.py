"""Writes an H.264 video, frame by frame."""

import os
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import ConnectorError

TICKS_PER_S = 90_000
"""Unit of the times in the file, as in MPEG systems; more would be finer than any camera."""


class VideoWriter:
    """Writes an mp4 file whose frames keep their times. The file appears when it is complete.

    Args:
        path: The file.
        crf: Quality of libx264: 18 is very good, 28 is small.
        threads: Threads of the encoder; at least 1.
    """

    def __init__(self, path: Path, *, crf: int, threads: int) -> None:
        self._path = path
        self._unfinished = path.with_name(f".{path.name}")
        self._options = {"crf": str(crf), "preset": "veryfast"}
        self._threads = threads
        self._container: av.container.OutputContainer | None = None
        self._stream: av.VideoStream | None = None
        self._first_at = 0.0
        self._last_tick = -1

    def add(self, image: NDArray[np.uint8], captured_at: float) -> None:
        """Append a frame.

        Args:
            image: Shape ``(H, W, 3)``, uint8, RGB, even height and width, the same for all frames.
            captured_at: Unix seconds, increasing.

        Raises:
            ConnectorError: If it cannot be written.
        """
        try:
            if self._container is None:
                self._open(image, captured_at)
            assert self._container is not None
            assert self._stream is not None
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            tick = max(round((captured_at - self._first_at) * TICKS_PER_S), self._last_tick + 1)
            frame.pts, frame.time_base = tick, Fraction(1, TICKS_PER_S)
            self._last_tick = tick
            self._container.mux(self._stream.encode(frame))
        except (OSError, av.error.FFmpegError) as error:
            raise self._failed(error) from error

    def finish(self) -> None:
        """Write the rest and give the file its name. Without any frame there is no file.

        Raises:
            ConnectorError: If it cannot be written.
        """
        if self._container is None or self._stream is None:
            return
        try:
            self._container.mux(self._stream.encode(None))
            self._container.close()
            os.replace(self._unfinished, self._path)
        except (OSError, av.error.FFmpegError) as error:
            raise self._failed(error) from error

    def _open(self, image: NDArray[np.uint8], captured_at: float) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(str(self._unfinished), "w", format="mp4", options={"movflags": "+faststart"})
        stream = self._container.add_stream("libx264", rate=25, options=self._options)
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, TICKS_PER_S)
        stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
        stream.codec_context.thread_count = self._threads
        self._stream = stream
        self._first_at = captured_at

    def _failed(self, error: Exception) -> ConnectorError:
        return ConnectorError(
            f"{self._path}: expected to write it, got {error}; check space and rights, or leave out this sink"
        )
