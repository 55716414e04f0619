"""Time of a frame from each source, against a bare loop of PyAV (of OpenCV for images) over the same input.

    PYTHONPATH=.:tests/support python tests/benchmarks/intake_cost.py [rounds]

Two processes read by turns, one as the pipeline does, the other in a plain Python process; the median of the rounds
counts. A ratio of .95 means that the source needs 1/.95 of the bare loop's time. Both read the same pictures and
convert each to an RGB array whose rows follow one another, as networks need it. Time counts from the first picture on:
opening is not a cost of a frame, and of RTSP the bare loop measures the frame rate first. ``same memory`` is the bare
loop with the pipeline's memory for pictures (``picture_memory.py``). Then a camera sends numbered pictures by HTTP, and
the time until each is there as RGB is compared. With PASSERBY_SHARED, larger recordings are read too.
"""

import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from fractions import Fraction
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles

import av
import cv2
import numpy as np
from http_receiver import serving
from rtsp_server import RtspServer

from connectors.sources.images import ImagesSource
from connectors.sources.live import LiveSource
from connectors.sources.network import NetworkOpener
from connectors.sources.video_file import VideoFileSource
from connectors.sources.web_file import WebFile
from pipeline.core import Source
from pipeline.runtime.cameras.picture_memory import keep_picture_memory

CLIP = Path(__file__).resolve().parents[2] / "connectors" / "synthetic" / "demo" / "east.mp4"
ROUNDS = 5
NUM_FRAMES = 150
NUM_LIVE_FRAMES = 100
"""Frames that each round reads. Live ones come in real time."""

SENT_FPS = 25
NUM_SENT = 250
BIT_PX = 32
"""Side of the squares in which a sent picture shows its number, pixels."""

Read = Callable[[], Iterator[object]]


def bare(address: str, options: dict[str, str] | None = None) -> Iterator[np.ndarray]:
    with av.open(address, options=options or {}) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for number, picture in enumerate(container.decode(stream)):
            if number == NUM_FRAMES:
                return
            yield np.ascontiguousarray(picture.to_ndarray(format="rgb24"))


def bare_folder(folder: Path) -> Iterator[np.ndarray]:
    return (picture for path in sorted(folder.iterdir()) for picture in bare(str(path)))


def bare_images(folder: Path) -> Iterator[np.ndarray]:
    for path in sorted(folder.iterdir()):
        yield cv2.cvtColor(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def bare_live(url: str) -> Iterator[np.ndarray]:
    return itertools.islice(bare(url, {"rtsp_transport": "tcp"}), NUM_LIVE_FRAMES)


def frames(make_source: Callable[[], Source], count: int = NUM_FRAMES) -> Iterator[np.ndarray]:
    source = make_source()
    for frame in itertools.islice(source.frames(), count):
        yield frame.image
    source.close()


def live(url: str) -> Source:
    opener = partial(NetworkOpener, threads=1)
    return LiveSource("east", url, opener=opener, open_timeout_s=15.0, read_timeout_s=15.0)


def milliseconds(read: Read) -> tuple[float, float, float]:
    """Return the processor time and the time of a frame, and the page faults; of all frames but the first."""
    pictures = read()
    next(pictures)
    began, clock, count, faults = time.process_time(), time.perf_counter(), 0, page_faults()
    for _ in pictures:
        count += 1
    cost = time.process_time() - began, time.perf_counter() - clock
    return 1000 * cost[0] / max(1, count), 1000 * cost[1] / max(1, count), (page_faults() - faults) / max(1, count)


def page_faults() -> int:
    return int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[7])


class Quiet(SimpleHTTPRequestHandler):
    """Serves files; it knows no ranges, so the index of an mp4 file has to come first."""

    def log_message(self, *_: object) -> None:
        return


class NumberedCamera(BaseHTTPRequestHandler):
    """Sends JPEG that show their number, and notes when."""

    disable_nagle_algorithm = True

    pictures: list[bytes]
    sent_at: list[float]

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        sent_at = type(self).sent_at = []  # another connection may not have noticed yet that its reader has gone
        began = time.monotonic()
        try:
            for number, data in enumerate(self.pictures):
                time.sleep(max(0.0, began + number / SENT_FPS - time.monotonic()))
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                self.wfile.write(head.encode() + data + b"\r\n")
                sent_at.append(time.monotonic())
        except OSError:
            return


def numbered(number: int, image: np.ndarray) -> bytes:
    image = image.copy()
    for bit in range(8):
        image[:BIT_PX, bit * BIT_PX : (bit + 1) * BIT_PX] = 255 * (number >> bit & 1)
    return cv2.imencode(".jpg", image)[1].tobytes()


def arrivals(read: Read) -> list[tuple[int, float]]:
    """Return the number of each picture, and when it was there, seconds of the monotonic clock."""
    found = []
    for image in itertools.islice(read(), NUM_FRAMES):
        at, middle = time.monotonic(), BIT_PX // 2
        found.append((sum((image[middle, bit * BIT_PX + middle, 0] > 127) << bit for bit in range(8)), at))
    return found


