"""Second factors: codes of an app, recovery codes, what is required and what is reset."""

import time
from collections import deque
from functools import partial
from pathlib import Path

import cv2
import httpx
import numpy as np
import pyotp
import pytest
from console_page import PASSWORD, RunningPage
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from connectors.console.api.throttle import FREE_TRIES
from connectors.console.sign_in.second_factors import STEP_S, qr_code
from connectors.console.store.accounts import Role

pytestmark = pytest.mark.slow

MINE = "/api/me/second-factor"


@pytest.fixture
def page(tmp_path: Path):
    with RunningPage(tmp_path / "run") as running:
        yield running


class Phone:
    """Shows the codes of a secret, each once: a test waits for none."""

    def __init__(self, address: str) -> None:
        self._totp = pyotp.parse_uri(address)
        self._step = int(time.time()) // STEP_S - 2

    def code(self) -> str:
        """Return the next code that the server accepts: those of the step before, of this and of the next step."""
        self._step = max(self._step, int(time.time()) // STEP_S - 2) + 1
        return self._totp.at(self._step * STEP_S)

    def last_code(self) -> str:
        return self._totp.at(self._step * STEP_S)


def set_up(client: httpx.Client) -> tuple[Phone, list[str]]:
    made = client.post(MINE, json={"password": PASSWORD}).json()
    phone = Phone(made["address"])
    done = client.post(f"{MINE}/on", json={"code": phone.code()})
    assert done.status_code == 200, done.text
    client.headers["x-csrf-token"] = client.get("/api/me").json()["csrf"]
    return phone, done.json()["recovery_codes"]


def log_in(page: RunningPage, name: str, code: str = "") -> httpx.Response:
    with page.client() as client:
        return client.post("/api/login", json={"name": name, "password": PASSWORD, "code": code})


def test_a_code_of_rfc_6238_is_accepted(page: RunningPage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Appendix B: at 1111111109 s, the secret 12345678901234567890 gives 07081804, here with six digits."""
    factors = page.accounts.second_factors
    monkeypatch.setattr("pyotp.random_base32", lambda: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
    monkeypatch.setattr("connectors.console.sign_in.second_factors.time.time", lambda: 1111111109.0)
    factors.prepare("ann")
    assert factors.turn_on("ann", "081805") is None
    assert factors.turn_on("ann", "081804") is not None


def test_the_qr_code_holds_the_address_of_the_secret() -> None:
    address = pyotp.TOTP(pyotp.random_base32()).provisioning_uri(name="a.long.name@cameras.example")
    black = np.array([[module == "1" for module in row] for row in qr_code(address)])
    picture = cv2.resize(np.where(black, 0, 255).astype(np.uint8), None, fx=6, fy=6, interpolation=cv2.INTER_NEAREST)
    assert cv2.QRCodeDetector().detectAndDecode(picture)[0] == address


def test_a_login_needs_a_code_and_each_code_is_accepted_once(page: RunningPage) -> None:
    with page.client("ann") as client:
        phone, _ = set_up(client)
        assert client.get("/api/people").status_code == 200
    assert log_in(page, "ann", phone.last_code()).status_code == 401  # it turned the second factor on
    without = log_in(page, "ann")
    assert (without.status_code, without.headers["x-needs"]) == (401, "code")
    code = phone.code()
    assert log_in(page, "ann", code).status_code == 200
    assert log_in(page, "ann", code).status_code == 401
    logins = [(entry.action, entry.subject) for entry in page.state.ledger_view.audit() if entry.by == "ann"]
    assert ("login refused", "127.0.0.1, wrong code") in logins
    assert not any(code in subject for _, subject in logins)


def test_a_code_older_than_the_last_accepted_one_is_refused(page: RunningPage) -> None:
    with page.client("ben") as client:
        phone, _ = set_up(client)
    older, newer = phone.code(), phone.code()
    assert log_in(page, "ben", newer).status_code == 200
    assert log_in(page, "ben", older).status_code == 401


def test_a_recovery_code_replaces_a_code_once(page: RunningPage) -> None:
    with page.client("cem") as client:
        _, codes = set_up(client)
        assert client.get("/api/me").json()["recovery_codes"] == len(set(codes)) == 10
    assert log_in(page, "cem", codes[3].lower()).status_code == 200
    assert log_in(page, "cem", codes[3]).status_code == 401
    stored = b"".join(path.read_bytes() for path in page.settings.folder.glob("accounts.sqlite*"))
    assert not any(each.replace("-", "").encode() in stored for each in codes)


def test_the_other_sessions_end_when_a_second_factor_is_turned_on(page: RunningPage) -> None:
    with page.client("dan") as client, page.client() as other:
        other.post("/api/login", json={"name": "dan", "password": PASSWORD})
        assert other.get("/api/people").status_code == 200
        set_up(client)
        assert other.get("/api/people").status_code == 401


def test_after_some_wrong_codes_the_right_one_must_wait_and_a_login_without_a_code_does_not_help(
    page: RunningPage,
) -> None:
    with page.client("eli") as client:
        phone, codes = set_up(client)
    for _ in range(FREE_TRIES):
        log_in(page, "eli", "000000")
        without = log_in(page, "eli")
    assert without.status_code == 429
    assert log_in(page, "eli", phone.code()).status_code == 429
    assert log_in(page, "eli", codes[0]).status_code == 429


def test_turning_it_off_takes_password_and_code_and_ends_the_other_sessions(page: RunningPage) -> None:
    with page.client("fay") as client, page.client() as other:
        phone, codes = set_up(client)
        other.post("/api/login", json={"name": "fay", "password": PASSWORD, "code": codes[0]})
        assert other.get("/api/people").status_code == 200
        assert client.post(MINE, json={"password": PASSWORD}).status_code == 409
        for wrong in ({"password": "wrong", "code": phone.code()}, {"password": PASSWORD, "code": "000000"}):
            assert client.post(f"{MINE}/off", json=wrong).status_code == 403
        assert client.post(f"{MINE}/off", json={"password": PASSWORD, "code": phone.code()}).status_code == 200
        assert other.get("/api/people").status_code == 401
        assert client.get("/api/people").status_code == 200
    assert log_in(page, "fay").status_code == 200


def test_a_token_cannot_touch_the_second_factor_of_its_user(page: RunningPage) -> None:
    page.accounts.put("gus", PASSWORD, Role.ADMINISTRATOR, None)
    token = page.accounts.make_token("gus", "nightly", Role.ADMINISTRATOR, 0.0, expires_at=4e9)
    with httpx.Client(base_url=page.url, headers={"authorization": f"Bearer {token}"}) as machine:
        assert machine.post(MINE, json={"password": PASSWORD}).status_code == 403


def test_an_administrator_resets_the_second_factor_of_a_user_and_ends_their_sessions(page: RunningPage) -> None:
    with page.client("hal") as client, page.client("ivy", Role.ADMINISTRATOR) as administrator:
        set_up(client)
        assert client.delete("/api/users/hal/second-factor").status_code == 403  # an operator
        assert administrator.delete("/api/users/hal/second-factor").status_code == 200
        assert administrator.delete("/api/users/hal/second-factor").status_code == 404
        assert client.get("/api/people").status_code == 401
    assert log_in(page, "hal").status_code == 200
    done = [(each.by, each.action, each.subject) for each in page.state.ledger_view.audit() if "factor" in each.action]
    assert sorted(done) == [("hal", "second factor on", ""), ("ivy", "second factor reset", "hal")]


def test_an_administrator_of_one_camera_does_not_reset_a_user_of_others_nor_change_what_is_required(
    page: RunningPage,
) -> None:
    with page.client("jon") as client, page.client("kit", Role.ADMINISTRATOR, ("west",)) as limited:
        set_up(client)
        assert limited.delete("/api/users/jon/second-factor").status_code == 403
        assert limited.put("/api/second-factor", json={"required_from": None}).status_code == 403


def test_who_must_set_up_a_second_factor_can_do_nothing_else(page: RunningPage) -> None:
    with page.client("lia") as client, page.client("mo", Role.VIEWER) as viewer:
        with page.client("nia", Role.ADMINISTRATOR) as administrator:
            set_up(administrator)
            assert client.get("/api/people").status_code == 200
            assert administrator.put("/api/second-factor", json={"required_from": "operator"}).status_code == 200
            assert administrator.get("/api/people").status_code == 200
        assert client.get("/api/me").json()["must_set_up"]
        paths = client.get("/api/openapi.json").json()["paths"]
        open_to_all = {"/api/me", "/api/sign-in", "/api/openapi.json"}
        answers = {path: client.get(path).status_code for path, each in paths.items() if "get" in each}
        assert {path for path, code in answers.items() if code not in (403, 422)} <= open_to_all
        assert viewer.get("/api/people").status_code == 200
        set_up(client)
        assert client.get("/api/people").status_code == 200


def test_a_connection_ends_when_a_second_factor_becomes_required(page: RunningPage) -> None:
    with page.client("pia") as client:
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        url = f"{page.url.replace('http', 'ws', 1)}/api/changes"
        with connect(url, additional_headers={"cookie": cookie}, proxy=None) as socket:
            socket.recv(timeout=10)
            page.accounts.require_second_factor(Role.VIEWER)
            with pytest.raises(ConnectionClosed) as closed:
                deque(iter(partial(socket.recv, timeout=5), None))
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
        with connect(url, additional_headers={"cookie": cookie}, proxy=None) as socket, pytest.raises(ConnectionClosed):
            socket.recv(timeout=5)


def test_a_user_who_is_removed_and_added_again_has_no_second_factor(page: RunningPage) -> None:
    page.accounts.put("admin", PASSWORD, Role.ADMINISTRATOR, None)
    with page.client("rob") as client:
        set_up(client)
    page.accounts.drop("rob")
    page.accounts.put("rob", PASSWORD, Role.VIEWER, None)
    assert log_in(page, "rob").status_code == 200
