import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from factories import make_sighting

from connectors.sinks.terminal import TerminalSink
from pipeline.core import Alert, AlertState, Correction, CorrectionKind, Severity
from pipeline.core.errors import ConfigError

ALERT = Alert("dwell/3/4.5", "dwell", Severity.CRITICAL, 3, "east", 4.5, 6.0, "Stays [too long].", ())
MERGED = Correction(CorrectionKind.MERGED, (1, 2), "ann", 1.7e9)

CLOSED_PIPE = """
from connectors.sinks.terminal import TerminalSink
from factories import make_sighting
from pipeline.core.errors import ConnectorError
import sys
try:
    for _ in range(100_000):
        TerminalSink(show=["sightings"]).write([make_sighting()] * 100)
except ConnectorError as error:
    print(error, file=sys.stderr)
"""


def test_an_alert_is_one_line_with_its_brackets(capsys: pytest.CaptureFixture[str]):
    TerminalSink(show=["alerts"]).write([ALERT])
    assert capsys.readouterr().out == ("00:00:04.5  CRITICAL  Stays [too long].  [dwell, east, person 3]\n")


def test_an_alert_about_a_place_names_nobody(capsys: pytest.CaptureFixture[str]):
    TerminalSink(show=["alerts"]).write([replace(ALERT, person_id=0)])
    assert capsys.readouterr().out.endswith("[dwell, east]\n")


def test_a_retracted_alert_says_so(capsys: pytest.CaptureFixture[str]):
    TerminalSink(show=["alerts"]).write([replace(ALERT, state=AlertState.RETRACTED)])
    assert "retracted: Stays" in capsys.readouterr().out


def test_only_the_configured_kinds_are_printed(capsys: pytest.CaptureFixture[str]):
    TerminalSink(show=["alerts"]).write([make_sighting(), MERGED])
    assert capsys.readouterr().out == ""


def test_sightings_and_corrections_are_lines_too(capsys: pytest.CaptureFixture[str]):
    TerminalSink(show=["sightings", "corrections"]).write([make_sighting(7), MERGED, ALERT])
    assert capsys.readouterr().out.splitlines() == [
        "00:00:00.4  SEEN      person 7 in east, new  [95%, track east/0/1]",
        "2023-11-14 22:13:20Z  CORRECTED merged: 1, 2  [by ann]",
    ]


def test_a_long_line_is_not_broken(capsys: pytest.CaptureFixture[str]):
    TerminalSink(show=["alerts"]).write([replace(ALERT, message="word " * 100)])
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_message_cannot_control_the_terminal(capsys: pytest.CaptureFixture[str]):
    TerminalSink(show=["alerts"]).write([replace(ALERT, message="\x1b[2J\r\nfake")])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\r" not in out


def test_an_unknown_kind_is_refused():
    with pytest.raises(ConfigError, match=r"sink\.terminal\.show"):
        TerminalSink(show=["alert"])


def test_a_closed_pipe_is_a_connector_error():
    root = Path(__file__).resolve().parents[4]
    run = subprocess.Popen(
        [sys.executable, "-c", CLOSED_PIPE],
        env={"PYTHONPATH": f"{root}:{root}/tests/support"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    run.stdout.readline()
    run.stdout.close()
    assert run.stderr is not None
    assert "standard output: expected to write, got Broken pipe" in run.stderr.read()
    run.stderr.close()
    run.wait()
