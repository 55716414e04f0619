"""What clips for alerts cost: ``PYTHONPATH=. python tests/benchmarks/alert_clips.py``.

Processor time beside reading a camera of the demo (H.264, 640x360), copied and encoded; of 1080p, encoded; of a clip.
"""

import tempfile
import time
from pathlib import Path

import numpy as np

from connectors.alerting.clip_monitor import AlertClipMonitor
from connectors.sinks.alert_clips import AlertClipSink
from connectors.sources.video_file import VideoFileSource
from pipeline.core import Alert, Frame, FrameStamp, Severity, TrackId
from pipeline.core.records.alert import clip_of
from pipeline.runtime.cameras.monitors import show_packets

VIDEO = Path(__file__).resolve().parents[2] / "connectors/synthetic/demo/west.mp4"
NUM_CLIPS = 20
PAUSE_S = 0.03
"""Seconds between two pictures, so that none is dropped."""


def make_monitor(folder: Path, *, blur_heads: bool = False) -> AlertClipMonitor:
    return AlertClipMonitor(
        "west", output_dir=str(folder), ring_s=120.0, ring_mb=64.0, max_side_px=960, blur_heads=blur_heads
    )


def read(monitor: AlertClipMonitor | None, pause_s: float = 0.0) -> tuple[float, int]:
    """Return the processor time of reading the demo's camera, seconds, and its frames."""
    source = VideoFileSource("west", str(VIDEO))
    if monitor is not None:
        show_packets(source, monitor)
    began, num = time.process_time(), 0
    for frame in source.frames():
        num += 1
        if monitor is not None:
            monitor.show(frame, {})
            time.sleep(pause_s)
    if monitor is not None:
        monitor.close()
    return time.process_time() - began, num


def encoded_1080p(monitor: AlertClipMonitor, num: int = 200) -> float:
    """Return the processor time of a picture of 1080p, seconds."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 40, (1080, 1920, 3), np.uint8)
    pictures = [Frame(FrameStamp("west", i, 0.1 * i), np.roll(noise, 8 * i, axis=1)) for i in range(20)]
    began = time.process_time()
    for index in range(num):
        stamp = FrameStamp("west", index, 0.1 * index)
        monitor.show(Frame(stamp, pictures[index % 20].image), {})
        time.sleep(PAUSE_S)
    monitor.close()
    return (time.process_time() - began) / num


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare_s, num = min(read(None) for _ in range(2))
        sink = AlertClipSink(output_dir=name, before_s=5.0, after_s=5.0, keep_hours=1.0, max_gb=1.0)
        copied_s = min(read(make_monitor(folder))[0] for _ in range(2))
        began = time.process_time()
        for number in range(NUM_CLIPS):
            key = f"dwell/{number}/20.000/door"
            facts = (
                key,
                "dwell",
                Severity.INFO,
                number,
                "west",
                10.0,
                20.0 + number,
                "Stays.",
                (TrackId("west", 0, 1),),
            )
            sink.write([Alert(*facts, clip=clip_of(key))])
        sink.close()
        clips = [path.stat().st_size for path in (folder / "alert_clips").glob("*.mp4")]
        cut_s = (time.process_time() - began) / NUM_CLIPS
        blurred_s = min(read(make_monitor(folder, blur_heads=True), PAUSE_S)[0] for _ in range(2))
        large_s = encoded_1080p(make_monitor(folder, blur_heads=True))
    print(f"reading alone {1000 * bare_s / num:.2f} ms a frame")
    print(f"copied packets: {1000 * (copied_s - bare_s) / num:.2f} ms more a frame")
    print(
        f"encoded pictures: {1000 * (blurred_s - bare_s) / num:.2f} ms more a frame; of 1080p {1000 * large_s:.1f} ms"
    )
    print(f"a clip of 10 s: {1000 * cut_s:.0f} ms, {np.mean(clips) / 1000:.0f} kB, {len(clips)} of {NUM_CLIPS}")


if __name__ == "__main__":
    main()
