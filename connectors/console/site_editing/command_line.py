"""Asks the pipeline's command line, each time in a process of its own: the page neither waits nor fails with it."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.errors import ConfigError, ConnectorError

ROOT = Path(__file__).resolve().parents[3]


def passerby(words: Sequence[str], *, timeout_s: float, given: str = "", hidden: str = "") -> str:
    """Return what ``passerby`` prints.

    Args:
        words: Of the command line. Every user of this machine can read them, so no secret may be among them.
        timeout_s: Seconds that it may take.
        given: What it reads on standard input.
        hidden: Words that are left out of its error.

    Raises:
        ConfigError: If it refuses, or takes longer.
        ConnectorError: If it fails otherwise.
    """
    command = [sys.executable, "-m", "pipeline.cli.main", *words]
    try:
        done = subprocess.run(
            command, cwd=ROOT, input=given, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"expected an answer within {timeout_s:g} s, got none; try again later") from error
    if done.returncode == 0:
        return done.stdout
    printed = (done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"])[0].removeprefix("error: ")
    if done.returncode == ConfigError.exit_code:
        raise ConfigError(printed.replace(hidden, "") if hidden else printed)
    raise ConnectorError(f"passerby {words[0]} {words[1]}: {printed}")
