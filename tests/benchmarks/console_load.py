"""Twenty viewers of eight cameras on loopback: the age of pictures and alerts on arrival, and their cost.

PYTHONPATH=.:tests/support python tests/benchmarks/console_load.py [seconds]
"""

import asyncio
import multiprocessing
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import httpx
import numpy as np
import psutil
from console_page import write_ledger
from websockets.asyncio.client import connect

from connectors.console.camera.best_pictures import BestPictures, encoded
from connectors.console.camera.clips import ClipBuffer
from connectors.console.camera.message import unpack
from connectors.console.camera.monitor import FEED, LiveViewMonitor
from pipeline.core import Alert, Frame, FrameStamp, Severity, TrackId
from pipeline.ledger import Ledger

ROOT = Path(__file__).resolve().parents[2]
NUM_VIEWERS, NUM_CAMERAS = 20, 8
FPS = 10.0
PORT = 8490
WARM_UP_S = 3.0
NUM_ALERTS = 20


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    unwatched_ms, watched_ms = cost_to_a_camera()
    print(
        f"in a camera's process: {unwatched_ms:.2f} ms per frame without viewers, {watched_ms:.2f} ms per live picture"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_ledger(folder)
        cameras = ", ".join(f"c{number}: /none.mp4" for number in range(NUM_CAMERAS))
        (folder / "config.yaml").write_text(f"site: {{cameras: {{{cameras}}}}}\n")
        command = [sys.executable, "-m", "connectors.console", "--output", name, "--port", str(PORT)]
        server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        url = server.stdout.readline().split()[1].replace("http", "ws")
        filming = multiprocessing.get_context("spawn").Process(target=film, args=(name, seconds + 4 * WARM_UP_S))
        filming.start()
        try:
            ages, sizes, delays = asyncio.run(watch(url, seconds, psutil.Process(server.pid), folder))
        finally:
            server.terminate()
            server.wait()
            filming.terminate()
            filming.join()
    p50, p95, p99 = np.quantile(ages, (0.5, 0.95, 0.99)) * 1000
    print(f"{NUM_VIEWERS} viewers of {NUM_CAMERAS} cameras for {seconds:g} s")
    print(f"pictures: {len(ages) / seconds:.0f} a second, {np.mean(sizes[0]) / 1000:.0f} kB each")
    print(f"age on arrival: p50 {p50:.0f}, p95 {p95:.0f}, p99 {p99:.0f}, max {1000 * max(ages):.0f} ms")
    print(f"alerts, from the ledger to the page: p50 {np.median(delays):.2f}, max {max(delays):.2f} s")
    _, memory, share = sizes
    print(f"server: {share:.2f} of one core; {memory[0]:.0f} MB resident at first, {max(memory):.0f} at most")


def cost_to_a_camera(num_frames: int = 500) -> tuple[float, float]:
    """Return processor time in ms: of a frame of 640x360 with five people, and of a live picture of it."""
    film = cv2.VideoCapture(str(ROOT / "connectors/synthetic/demo/west.mp4"))
    image = np.ascontiguousarray(film.read()[1][:, :, ::-1])
    film.release()
    box = np.array([40, 100, 80, 220], np.float32)
    shown = [
        (
            Frame(FrameStamp("west", index, index / FPS), image),
            {TrackId("west", index // 30, n): box + np.float32([70 * n, index % 7] * 2) for n in range(5)},
        )
        for index in range(num_frames)
    ]
    monitor = LiveViewMonitor(
        "west",
        output_dir="/nowhere",
        max_rate_hz=6.0,
        max_side_px=640,
        jpeg_quality=80,
        blur_heads=False,
        clip_rate_hz=2.0,
    )
    best, buffer = BestPictures(), ClipBuffer(2.0)
    began = time.process_time()
    for index, (frame, people) in enumerate(shown):
        best.see(frame, people)
        buffer.see(frame, people)
        if index % 30 == 29:  # the tracks end
            for track_id in people:
                picture, clip = best.take(track_id), buffer.take(track_id)
                assert picture is not None
                assert clip is not None
                encoded(picture.image, 80)
                encoded(np.hstack(clip.frames), 80)
    seen = time.process_time()
    for frame, people in shown:
        monitor._live_message(frame, people, 0.0)
    sent = time.process_time()
    monitor.close()
    return 1000 * (seen - began) / num_frames, 1000 * (sent - seen) / num_frames


def film(output_dir: str, seconds: float) -> None:
    """Show frames of all cameras, each 640x360 with eight people, ten times a second."""
    while not (Path(output_dir) / "console" / FEED).exists():
        time.sleep(0.05)
    options = {"max_rate_hz": 6.0, "max_side_px": 640, "jpeg_quality": 80, "blur_heads": False, "clip_rate_hz": 2.0}
    monitors = [LiveViewMonitor(f"c{n}", output_dir=output_dir, **options) for n in range(NUM_CAMERAS)]
    noise = np.random.default_rng(0).integers(0, 256, (45, 80, 3), np.uint8)
    images = [cv2.resize(np.roll(noise, step, axis=1), (640, 360), interpolation=cv2.INTER_CUBIC) for step in range(40)]
    people = [np.array([40 + 70 * n, 100, 80 + 70 * n, 220], np.float32) for n in range(8)]
    began = time.monotonic()
    index = 0
    while (now := time.monotonic() - began) < seconds:
        for number, monitor in enumerate(monitors):
            stamp = FrameStamp(f"c{number}", index, now)
            boxes = {TrackId(f"c{number}", 0, n): box + index % 40 for n, box in enumerate(people)}
            monitor.show(Frame(stamp, images[(index + number) % len(images)].copy()), boxes)
        index += 1
        time.sleep(max(0.0, index / FPS - (time.monotonic() - began)))
    for monitor in monitors:
        monitor.close()


async def watch(
    url: str, seconds: float, server: psutil.Process, folder: Path
) -> tuple[list[float], tuple[list[int], list[float], float], list[float]]:
    """Return ages in seconds; sizes in bytes, memory in MB each second and the share of a core; delays of alerts."""
    ages: list[float] = []
    sizes: list[int] = []
    memory: list[float] = []
    starts_at = float("inf")
    is_on = asyncio.Event()

    async def view() -> None:
        async with connect(f"{url}/api/live", compression=None, proxy=None) as socket:
            while True:
                message = await socket.recv()
                is_on.set()
                now = time.time()
                if starts_at < now < starts_at + seconds:
                    ages.append(now - unpack(message)[0]["shown_at"])  # type: ignore[arg-type]
                    sizes.append(len(message))

    viewers = [asyncio.create_task(view()) for _ in range(NUM_VIEWERS)]
    await is_on.wait()
    await asyncio.sleep(WARM_UP_S)
    starts_at = time.time()
    busy_s = sum(server.cpu_times()[:2])
    while time.time() < starts_at + seconds:
        memory.append(server.memory_info().rss / 1e6)
        await asyncio.sleep(1.0)
    busy_s = sum(server.cpu_times()[:2]) - busy_s
    delays = await delays_of_alerts(url, folder)
    for viewer in viewers:
        viewer.cancel()
    await asyncio.gather(*viewers, return_exceptions=True)
    return ages, (sizes, memory, busy_s / seconds), delays


async def delays_of_alerts(url: str, folder: Path) -> list[float]:
    """Return the time from the ledger to a page that is notified and asks for the alerts, seconds."""
    delays = []
    ledger = Ledger(folder / "ledger.sqlite")
    async with connect(f"{url}/api/changes", proxy=None) as notices:
        await notices.recv()
        for number in range(NUM_ALERTS):
            alert = Alert(f"load/{number}", "load", Severity.INFO, 1, "east", 0.0, 1.0 + number, "Hello.", ())
            began = time.monotonic()
            ledger.append([alert])
            keys: set[str] = set()
            while alert.key not in keys:
                await notices.recv()
                answer = await asyncio.to_thread(httpx.get, f"{url.replace('ws', 'http', 1)}/api/alerts")
                keys = {each["key"] for each in answer.json()["alerts"]}
            delays.append(time.monotonic() - began)
    ledger.close()
    return delays


if __name__ == "__main__":
    main()
