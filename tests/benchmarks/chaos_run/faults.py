"""What is done to a run. Each fault lasts for a while, and returns what it was done to."""

import contextlib
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
from ray_cluster import TwoNodes

from chaos_run.feed import Feed
from chaos_run.job import Job
from chaos_run.scene import BY_KAFKA, BY_RTSP

DISK_MB = 96


@dataclass(frozen=True)
class Place:
    """What faults are done to."""

    feed: Feed
    job: Job
    cluster: TwoNodes | None
    disk: Path | None


def job_killed(place: Place, _: random.Random) -> str:
    """``kill -9`` of the program; it is started again with ``resume=true``."""
    place.job.kill()
    return "job"


def process_stopped(place: Place, rng: random.Random) -> str:
    """SIGSTOP, and SIGCONT up to 15 s later: shorter and longer than the lease of the ledger.

    Cameras whose pictures nobody took close the connection: the RTSP server would go on where it was, in the past.
    """
    with contextlib.suppress(psutil.Error, IndexError):  # it is just being replaced
        process = rng.choice(place.job.processes())
        name = _name(process)
        process.send_signal(signal.SIGSTOP)
        time.sleep(rng.uniform(3.0, 15.0))
        process.send_signal(signal.SIGCONT)
        for camera_id in BY_RTSP:
            with place.feed.cut_off(camera_id):
                pass
        return name
    return "nobody"


def worker_killed(place: Place, rng: random.Random) -> str:
    """``kill -9`` of the process of cameras, networks or the matcher."""
    assert place.cluster is not None
    with contextlib.suppress(psutil.Error, IndexError):
        process = rng.choice(place.cluster.workers())
        name = _name(process)
        process.kill()
        return name
    return "nobody"


def node_lost(place: Place, rng: random.Random) -> str:
    """All processes of the second node are killed; another node joins up to 15 s later."""
    assert place.cluster is not None
    place.cluster.lose_node()
    time.sleep(rng.uniform(5.0, 15.0))
    place.cluster.bring_node_back()
    return "second node"


def camera_cut_off(place: Place, rng: random.Random) -> str:
    """The network to one camera by RTSP is cut for up to 15 s."""
    camera_id = rng.choice(BY_RTSP)
    with place.feed.cut_off(camera_id):
        time.sleep(rng.uniform(2.0, 15.0))
    return camera_id


def broker_cut_off(place: Place, rng: random.Random) -> str:
    """The network to the broker is cut for up to 15 s."""
    with place.feed.broker_cut_off():
        time.sleep(rng.uniform(2.0, 15.0))
    return "broker"


def broker_killed(place: Place, rng: random.Random) -> str:
    """``kill -9`` of the broker; it is started again on its data up to 10 s later."""
    broker = place.feed.broker.apache
    assert broker is not None
    broker.signal(1, signal.SIGKILL)
    time.sleep(rng.uniform(1.0, 10.0))
    broker.restart(1)
    return "broker"


def disk_full(place: Place, rng: random.Random) -> str:
    """The disk of the run is full for up to 15 s."""
    assert place.disk is not None
    filler = place.disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (2**20, 2**10, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    time.sleep(rng.uniform(3.0, 15.0))
    filler.unlink()
    return "disk"


def clock_step(place: Place, rng: random.Random) -> str:
    """The clock of one sender is up to 30 s ahead or behind for up to 20 s, then right again."""
    camera_id = rng.choice(BY_KAFKA)
    step_s = rng.choice((-1, 1)) * rng.uniform(1.0, 30.0)
    place.feed.clock_step_s[camera_id] = step_s
    time.sleep(rng.uniform(5.0, 20.0))
    place.feed.clock_step_s[camera_id] = 0.0
    return f"{camera_id} {step_s:+.1f} s"


Fault = Callable[[Place, random.Random], str]
INLINE: tuple[Fault, ...] = (
    *(job_killed, process_stopped, camera_cut_off, broker_cut_off, broker_killed, disk_full, clock_step),
)
RAY: tuple[Fault, ...] = (*INLINE, worker_killed, node_lost)
FAULTS: Mapping[str, tuple[Fault, ...]] = {"inline": INLINE, "ray": RAY}


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """Mount a small file system on a folder; yield None where that is not allowed."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def _name(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        title = process.cmdline()
        return title[0].removeprefix("ray::") if title and title[0].startswith("ray::") else "job"
    return "gone"
