"""``passerby bench profile``: which stage of the pipeline takes the processor time of a run in one process.

A thread looks at all others every few milliseconds: what they have used of the processor since the last look counts for
the stage that they are in. So waiting counts for nothing. Threads that a library starts, and those that end between two
looks, are a row of their own.

    passerby bench profile site=pets_halves
    passerby bench profile bench.cameras=8 'site.cameras={a: /a/clip.mp4}' detector=yolox_onnx embedder=omz_0288
"""

import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Self

from rich.table import Table

from pipeline.cli.bench.cameras import NUMBERS, overrides_of, read_option, whole_number
from pipeline.cli.bench.measured_run import measure
from pipeline.cli.printing import print_table

LOOK_EVERY_S = 0.002
"""Seconds between two looks. Fewer look more often at the same, and take more of the processor themselves."""

SWITCH_S = 0.0001
"""Seconds after which a thread that computes in Python lets the looking one in. More count work for what follows it."""

NUM_PLACES = 3
"""Functions that are named in each row."""

LOOP, RECLUSTERING = "loop, threads and hand-offs", "re-clustering"

STAGES = (
    ("models/detection/", "detector"),
    ("models/pose/", "pose"),
    ("models/reid/", "embedder"),
    ("models/tracking/", "tracker"),
    ("models/gallery/", "matcher"),
    ("pipeline/camera/detection.py:letterbox", "letter-box"),
    ("pipeline/camera/detection.py", "detector"),
    ("pipeline/camera/privacy_mask.py", "decode"),
    ("pipeline/camera/view_watch.py", "view watch"),
    ("pipeline/camera/motion_gate.py", "view watch"),
    ("pipeline/camera/steady_size.py", "letter-box"),
    ("pipeline/camera/", "tracklets"),
    ("pipeline/embedding/pose.py", "pose"),
    ("pipeline/embedding/", "embedder"),
    ("pipeline/association/reclustering.py", RECLUSTERING),
    ("pipeline/association/", "matcher"),
    ("pipeline/alerts/", "alerts"),
    ("pipeline/ledger/", "ledger"),
    ("connectors/sources/", "decode"),
    ("connectors/pictures/rgb.py", "decode"),
    ("connectors/", "sinks"),
    ("pipeline/runtime/reducer.py", "ledger"),
    ("pipeline/telemetry/process_usage.py", "this measurement"),
    ("pipeline/runtime/", LOOP),
    ("pipeline/telemetry/", LOOP),
)
"""By a part of a file's path, and a function: the stage. Of the functions that a thread is in, the innermost of these
counts, but for re-clustering, which calls the rest of the matcher."""

NETWORKS = ("models/backends/onnx_runtime.py", "models/backends/openvino.py")
"""Where networks are called; what calls them says which network it is."""

NATIVE = "threads of libraries, and threads that ended"


class StageSampler:
    """Counts the processor time of all Python threads of this process by stage; a context manager.

    Attributes:
        spent_s: Seconds of processor time by stage and function.
    """

    def __init__(self) -> None:
        self.spent_s: dict[tuple[str, str], float] = defaultdict(float)
        self._known_s: dict[int, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="profile", daemon=True)
        self._own_s = 0.0

    def __enter__(self) -> Self:
        self._switch_s = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)
        self._began_s = time.process_time()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        sys.setswitchinterval(self._switch_s)
        others = time.process_time() - self._began_s - self._own_s - sum(self.spent_s.values())
        self.spent_s[NATIVE, ""] += max(0.0, others)

    def _run(self) -> None:
        self._look(counts=False)
        while not self._ended.wait(LOOK_EVERY_S):
            self._look(counts=True)
        self._own_s = time.thread_time()

    def _look(self, *, counts: bool) -> None:
        alive = {ident: frame for ident, frame in sys._current_frames().items() if ident != threading.get_ident()}
        now = {ident: time.clock_gettime(time.pthread_getcpuclockid(ident)) for ident in alive}
        for ident, spent_s in now.items():
            before_s = self._known_s.get(ident, 0.0)
            if counts and spent_s != before_s:
                # A thread that has the number of one that ended has used less than that.
                self.spent_s[place_of(alive[ident])] += spent_s - before_s if spent_s > before_s else spent_s
        self._known_s = now


def place_of(frame: FrameType | None) -> tuple[str, str]:
    """Return the stage that a thread works for, and the function that it is in: its file without folders, its name."""
    stage, place, is_network = "", "", False
    while frame is not None:
        path, function = frame.f_code.co_filename, frame.f_code.co_name
        place = place or f"{os.path.basename(path)}:{function}"
        is_network |= not stage and path.endswith(NETWORKS)
        found = next((stage for part, stage in STAGES if part in f"{path}:{function}"), "")
        stage = found if not stage or found == RECLUSTERING else stage
        frame = frame.f_back
    return (f"{stage} network", "") if is_network and stage else (stage or LOOP, place)


def print_profile(words: Sequence[str]) -> None:
    """Print the table for the configuration that the command line makes."""
    number = read_option(words, NUMBERS, "")
    overrides = overrides_of(words, "bench profile")
    sampler = StageSampler()
    cost = measure(
        [*overrides, "sink=[jsonl]", "runtime=inline"],
        whole_number(NUMBERS, number) if number else None,
        around=sampler,
    )
    print(f"{cost.frames} frames, {cost.frames_per_s:.1f} a second, result {cost.digest[:12]}")
    print(f"load of the machine before and after a run is part of a measurement: {os.getloadavg()[0]:.1f} now")
    print_table(profile_table(sampler.spent_s, cost.frames))


def profile_table(spent_s: Mapping[tuple[str, str], float], frames: int) -> Table:
    """Return a row for each stage, the largest first, with its largest functions.

    Args:
        spent_s: Seconds of processor time by stage and function.
        frames: That were processed, at least 1.
    """
    stages: dict[str, dict[str, float]] = {}
    for (stage, place), seconds in spent_s.items():
        stages.setdefault(stage, {})[place] = seconds
    whole_s = sum(spent_s.values())
    table = Table(box=None, pad_edge=False)
    for heading in ("stage", "ms a frame", "share", "most of it in"):
        table.add_column(heading, justify="left" if heading in ("stage", "most of it in") else "right")
    for stage, places in sorted(stages.items(), key=lambda item: -sum(item[1].values())):
        stage_s = sum(places.values())
        largest = sorted(filter(None, places), key=lambda place: -places[place])[:NUM_PLACES]
        named = ", ".join(f"{place} {100 * places[place] / whole_s:.1f} %" for place in largest)
        table.add_row(stage, f"{1000 * stage_s / frames:.2f}", f"{100 * stage_s / whole_s:.1f} %", named)
    table.add_row("all", f"{1000 * whole_s / frames:.2f}", "", "")
    return table
