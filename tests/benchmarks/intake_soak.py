"""Four cameras of different kinds, with damage and broken connections, for as long as is asked.

    PYTHONPATH=.:tests/support nice python tests/benchmarks/intake_soak.py 1800

It runs ``passerby run`` on the demo's clips: a growing folder of segments of which some are damaged, a camera that
sends JPEG over HTTP and closes the connection, an RTSP server that is killed, and MPEG-TS by UDP that pauses. It prints
memory, threads and descriptors over time, how long a stop takes, the frames of each camera, and the boxes in the
growing folder as a share of those that an undisturbed run finds in its undamaged segments.
Exit code 1 if something grows, is lost without a word, or is not found.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from fractions import Fraction
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import av
import cv2
import psutil
from http_receiver import serving
from rtsp_server import RtspServer, free_port

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "connectors" / "synthetic" / "demo"
FPS = 10
SEGMENT_S = 10
MAX_FPS = 2
DAMAGED_EVERY = 5
"""Every so many segments, pictures, or connections one is damaged or broken."""
MAX_GROWTH = 1.15
"""Memory in the last quarter, as a share of that in the second."""
MIN_FOUND = 0.9


def jpegs(name: str) -> list[bytes]:
    with av.open(str(DEMO / f"{name}.mp4")) as clip:
        images = [frame.to_ndarray(format="bgr24") for frame in clip.decode(video=0)][:: FPS // MAX_FPS]
    return [cv2.imencode(".jpg", image)[1].tobytes() for image in images]


class Mjpeg(BaseHTTPRequestHandler):
    """A camera by HTTP that closes the connection after a while, and now and then sends half a picture."""

    pictures: list[bytes]

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=--frame")
        self.end_headers()
        try:
            for number in range(90 * MAX_FPS):
                data = self.pictures[number % len(self.pictures)]
                data = data[: len(data) // 2] if number % 50 == 49 else data
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                self.wfile.write(head.encode() + data + b"\r\n")
                time.sleep(1 / MAX_FPS)
        except OSError:
            return


def write_segment(path: Path, begins_s: int) -> None:
    """Copy ten seconds of a clip."""
    with av.open(str(DEMO / "east.mp4")) as clip, av.open(str(path), "w", format="mpegts") as target:
        stream = target.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "bf": "0", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = (
            clip.streams.video[0].width,
            clip.streams.video[0].height,
            "yuv420p",
        )
        for number, frame in enumerate(clip.decode(video=0)):
            if begins_s * FPS <= number < (begins_s + SEGMENT_S) * FPS:
                frame.pts = number - begins_s * FPS
                frame.time_base = Fraction(1, FPS)
                target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


def record(segments: list[bytes], folder: Path, over: threading.Event) -> None:
    """Write a segment every ten seconds, as a recorder does; every fifth is damaged."""
    rng = random.Random(0)
    number = 0
    while not over.wait(SEGMENT_S):
        data = bytearray(segments[number % len(segments)])
        if number % DAMAGED_EVERY == DAMAGED_EVERY - 1:
            begin = rng.randrange(len(data) // 2)
            data[begin : begin + 20_000] = bytes(20_000)
        begun = datetime.fromtimestamp(time.time() - SEGMENT_S, UTC)
        part = folder / f".{number}"
        part.write_bytes(data)
        part.rename(folder / f"{begun:%Y%m%d_%H%M%S}.ts")
        number += 1


def kill_now_and_then(server: RtspServer, over: threading.Event) -> None:
    while not over.wait(60.0):
        server.kill()
        over.wait(5.0)
        server.start()


def send(port: int, over: threading.Event) -> None:
    """Send a clip by UDP without end; pause after each round."""
    while not over.is_set():
        address = f"udp://127.0.0.1:{port}?pkt_size=1316"
        with av.open(str(DEMO / "gate.mp4")) as clip, av.open(address, "w", format="mpegts") as target:
            stream = target.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "bf": "0", "g": "10"})
            source = clip.streams.video[0]
            stream.width, stream.height, stream.pix_fmt = source.width, source.height, "yuv420p"
            for number, frame in enumerate(clip.decode(source)):
                if over.wait(1 / FPS):
                    return
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                target.mux(stream.encode(frame))
        over.wait(8.0)


def boxes_of_seconds(path: Path, fps: int) -> Counter[int]:
    """Count the boxes of a MOT text in each second of the recording."""
    rows = path.read_text().splitlines() if path.exists() else []
    return Counter((int(row.split(",")[0]) - 1) // fps for row in rows)


def run(cameras: str, output: Path, *words: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "pipeline/run.py", "runtime=inline", "site=empty", "detector=passerby"]
    log = (output.parent / f"{output.name}.log").open("wb")
    return subprocess.Popen(
        [*command, f"site.cameras={cameras}", f"output_dir={output}", "sink=[jsonl,mot]", *words],
        stdout=log,
        stderr=log,
        cwd=ROOT,
    )


def main() -> int:
    seconds = float(sys.argv[1])
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    recorded = folder / "recorded"
    recorded.mkdir()
    for begins_s in range(0, 60, SEGMENT_S):
        write_segment(folder / f"{begins_s:02}.ts", begins_s)
    segments = [(folder / f"{begins_s:02}.ts").read_bytes() for begins_s in range(0, 60, SEGMENT_S)]
    plain = folder / "plain"
    if run(f"{{east: {{uri: '{folder}/*.ts', max_fps: {MAX_FPS}}}}}", plain).wait():
        raise SystemExit((folder / "plain.log").read_text())
    usual = boxes_of_seconds(plain / "mot" / "east.txt", FPS)
    Mjpeg.pictures = jpegs("west")
    over, port = threading.Event(), free_port()
    media = folder / "media"
    media.mkdir()
    (media / "north.mp4").write_bytes((DEMO / "north.mp4").read_bytes())
    with serving(Mjpeg) as web, RtspServer(media) as server:
        cameras = (
            f"{{east: {{uri: '{recorded}/*.ts', follow: true, idle_s: 60, max_fps: {MAX_FPS}}}, "
            f"west: {{uri: '{web}/video', max_fps: {MAX_FPS}}}, "
            f"north: {{uri: '{server.url('north.mp4', endless=True)}', max_fps: {MAX_FPS}}}, "
            f"gate: {{uri: 'udp://127.0.0.1:{port}', max_fps: {MAX_FPS}, read_timeout_s: 5}}}}"
        )
        work = [
            threading.Thread(target=record, args=(segments, recorded, over)),
            threading.Thread(target=kill_now_and_then, args=(server, over)),
            threading.Thread(target=send, args=(port, over)),
        ]
        for thread in work:
            thread.start()
        time.sleep(2 * SEGMENT_S)
        output = folder / "soak"
        process = run(cameras, output, "matcher.max_lateness_s=30")
        samples = watch(process, seconds)
        process.send_signal(signal.SIGINT)
        asked = time.monotonic()
        code = process.wait(180)
        print(f"stopped {time.monotonic() - asked:.1f} s after SIGINT")
        over.set()
        for thread in work:
            thread.join()
    if code:
        print((folder / "soak.log").read_text()[-3000:])
    return judge(samples, output, usual, code)


def watch(process: "subprocess.Popen[bytes]", seconds: float) -> list[tuple[float, float, int, int]]:
    """Return time, MB, threads and descriptors, every ten seconds."""
    found, began = [], time.monotonic()
    it = psutil.Process(process.pid)
    while time.monotonic() - began < seconds and process.poll() is None:
        time.sleep(10.0)
        at = time.monotonic() - began
        found.append((at, it.memory_info().rss / 1e6, it.num_threads(), it.num_fds()))
        if len(found) % 6 == 0:
            print(
                f"{at:6.0f} s {found[-1][1]:7.0f} MB {found[-1][2]:4} threads {found[-1][3]:4} descriptors", flush=True
            )
    return found


def judge(samples: list[tuple[float, float, int, int]], output: Path, usual: Counter[int], code: int) -> int:
    """Print what was found; return the exit code."""
    troubles = [] if code == 0 else [f"exit code {code}"]
    quarter = len(samples) // 4
    for place, name in ((1, "MB"), (2, "threads"), (3, "descriptors")):
        early = max(sample[place] for sample in samples[quarter : 2 * quarter])
        late = max(sample[place] for sample in samples[-quarter:])
        print(f"{name}: {early:.0f} in the second quarter, {late:.0f} in the last")
        if late > MAX_GROWTH * early:
            troubles.append(f"{name} grow")
    summary = json.loads((output / "summary.json").read_text())
    for camera_id, status in summary["cameras"].items():
        counts = {name: status[name] for name in ("frames_read", "frames_processed", "frames_dropped", "bad_frames")}
        print(f"{camera_id}: {counts}, opened again {status['reopens']}, tracklets {status['tracklets']}")
        if counts["frames_read"] != sum(list(counts.values())[1:]) and not status["stopped_early"]:
            troubles.append(f"{camera_id} lost frames without a word")
        if not status["tracklets"]:
            troubles.append(f"{camera_id} found nobody")
    found = boxes_of_seconds(output / "mot" / "east.txt", FPS)
    num = max(found, default=0) // SEGMENT_S  # frames that a damaged segment has lost shift those behind them
    there = sum(count for second, count in found.items() if second < num * SEGMENT_S)
    undamaged = [segment for segment in range(num) if segment % DAMAGED_EVERY != DAMAGED_EVERY - 1]
    expected = sum(usual[(segment % 6) * SEGMENT_S + second] for segment in undamaged for second in range(SEGMENT_S))
    share = there / max(1, expected)
    print(f"east: {there} boxes in {num} segments, {expected} in an undisturbed run of the undamaged: {share:.3f}")
    if share < MIN_FOUND:
        troubles.append("people of undamaged segments were not found")
    print("; ".join(troubles) or "all well")
    return int(bool(troubles))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", str(ROOT))
    sys.exit(main())
