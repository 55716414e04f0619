"""Signing in at an OpenID Connect provider, a real one in a process of its own."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from console_page import PASSWORD, RunningPage, write_ledger
from http_receiver import serving
from oidc_provider import SECRET, OidcProvider
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from connectors.console.sign_in import oidc
from connectors.console.sign_in.oidc_settings import OidcSettings
from connectors.console.sign_in.ways import Ways
from connectors.console.store.accounts import Role
from pipeline.core.errors import ConfigError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[4]
RIGHTS = {
    "roles": {"admins": "administrator", "desk": "operator", "guards": "viewer"},
    "cameras": {"admins": "all", "desk": "all", "guards": ["west"]},
}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with OidcProvider(free_port()) as running:
        yield running


def settings_of(provider: OidcProvider, **changes: Any) -> dict[str, Any]:
    given = {"issuer": provider.url, "client_id": "passerby", "client_secret": SECRET, "recheck_s": 1}
    return {**given, **RIGHTS, **changes}


@pytest.fixture
def page(tmp_path: Path, provider: OidcProvider) -> Iterator[RunningPage]:
    with RunningPage(tmp_path / "run", ways=Ways(oidc=OidcSettings.of(settings_of(provider)))) as running:
        yield running


def sign_in(client: httpx.Client, provider: OidcProvider, subject: str) -> httpx.Response:
    """Go to the provider and come back; return the answer to the way back."""
    address = client.get("/oidc/start").headers["location"]
    answer = client.get(provider.sign_in(address, subject))
    if answer.status_code == 303:
        client.headers["x-csrf-token"] = client.get("/api/me").json()["csrf"]
    return answer


def audit_of(page: RunningPage) -> list[tuple[str, str, str]]:
    return [(entry.by, entry.action, entry.subject) for entry in page.state.ledger_view.audit()]


def ends_within(client: httpx.Client, seconds: float) -> bool:
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        if client.get("/api/people").status_code == 401:
            return True
        time.sleep(0.1)
    return False


def test_the_groups_of_a_user_give_role_and_cameras(page: RunningPage, provider: OidcProvider) -> None:
    provider.put("1", preferred_username="ann", groups=["guards", "cooks"])
    provider.put("2", preferred_username="ben", groups=["guards", "desk"])
    with page.client() as guard, page.client() as operator:
        assert sign_in(guard, provider, "1").headers["location"] == "/"
        me = guard.get("/api/me").json()
        assert (me["name"], me["role"], me["cameras"]) == ("ann", "viewer", ["west"])
        assert guard.get("/api/site").json()["cameras"] == ["west"]
        sign_in(operator, provider, "2")
        me = operator.get("/api/me").json()
        assert (me["role"], me["cameras"]) == ("operator", None)
    assert ("ben", "login", "127.0.0.1, at the provider") in audit_of(page)


def test_who_has_no_group_with_a_role_or_a_camera_is_refused_in_words(
    page: RunningPage, provider: OidcProvider
) -> None:
    provider.put("3", preferred_username="cem", groups=["cooks"])
    provider.put("4", groups=["desk"])
    with page.client() as client:
        refused = sign_in(client, provider, "3")
        assert (refused.status_code, "no group of cem" in refused.text) == (403, True)
        assert "preferred_username" in sign_in(client, provider, "4").text
        assert client.get("/api/people").status_code == 401
    assert any(action == "login refused" and "no group of cem" in subject for _, action, subject in audit_of(page))


def test_the_way_to_the_provider_carries_pkce_state_and_nonce_anew_each_time(page: RunningPage) -> None:
    with page.client() as client:
        ways = [parse_qs(urlsplit(client.get("/oidc/start").headers["location"]).query) for _ in range(2)]
    for name in ("state", "nonce", "code_challenge"):
        assert ways[0][name] != ways[1][name]
    assert ways[0]["code_challenge_method"] == ["S256"]
    assert ways[0]["redirect_uri"] == [f"{page.url}/oidc/callback"]
    assert SECRET not in json.dumps(ways)


def test_the_way_back_works_once_in_the_browser_that_went_and_with_its_state(
    page: RunningPage, provider: OidcProvider
) -> None:
    provider.put("5", preferred_username="dan", groups=["desk"])
    with page.client() as client, page.client() as other:
        back = provider.sign_in(client.get("/oidc/start").headers["location"], "5")
        assert other.get(back).status_code == 403
        assert other.get("/api/me").status_code == 401
        changed = re.sub(r"state=[^&]+", "state=another", back)
        assert client.get(changed).status_code == 403
        back = provider.sign_in(client.get("/oidc/start").headers["location"], "5")
        cookies = dict(client.cookies)
        assert client.get(back).status_code == 303
        client.cookies.update(cookies)
        assert client.get(back).status_code == 403  # the provider takes a code once


def test_a_token_with_another_nonce_audience_issuer_or_signature_is_refused(
    page: RunningPage, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.put("6", preferred_username="eva", groups=["desk"])
    used = page.state.provider
    assert used is not None
    right = oidc.CodeIDToken

    def with_claims(**changes: object):
        return lambda claims, *rest: right({**claims, **changes}, *rest)

    with page.client() as client:
        for changes in ({"nonce": "n"}, {"aud": "another"}, {"iss": "https://evil.example"}, {"exp": 1}, {"sub": "1"}):
            monkeypatch.setattr(oidc, "CodeIDToken", with_claims(**changes))
            assert sign_in(client, provider, "6").status_code == 403, changes
        monkeypatch.setattr(oidc, "CodeIDToken", right)
        keys = used._key_set()
        used._keys = oidc.KeySet.generate_key_set("RSA", 2048, parameters={"kid": keys.keys[0].kid}, count=1)
        assert sign_in(client, provider, "6").status_code == 403
        used._keys = keys
        described = used._described()
        used._metadata = {**described, "id_token_signing_alg_values_supported": ["none", "HS256"]}
        assert sign_in(client, provider, "6").status_code == 403
        used._metadata = described
        assert sign_in(client, provider, "6").status_code == 303


@pytest.mark.parametrize("how", ["revoked", "no group"])
def test_a_session_and_its_connections_end_when_the_provider_takes_the_rights_away(
    page: RunningPage, provider: OidcProvider, how: str
) -> None:
    provider.put("7", preferred_username="fay", groups=["desk"])
    with page.client() as client:
        sign_in(client, provider, "7")
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        url = page.url.replace("http", "ws", 1)
        with connect(f"{url}/api/changes", additional_headers={"cookie": cookie}, proxy=None) as stream:
            if how == "revoked":
                provider.revoke("7")
            else:
                provider.put("7", preferred_username="fay", groups=[])
            with pytest.raises(ConnectionClosed) as closed:
                deque(iter(partial(stream.recv, timeout=20), None))
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
        assert client.get("/api/people").status_code == 401
    assert ("fay", "logout", "ended at the provider") in audit_of(page)


def test_a_lower_role_at_the_provider_ends_the_session_of_the_higher_one(
    page: RunningPage, provider: OidcProvider
) -> None:
    provider.put("8", preferred_username="gus", groups=["admins"])
    with page.client() as client:
        sign_in(client, provider, "8")
        assert client.get("/api/users").status_code == 200
        provider.put("8", preferred_username="gus", groups=["guards"])
        assert ends_within(client, 20)
        sign_in(client, provider, "8")
        assert client.get("/api/users").status_code == 403
    assert ("gus", "logout", "rights changed") in audit_of(page)


def test_an_administrator_ends_the_session_of_a_user_of_the_provider_at_once(
    page: RunningPage, provider: OidcProvider
) -> None:
    provider.put("9", preferred_username="hal", groups=["desk"])
    with page.client() as client, page.client("ivy", Role.ADMINISTRATOR) as administrator:
        sign_in(client, provider, "9")
        assert client.get("/api/people").status_code == 200
        assert administrator.delete("/api/users/hal").status_code == 200
        assert client.get("/api/people").status_code == 401


def test_a_user_of_the_provider_has_no_password_no_token_and_no_second_factor_here(
    page: RunningPage, provider: OidcProvider
) -> None:
    provider.put("10", preferred_username="jon", groups=["desk"])
    page.accounts.require_second_factor(Role.VIEWER)
    with page.client() as client:
        sign_in(client, provider, "10")
        assert client.get("/api/people").status_code == 200
        assert client.post("/api/me/second-factor", json={"password": PASSWORD}).status_code == 403
        assert client.post("/api/login", json={"name": "jon", "password": "x"}).status_code == 401
    page.accounts.require_second_factor(None)
    with page.client("kit", Role.ADMINISTRATOR) as administrator:
        assert administrator.post("/api/tokens", json={"name": "jon", "label": "x"}).status_code == 403
        changed = administrator.put("/api/users/jon", json={"password": PASSWORD, "role": "administrator"})
        assert changed.status_code == 409


def test_a_name_of_another_account_is_refused(page: RunningPage, provider: OidcProvider) -> None:
    page.accounts.put("lia", PASSWORD, Role.ADMINISTRATOR, None)
    provider.put("11", preferred_username="lia", groups=["desk"])
    provider.put("12", preferred_username="mo", groups=["desk"])
    provider.put("13", preferred_username="mo", groups=["admins"])
    with page.client() as client, page.client() as other:
        assert sign_in(client, provider, "11").status_code == 403
        assert sign_in(client, provider, "12").status_code == 303
        assert sign_in(other, provider, "13").status_code == 403
        assert client.get("/api/me").json()["role"] == "operator"
    assert page.accounts.log_in("lia", PASSWORD) is not None


def test_logging_out_ends_the_session_here_and_names_the_way_to_end_it_at_the_provider(
    page: RunningPage, provider: OidcProvider
) -> None:
    provider.put("14", preferred_username="nia", groups=["desk"])
    with page.client() as client:
        sign_in(client, provider, "14")
        go_to = client.post("/api/logout", json={}).json()["go_to"]
        assert go_to.startswith(f"{provider.url}/oauth2/end_session?id_token_hint=")
        assert client.get("/api/people").status_code == 401


def test_an_access_token_that_expires_is_refreshed(tmp_path: Path) -> None:
    with OidcProvider(free_port(), token_s=2) as provider:
        provider.put("1", preferred_username="ola", groups=["desk"])
        ways = Ways(oidc=OidcSettings.of(settings_of(provider)))
        with RunningPage(tmp_path / "run", ways=ways) as page, page.client() as client:
            sign_in(client, provider, "1")
            assert not ends_within(client, 5)


def test_a_provider_that_is_silent_for_long_ends_the_sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with OidcProvider(free_port()) as provider:
        provider.put("1", preferred_username="pia", groups=["desk"])
        ways = Ways(oidc=OidcSettings.of(settings_of(provider)))
        with RunningPage(tmp_path / "run", ways=ways) as page, page.client() as client:
            sign_in(client, provider, "1")
            provider.stop()
            assert not ends_within(client, 3)
            monkeypatch.setattr(oidc, "MAX_SILENT_S", 0.0)
            assert ends_within(client, 20)
            assert "does not answer" not in client.get("/api/sign-in").text


def test_a_provider_that_does_not_answer_is_said_on_the_way_there(tmp_path: Path) -> None:
    values = {"issuer": f"http://localhost:{free_port()}", "client_id": "passerby", **RIGHTS}
    with RunningPage(tmp_path / "run", ways=Ways(oidc=OidcSettings.of(values))) as page, page.client() as client:
        answer = client.get("/oidc/start")
        assert (answer.status_code, "does not answer" in answer.text) == (502, True)


def test_accounts_with_a_password_can_be_switched_off(tmp_path: Path, provider: OidcProvider) -> None:
    folder = tmp_path / "run"
    with RunningPage(folder) as page, page.client("rob", Role.ADMINISTRATOR) as before:
        cookies = {name.rpartition("_")[0]: value for name, value in before.cookies.items()}
    ways = Ways(local_accounts=False, oidc=OidcSettings.of(settings_of(provider)))
    with RunningPage(folder, ways=ways) as page, page.client() as client:
        assert client.get("/api/sign-in").json() == {"password": False, "provider": "localhost"}
        assert client.post("/api/login", json={"name": "rob", "password": PASSWORD}).status_code == 403
        for name, value in cookies.items():
            client.cookies.set(f"{name}_{page.port}", value)
        assert client.get("/api/people").status_code == 401
        provider.put("15", preferred_username="sam", groups=["desk"])
        assert sign_in(client, provider, "15").status_code == 303


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"issuer": "http://login.example"}, "console.oidc.issuer: expected an address https://"),
        ({"client_id": ""}, "console.oidc.client_id: expected a text"),
        ({"roles": {}}, "console.oidc.roles: expected a role for one group at least"),
        ({"roles": {"desk": "king"}}, "console.oidc.roles.desk: expected one of viewer, operator, administrator"),
        ({"cameras": {"desk": "west"}}, "console.oidc.cameras.desk: expected names or all"),
        ({"recheck_s": 0}, "console.oidc.recheck_s: expected 1 to 300 seconds"),
        ({"isuer": "x"}, "console.oidc.isuer: there is no such key"),
        ({"scopes": "profile"}, "console.oidc.scopes: expected openid among them"),
    ],
)
def test_a_wrong_key_is_named(changes: dict[str, object], said: str) -> None:
    values = {"issuer": "https://login.example", "client_id": "passerby", **RIGHTS, **changes}
    with pytest.raises(ConfigError, match=re.escape(said)):
        OidcSettings.of(values)


def test_the_secret_is_in_no_argument_of_a_process_and_in_no_message(tmp_path: Path, provider: OidcProvider) -> None:
    write_ledger(tmp_path)
    public = json.dumps(settings_of(provider))
    command = [sys.executable, "-m", "connectors.console", "--output", str(tmp_path), "--port", "0", "--login"]
    refused = subprocess.run([*command, f"--oidc={public}"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (refused.returncode, SECRET in refused.stderr) == (2, False)
    assert "console.oidc.client_secret" in refused.stderr
    assert SECRET not in repr(OidcSettings.of(settings_of(provider)))
    assert SECRET not in os.environ.values()


class OddProvider(BaseHTTPRequestHandler):
    """Answers with what a test says, by path; a text stands for itself."""

    answers: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        answer = self.answers[self.path.partition("?")[0]]
        data = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/.well-known/openid-configuration", []),
        ("/.well-known/openid-configuration", "[" * 100_000),
        ("/.well-known/openid-configuration", {"authorization_endpoint": "javascript:alert(1)"}),
        ("/.well-known/openid-configuration", {"token_endpoint": "http://[::1"}),
        ("/.well-known/openid-configuration", {"token_endpoint_auth_methods_supported": 3}),
        ("/.well-known/openid-configuration", {"id_token_signing_alg_values_supported": [["RS256"]]}),
        ("/jwks", []),
        ("/jwks", {"keys": [3]}),
        ("/token", []),
        ("/token", {"access_token": "t", "token_type": "Bearer", "id_token": 3}),
        ("/token", {"access_token": 3, "token_type": 3, "expires_in": [], "id_token": "a.b.c"}),
    ],
)
def test_a_provider_whose_answers_are_odd_lets_nobody_in_and_says_so_in_words(
    tmp_path: Path, path: str, answer: Any
) -> None:
    with serving(OddProvider) as issuer:
        names = {
            "authorization_endpoint": "auth",
            "token_endpoint": "token",
            "userinfo_endpoint": "me",
            "jwks_uri": "jwks",
        }
        described = {"issuer": issuer, **{name: f"{issuer}/{each}" for name, each in names.items()}}
        good = {"/.well-known/openid-configuration": described, "/jwks": {"keys": []}, "/token": {}, "/me": {}}
        changed = {**good[path], **answer} if isinstance(answer, dict) and path != "/token" else answer
        OddProvider.answers = {**good, path: changed}
        ways = Ways(
            oidc=OidcSettings.of({"issuer": issuer, "client_id": "passerby", "client_secret": SECRET, **RIGHTS})
        )
        with RunningPage(tmp_path / "run", ways=ways) as page, page.client() as client:
            started = client.get("/oidc/start")
            if started.status_code == 502:
                assert "the provider" in started.text
                return
            state = parse_qs(urlsplit(started.headers["location"]).query)["state"][0]
            back = client.get("/oidc/callback", params={"state": state, "code": "abc"})
            assert (back.status_code, "the provider" in back.text) == (403, True)
            assert client.get("/api/people").status_code == 401


def test_a_name_that_cannot_be_read_is_refused_in_words(page: RunningPage, provider: OidcProvider) -> None:
    provider.put("8", preferred_username="ann\a", groups=["desk"])
    with page.client() as client:
        refused = sign_in(client, provider, "8")
        assert (refused.status_code, "preferred_username" in refused.text) == (403, True)
