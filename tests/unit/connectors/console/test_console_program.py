"""The page as a program: beside a run, over the output of a finished run, and over TLS."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from certificates import Authority
from console_page import write_ledger

from connectors.console.camera.monitor import FEED, UNWATCHED, LiveViewMonitor
from connectors.console.settings import URL_FILE
from connectors.console.sink import ConsoleSink
from pipeline.config.composition import load_config, to_yaml
from pipeline.core.errors import ConfigError

ROOT = Path(__file__).resolve().parents[4]


def make_sink(folder: Path, **changes: object) -> ConsoleSink:
    options = load_config(["site=empty", "sink=[console]", f"output_dir={folder}"]).sink["console"]
    del options["_target_"]
    return ConsoleSink(**{**options, "port": 0, **changes})


def make_monitor(folder: Path) -> LiveViewMonitor:
    options = {"max_rate_hz": 1.0, "max_side_px": 80, "jpeg_quality": 80, "blur_heads": False, "clip_rate_hz": 5.0}
    return LiveViewMonitor("east", output_dir=str(folder), **options)  # type: ignore[arg-type]


def url_of(folder: Path) -> str:
    return re.search(r"console: (\S+)", (folder / "console" / URL_FILE).read_text())[1]  # type: ignore[index]


def is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/me", timeout=5).status_code < 500
    except httpx.ConnectError:
        return False


def wait_for(url: str) -> None:
    """Wait for the page, which waits for the ledger: the run creates it after its sinks."""
    while not is_up(url):
        time.sleep(0.05)


@pytest.mark.slow
def test_the_page_starts_and_stops_with_the_run(tmp_path: Path) -> None:
    sink = make_sink(tmp_path)
    url = url_of(tmp_path)
    write_ledger(tmp_path)
    wait_for(url)
    assert httpx.get(f"{url}/api/people").json()["num"] == 4
    assert (tmp_path / "console" / FEED).stat().st_mode & 0o077 == 0
    sink.close()
    sink.close()
    assert not is_up(url)
    assert not (tmp_path / "console" / FEED).exists()


@pytest.mark.slow
def test_a_page_takes_another_port_if_the_first_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sink = make_sink(tmp_path, port=port)
        assert url_of(tmp_path) != f"http://127.0.0.1:{port}"
        sink.close()


@pytest.mark.slow
def test_a_page_with_invalid_settings_is_not_started(tmp_path: Path) -> None:
    for changes in ({"host": "0.0.0.0"}, {"certificate": "/none.pem", "certificate_key": "/none.pem"}, {"port": -1}):
        with pytest.raises(ConfigError, match="console"):
            make_sink(tmp_path, **changes)
    assert not (tmp_path / "console").exists()


@pytest.mark.slow
def test_the_page_stops_when_the_run_is_killed(tmp_path: Path) -> None:
    write_ledger(tmp_path)
    code = (
        "import sys, time; sys.path[:0] = ['.', 'tests/support', 'tests/unit/connectors/console']\n"
        "from pathlib import Path; from test_console_program import make_sink\n"
        f"make_sink(Path({str(tmp_path)!r})); print('up', flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "up\n"
    url = url_of(tmp_path)
    wait_for(url)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    while is_up(url):
        time.sleep(0.05)


@pytest.mark.slow
def test_a_restarted_run_has_its_page_on_the_same_port(tmp_path: Path) -> None:
    write_ledger(tmp_path)
    first = make_sink(tmp_path)
    url = url_of(tmp_path)
    wait_for(url)
    csrf = httpx.get(f"{url}/api/me").json()["csrf"]
    assert first._server is not None
    first._server.kill()
    first._server.wait()
    second = make_sink(tmp_path)
    assert url_of(tmp_path) == url
    wait_for(url)
    assert httpx.get(f"{url}/api/me").json()["csrf"] == csrf
    second.close()
    first.close()


@pytest.mark.slow
def test_the_first_start_over_a_finished_run_prints_the_password_once(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "connectors.console", "--output", str(tmp_path), "--port", "0", "--login"]
    early = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (early.returncode, early.stdout) == (1, "")  # a page that starts before its run makes no password
    write_ledger(tmp_path)
    passwords = []
    for _ in range(2):
        page = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ})
        assert page.stdout is not None
        url = page.stdout.readline().split()[1]
        wait_for(url)
        assert httpx.get(f"{url}/api/people").status_code == 401
        page.send_signal(signal.SIGTERM)
        passwords += re.findall(r"first login: admin / (\S+)", page.stdout.read())
        page.stdout.close()
        page.wait()
    assert len(passwords) == 1


@pytest.mark.slow
def test_the_first_password_may_come_from_a_file_and_one_that_cannot_be_read_is_a_line(tmp_path: Path) -> None:
    write_ledger(tmp_path)
    secret = tmp_path / "secret"
    command = [sys.executable, "-m", "connectors.console", "--output", str(tmp_path), "--port", "0", "--login"]
    given = {**os.environ, "PASSERBY_ADMIN_PASSWORD_FILE": str(secret)}
    secret.write_bytes(b"\xff\xfe\x00 no text")
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=given)
    assert (refused.returncode, refused.stdout) == (2, "")
    (line,) = refused.stderr.splitlines()
    assert line.startswith(f"error: PASSERBY_ADMIN_PASSWORD_FILE: expected a text file with a password, got {secret}: ")
    secret.write_text("right-horse-battery\n")
    page = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=given)
    assert page.stdout is not None
    url = page.stdout.readline().split()[1]
    wait_for(url)
    login = httpx.post(f"{url}/api/login", json={"name": "admin", "password": "right-horse-battery"})
    page.send_signal(signal.SIGTERM)
    assert login.status_code == 200
    assert "first login" not in page.stdout.read()
    page.stdout.close()
    page.wait()


@pytest.mark.slow
def test_a_folder_without_a_ledger_gives_one_line_of_error(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "connectors.console", "--output", str(tmp_path), "--port", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ledger" in done.stderr.splitlines()[-1]


@pytest.mark.slow
def test_the_client_secret_reaches_the_page_and_stands_in_no_argument_and_in_no_written_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITY_SECRET", "nobody may read this")
    keys = 'issuer: "https://login.example", client_id: passerby, client_secret: "${oc.env:CITY_SECRET}"'
    config = load_config(["site=empty", "sink=[console]", f"sink.console.oidc={{{keys}, roles: {{desk: operator}}}}"])
    assert "nobody may read this" not in to_yaml(config)
    write_ledger(tmp_path)
    sink = make_sink(tmp_path, open=False, oidc=config.sink["console"]["oidc"])
    url = url_of(tmp_path)
    wait_for(url)
    assert httpx.get(f"{url}/api/sign-in").json() == {"password": True, "provider": "login.example"}
    assert sink._server is not None
    process = Path(f"/proc/{sink._server.pid}")
    assert b"nobody may read this" not in (process / "cmdline").read_bytes()
    assert b"=nobody may read this" in (process / "environ").read_bytes()
    sink.close()


@pytest.mark.slow
def test_over_tls_the_cookie_is_for_tls_only(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    pair = authority.sign("page")
    (tmp_path / "run").mkdir()
    write_ledger(tmp_path / "run")
    sink = make_sink(tmp_path / "run", open=False, certificate=str(pair.cert), certificate_key=str(pair.key))
    note = (tmp_path / "run" / "console" / URL_FILE).read_text()
    url, password = re.search(r"console: (https\S+)\n.*admin / (\S+)", note).groups()  # type: ignore[union-attr]
    with httpx.Client(base_url=url, verify=ssl.create_default_context(cafile=str(authority.path))) as client:
        for _ in range(600):
            try:
                answer = client.post("/api/login", json={"name": "admin", "password": password})
                break
            except httpx.ConnectError:
                time.sleep(0.1)
        assert answer.status_code == 200
        assert "secure" in answer.headers["set-cookie"].lower()
        assert "strict-transport-security" in answer.headers
    feed = json.loads((tmp_path / "run" / "console" / FEED).read_text())
    assert feed["url"].startswith("wss://")
    with make_monitor(tmp_path / "run")._connected() as camera:
        assert camera.recv(timeout=10) == UNWATCHED
    sink.close()
