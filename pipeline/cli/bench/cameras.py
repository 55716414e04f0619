"""``passerby bench cameras``: what a camera costs, in processor time and memory, as cameras are added.

Every measurement is a run in a process of its own, with the site's cameras again under other names. It ends before the
processes do, so that what Ray itself needs to start and to stop is not in it.

    passerby bench cameras                                       1, 2, 4 and 8 cameras, inline and on Ray
    passerby bench cameras bench.cameras=16 'site.cameras={a: /a/clip.mp4}'

    bench.cameras=1,2,4,8       how many cameras, one run each
    bench.runtimes=inline,ray   where they run
    bench.turns=1               how often all of them are run, one after the other; the table has medians
"""

import os
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from itertools import product
from statistics import median

from rich.table import Table

from pipeline.cli.bench.measured_run import Cost, measure_apart
from pipeline.cli.printing import print_table
from pipeline.core.errors import ConfigError

KEYS = {
    "bench.passes": ("bench",),
    "bench.cameras": ("bench cameras", "bench profile", "bench scale"),
    "bench.runtimes": ("bench cameras", "bench scale"),
    "bench.turns": ("bench cameras",),
    "bench.fps": ("bench scale",),
    "bench.cores": ("bench scale",),
    "bench.people": ("bench scale",),
}
"""Options of this command and its like, and which of them take each; all others are overrides of the configuration."""
NUMBERS, RUNTIMES, TURNS = "bench.cameras=", "bench.runtimes=", "bench.turns="


def compare_cameras(words: Sequence[str]) -> None:
    """Print the table for the configuration that the command line makes."""
    overrides = overrides_of(words, "bench cameras")
    runtimes = read_option(words, RUNTIMES, "inline,ray").split(",")
    turns = whole_number(TURNS, read_option(words, TURNS, "1"))
    costs: dict[tuple[str, int], list[Cost]] = {each: [] for each in product(runtimes, read_numbers(words))}
    for _ in range(turns):
        for (runtime, number), measured in costs.items():
            cost = measure_apart([*overrides, f"runtime={runtime}"], number)
            measured.append(cost)
            print(f"{runtime}, {number} cameras: {cost.cpu_ms:.1f} ms a frame, result {cost.digest[:12]}", flush=True)
    print(f"load of the machine before and after a run is part of a measurement: {os.getloadavg()[0]:.1f} now")
    print_table(_table(costs))


def _table(costs: dict[tuple[str, int], list[Cost]]) -> Table:
    """Return the table of medians; with several turns, also the least and the most of the processor time."""
    table = Table(box=None, pad_edge=False)
    headings = ("runtime", "cameras", "frames/s", "CPU ms a frame", "of it Ray's own", "RSS MB", "PSS MB", "shared MB")
    for heading in (*headings, "Ray's own PSS", "detect, frames a call"):
        table.add_column(heading, justify="left" if heading == "runtime" else "right")
    for (runtime, number), measured in costs.items():
        table.add_row(runtime, str(number), *_cells(measured))
    return table


def _cells(measured: Sequence[Cost]) -> list[str]:
    def middle(of: Callable[[Cost], float]) -> float:
        return median(map(of, measured))

    calls = [cost.batches["detect"].mean_call or 0.0 for cost in measured]
    times = [cost.cpu_ms for cost in measured]
    spread = f" ({min(times):.1f}–{max(times):.1f})" if len(times) > 1 else ""
    return [
        f"{middle(lambda cost: cost.frames_per_s):.1f}",
        f"{median(times):.1f}{spread}",
        f"{middle(lambda cost: 1000 * cost.ray.cpu_s / cost.frames):.1f}",
        f"{middle(lambda cost: cost.own.rss_mb):.0f}",
        f"{middle(lambda cost: cost.own.pss_mb):.0f}",
        f"{middle(lambda cost: cost.own.shared_mb):.0f}",
        f"{middle(lambda cost: cost.ray.pss_mb):.0f}",
        f"{median(calls):.1f}" if all(calls) else "–",
    ]


def overrides_of(words: Sequence[str], command: str) -> list[str]:
    """Return the words that are overrides of the configuration.

    Raises:
        ConfigError: If an option is not one of this command; names the one that was probably meant.
    """
    options = [word.partition("=")[0] for word in words if word.startswith("bench.")]
    for key in options:
        if command not in KEYS.get(key, ()):
            own = ", ".join(each for each, commands in KEYS.items() if command in commands)
            near = get_close_matches(key, KEYS, n=1, cutoff=0.8)
            remedy = f"{near[0]} is a key of passerby {', '.join(KEYS[near[0]])}" if near else "correct it"
            raise ConfigError(f"{key}: passerby {command} has {own} only; {remedy}")
    return [word for word in words if not word.startswith("bench.")]


def read_numbers(words: Sequence[str]) -> list[int]:
    """Return the numbers of cameras that the command line asks for."""
    return [whole_number(NUMBERS, text) for text in read_option(words, NUMBERS, "1,2,4,8").split(",")]


def read_option(words: Sequence[str], name: str, usual: str) -> str:
    """Return what an option of this command says, or what it says if it is not there."""
    return next((word[len(name) :] for word in words if word.startswith(name)), usual)


def whole_number(name: str, text: str) -> int:
    """Return the number that an option of this command says; raise ``ConfigError`` if it is none from 1 on."""
    if not text.isdecimal() or not int(text):
        raise ConfigError(f"{name.rstrip('=')}: expected whole numbers above 0, got {text!r}; correct it")
    return int(text)
