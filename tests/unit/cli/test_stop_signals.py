"""A command that stops on SIGINT and SIGTERM does so at any moment until its process is gone."""

import signal
import subprocess
import sys

import pytest

COMMAND = """
import asyncio, atexit, time
from pipeline.cli.stop_signals import stop_on_signals

def late():
    print("on the way out", flush=True)
    time.sleep(0.3)

atexit.register(late)

async def work():
    stop = stop_on_signals()
    print("works", flush=True)
    await asyncio.wait_for(stop.wait(), 20)

asyncio.run(work())
print("its loop is closed", flush=True)
time.sleep(0.3)
"""


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_signals_before_and_after_the_end_of_the_loop_end_in_order(name: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in ("works", "its loop is closed", "on the way out"):
            assert process.stdout.readline().strip() == line
            process.send_signal(name)
        assert process.wait(timeout=20) == 0
