"""Logins, sessions, roles and tokens."""

import json
import re
import time
from collections import deque
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import httpx
import pytest
from console_page import PASSWORD, RunningPage
from fastapi import HTTPException
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from connectors.console.api.accounts import AccountRoutes, Credentials
from connectors.console.api.throttle import FREE_TRIES, Throttle
from connectors.console.settings import Settings
from connectors.console.store.accounts import Accounts, Role, User
from pipeline.core.errors import ConfigError

pytestmark = pytest.mark.slow

MERGE = {"kind": "merge", "person_ids": [1, 2]}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory):
    with RunningPage(tmp_path_factory.mktemp("run")) as running:
        yield running


@pytest.mark.parametrize("path", ["/api/people", "/api/alerts", "/api/picture?track=a/0/1&part=0", "/api/users"])
def test_without_a_login_nothing_is_visible(page: RunningPage, path: str) -> None:
    with page.client() as client:
        assert client.get(path).status_code == 401


def test_only_the_first_start_makes_an_administrator(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path / "accounts.sqlite")
    password = accounts.make_first()
    assert password is not None
    assert accounts.make_first() is None
    found = accounts.log_in("admin", password)
    assert found is not None
    assert found.role is Role.ADMINISTRATOR
    assert password.encode() not in (tmp_path / "accounts.sqlite").read_bytes()


def test_only_the_owner_can_read_the_files_of_the_page(page: RunningPage) -> None:
    for path in page.settings.folder.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_wrong_password_is_refused(page: RunningPage) -> None:
    with page.client("carl") as client:
        assert client.post("/api/login", json={"name": "carl", "password": "x"}).status_code == 401
        assert client.post("/api/login", json={"name": "nobody", "password": "x"}).status_code == 401


def test_after_some_failures_further_attempts_must_wait(page: RunningPage) -> None:
    page.accounts.put("dora", PASSWORD, Role.VIEWER, None)
    with page.client() as client:
        wrong = {"name": "dora", "password": "wrong"}
        codes = [client.post("/api/login", json=wrong).status_code for _ in range(FREE_TRIES + 1)]
        assert codes[-1] == 429
        right = client.post("/api/login", json={"name": "dora", "password": PASSWORD})
        assert right.status_code == 429
        assert int(right.headers["retry-after"]) >= 1


def test_the_throttle_remembers_a_bounded_number_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.console.api.throttle.MAX_REMEMBERED", 3)
    throttle = Throttle()
    for number in range(10):
        for _ in range(FREE_TRIES):
            throttle.failed(str(number))
    assert [throttle.wait_s(str(number)) > 0 for number in range(10)] == [False] * 7 + [True] * 3


def test_scripts_cannot_read_the_cookie_and_other_sites_cannot_send_it(page: RunningPage) -> None:
    page.accounts.put("eve", PASSWORD, Role.VIEWER, None)
    with RunningPage(page.settings.output_dir.parent / "other") as other, other.client("eve") as client:
        answer = client.post("/api/login", json={"name": "eve", "password": PASSWORD})
        assert "httponly" in answer.headers["set-cookie"].lower()
        assert "samesite=strict" in answer.headers["set-cookie"].lower()


@pytest.fixture
def fresh(tmp_path: Path):
    """A new page, without failed logins."""
    with RunningPage(tmp_path / "fresh") as running:
        yield running


def test_a_forged_cookie_is_refused(fresh: RunningPage) -> None:
    with fresh.client("fred") as client:
        cookie = client.cookies[f"passerby_session_{fresh.port}"]
        assert client.get("/api/people").status_code == 200
        # The last character has unused bits, so change another one.
        changed = cookie[:-9] + ("A" if cookie[-9] != "A" else "B") + cookie[-8:]
        for forged in (changed, "", "a.b.c", cookie.split(".")[0]):
            answer = httpx.get(f"{fresh.url}/api/people", headers={"cookie": f"passerby_session_{fresh.port}={forged}"})
            assert answer.status_code == 401


