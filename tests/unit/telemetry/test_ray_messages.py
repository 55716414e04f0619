"""What Ray prints of itself is a line of the log, and of what the run says itself there is no second one."""

import io
import logging
import sys
import threading

import pytest

from pipeline.telemetry.ray_messages import THREAD, log_messages, told

DIED = (
    "\x1b[33m(raylet)\x1b[0m A worker died or was killed while executing a task by an unexpected system error. To "
    "troubleshoot the problem, check the logs for the dead worker. Lease ID: 27 Worker ID: 6f Node ID: c2 Worker IP "
    "address: 192.0.2.2 Worker port: 20680 Worker PID: 2697 Worker exit type: SYSTEM_ERROR Worker exit detail: Worker "
    "unexpectedly exits with a connection error code 2. End of file. Some common causes include: (1) the OOM killer"
)
RETRIED = "(raylet) Task ActorHost.call failed. There are infinite retries remaining, so the task will be retried."
UNPLACED = "\x1b[33m(raylet, ip=192.0.2.3)\x1b[0m No available node types can fulfill\n  resource request {'GPU': 1.0}"


def test_a_death_is_told_with_its_process_and_its_cause() -> None:
    expected = "process 2697 on 192.0.2.2 died: Worker unexpectedly exits with a connection error code 2. End of file."
    assert told(DIED) == expected


def test_a_call_that_is_made_again_is_not_told() -> None:
    assert told(RETRIED) is None


def test_what_ray_prints_is_logged_and_what_others_print_is_printed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    log_messages()

    def say() -> None:
        for line in (UNPLACED, RETRIED):
            print(line)

    ray = threading.Thread(target=say, name=THREAD)
    with caplog.at_level(logging.WARNING):
        ray.start()
        ray.join()
        print("files: out")
    assert caplog.messages == ["Ray: No available node types can fulfill resource request {'GPU': 1.0}"]
    assert out.getvalue() == "files: out\n"
