"""``python -m pipeline.evaluation.determinism``: the result is the same at any speed, worker count and crash.

This starts the program many times on a short part of a recording and compares the results: ``result_sha256``, and the
bytes of the JSON lines and MOT files.

- inline and on Ray with several numbers of workers, at several speeds, several times each;
- on Ray, with ``kill -9`` of the process that writes the ledger, at a random moment each time;
- with ``kill -9`` of the whole run, inline and on Ray in turn, and a second run with ``resume=true``.

It prints a line per run; the exit code is 0 if all results are equal, otherwise 1. Linux only: it searches ``/proc``.

    python -m pipeline.evaluation.determinism                                    # all 80 runs
    python -m pipeline.evaluation.determinism --repeats 1 --workers 2 --kills 2
    python -m pipeline.evaluation.determinism site=pets_halves detector=yolox_onnx embedder=omz_0288
"""

import argparse
import json
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from pipeline.core.command_line import parse_with_overrides

ROOT = Path(__file__).resolve().parents[2]
ALWAYS = (
    "matcher.recluster_every_s=1",
    "flow.flush_every_s=0.2",
    "sink=[jsonl,mot]",
    "alerts.zone_dwell.max_dwell_s=2",
)
DEMO = ("site=demo", "site.zones={plaza: {camera: west, polygon: [[0, 0], [640, 0], [640, 360], [0, 360]]}}")
FILES = ("*.jsonl", "mot/*.txt")
LIMIT_S = 600.0
"""Time limit of a run, seconds. A longer run counts as hung."""
MAX_ATTEMPTS = 5
"""Attempts to kill a run at a random moment; an attempt fails if the run has ended before."""


class Result(NamedTuple):
    """The result of a run.

    Attributes:
        digest: ``result_sha256``.
        files: sha256 over its JSON lines and MOT files, hex digits.
    """

    digest: str
    files: str


class FailedRunError(Exception):
    """A run failed or hung; the message has the end of its output."""