def test_a_session_ends_when_its_user_logs_out_or_changes_the_password_elsewhere(fresh: RunningPage) -> None:
    with fresh.client("gina") as one, fresh.client("gina") as other:
        assert one.get("/api/people").status_code == 401  # the second login changed the user, which ended this session
        one.post("/api/login", json={"name": "gina", "password": PASSWORD})
        change = {"old": PASSWORD, "new": "another password"}
        assert other.post("/api/me/password", json=change).status_code == 200
        assert one.get("/api/people").status_code == 401
        assert other.get("/api/people").status_code == 200, "the one who changed it goes on"
    with fresh.client("hugo") as client:
        assert client.post("/api/logout", json={}).status_code == 200
        assert client.get("/api/people").status_code == 401


def test_a_change_needs_the_csrf_token_of_the_session(fresh: RunningPage) -> None:
    with fresh.client("ida") as client:
        del client.headers["x-csrf-token"]
        assert client.post("/api/corrections", json=MERGE).status_code == 403
        assert client.post("/api/corrections", json=MERGE, headers={"x-csrf-token": "0" * 64}).status_code == 403
        assert fresh.state.ledger_view.commands() == []


def test_requests_from_other_sites_and_for_other_hosts_are_refused(fresh: RunningPage) -> None:
    with fresh.client("jan") as client:
        assert client.get("/api/people", headers={"origin": "https://evil.example"}).status_code == 403
        assert client.get("/api/people", headers={"host": "evil.example"}).status_code == 421
        assert client.get("/api/people", headers={"sec-fetch-site": "cross-site"}).status_code == 403


def test_a_viewer_cannot_correct_and_an_operator_cannot_manage_accounts(fresh: RunningPage) -> None:
    with fresh.client("kim", Role.VIEWER) as viewer, fresh.client("leo", Role.OPERATOR) as operator:
        assert viewer.get("/api/people/1").status_code == 200
        for path, body in (
            ("/api/corrections", MERGE),
            ("/api/people/1/erase", {}),
            ("/api/alerts/acknowledge", {"key": "dwell/1/0.5"}),
        ):
            assert viewer.post(path, json=body).status_code == 403
        assert viewer.get("/api/people/1/export.zip").status_code == 403
        assert operator.get("/api/users").status_code == 403
        assert operator.get("/api/audit").status_code == 403
        assert fresh.state.ledger_view.commands() == []


def test_a_user_of_one_camera_sees_nothing_of_the_others(fresh: RunningPage) -> None:
    fresh.add_pictures()
    with fresh.client("mia", Role.OPERATOR, ("west",)) as client:
        assert [each["person"] for each in client.get("/api/people").json()["people"]] == [2, 1]
        assert {each["camera"] for each in client.get("/api/people/1").json()["sightings"]} == {"west"}
        assert client.get("/api/people/3").status_code == 404
        assert client.get("/api/picture", params={"track": "east/0/1", "part": 0}).status_code == 404
        assert client.get("/api/why", params={"track": "east/0/1", "part": 0}).status_code == 404
        assert [each["camera"] for each in client.get("/api/alerts").json()["alerts"]] == ["west"]
        assert client.get("/api/site").json()["cameras"] == ["west"]
        # Person 1 was in another camera too, and a user may correct only what they see.
        assert client.post("/api/corrections", json=MERGE).status_code == 404


def test_a_token_acts_for_its_user_until_it_is_revoked(fresh: RunningPage) -> None:
    with fresh.client("nora", Role.ADMINISTRATOR) as client:
        reads = client.post("/api/tokens", json={"name": "nora", "label": "reads"}).json()["token"]
        with httpx.Client(base_url=fresh.url, headers={"authorization": f"Bearer {reads}"}) as machine:
            assert machine.get("/api/people").status_code == 200
            assert machine.post("/api/alerts/mute", json={"rule": "dwell", "seconds": 5}).status_code == 403
        client.delete("/api/tokens/1")
        token = client.post("/api/tokens", json={"name": "nora", "label": "nightly", "role": "administrator"}).json()[
            "token"
        ]
        with httpx.Client(base_url=fresh.url, headers={"authorization": f"Bearer {token}"}) as machine:
            assert machine.get("/api/users").status_code == 200
            assert machine.post("/api/alerts/mute", json={"rule": "dwell", "seconds": 5}).status_code == 200
            number = machine.get("/api/tokens").json()[0]["number"]
            assert client.delete(f"/api/tokens/{number}").status_code == 200
            assert machine.get("/api/users").status_code == 401


