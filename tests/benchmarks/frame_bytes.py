"""How many bytes a frame travels from a camera to a detector on another node of a Ray cluster, measured.

    PYTHONPATH=.:tests/support python tests/benchmarks/frame_bytes.py /a/vtest.avi

Two nodes of this machine, each with its own object store, talk over its loopback interface, whose counter is read. One
node has the cameras and the matcher, the other the detectors. A short and a long recording are run: the difference
holds no start and no end, so it is frames, their boxes back, and whatever Ray says meanwhile. Nothing else may use the
loopback interface.
"""

import json
import sys
import tempfile
from pathlib import Path

from ray_cluster import TwoNodes
from running import run

SHORT_S, LONG_S = 5, 25
"""Seconds of the recording."""
ON_FIRST = [f"runtime.{stage}.resources={{first: 1}}" for stage in ("camera", "match")]


def sent_on_loopback() -> int:
    """Return the bytes that this machine has sent to itself so far."""
    (line,) = [each for each in Path("/proc/net/dev").read_text().splitlines() if each.strip().startswith("lo:")]
    return int(line.split()[9])


def measured(film: str, seconds: int, words: list[str], variables: dict[str, str]) -> tuple[int, int]:
    """Return the bytes that a run sent, and its frames."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        site = [
            "detector=passerby",
            f"site.cameras={{a: {film}, b: {film}}}",
            f"source.file.seconds={seconds}",
            f"output_dir={out}",
        ]
        before = sent_on_loopback()
        finished = run(["runtime=ray", *site, *ON_FIRST, *words], timeout_s=600, **variables)
        sent = sent_on_loopback() - before
        assert finished.code == 0, finished.err
        cameras = json.loads((out / "summary.json").read_text())["cameras"]
        return sent, sum(each["frames_processed"] for each in cameras.values())


def main(film: str) -> None:
    """Print the bytes of a frame, with detectors on the other node and beside the cameras."""
    cluster = TwoNodes()
    try:
        for name, words in (
            ("detectors on the other node", ["runtime.detect.resources={second: 1}"]),
            ("detectors beside the cameras", []),
        ):
            few, many = (measured(film, seconds, words, cluster.variables) for seconds in (SHORT_S, LONG_S))
            per_frame = (many[0] - few[0]) / (many[1] - few[1])
            print(
                f"{name}: {per_frame / 1000:.1f} kB a frame over the network, of {many[1] - few[1]} frames", flush=True
            )
    finally:
        cluster.close()


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()))
