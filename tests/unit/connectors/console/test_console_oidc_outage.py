"""A provider that hangs: whoever signs in is told so at once, and again when it is back."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from console_page import RunningPage
from oidc_provider import SECRET, OidcProvider

from connectors.console.sign_in import oidc
from connectors.console.sign_in.oidc_settings import OidcSettings
from connectors.console.sign_in.ways import Ways

pytestmark = pytest.mark.slow


def connections(server: socket.socket) -> list[socket.socket]:
    """Return the connections that wait to be accepted."""
    found = []
    server.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            found.append(server.accept()[0])
    return found


def test_a_provider_that_hangs_keeps_one_login_waiting_and_is_asked_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "TIMEOUT_S", 1.0)
    monkeypatch.setattr(oidc, "TOGETHER_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = int(silent.getsockname()[1])
        values = {"issuer": f"http://localhost:{port}", "client_id": "passerby", "client_secret": SECRET}
        ways = Ways(oidc=OidcSettings.of({**values, "roles": {"desk": "operator"}, "cameras": {"desk": "all"}}))
        with RunningPage(tmp_path / "run", ways=ways) as page, page.client() as client:
            with ThreadPoolExecutor(30) as pool:
                answers = list(pool.map(lambda _: client.get("/oidc/start"), range(60)))
            assert {answer.status_code for answer in answers} == {502}
            assert len(connections(silent)) == 1, "the others were refused without asking"
            silent.close()
            with OidcProvider(port):
                give_up_at = time.monotonic() + oidc.ASK_AGAIN_S + 10
                while client.get("/oidc/start").status_code != 303:
                    assert time.monotonic() < give_up_at
                    time.sleep(0.1)
