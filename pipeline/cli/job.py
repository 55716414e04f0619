"""Owns one run on a Ray cluster: submits it or attaches to it, shows its log, stops it when it is stopped itself.

Made for a container: one that is stopped stops the run, one that starts again finds it, and there is one run at a time.
A run that has ended, or that a lost cluster has forgotten, is submitted again with ``resume=true``, so that people keep
their numbers. One that only a person can bring to go on is not: this program says so once and waits to be stopped,
because a container that ended would be started again and again. With ``--stay`` it waits likewise once all recordings
are read: a container that comes back after a restart of its machine is started again however it ended.
"""

import argparse
import asyncio
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.cli.stop_signals import stop_on_signals
from pipeline.config.masking import holds_secret
from pipeline.core.command_line import parse_with_overrides
from pipeline.core.errors import ConfigError, LedgerChangedError
from pipeline.telemetry.sites import FILE as SITES

DONE, FAILED = 0, 1
UNENDED = ("PENDING", "RUNNING")
CLUSTER_S = 60.0
"""Seconds to wait for the cluster at the start. Longer: a wrong address is reported later."""
STOP_S = 50.0
"""Seconds that the run has to end after its stop. Below the grace of its container, so that the end is reported."""
REFUSED_S = 20.0
"""Seconds until a run that was refused as configured is submitted again: a broker may come, a mistake stays. A longer
time leaves a site that waited for its broker blind for longer; a shorter one fills the log with the same line."""
ASK_EVERY_S = 1.0
"""Seconds between two questions to the cluster. More notice an end later."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Own a run until it ends; return the exit code."""
    parser = make_parser()
    parsed = parse_with_overrides(parser, arguments)
    if not parsed.overrides:
        parser.error("the following arguments are required: overrides")
    for word in parsed.overrides:
        if holds_secret(word):
            key = word.partition("=")[0]
            parser.error(
                f"{key}: expected no password, because a cluster shows the command line of its runs; put it into the "
                "environment of the cluster as NAME, and write ${oc.env:NAME} in its place"
            )
    return asyncio.run(_own(parsed.address, parsed.id, parsed.overrides, stays=parsed.stay))


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = argparse.ArgumentParser(prog="passerby job", description=__doc__.splitlines()[0])
    parser.add_argument("--address", required=True, help="of the cluster's dashboard, http://head:8265")
    parser.add_argument("--id", required=True, help="of the run; its submissions are ID.1, ID.2 and so on")
    parser.add_argument("--stay", action="store_true", help="when all recordings are read, wait to be stopped")
    parser.add_argument("overrides", nargs="*", help="of the run: key=value …")
    return parser


async def _own(address: str, job_id: str, overrides: Sequence[str], *, stays: bool) -> int:
    stop = stop_on_signals()
    client = await _connect(address, stop)
    if client is None:
        if stop.is_set():
            return DONE
        print(f"error: {address}: expected a Ray cluster within {CLUSTER_S:g} s, got none", file=sys.stderr)
        return FAILED
    try:
        known = await _submissions(client, job_id)
        newest = max(known, default=0)
        if known.get(newest) in UNENDED:
            run = _Run(client, job_id, newest)
            print(f"{job_id} goes on as {run.submission_id}; its log from the beginning:", flush=True)
        else:
            run = _Run(client, job_id, newest + 1)
            await _submit(run, overrides)
            await _forget(run, known)
        return await _follow(run, stop, stays=stays)
    except (RuntimeError, OSError) as error:
        print(f"error: {address}: expected to reach the run {job_id}, got {error}", file=sys.stderr)
        return FAILED


@dataclass(frozen=True, slots=True)
class _Run:
    """The run, and the number of its submission that is followed.

    Each submission has an id of its own: Ray takes the late end of one for that of the next with the same id, and then
    refuses every later one, because it holds the process that it never let begin.
    """

    client: Any
    name: str
    number: int

    @property
    def submission_id(self) -> str:
        return f"{self.name}.{self.number}"


async def _submissions(client: Any, name: str) -> dict[int, str]:
    """Return the status of each submission of the run that the cluster knows, by number."""
    known = {}
    for each in await asyncio.to_thread(client.list_jobs):
        run, _, number = (each.submission_id or "").rpartition(".")
        if run == name and number.isdecimal():
            known[int(number)] = str(each.status.value)
    return known


async def _submit(run: _Run, overrides: Sequence[str]) -> None:
    resume = _resume(overrides)
    entry = shlex.join(["python", "/app/pipeline/run.py", *overrides, *resume])
    await asyncio.to_thread(run.client.submit_job, entrypoint=f"exec {entry}", submission_id=run.submission_id)
    print(f"{run.name}: submitted as {run.submission_id}{', to go on' if resume else ''}", flush=True)


async def _forget(run: _Run, known: Mapping[int, str]) -> None:
    """Let the cluster forget the submissions before, or a run that fails for a year leaves a million."""
    for number in known:
        with suppress(RuntimeError):  # it has not ended
            await asyncio.to_thread(run.client.delete_job, f"{run.name}.{number}")


