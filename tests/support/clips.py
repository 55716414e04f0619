"""Short recordings with known content."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

RED = (200, 30, 40)
FPS = 10
HW = (120, 160)


def picture(index: int, colour: tuple[int, int, int] = RED, hw: tuple[int, int] = HW) -> NDArray[np.uint8]:
    """Return an image of one colour with a grey bar that grows with ``index``."""
    image = np.full((*hw, 3), colour, np.uint8)
    image[: hw[0] // 8, : (4 * index) % hw[1]] = 128
    return image


def make_clip(
    path: Path,
    num_frames: int = 30,
    fps: int = FPS,
    times_ms: Sequence[int] | None = None,
    codec: str = "libx264",
    hw: tuple[int, int] = HW,
    noisy: bool = False,
    movflags: str = "+faststart",
    codec_options: dict[str, str] | None = None,
    file_format: str | None = None,
    pix_fmt: str = "yuv420p",
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write a clip in the format of the path's suffix. ``noisy`` makes each picture a few kilobytes."""
    rng = np.random.default_rng(0)
    options = {"movflags": movflags} if path.suffix == ".mp4" else (container_options or {})
    with av.open(str(path), "w", format=file_format, options=options) as container:
        stream = container.add_stream(codec, rate=fps, options=codec_options or {})
        stream.height, stream.width = hw
        stream.pix_fmt = pix_fmt
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000) if times_ms else Fraction(1, fps)
        for index in range(num_frames):
            image = rng.integers(0, 256, (*hw, 3), np.uint8) if noisy else picture(index, hw=hw)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = times_ms[index] if times_ms else index
            frame.time_base = stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def cut_off(path: Path, share: float = 0.5) -> Path:
    """Keep only the first ``share`` of a file; return the path."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path
