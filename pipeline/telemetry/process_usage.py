"""Processor time and memory of this process and of all below it, as Linux counts them."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PPID, _UTIME, _STIME, _CUTIME, _CSTIME = 1, 11, 12, 13, 14
"""Fields of /proc/PID/stat behind the name of the command, from 0 (Linux, proc(5))."""


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """What processes use together.

    Attributes:
        cpu_s: Seconds of processor time, user and system, with those of children that have ended.
        rss_mb: Resident memory; what several processes share counts once for each.
        pss_mb: Resident memory; what several share counts once.
        shared_mb: Of ``pss_mb``, shared memory, where Ray keeps objects.
        num: Processes.
    """

    cpu_s: float = 0.0
    rss_mb: float = 0.0
    pss_mb: float = 0.0
    shared_mb: float = 0.0
    num: int = 0

    def __add__(self, other: "ProcessUsage") -> "ProcessUsage":
        """Return the usage of both."""
        return ProcessUsage(
            self.cpu_s + other.cpu_s,
            self.rss_mb + other.rss_mb,
            self.pss_mb + other.pss_mb,
            self.shared_mb + other.shared_mb,
            self.num + other.num,
        )


def usage_below(pid: int, proc: Path = Path("/proc")) -> tuple[ProcessUsage, ProcessUsage]:
    """Return the usage of a process and all below it: that of our own processes, and that of Ray's own.

    Ray's own are all below it but its workers with an actor, which are called ``ray::NAME``.

    Args:
        pid: The first process.
        proc: Where the kernel tells of processes.

    Raises:
        OSError: If the system has no such folder.
    """
    parents = {}
    for folder in proc.iterdir():
        if folder.name.isdecimal() and (stat := _stat(folder)) is not None:
            parents[int(folder.name)] = int(stat[_PPID])
    own = others = ProcessUsage()
    for each in _below(pid, parents):
        used = _usage(proc / str(each))
        if each == pid or _is_actor(proc / str(each)):
            own += used
        else:
            others += used
    return own, others


def _below(pid: int, parents: dict[int, int]) -> list[int]:
    """Return a process and all below it."""
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found


def _stat(folder: Path) -> list[str] | None:
    """Return the fields behind the name of the command; None if the process has ended."""
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _is_actor(folder: Path) -> bool:
    try:
        name = (folder / "cmdline").read_bytes()
    except OSError:
        return False
    return name.startswith(b"ray::") and not name.startswith(b"ray::IDLE")


def _usage(folder: Path) -> ProcessUsage:
    stat = _stat(folder)
    if stat is None:
        return ProcessUsage()
    cpu_s = sum(int(stat[field]) for field in (_UTIME, _STIME, _CUTIME, _CSTIME)) / _TICKS_A_SECOND
    try:
        lines = (folder / "smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return ProcessUsage(cpu_s=cpu_s)
    kb = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines)}
    return ProcessUsage(cpu_s, kb["Rss"] / 1e3, kb["Pss"] / 1e3, kb.get("Pss_Shmem", 0) / 1e3, 1)