def recode(path: Path, size_wh: tuple[int, int] | None = None, num_frames: int = NUM_FRAMES) -> Path:
    """Write the clip with its index first; so many frames of another size if one is given."""
    with av.open(str(CLIP)) as clip, av.open(str(path), "w", options={"movflags": "+faststart"}) as copy:
        source = clip.streams.video[0]
        if size_wh is None:
            stream = copy.add_stream_from_template(source)
            for packet in clip.demux(source):
                if packet.size:
                    packet.stream = stream
                    copy.mux(packet)
            return path
        stream = copy.add_stream("libx264", rate=25, options={"preset": "veryfast", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = *size_wh, "yuv420p"
        for number, picture in enumerate(itertools.islice(clip.decode(source), num_frames)):
            larger = picture.reformat(*size_wh, "yuv420p")
            larger.pts, larger.time_base = number, Fraction(1, 25)
            copy.mux(stream.encode(larger))
        copy.mux(stream.encode(None))
    return path


def inputs(folder: Path, web: str, server: RtspServer) -> dict[str, tuple[Read, Read]]:
    """Return how the bare loop and the source read each input."""
    large = recode(folder / "1920x1080.mp4", (1920, 1080))
    images, segments = folder / "images", folder / "segments"
    images.mkdir()
    for number, image in zip(range(100), bare(str(CLIP)), strict=False):
        cv2.imwrite(str(images / f"{number:04}.jpg"), image[:, :, ::-1])
    segments.mkdir()
    for number in range(3):
        recode(segments / f"part_{number}.mp4", (640, 360), NUM_FRAMES // 3)
    url = server.url("east.mp4", endless=True)

    def files(*paths: Path) -> dict[str, tuple[Read, Read]]:
        return {
            path.name: (partial(bare, str(path)), partial(frames, partial(VideoFileSource, "east", str(path))))
            for path in paths
            if path.is_file()
        }

    shared = Path(os.environ.get("PASSERBY_SHARED", "../shared")) / "data"
    return {
        **files(CLIP),
        "files of a folder": (
            partial(bare_folder, segments),
            partial(frames, partial(VideoFileSource, "east", str(segments))),
        ),
        "web server": (
            partial(bare, f"{web}/east.mp4"),
            partial(frames, partial(VideoFileSource, "east", f"{web}/east.mp4", files=WebFile)),
        ),
        "images": (partial(bare_images, images), partial(frames, partial(ImagesSource, "east", str(images)))),
        "RTSP": (partial(bare_live, url), partial(frames, partial(live, url), NUM_LIVE_FRAMES)),
        **files(large, shared / "pets09" / "vtest.avi", shared / "pose2sim_single" / "cam01.mp4"),
    }


def show(name: str, *figures: object) -> None:
    print(f"{name:22}" + "".join(f"{figure:>14}" for figure in figures), flush=True)


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    rtsp = folder / "rtsp"
    rtsp.mkdir()
    for path in (rtsp / "east.mp4", folder / "east.mp4"):
        recode(path)
    image = next(bare(str(folder / "east.mp4")))[:, :, ::-1]
    NumberedCamera.pictures = [numbered(number, image) for number in range(NUM_SENT)]
    with ExitStack() as opened:
        plain, kept, pipeline = (
            opened.enter_context(ProcessPoolExecutor(1, get_context("spawn"), initializer=prepare))
            for prepare in (None, keep_picture_memory, keep_picture_memory)
        )
        web = opened.enter_context(serving(partial(Quiet, directory=str(folder))))  # type: ignore[arg-type]
        server = opened.enter_context(RtspServer(rtsp))
        rounds_asked = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
        show("processor, ms a frame", "bare", "same memory", "source", "ratio", "bare: time", "source", "faults")
        for name, (read_bare, read_source) in inputs(folder, web, server).items():
            rounds = [
                [pool.submit(milliseconds, read).result() for pool, read in turns]
                for turns in [((plain, read_bare), (kept, read_bare), (pipeline, read_source))] * rounds_asked
            ]
            floor, same, cost = (
                [median(values) for values in zip(*way, strict=True)] for way in zip(*rounds, strict=True)
            )
            figures = [f"{each:.2f}" for each in (floor[0], same[0], cost[0], floor[0] / cost[0], floor[1], cost[1])]
            show(name, *figures, f"{floor[2]:.0f}, {cost[2]:.0f}")
        camera = opened.enter_context(serving(NumberedCamera))
        show("HTTP, from sent to RGB", "p50, ms", "p95", "p99")
        for name, pool, read in [
            ("bare loop", plain, partial(bare, camera)),
            ("source", pipeline, partial(frames, partial(live, camera))),
        ] * 2:
            late_ms = [1000 * (at - NumberedCamera.sent_at[number]) for number, at in submitted(pool, read)]
            marks: Sequence[float] = quantiles(late_ms, n=100)
            show(name, *(f"{marks[place - 1]:.2f}" for place in (50, 95, 99)))


def submitted(pool: ProcessPoolExecutor, read: Read) -> list[tuple[int, float]]:
    return pool.submit(arrivals, read).result()


if __name__ == "__main__":
    main()