def _resume(overrides: Sequence[str]) -> list[str]:
    """Return the override that continues an earlier run, if it left a ledger or sites; the container has the folder."""
    folders = [override.removeprefix("output_dir=") for override in overrides if override.startswith("output_dir=")]
    left = [Path(folder, name) for folder in folders[-1:] for name in ("ledger.sqlite", SITES)]
    return ["resume=true"] if any(path.exists() for path in left) else []


async def _connect(address: str, stop: asyncio.Event) -> Any:
    """Return a client of the cluster; None if there is no cluster in time, or a stop came first."""
    from ray.job_submission import JobSubmissionClient

    began = time.monotonic()
    while not stop.is_set() and time.monotonic() - began < CLUSTER_S:
        try:
            return await asyncio.to_thread(JobSubmissionClient, address)
        except (ConnectionError, RuntimeError, OSError):
            await asyncio.sleep(ASK_EVERY_S)
    return None


async def _follow(run: _Run, stop: asyncio.Event, *, stays: bool) -> int:
    """Show the log of a run until it ends or is stopped. A cluster that does not answer is waited for."""
    log = _Log(run)
    log.show()
    stopped_at = away_at = None
    try:
        while True:
            try:
                status = await _status(run)
                if away_at is not None:
                    print(f"{run.name}: the cluster answers again after {time.monotonic() - away_at:.0f} s", flush=True)
                    away_at = None
                    log.show()
                if status not in UNENDED:
                    break
                if stop.is_set() and stopped_at is None:
                    await asyncio.to_thread(run.client.stop_job, run.submission_id)
            except (RuntimeError, OSError) as error:
                if away_at is None:
                    print(f"{run.name}: the cluster does not answer and is waited for: {error}", flush=True)
                    away_at = time.monotonic()
            if stop.is_set() and stopped_at is None:
                stopped_at = time.monotonic()
            if stopped_at is not None and time.monotonic() - stopped_at > STOP_S:
                print(f"error: {run.name}: expected it to end within {STOP_S:g} s, it did not", file=sys.stderr)
                return FAILED
            await asyncio.sleep(ASK_EVERY_S)
        await log.end()
    finally:
        log.close()
    print(f"{run.name}: {'forgotten by the cluster' if status is None else status.lower()}", flush=True)
    if status == "FAILED":
        await _wait_after_failure(run.name, await _exit_code(run), stop)
    if status == "SUCCEEDED" and stays and not stop.is_set():
        print(f"{run.name}: all is read; start this container again to go on", flush=True)
        await stop.wait()
    return DONE if status in ("SUCCEEDED", "STOPPED") else FAILED


class _Log:
    """Prints the log of a run as it grows; shown again, it goes on where it was."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._num_shown = 0
        self._showing: asyncio.Task[None] | None = None

    def show(self) -> None:
        """Print from now on; an earlier connection is dropped."""
        self.close()
        self._showing = asyncio.ensure_future(self._show())

    async def end(self) -> None:
        """Print the last lines: the stream of a run that has ended may have been closed before them."""
        self.close()
        with suppress(RuntimeError, OSError):
            lines = await asyncio.to_thread(self._run.client.get_job_logs, self._run.submission_id)
            print(lines[self._num_shown :], end="", flush=True)

    def close(self) -> None:
        """Print no more."""
        if self._showing is not None:
            self._showing.cancel()

    async def _show(self) -> None:
        at = 0
        with suppress(Exception):  # also the client's own errors; _follow reports a cluster that is lost
            async for lines in self._run.client.tail_job_logs(self._run.submission_id):
                new = lines[max(0, self._num_shown - at) :]
                at += len(lines)
                self._num_shown = max(self._num_shown, at)
                print(new, end="", flush=True)


async def _wait_after_failure(name: str, exit_code: int | None, stop: asyncio.Event) -> None:
    """Wait before the container ends, so that the run is not submitted at once to fail in the same way."""
    if exit_code == LedgerChangedError.exit_code:
        print(f"{name}: not submitted again; do what the error says, then start this container again", flush=True)
        await stop.wait()
    elif exit_code == ConfigError.exit_code and not stop.is_set():
        print(f"{name}: refused as configured; submitted again in {REFUSED_S:g} s", flush=True)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), REFUSED_S)


async def _exit_code(run: _Run) -> int | None:
    """Return the exit code of a run that has ended; None if the cluster does not tell it."""
    with suppress(RuntimeError, OSError):
        code: int | None = (await asyncio.to_thread(run.client.get_job_info, run.submission_id)).driver_exit_code
        return code
    return None


async def _status(run: _Run) -> str | None:
    """Return the status of the submission; None if the cluster has forgotten it."""
    try:
        return str((await asyncio.to_thread(run.client.get_job_status, run.submission_id)).value)
    except RuntimeError as error:
        if "404" in str(error) or "does not exist" in str(error):
            return None
        raise
