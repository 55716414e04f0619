"""Packages that pip alone gets wrong: its calls in order, each with the reason why it is one of its own."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pipeline.core.errors import ConfigError, MissingDependencyError

DEMO = Path(__file__).resolve().parents[3] / "connectors/synthetic/demo/north.mp4"
TRIED_SECONDS = 2.0
"""Seconds of one camera of the demo that are tried; the first part of a track is complete after one second."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call of pip.

    Attributes:
        reason: Why it is a step of its own.
        words: What pip is told to install, and how.
        verb: ``install`` or ``uninstall``.
    """

    reason: str
    words: tuple[str, ...]
    verb: str = "install"


def check_pip(name: str) -> None:
    """Raise ``ConfigError`` if this environment has no pip for ``doctor --install NAME``."""
    if find_spec("pip") is None:
        raise ConfigError(f"doctor --install {name}: expected pip in {sys.prefix}, got none; install Passerby with pip")


def take(name: str, step: Step) -> None:
    """Say one step of ``doctor --install NAME``, and run it.

    Raises:
        MissingDependencyError: If it fails; names it.
    """
    print(f"{step.reason}: pip {step.verb} {' '.join(step.words)}", flush=True)
    call(
        name,
        step.reason,
        [sys.executable, "-m", "pip", step.verb, "--quiet", "--disable-pip-version-check", *step.words],
    )


def call(name: str, what: str, command: Sequence[str]) -> None:
    """Run a command of ``doctor --install NAME``; what it prints is shown only if it fails.

    Raises:
        MissingDependencyError: If it fails; names ``what``.
    """
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        print(done.stdout, file=sys.stderr)
        raise MissingDependencyError(f"doctor --install {name}: {what} failed, see above; mend it and try again")


def try_run(name: str, *words: str) -> None:
    """Run two seconds of a camera of the demo with what was installed, in a process of its own.

    Raises:
        MissingDependencyError: If it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        usual = [f"site.cameras={{north: {{uri: {DEMO}, seconds: {TRIED_SECONDS}}}}}", "runtime=inline"]
        usual += ["detector=passerby", f"output_dir={folder}/run"]
        call(name, f"a run with {words[0]}", [sys.executable, "-m", "pipeline.cli.main", "run", *usual, *words])
