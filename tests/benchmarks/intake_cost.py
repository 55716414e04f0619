"""Processor time of a frame from each source, against a bare loop of PyAV (of OpenCV for images) over the same input.

    PYTHONPATH=.:tests/support python tests/benchmarks/intake_cost.py

Bare loop and source read by turns; the median of five rounds counts. A ratio of .95 means that the source needs 1/.95
of the bare loop's processor time. Both convert every picture to RGB. With PASSERBY_SHARED, larger recordings are read
too: there, most of what is beyond the bare loop is fresh memory for each picture (``video_file.py``).
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from statistics import median

import av
import cv2
import numpy as np
from http_receiver import serving
from rich.console import Console
from rich.table import Table
from rtsp_server import RtspServer

from connectors.sources.images import ImagesSource
from connectors.sources.live import LiveSource
from connectors.sources.network import NetworkOpener
from connectors.sources.video_file import VideoFileSource
from connectors.sources.web_file import WebFile
from pipeline.core import Source

CLIP = Path(__file__).resolve().parents[2] / "connectors" / "synthetic" / "demo" / "east.mp4"
ROUNDS = 5
NUM_FRAMES = 150
"""Frames that each round reads."""


def bare(address: str, options: dict[str, str] | None = None) -> Iterator[np.ndarray]:
    with av.open(address, options=options or {}) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for number, picture in enumerate(container.decode(stream)):
            if number == NUM_FRAMES:
                return
            yield picture.to_ndarray(format="rgb24")


def bare_images(folder: Path) -> Iterator[np.ndarray]:
    for path in sorted(folder.iterdir()):
        yield cv2.cvtColor(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def frames(source: Source) -> Iterator[object]:
    for number, frame in enumerate(source.frames()):
        if number == NUM_FRAMES:
            break
        yield frame
    source.close()


def read_file(path: Path) -> Iterator[object]:
    yield from frames(VideoFileSource("east", str(path)))


def milliseconds(read: Callable[[], Iterator[object]]) -> float:
    """Return the processor time of a frame."""
    began, count = time.process_time(), 0
    for _ in read():
        count += 1
    return 1000 * (time.process_time() - began) / max(1, count)


class Quiet(SimpleHTTPRequestHandler):
    """Serves files; it knows no ranges, so the index of an mp4 file has to come first."""

    def log_message(self, *_: object) -> None:
        return


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    options = {"movflags": "+faststart"}
    with av.open(str(CLIP)) as clip, av.open(str(folder / "east.mp4"), "w", options=options) as copy:
        stream = copy.add_stream_from_template(clip.streams.video[0])
        for packet in clip.demux(video=0):
            if packet.size:
                packet.stream = stream
                copy.mux(packet)
    images = folder / "images"
    images.mkdir()
    for number, image in zip(range(100), bare(str(CLIP)), strict=False):
        cv2.imwrite(str(images / f"{number:04}.jpg"), image[:, :, ::-1])
    segments = folder / "segments"
    segments.mkdir()
    for number in range(3):
        (segments / f"part_{number}.mp4").write_bytes(CLIP.read_bytes())
    rtsp = folder / "rtsp"
    rtsp.mkdir()
    (rtsp / "east.mp4").write_bytes(CLIP.read_bytes())
    handler = partial(Quiet, directory=str(folder))
    table = Table(box=None, pad_edge=False)
    for heading in ("source", "bare loop, ms a frame", "source, ms a frame", "ratio"):
        table.add_column(heading, justify="left" if heading == "source" else "right")
    with serving(handler) as web, RtspServer(rtsp) as server:  # type: ignore[arg-type]
        url = server.url("east.mp4", endless=True)
        opener = partial(NetworkOpener, threads=1)
        live = partial(LiveSource, "east", url, opener=opener, open_timeout_s=15.0, read_timeout_s=15.0)
        pairs: dict[str, tuple[Callable[[], Iterator[object]], Callable[[], Iterator[object]]]] = {
            "video file": (lambda: bare(str(CLIP)), lambda: frames(VideoFileSource("east", str(CLIP)))),
            "files of a folder": (
                lambda: (picture for path in sorted(segments.iterdir()) for picture in bare(str(path))),
                lambda: frames(VideoFileSource("east", str(segments))),
            ),
            "web server": (
                lambda: bare(f"{web}/east.mp4"),
                lambda: frames(VideoFileSource("east", f"{web}/east.mp4", files=WebFile)),
            ),
            "images": (lambda: bare_images(images), lambda: frames(ImagesSource("east", str(images)))),
            "RTSP": (
                lambda: bare(url, {"rtsp_transport": "tcp"}),
                lambda: frames(live()),
            ),
        }
        shared = Path(os.environ.get("PASSERBY_SHARED", "../shared")) / "data"
        for path in (shared / "pets09" / "vtest.avi", shared / "pose2sim_single" / "cam01.mp4"):
            if path.is_file():
                pairs[path.name] = (partial(bare, str(path)), partial(read_file, path))
        for name, (read_bare, read_source) in pairs.items():
            rounds = [(milliseconds(read_bare), milliseconds(read_source)) for _ in range(ROUNDS)]
            floor, cost = (median(times) for times in zip(*rounds, strict=True))
            table.add_row(name, f"{floor:.2f}", f"{cost:.2f}", f"{floor / cost:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
