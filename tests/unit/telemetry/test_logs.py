import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.core.errors import ConfigError
from pipeline.telemetry.logs import JsonFormatter, log_to_file, set_up_logs, without_warnings

OURS = ("pipeline", "models", "connectors")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in OURS}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def logged(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    set_up_logs()
    logging.getLogger("pipeline.runtime").info("camera %s: lost", "east")
    logging.getLogger("httpx").info("chatter")
    return stream.getvalue()


def test_machines_get_one_json_object_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = logged(monkeypatch, io.StringIO()).splitlines()
    found = json.loads(line)
    assert found.pop("time").endswith("Z")
    assert found == {"level": "INFO", "logger": "pipeline.runtime", "message": "camera east: lost"}


def test_a_log_in_files_is_bounded(tmp_path: Path) -> None:
    log_to_file(tmp_path / "logs/run.log", max_bytes=2_000, num_files=3)
    for number in range(100):
        logging.getLogger("pipeline.runtime").error("camera %s: lost %d", "east", number)
    logging.getLogger().handlers[-1].close()
    files = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert files == ["run.log", "run.log.1", "run.log.2"]
    assert all((tmp_path / "logs" / name).stat().st_size <= 2_000 for name in files)
    newest = (tmp_path / "logs/run.log").read_text().splitlines()[-1]
    assert json.loads(newest)["message"] == "camera east: lost 99"


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"log\.file: cannot be written: "):
        log_to_file(tmp_path / "file/run.log", max_bytes=1, num_files=2)


def test_people_get_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert logged(monkeypatch, Terminal()) == "INFO camera east: lost\n"


def test_logs_leave_standard_output_alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    logged(monkeypatch, io.StringIO())
    assert capsys.readouterr().out == ""


def test_setting_up_twice_says_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    logged(monkeypatch, stream)
    assert len(logged(monkeypatch, stream).splitlines()) == 2


def test_an_error_brings_its_trace_in_the_same_line() -> None:
    try:
        raise OSError("no\nroute")
    except OSError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "lost", (), sys.exc_info())
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert "OSError: no\nroute" in json.loads(line)["trace"]


def test_the_time_is_that_of_the_record_in_utc() -> None:
    record = logging.makeLogRecord({"created": 86400.25, "msecs": 250.0, "msg": "x", "levelname": "INFO", "name": "x"})
    assert json.loads(JsonFormatter().format(record))["time"] == "1970-01-02T00:00:00.250Z"


def test_a_look_that_logs_no_warnings_hides_those_of_its_own_thread_alone(caplog: pytest.LogCaptureFixture) -> None:
    def warn(text: str) -> None:
        logging.getLogger("connectors.sources").warning(text)

    with without_warnings():
        warn("of the look")
        other = threading.Thread(target=warn, args=("of another thread",))
        other.start()
        other.join()
        logging.getLogger("connectors.sources").error("an error")
    warn("of the run")
    assert caplog.messages == ["of another thread", "an error", "of the run"]
