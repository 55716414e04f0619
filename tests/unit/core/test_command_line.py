"""Commands of ``key=value`` words."""

import sys

import pytest

from pipeline.core.command_line import run_command
from pipeline.core.errors import ConfigError, ConnectorError, ReidError, WeightsError


def give(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["command", *words])


def test_a_command_gets_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    give(monkeypatch, "seed=1", "out=here")
    run_command(given.extend)
    assert given == ["seed=1", "out=here"]


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_prints_the_docstring_and_does_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    def main(words: list[str]) -> None:
        raise AssertionError(words)

    give(monkeypatch, "seed=1", word)
    run_command(main)
    assert capsys.readouterr().out == f"{__doc__}\n"


@pytest.mark.parametrize(
    ("error", "code"), [(ConfigError("a: b"), 2), (WeightsError("a: b"), 2), (ConnectorError("a: b"), 1)]
)
def test_an_error_is_one_line_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: ReidError, code: int
) -> None:
    def main(_: list[str]) -> None:
        raise error

    give(monkeypatch)
    with pytest.raises(SystemExit) as ended:
        run_command(main)
    assert ended.value.code == code
    assert capsys.readouterr().err == "error: a: b\n"
