"""The process of a command: closed streams, letters that cannot be shown, Ctrl-C before it listens."""

import os
import subprocess
import sys

import pytest

from pipeline.cli.process import INTERRUPTED

IN_COMMAND = """
from pipeline.cli.process import process_of
import os, signal, sys
with process_of({command!r}):
    {body}
"""


def run(command: str, body: str, *, shell: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run some lines in the process of a command, the way a shell line would."""
    words = [sys.executable, "-c", IN_COMMAND.format(command=command, body=body)]
    line = ["bash", "-c", f'set -o pipefail; "$@" {shell}', "bash", *words] if shell else words
    return subprocess.run(line, capture_output=True, text=True, env=os.environ | environment, check=False, timeout=60)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_run_that_is_stopped_before_it_listens_ends_as_one_that_was_stopped_in_order(name: str) -> None:
    done = run("run", f"os.kill(os.getpid(), signal.{name})")
    assert (done.returncode, done.stdout, done.stderr) == (0, "stopped before the first frame\n", "")


def test_another_command_ends_on_ctrl_c_without_a_traceback() -> None:
    done = run("ledger", "os.kill(os.getpid(), signal.SIGINT)")
    assert (done.returncode, done.stderr) == (INTERRUPTED, "")


@pytest.mark.parametrize("command", ["run", "ledger"])
def test_closed_streams_lead_nowhere(command: str) -> None:
    body = "print('said', sys.stdout.isatty()); print('said', file=sys.stderr); sys.exit(3)"
    done = run(command, body, shell=">&- 2>&- <&-")
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")


def test_letters_that_the_terminal_does_not_have_are_replaced() -> None:
    assert run("ledger", "print('Zoë')", PYTHONIOENCODING="ascii").stdout == "Zo\\xeb\n"


def test_a_command_whose_reader_leaves_ends() -> None:
    done = run("ledger", "[print('x' * 100) for _ in range(10_000)]; os.write(2, b'went on')", shell="| head -1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "x" * 100 + "\n", "")


def test_alerts_whose_reader_leaves_end_silently() -> None:
    body = (
        "from pipeline.cli.alerts import _show; from pipeline.core import Alert, Severity; "
        "alert = Alert('k', 'dwell', Severity.INFO, 1, 'east', 0.0, 1.0, 'Stays.', ()); "
        "[_show(alert, '', False) for _ in range(20_000)]; os.write(2, b'went on')"
    )
    done = run("alerts", body, shell="| head -1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize("shell", ["| head -1 > /dev/null", "> /dev/full"])
def test_a_run_goes_on_although_nobody_reads_what_it_prints(shell: str) -> None:
    done = run("run", "[print('x' * 100, flush=True) for _ in range(10_000)]; os.write(2, b'went on')", shell=shell)
    assert (done.returncode, done.stderr) == (0, "went on")


def test_a_full_disk_below_what_is_printed_is_one_line() -> None:
    done = run("ledger", "print('x')", shell="> /dev/full")
    assert done.returncode == 1
    assert done.stderr == "error: standard output: no room is left where it is written to; make room there\n"


def test_an_error_of_a_file_stays_what_it_is() -> None:
    done = run("ledger", "raise OSError(28, 'No space left on device', 'ledger.sqlite')")
    assert "ledger.sqlite" in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize("command", ["run", "ledger"])
def test_what_may_not_be_read_is_named_in_a_line(command: str) -> None:
    done = run(command, "raise PermissionError(13, 'Permission denied', '/a/ledger.sqlite')")
    assert done.returncode == 2
    assert done.stderr.startswith("error: expected the right to use /a/ledger.sqlite, got Permission denied; ")


def test_a_process_without_a_folder_for_temporary_files_says_so() -> None:
    """As in a container with a read-only root: here no file may have a byte."""
    code = """
import resource
from pipeline.cli.process import need_temporary_folder
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
need_temporary_folder()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert "ConfigError: TMPDIR: expected a folder for temporary files that can be written, got none;" in done.stderr