def test_a_token_ends_with_its_time_and_with_the_password_of_its_user(fresh: RunningPage) -> None:
    accounts = fresh.accounts
    accounts.put("tim", PASSWORD, Role.OPERATOR, None)
    old = accounts.make_token("tim", "old", Role.OPERATOR, 0.0, expires_at=1.0)
    new = accounts.make_token("tim", "new", Role.ADMINISTRATOR, 0.0, expires_at=4e9)
    assert accounts.user_of_token(old) is None
    assert accounts.user_of_token(new) == accounts.user("tim")  # no token may do more than its user
    accounts.put("tim", "another password", Role.OPERATOR, None)
    assert accounts.user_of_token(new) is None


def test_a_guesser_elsewhere_does_not_lock_a_user_out() -> None:
    with_notes, request, response = Mock(), Mock(), Mock()
    known = User("uma", Role.VIEWER)
    accounts = Mock(log_in=lambda name, password: known if password == PASSWORD else None)
    routes = AccountRoutes(accounts, Mock(), with_notes, Mock())

    def attempt(address: str, password: str) -> int:
        request.client.host, request.headers = address, {"host": "a:1"}
        try:
            routes.log_in(request, response, Credentials("uma", password))
        except HTTPException as refused:
            return refused.status_code
        return 200

    assert attempt("10.0.0.1", PASSWORD) == 200
    codes = [attempt("10.0.0.9", "wrong") for _ in range(FREE_TRIES + 1)]
    assert codes == [401] * FREE_TRIES + [429]
    assert attempt("10.0.0.8", PASSWORD) == 429  # guessers at many addresses wait together
    assert attempt("10.0.0.1", PASSWORD) == 200


@pytest.mark.parametrize("path", ["/api/live", "/api/changes"])
def test_a_connection_ends_within_a_second_when_its_user_is_removed(fresh: RunningPage, path: str) -> None:
    with fresh.client("vic", Role.VIEWER) as client:
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        url = fresh.url.replace("http", "ws", 1)
        with connect(f"{url}{path}", additional_headers={"cookie": cookie}, proxy=None) as socket:
            fresh.accounts.put("admin", PASSWORD, Role.ADMINISTRATOR, None)
            fresh.accounts.drop("vic")
            removed_at = time.monotonic()
            with pytest.raises(ConnectionClosed) as closed:
                deque(iter(partial(socket.recv, timeout=5), None))
        assert time.monotonic() - removed_at < 4.0
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


def test_a_user_of_one_camera_reads_no_names_and_reasons_of_others(fresh: RunningPage) -> None:
    (fresh.settings.output_dir / "status.json").write_text(json.dumps({"cameras": {"east": {}, "west": {}}}))
    with fresh.client("wim") as everything:
        named = {"kind": "name", "person_ids": [3], "name": "Anna", "reason": "wanted"}
        number = everything.post("/api/corrections", json=named).json()["number"]
    with fresh.client("xia", Role.OPERATOR, ("west",)) as client:
        assert client.get("/api/corrections").json() == []
        assert client.get(f"/api/corrections/{number}").status_code == 404
        assert client.post(f"/api/corrections/{number}/undo", json={}).status_code == 404
        assert client.post("/api/alerts/mute", json={"rule": "dwell", "seconds": 5}).status_code == 403
        health = client.get("/api/health").json()
        assert list(health["status"]["cameras"]) == ["west"]
        assert health["transits"] == []


