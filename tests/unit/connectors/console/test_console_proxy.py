"""A proxy that signs users in and names them in headers; only the stated addresses are believed."""

import re
import time
from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from console_page import PASSWORD, RunningPage
from signing_proxy import SigningProxy
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from connectors.console.settings import Settings
from connectors.console.sign_in.proxy import ProxySettings
from connectors.console.sign_in.ways import Ways
from connectors.console.store.accounts import Role
from pipeline.core.errors import ConfigError

pytestmark = pytest.mark.slow

PROXY = {
    "addresses": ["127.0.0.1"],
    "name_header": "X-User",
    "groups_header": "X-Groups",
    "roles": {"admins": "administrator", "desk": "operator", "guards": "viewer"},
    "cameras": {"admins": "all", "desk": "all", "guards": ["west"]},
}
MUTE = {"rule": "dwell", "seconds": 5}


def ways_of(**changes: Any) -> Ways:
    return Ways(proxy=ProxySettings.of({**PROXY, **changes}))


@pytest.fixture
def page(tmp_path: Path) -> Iterator[RunningPage]:
    with RunningPage(tmp_path / "run", ways=ways_of()) as running:
        yield running


@pytest.fixture
def proxy(page: RunningPage) -> Iterator[SigningProxy]:
    with SigningProxy(page.port, {"X-User": "ann", "X-Groups": "guards, cooks"}) as running:
        yield running


def test_each_request_has_the_rights_that_the_proxy_names_now(proxy: SigningProxy) -> None:
    with httpx.Client(base_url=proxy.url) as client:
        me = client.get("/api/me").json()
        assert (me["name"], me["role"], me["cameras"]) == ("ann", "viewer", ["west"])
        assert client.get("/api/site").json()["cameras"] == ["west"]
        proxy.headers = {"X-User": "ann", "X-Groups": "desk"}
        assert client.get("/api/me").json()["role"] == "operator"
        proxy.headers = {"X-User": "ann", "X-Groups": "cooks"}
        refused = client.get("/api/people")
        assert (refused.status_code, "no group of ann" in refused.json()["detail"]) == (403, True)
        proxy.headers = {}
        assert client.get("/api/people").status_code == 401


def test_a_name_of_any_language_is_read_as_proxies_send_it(page: RunningPage) -> None:
    for sent in ("jörg".encode(), "jörg".encode("latin-1")):
        with page.client() as client:
            answer = client.get("/api/me", headers=[(b"X-User", sent), (b"X-Groups", b"desk")])
        assert (answer.status_code, answer.json()["name"]) == (200, "jörg")


def test_a_change_needs_the_csrf_token_of_the_user(proxy: SigningProxy) -> None:
    proxy.headers = {"X-User": "ann", "X-Groups": "admins"}
    with httpx.Client(base_url=proxy.url) as client:
        assert client.post("/api/alerts/mute", json=MUTE).status_code == 403
        token = {"x-csrf-token": client.get("/api/me").json()["csrf"]}
        assert client.post("/api/alerts/mute", json=MUTE, headers=token).status_code == 200
        proxy.headers = {"X-User": "ben", "X-Groups": "admins"}
        assert client.post("/api/alerts/mute", json=MUTE, headers=token).status_code == 403


