"""What the operator's page costs the pipeline: the same run without it, with it, and with one viewer.

    PYTHONPATH=.:tests/support python tests/benchmarks/console_cost.py [--passes 3] [--times 3] [overrides]

Eight cameras, as fast as they can be read: the demo's four clips twice, each repeated ``--times`` times. The three
variants take turns, so that other load of the machine affects them alike. The pipeline, the page's server and the
viewer, who receives every picture of every camera, share this machine's cores.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import av
from rich.console import Console
from rich.table import Table
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "connectors" / "synthetic" / "demo"
WITHOUT, UNWATCHED, WATCHED = "without the page", "with it, no viewer", "with it, one viewer"
RETRY_S = 0.1


@dataclass(frozen=True, slots=True)
class Pass:
    """Measurements of one run.

    Attributes:
        frames_per_s: Frames per second of all cameras together.
        pipeline_ms: Processor time of the pipeline's process, ms per frame, without its start.
        page_s: Processor time of the page's process, seconds, its start included.
        num_pictures: Pictures that the viewer received.
    """

    frames_per_s: float
    pipeline_ms: float
    page_s: float
    num_pictures: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passes", type=int, default=3, help="passes of each variant; default %(default)s")
    parser.add_argument("--times", type=int, default=3, help="repetitions of each clip; default %(default)s")
    parsed, overrides = parser.parse_known_args()
    passes: dict[str, list[Pass]] = {WITHOUT: [], UNWATCHED: [], WATCHED: []}
    with tempfile.TemporaryDirectory() as folder:
        overrides = [cameras_override(Path(folder), parsed.times), *overrides]
        for number in range(parsed.passes):
            for name in passes if number % 2 == 0 else reversed(passes):
                passes[name].append(asyncio.run(run(name, overrides)))
                done = passes[name][-1]
                print(
                    f"pass {number + 1}, {name}: {done.frames_per_s:.1f} frames/s, pipeline {done.pipeline_ms:.2f} ms "
                    f"per frame, page {done.page_s:.1f} s, {done.num_pictures} pictures",
                    flush=True,
                )
    print_medians(passes)


def cameras_override(folder: Path, times: int) -> str:
    """Write the demo's clips, each repeated ``times`` times; return the override that names each of them twice."""
    cameras = {}
    for clip in sorted(DEMO.glob("*.mp4")):
        repeat(clip, folder / clip.name, times)
        cameras |= {f"{clip.stem}{number}": {"uri": str(folder / clip.name)} for number in range(2)}
    return "site.cameras=" + json.dumps(cameras).replace('"', "")


def repeat(clip: Path, path: Path, times: int) -> None:
    """Write a recording that repeats another, without encoding it again."""
    with av.open(path, "w") as written:
        stream, begin = None, 0
        for _ in range(times):
            with av.open(clip) as read:
                stream = stream or written.add_stream_from_template(read.streams.video[0])
                end = begin
                for packet in read.demux(video=0):
                    if packet.pts is None or packet.dts is None or packet.duration is None:
                        continue
                    packet.pts, packet.dts, packet.stream = packet.pts + begin, packet.dts + begin, stream
                    end = max(end, packet.pts + packet.duration)
                    written.mux(packet)
                begin = end


def print_medians(passes: dict[str, list[Pass]]) -> None:
    """Print a table of the medians."""
    table = Table(box=None, pad_edge=False)
    for heading in (
        "median of the passes",
        "frames/s",
        "relative speed",
        "pipeline's processor time",
        "page's",
        "pictures",
    ):
        table.add_column(heading, justify="right" if table.columns else "left")
    plain = passes[WITHOUT]
    for name, runs in passes.items():
        speeds = median(one.frames_per_s / before.frames_per_s for one, before in zip(runs, plain, strict=True))
        times = median(one.pipeline_ms / before.pipeline_ms for one, before in zip(runs, plain, strict=True))
        table.add_row(
            name,
            f"{median(one.frames_per_s for one in runs):.1f}",
            f"{speeds:.3f}",
            f"{median(one.pipeline_ms for one in runs):.2f} ms per frame, {times:.3f} relative",
            f"{median(one.page_s for one in runs):.1f} s",
            f"{median(one.num_pictures for one in runs):.0f}",
        )
    Console(width=120).print(table)


async def run(name: str, overrides: list[str]) -> Pass:
    """Run the pipeline once; overrides are those of ``pipeline/run.py``."""
    with tempfile.TemporaryDirectory() as folder:
        sinks = "jsonl" if name == WITHOUT else "jsonl,console"
        command = [sys.executable, "pipeline/run.py", "runtime=inline", *overrides]
        process = subprocess.Popen(
            [*command, f"sink=[{sinks}]", f"output_dir={folder}"],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        viewer = asyncio.create_task(view(Path(folder) / "console" / "feed.json")) if name == WATCHED else None
        started_s = await asyncio.to_thread(start_s, process)
        await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        pipeline_s, page_s = processor_times_s(process.pid)
        assert process.wait() == 0, f"the run ended with {process.returncode}"
        num_pictures = 0 if viewer is None else await viewer
        summary = json.loads((Path(folder) / "summary.json").read_text())
        num_frames = sum(camera["frames_processed"] for camera in summary["cameras"].values())
        return Pass(summary["frames_per_s"], 1000 * (pipeline_s - started_s) / num_frames, page_s, num_pictures)


def start_s(process: subprocess.Popen[str]) -> float:
    """Read the pipeline's log until it ends; return the processor time that it had taken when it was ready, seconds."""
    assert process.stderr is not None
    started_s = 0.0
    for message in process.stderr:
        if '"ready ' in message:
            started_s, _ = processor_times_s(process.pid)
    return started_s


def processor_times_s(pid: int) -> tuple[float, float]:
    """Return the processor times of a process and of its children that have ended, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own, children = sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))
    return own / os.sysconf("SC_CLK_TCK"), children / os.sysconf("SC_CLK_TCK")


async def view(feed: Path) -> int:
    """Receive pictures of every camera until the page ends; return their number."""
    while not feed.exists():
        await asyncio.sleep(RETRY_S)
    await asyncio.sleep(RETRY_S)
    url = json.loads(feed.read_text())["url"].removesuffix("/feed")
    num_pictures = 0
    with suppress(WebSocketException, OSError):
        async with connect(f"{url}/api/live", compression=None, proxy=None, open_timeout=60) as socket:
            async for _ in socket:
                num_pictures += 1
    return num_pictures


if __name__ == "__main__":
    main()