def test_a_user_of_one_camera_reads_no_notes_of_the_matcher(fresh: RunningPage) -> None:
    asked = {"track": "west/0/2", "part": 0}
    with fresh.client("wim") as everything, fresh.client("xia", Role.OPERATOR, ("west",)) as client:
        noted = ["looks like person 1"]  # notes name other people, and how far they were at other cameras
        for user, gates in ((everything, noted), (client, [])):
            why = user.get("/api/why", params=asked).json()
            assert why["gates"] == gates
            sightings = user.get(f"/api/people/{why['person']}").json()["sightings"]
            assert [each["gates"] for each in sightings if each["track"] == "west/0/2"] == [gates]
        assert all(each["gates"] == [] for each in client.get("/api/review").json()["questions"])


def test_looking_is_in_the_audit_once(fresh: RunningPage) -> None:
    with fresh.client("yan", Role.VIEWER) as client:
        for _ in range(3):
            client.get("/api/people/1")
    looks = [(entry.by, entry.subject) for entry in fresh.state.ledger_view.audit() if entry.action == "look"]
    assert looks == [("yan", "person 1")]


def test_the_last_administrator_cannot_be_removed(fresh: RunningPage) -> None:
    with fresh.client("olga", Role.ADMINISTRATOR) as client:
        assert client.delete("/api/users/olga").status_code == 409
        demoted = client.put("/api/users/olga", json={"password": PASSWORD, "role": "operator"})
        assert (demoted.status_code, client.get("/api/users").status_code) == (409, 200)
        limited = {"password": PASSWORD, "role": "administrator", "cameras": ["east"]}
        assert client.put("/api/users/omar", json=limited).status_code == 200
        assert client.delete("/api/users/olga").status_code == 409, "nobody could name an administrator of all cameras"
        assert client.put("/api/users/olga", json=limited).status_code == 409
        new = {"password": PASSWORD, "role": "viewer", "cameras": ["east"]}
        shown = client.put("/api/users/paul", json=new).json()
        assert (shown["name"], shown["role"], shown["cameras"]) == ("paul", "viewer", ["east"])
        assert client.delete("/api/users/paul").status_code == 200


def test_a_user_of_a_provider_may_be_written_otherwise_than_before(fresh: RunningPage) -> None:
    fresh.accounts.put_external("Lia", "provider 7", Role.VIEWER, None)
    assert fresh.accounts.put_external("lia", "provider 7", Role.VIEWER, None).name == "lia"


def test_a_token_changes_no_password(fresh: RunningPage) -> None:
    fresh.accounts.put("olga", PASSWORD, Role.ADMINISTRATOR, None)
    token = fresh.accounts.make_token("olga", "a machine", Role.VIEWER, 0.0, expires_at=4e9)
    with fresh.client() as machine:
        machine.headers["authorization"] = f"Bearer {token}"
        change = {"old": PASSWORD, "new": "another password"}
        assert machine.post("/api/me/password", json=change).status_code == 403
    olga = fresh.accounts.user("olga")
    assert olga is not None
    assert olga.role is Role.ADMINISTRATOR, "the password of a viewer's token would have made a viewer of her"


def test_an_open_page_needs_no_login_but_a_csrf_token_for_changes(tmp_path: Path) -> None:
    with RunningPage(tmp_path, is_open=True) as page, page.client() as client:
        me = client.get("/api/me").json()
        assert me["is_open"]
        assert client.post("/api/alerts/mute", json={"rule": "dwell", "seconds": 5}).status_code == 403
        client.headers["x-csrf-token"] = me["csrf"]
        assert client.post("/api/alerts/mute", json={"rule": "dwell", "seconds": 5}).status_code == 200
        assert client.post("/api/tokens", json={"name": "demonstration", "label": "x"}).status_code == 403


def test_an_open_page_is_allowed_on_loopback_only(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape("0.0.0.0")):
        Settings(output_dir=tmp_path, host="0.0.0.0", is_open=True)


def test_refusals_do_not_repeat_the_input(fresh: RunningPage) -> None:
    with fresh.client() as client:
        answer = client.post("/api/login", json={"name": "x" * 100, "password": "hunter2hunter2"})
        assert answer.status_code == 422
        assert "hunter2" not in answer.text