def test_headers_from_another_address_are_refused_also_beside_a_login(tmp_path: Path) -> None:
    with RunningPage(tmp_path / "run", ways=ways_of(addresses=["10.9.8.7", "fd00::/64"])) as page:
        for headers in ({"x-user": "ann", "x-groups": "admins"}, {"x-user": "ann"}, {"x-groups": "admins"}):
            with page.client() as client:
                refused = client.get("/api/people", headers=headers)
                assert (refused.status_code, "console.proxy.addresses" in refused.text) == (403, True)
        with page.client("cem") as client:
            assert client.get("/api/people").status_code == 200
            assert client.get("/api/people", headers={"x-user": "ann", "x-groups": "admins"}).status_code == 403
        url = f"{page.url.replace('http', 'ws', 1)}/api/changes"
        headers = {"x-user": "ann", "x-groups": "admins"}
        with connect(url, additional_headers=headers, proxy=None) as stream, pytest.raises(ConnectionClosed) as closed:
            stream.recv(timeout=5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


def test_without_a_proxy_in_the_configuration_no_header_counts(tmp_path: Path) -> None:
    with RunningPage(tmp_path / "run") as page, page.client() as client:
        names = ("x-user", "x-forwarded-user", "remote-user", "x-remote-user", "x-auth-request-user")
        headers = {**dict.fromkeys(names, "ann"), "x-groups": "admins", "x-forwarded-groups": "admins"}
        assert client.get("/api/people", headers=headers).status_code == 401


def test_an_address_in_a_forwarding_header_is_not_believed(tmp_path: Path) -> None:
    with RunningPage(tmp_path / "run", ways=ways_of(addresses=["10.9.8.7"])) as page, page.client() as client:
        forged = {"x-forwarded-for": "10.9.8.7", "forwarded": "for=10.9.8.7", "x-real-ip": "10.9.8.7"}
        answer = client.get("/api/people", headers={**forged, "x-user": "ann", "x-groups": "admins"})
        assert answer.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        [("x-user", "ann"), ("x-user", "admin"), ("x-groups", "desk")],
        [("x-user", "ann"), ("x-groups", "desk"), ("x-groups", "admins")],
        [("x-groups", "admins")],
        [("x-user", ""), ("x-groups", "admins")],
        [("x-user", "ann <b>"), ("x-groups", "admins")],
        [("x-user", "ann")],
    ],
)
def test_headers_that_do_not_name_one_user_are_refused(page: RunningPage, headers: list[tuple[str, str]]) -> None:
    with page.client() as client:
        assert client.get("/api/people", headers=headers).status_code == 403


def test_a_name_of_an_account_of_the_page_is_refused(page: RunningPage, proxy: SigningProxy) -> None:
    page.accounts.put("dan", PASSWORD, Role.ADMINISTRATOR, None)
    proxy.headers = {"X-User": "dan", "X-Groups": "admins"}
    with httpx.Client(base_url=proxy.url) as client:
        assert "account of this page" in client.get("/api/me").json()["detail"]


def test_a_user_of_the_proxy_changes_no_password_and_sets_up_no_second_factor(proxy: SigningProxy) -> None:
    with httpx.Client(base_url=proxy.url) as client:
        client.headers["x-csrf-token"] = client.get("/api/me").json()["csrf"]
        assert client.post("/api/me/second-factor", json={"password": PASSWORD}).status_code == 403
        change = {"old": PASSWORD, "new": "another password"}
        assert client.post("/api/me/password", json=change).status_code == 403


def test_a_connection_ends_after_a_while_so_that_the_proxy_is_asked_again(
    proxy: SigningProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.console.api.live.CONNECTION_S", 1.0)
    url = f"{proxy.url.replace('http', 'ws', 1)}/api/changes"
    began_at = time.monotonic()
    with connect(url, proxy=None) as stream, pytest.raises(ConnectionClosed) as closed:
        deque(iter(partial(stream.recv, timeout=20), None))
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4408
    assert time.monotonic() - began_at >= 1.0
    proxy.headers = {"X-User": "ann", "X-Groups": ""}
    with connect(url, proxy=None) as stream, pytest.raises(ConnectionClosed) as closed:
        stream.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"addresses": []}, "console.proxy.addresses: expected a value, got none; give it, it has no default"),
        ({"addresses": "10.0.0.1"}, "console.proxy.addresses: expected a list"),
        ({"addresses": 3}, "console.proxy.addresses: expected a list"),
        ({"groups_header": "x-user"}, "console.proxy.groups_header: expected another header than name_header"),
        ({"addresses": ["0.0.0.0/0"]}, "console.proxy.addresses: expected those of the proxy"),
        ({"addresses": ["::/0"]}, "console.proxy.addresses: expected those of the proxy"),
        ({"addresses": ["proxy"]}, "console.proxy.addresses: expected addresses"),
        ({"name_header": None}, "console.proxy.name_header: expected a value, got none"),
        ({"groups_header": ""}, "console.proxy.groups_header: expected a value, got none"),
        ({"name_header": "X User"}, "console.proxy.name_header: expected the name of a header"),
        ({"roles": None}, "console.proxy.roles: expected a value, got none"),
        ({"header": "x"}, "console.proxy.header: there is no such key"),
    ],
)
def test_a_missing_or_wrong_key_is_named(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        ways_of(**changes)


def test_an_open_page_signs_nobody_in_and_a_page_without_any_way_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape("console.open: expected false")):
        Settings(output_dir=tmp_path, is_open=True, ways=ways_of())
    with pytest.raises(ConfigError, match=re.escape("console.local_accounts: expected true")):
        Ways(local_accounts=False)
