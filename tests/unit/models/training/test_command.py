"""``python -m models.training``: one command, a word for each thing that it does."""

import subprocess
import sys
from pathlib import Path

import pytest

from models.training import __main__ as command

ROOT = Path(__file__).resolve().parents[4]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "models.training", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_the_help_names_every_word_once() -> None:
    listed = [line.split()[0] for line in (command.__doc__ or "").splitlines() if line.startswith("    ")]
    assert listed == list(command.COMMANDS)


@pytest.mark.parametrize("word", command.COMMANDS)
def test_every_word_has_a_command_whose_help_shows_how_it_is_called(word: str) -> None:
    main = command.load_command(word)
    assert f"python -m models.training {word} " in (sys.modules[main.__module__].__doc__ or "")


def test_a_word_answers_help_with_its_own_keys() -> None:
    found = run("hard-examples", "--help")
    assert (found.returncode, found.stderr) == (0, "")
    assert "python -m models.training hard-examples run=" in found.stdout


def test_an_unknown_word_is_refused_with_the_words_there_are() -> None:
    found = run("exprot", "run=outputs/detector")
    assert found.returncode != 0
    assert found.stderr.startswith("error: command line: expected one of train, ")
    assert found.stderr.count("\n") == 1