class Runs:
    """Starts runs, each with an output folder of its own.

    Args:
        folder: Parent of the output folders.
        overrides: Of each run.
        environment: Additional environment variables of each run.
    """

    def __init__(self, folder: Path, overrides: Sequence[str], environment: Mapping[str, str]) -> None:
        self._folder, self._overrides, self._environment = folder, overrides, environment
        self._count = 0

    def new(self) -> Path:
        """Return the output folder of a new run."""
        self._count += 1
        return self._folder / f"{self._count:03}"

    def start(self, output: Path, *more: str) -> "subprocess.Popen[bytes]":
        """Start a run; its output on the terminal goes to a file beside its output folder."""
        with output.with_suffix(".txt").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "pipeline/run.py", *self._overrides, f"output_dir={output}", *more],
                cwd=ROOT,
                env={**os.environ, **self._environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def finish(self, process: "subprocess.Popen[bytes]", output: Path) -> Result:
        """Wait for the end of a run and return its result.

        Raises:
            FailedRunError: If it fails, or does not end within ``LIMIT_S``.
        """
        try:
            code: object = process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = f"no end after {LIMIT_S:.0f} s"
        if code != 0:
            tail = output.with_suffix(".txt").read_text(errors="replace")[-2000:]
            raise FailedRunError(f"{output}: expected exit code 0, got {code}:\n{tail}")
        files = sha256()
        for path in sorted(path for pattern in FILES for path in output.glob(pattern)):
            files.update(path.name.encode() + path.read_bytes())
        return Result(json.loads((output / "summary.json").read_text())["result_sha256"], files.hexdigest())


@contextmanager
def cluster() -> Iterator[dict[str, str]]:
    """Start one Ray cluster for all runs, which saves time; yield the environment variables to join it."""
    import ray

    os.environ["PYTHONPATH"] = str(ROOT)  # of its workers
    started = ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield {"RAY_ADDRESS": started.address_info["gcs_address"]}
    finally:
        ray.shutdown()


def on(workers: int | None) -> tuple[str, ...]:
    """Return the overrides of a run inline (None), or on Ray with this many detectors and embedders."""
    if workers is None:
        return ("runtime=inline",)
    return "runtime=ray", f"runtime.detect.replicas={workers}", f"runtime.embed.replicas={workers}"


def without_a_crash(runs: Runs, workers: int | None, speed: str) -> Result:
    """Return the result of a run without a crash."""
    output = runs.new()
    return runs.finish(runs.start(output, *on(workers), f"replay.speed={speed}"), output)


def with_a_killed_match_process(runs: Runs, moment_s: float) -> Result | None:
    """Return the result of a run on Ray whose match process is killed; None if the run ended before."""
    output = runs.new()
    process = runs.start(output, *on(2), "replay.speed=1")
    writer = _writer_after(process, output, moment_s, lambda pid: pid != process.pid)
    if writer is None:
        runs.finish(process, output)
        return None
    os.kill(writer, signal.SIGKILL)
    return runs.finish(process, output)


def with_a_killed_run(runs: Runs, workers: int | None, moment_s: float) -> Result | None:
    """Return the result of a killed run that is resumed; None if the run ended before."""
    output = runs.new()
    process = runs.start(output, *on(workers), "replay.speed=1")
    if _writer_after(process, output, moment_s, lambda _: True) is None:
        runs.finish(process, output)
        return None
    process.kill()
    process.wait()
    while _writer(output):  # on Ray, processes end with the one that started them
        time.sleep(0.05)
    return runs.finish(runs.start(output, *on(workers), "replay.speed=max", "resume=true"), output)


def _writer_after(
    process: "subprocess.Popen[bytes]", output: Path, moment_s: float, is_wanted: Callable[[int], bool]
) -> int | None:
    """Return the process that writes the ledger ``moment_s`` after the first one did; None if the run ends before."""
    while not any(map(is_wanted, _writer(output))):
        if process.poll() is not None:
            return None
        time.sleep(0.05)
    time.sleep(moment_s)
    return next(filter(is_wanted, _writer(output)), None) if process.poll() is None else None


def _writer(output: Path) -> list[int]:
    """Return the processes that have the ledger of a run open."""
    ledger = str((output / "ledger.sqlite").resolve())
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or belongs to another user
            if any(os.readlink(link) == ledger for link in (process / "fd").iterdir()):
                found.append(int(process.name))
    return found


def cases(options: argparse.Namespace, runs: Runs) -> Iterator[tuple[str, Callable[[], Result | None]]]:
    """Yield each run as a label and a call; repetitions come last, so that failures show early."""
    uncrashed = [
        (f"{'inline' if workers is None else f'ray, {workers} workers'}, speed {speed}", (workers, speed))
        for workers in (None, *options.workers)
        for speed in options.speeds
    ]
    seeds = range(options.seed, options.seed + options.kills)
    for number in range(1, options.repeats + 1):
        for label, case in uncrashed:
            yield f"{label}, run {number}", partial(without_a_crash, runs, *case)
        for seed in seeds if number == 1 else ():
            run = partial(with_a_killed_match_process, runs)
            yield f"ray, match process killed, seed {seed}", partial(_at_random_moments, seed, options.seconds, run)
            workers = 2 if seed % 2 else None
            run = partial(with_a_killed_run, runs, workers)
            where = "ray" if workers else "inline"
            yield f"{where}, run killed, seed {seed}", partial(_at_random_moments, seed, options.seconds, run)


def _at_random_moments(seed: int, seconds: float, run: Callable[[float], Result | None]) -> Result | None:
    """Repeat with random moments of a seed until the kill hits a running run."""
    random_moments = random.Random(seed)
    for _ in range(MAX_ATTEMPTS):
        moment_s = random_moments.uniform(0.0, seconds)
        result = run(moment_s)
        if result is not None:
            print(f"    killed after {moment_s:.2f} s", flush=True)
            return result
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Make all runs, print their results, and return the exit code."""
    options = parse_with_overrides(_parser(), arguments)
    site = () if any(word.startswith("site") for word in options.overrides) else DEMO
    expected: Result | None = None
    others = 0
    count = 0
    with tempfile.TemporaryDirectory(prefix="determinism") as folder, cluster() as environment:
        runs = Runs(
            Path(folder), [*site, *ALWAYS, f"source.file.seconds={options.seconds:g}", *options.overrides], environment
        )
        for label, run in cases(options, runs):
            began = time.monotonic()
            try:
                result = run()
            except FailedRunError as error:
                print(f"{label}: FAILED: {error}", flush=True)
                return 1
            count += 1
            expected = expected or result
            is_same = result == expected
            others += not is_same
            verdict = "same" if is_same else f"ANOTHER: {result}"
            print(f"{label}: {verdict}, {time.monotonic() - began:.1f} s", flush=True)
        print(f"{count} runs, {count - others} with one result; result_sha256 {expected and expected.digest}")
        counts = {path.stem: len(path.read_text().splitlines()) for path in Path(folder).glob("001/*.jsonl")}
        print(", ".join(f"{number} {name}" for name, number in sorted(counts.items())))
    return 1 if others else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline.evaluation.determinism", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", type=float, default=8.0, help="length of the recording; default %(default)s")
    parser.add_argument(
        "--repeats", type=int, default=5, help="repetitions of each run without a crash; default %(default)s"
    )
    parser.add_argument(
        "--workers", type=int, nargs="*", default=[1, 2, 4], help="numbers of workers on Ray; default 1 2 4"
    )
    parser.add_argument("--speeds", nargs="+", default=["1", "8", "max"], help="default 1 8 max")
    parser.add_argument(
        "--kills", type=int, default=10, help="kills of the match process, and of the run; default %(default)s"
    )
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="default: random")
    parser.add_argument("overrides", nargs="*", help="overrides of each run, key=value")
    return parser


if __name__ == "__main__":
    sys.exit(main())
