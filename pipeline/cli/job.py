"""Owns one run on a Ray cluster: submits it or attaches to it, shows its log, stops it when it is stopped itself.

Made for a container: one that is stopped stops the run, one that starts again finds it, and there is one run at a time,
because its submission has a fixed id. A run that has ended, or that a lost cluster has forgotten, is submitted again
with ``resume=true``, so that people keep their numbers. One that only a person can bring to go on is not: this program
says so once and waits to be stopped, because a container that ended would be started again and again. With ``--stay``
it waits likewise once all recordings are read: a container that comes back after a restart of its machine is started
again however it ended.
"""

import argparse
import asyncio
import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.cli.stop_signals import stop_on_signals
from pipeline.core.command_line import parse_with_overrides
from pipeline.core.errors import ConfigError, LedgerChangedError

DONE, FAILED = 0, 1
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
    return asyncio.run(_own(parsed.address, parsed.id, parsed.overrides, stays=parsed.stay))


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = argparse.ArgumentParser(prog="passerby job", description=__doc__.splitlines()[0])
    parser.add_argument("--address", required=True, help="of the cluster's dashboard, http://head:8265")
    parser.add_argument("--id", required=True, help="of the submission: one run at a time has it")
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
        log = _Log(client, job_id)
        if await _status(client, job_id) in ("PENDING", "RUNNING"):
            print(f"{job_id} goes on; its log from the beginning:", flush=True)
        else:
            with suppress(RuntimeError):  # there was none
                await log.skip()
                await asyncio.to_thread(client.delete_job, job_id)
            resume = _resume(overrides)
            entry = shlex.join(["python", "/app/pipeline/run.py", *overrides, *resume])
            await asyncio.to_thread(client.submit_job, entrypoint=f"exec {entry}", submission_id=job_id)
            print(f"{job_id}: submitted{', to go on' if resume else ''}", flush=True)
        return await _follow(client, job_id, log, stop, stays=stays)
    except (RuntimeError, OSError) as error:
        print(f"error: {address}: expected to reach the run {job_id}, got {error}", file=sys.stderr)
        return FAILED


def _resume(overrides: Sequence[str]) -> list[str]:
    """Return the override that continues an earlier run, if its ledger is there; the container shares the folder."""
    folders = [override.removeprefix("output_dir=") for override in overrides if override.startswith("output_dir=")]
    return ["resume=true"] if folders and (Path(folders[-1]) / "ledger.sqlite").exists() else []


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


async def _follow(client: Any, job_id: str, log: "_Log", stop: asyncio.Event, *, stays: bool) -> int:
    """Show the log of a run until it ends or is stopped. A cluster that does not answer is waited for."""
    log.show()
    stopped_at = away_at = None
    try:
        while True:
            try:
                status = await _status(client, job_id)
                if away_at is not None:
                    print(f"{job_id}: the cluster answers again after {time.monotonic() - away_at:.0f} s", flush=True)
                    away_at = None
                    log.show()
                if status not in ("PENDING", "RUNNING"):
                    break
                if stop.is_set() and stopped_at is None:
                    await asyncio.to_thread(client.stop_job, job_id)
            except (RuntimeError, OSError) as error:
                if away_at is None:
                    print(f"{job_id}: the cluster does not answer and is waited for: {error}", flush=True)
                    away_at = time.monotonic()
            if stop.is_set() and stopped_at is None:
                stopped_at = time.monotonic()
            if stopped_at is not None and time.monotonic() - stopped_at > STOP_S:
                print(f"error: {job_id}: expected it to end within {STOP_S:g} s, it did not", file=sys.stderr)
                return FAILED
            await asyncio.sleep(ASK_EVERY_S)
        await log.end()
    finally:
        log.close()
    print(f"{job_id}: {'forgotten by the cluster' if status is None else status.lower()}", flush=True)
    if status == "FAILED":
        await _wait_after_failure(job_id, await _exit_code(client, job_id), stop)
    if status == "SUCCEEDED" and stays and not stop.is_set():
        print(f"{job_id}: all is read; start this container again to go on", flush=True)
        await stop.wait()
    return DONE if status in ("SUCCEEDED", "STOPPED") else FAILED


class _Log:
    """Prints the log of a run as it grows; shown again, it goes on where it was."""

    def __init__(self, client: Any, job_id: str) -> None:
        self._client, self._job_id = client, job_id
        self._num_shown = 0
        self._showing: asyncio.Task[None] | None = None

    async def skip(self) -> None:
        """Do not print what an earlier run of this id has written: Ray appends to one file."""
        self._num_shown = len(await asyncio.to_thread(self._client.get_job_logs, self._job_id))

    def show(self) -> None:
        """Print from now on; an earlier connection is dropped."""
        self.close()
        self._showing = asyncio.ensure_future(self._show())

    async def end(self) -> None:
        """Print the last lines: the stream of a run that has ended may have been closed before them."""
        self.close()
        with suppress(RuntimeError, OSError):
            lines = await asyncio.to_thread(self._client.get_job_logs, self._job_id)
            print(lines[self._num_shown :], end="", flush=True)

    def close(self) -> None:
        """Print no more."""
        if self._showing is not None:
            self._showing.cancel()

    async def _show(self) -> None:
        at = 0
        with suppress(Exception):  # also the client's own errors; _follow reports a cluster that is lost
            async for lines in self._client.tail_job_logs(self._job_id):
                new = lines[max(0, self._num_shown - at) :]
                at += len(lines)
                self._num_shown = max(self._num_shown, at)
                print(new, end="", flush=True)


async def _wait_after_failure(job_id: str, exit_code: int | None, stop: asyncio.Event) -> None:
    """Wait before the container ends, so that the run is not submitted at once to fail in the same way."""
    if exit_code == LedgerChangedError.exit_code:
        print(f"{job_id}: not submitted again; do what the error says, then start this container again", flush=True)
        await stop.wait()
    elif exit_code == ConfigError.exit_code and not stop.is_set():
        print(f"{job_id}: refused as configured; submitted again in {REFUSED_S:g} s", flush=True)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), REFUSED_S)


async def _exit_code(client: Any, job_id: str) -> int | None:
    """Return the exit code of a run that has ended; None if the cluster does not tell it."""
    with suppress(RuntimeError, OSError):
        code: int | None = (await asyncio.to_thread(client.get_job_info, job_id)).driver_exit_code
        return code
    return None


async def _status(client: Any, job_id: str) -> str | None:
    """Return the status of a run; None if the cluster knows none of this id."""
    try:
        return str((await asyncio.to_thread(client.get_job_status, job_id)).value)
    except RuntimeError as error:
        if "404" in str(error) or "does not exist" in str(error):
            return None
        raise
