"""What a run says of itself twice a second: frames of each camera in ``status.json``, and what its processes take."""

import contextlib
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path

import psutil

from chaos_run.job import Job
from chaos_run.scene import CAMERAS, FPS

EVERY_S = 0.5
SILENT_S = 8.0
"""Seconds without a new status after which all cameras count as blind. It is written every second; a process that does
not answer delays it by six."""
STEADY_S = 4.0
"""Seconds for which every camera must be followed until it counts."""
MIN_SHARE = 0.5
"""Share of a camera's frames below which it counts as blind."""


@dataclass(frozen=True)
class Look:
    """A new ``status.json``: Unix seconds, life of the run, and by camera the frames processed, and why it is away."""

    at: float
    life: int
    frames: dict[str, int]
    away: dict[str, str]


@dataclass(frozen=True)
class Usage:
    """Unix seconds, and what all processes of the run take together: bytes, threads, descriptors."""

    at: float
    memory: int
    threads: int
    descriptors: int


Span = tuple[float, float]


@dataclass
class Watch:
    """Looks at a run until it is closed.

    Attributes:
        looks: Each new status.
        usages: What its processes took.
    """

    job: Job
    looks: list[Look] = field(default_factory=list)
    usages: list[Usage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def save(self, file: Path) -> None:
        """Write all that was seen."""
        seen = {"looks": self.looks, "usages": self.usages}
        file.write_text(json.dumps({name: [asdict(one) for one in each] for name, each in seen.items()}))

    def well_from(self, since: float) -> float | None:
        """Return from when on every camera is followed, Unix seconds after ``since``; None if that is not so now."""
        recent = [look for look in self.looks if look.at > since]
        if len(recent) < 2 or time.time() - recent[-1].at > SILENT_S:
            return None
        last = recent[-1]
        begin = next(look for look in recent if look.at > last.at - STEADY_S)
        seen_s = last.at - begin.at
        if begin.life != last.life or any(last.away.values()) or seen_s < STEADY_S / 2:
            return None
        frames = [last.frames.get(name, 0) - begin.frames.get(name, 0) for name in CAMERAS]
        return begin.at if min(frames) >= MIN_SHARE * FPS * seen_s else None

    def wait_until_well(self, since: float, within_s: float) -> float | None:
        """Wait until every camera is followed; return from when on, None if that takes too long."""
        until = time.monotonic() + within_s
        while (at := self.well_from(since)) is None and time.monotonic() < until:
            time.sleep(EVERY_S)
        return at

    def blind(self, camera_id: str) -> list[Span]:
        """Return when the run did not say that it follows a camera, Unix seconds."""
        found: list[Span] = []
        for before, after in pairwise(self.looks):
            frames = after.frames.get(camera_id, 0) - before.frames.get(camera_id, 0)
            seen_s = after.at - before.at
            is_seen = before.life == after.life and seen_s < SILENT_S and frames >= MIN_SHARE * FPS * seen_s
            if is_seen:
                continue
            if found and found[-1][1] == before.at:
                found[-1] = (found[-1][0], after.at)
            else:
                found.append((before.at, after.at))
        return found

    def _watch(self) -> None:
        while not self._over.wait(EVERY_S):
            with contextlib.suppress(OSError, ValueError, KeyError):
                self._look()
            self.usages.append(_usage(self.job.processes()))

    def _look(self) -> None:
        status = json.loads((self.job.output / "status.json").read_text())
        life = sum(began < status["at"] for began in self.job.lives)
        if self.looks and self.looks[-1].at == status["at"]:
            return
        cameras = status["cameras"]
        frames = {name: camera["frames_processed"] for name, camera in cameras.items()}
        away = {
            name: camera["error"] or camera["away"] or ("silent" if camera["is_silent"] else "")
            for name, camera in cameras.items()
        }
        self.looks.append(Look(status["at"], life, frames, away))


def _usage(processes: Sequence[psutil.Process]) -> Usage:
    memory = threads = descriptors = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            memory += process.memory_info().rss
            threads += process.num_threads()
            descriptors += process.num_fds()
    return Usage(time.time(), memory, threads, descriptors)
