"""Who may be a user: names, cameras, and changes of either."""

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import product
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from console_page import PASSWORD, RunningPage

from connectors.console.store.accounts import Accounts, Role
from pipeline.core.errors import ConfigError

pytestmark = pytest.mark.slow

QUICK = PasswordHasher.from_parameters(CHEAPEST)


@pytest.fixture
def fresh(tmp_path: Path):
    """A new page, without failed logins."""
    with RunningPage(tmp_path / "fresh") as running:
        yield running


def test_a_new_user_with_the_name_of_another_is_refused_and_changes_nothing(fresh: RunningPage) -> None:
    fresh.accounts.put("paul", PASSWORD, Role.OPERATOR, ("east",))
    new = {"name": "paul", "password": "another password", "role": "administrator"}
    with fresh.client("olga", Role.ADMINISTRATOR) as client:
        refused = client.post("/api/users", json=new)
        assert (refused.status_code, "this name is taken" in refused.text) == (409, True)
        found = fresh.accounts.log_in("paul", PASSWORD)
        assert found is not None
        assert (found.role, found.cameras) == (Role.OPERATOR, ("east",))
        added = client.post("/api/users", json={**new, "name": "pia"})
        assert (added.status_code, added.json()["role"]) == (200, "administrator")


@pytest.mark.parametrize("name", ["a/b", "a?b", "a#b", "", "a b", "x" * 65])
def test_a_name_that_no_address_can_have_is_refused_with_the_rule(fresh: RunningPage, name: str) -> None:
    with fresh.client("olga", Role.ADMINISTRATOR) as client:
        refused = client.post("/api/users", json={"name": name, "password": PASSWORD, "role": "viewer"})
        assert refused.status_code == 422
        assert refused.json()["detail"] == "name: expected at most 64 letters, digits and _ . @ -; correct it"


def test_a_user_of_no_camera_is_refused(fresh: RunningPage) -> None:
    new = {"password": PASSWORD, "role": "viewer", "cameras": []}
    with fresh.client("olga", Role.ADMINISTRATOR) as client:
        for refused in (
            client.post("/api/users", json={"name": "paul", **new}),
            client.put("/api/users/paul", json=new),
        ):
            assert (refused.status_code, refused.json()["detail"]) == (
                422,
                "cameras: expected at least one, got none; choose one, or all",
            )
    assert fresh.accounts.user("paul") is None


def test_a_change_of_the_role_keeps_the_password_and_who_changes_themselves_stays_logged_in(fresh: RunningPage) -> None:
    with fresh.client("olga", Role.ADMINISTRATOR) as client:
        changed = {"password": None, "role": "administrator"}
        assert client.put("/api/users/paul", json=changed).status_code == 409, "a new user needs a password"
        fresh.accounts.put("paul", PASSWORD, Role.VIEWER, None)
        assert client.put("/api/users/paul", json=changed).status_code == 200
        found = fresh.accounts.log_in("paul", PASSWORD)
        assert found is not None
        assert found.role is Role.ADMINISTRATOR
        with fresh.client() as other:
            other.post("/api/login", json={"name": "olga", "password": PASSWORD})
            assert client.put("/api/users/olga", json={**changed, "cameras": ["east"]}).status_code == 200
            assert other.get("/api/me").status_code == 401
        assert client.get("/api/me").json()["cameras"] == ["east"]


def test_a_user_of_a_camera_that_is_not_there_is_refused(fresh: RunningPage) -> None:
    fresh.accounts.put("kim", PASSWORD, Role.VIEWER, ("gone",))
    new = {"password": PASSWORD, "role": "viewer"}
    with fresh.client("olga", Role.ADMINISTRATOR) as client:
        refused = client.put("/api/users/paul", json={**new, "cameras": ["east", "moon"]})
        assert refused.status_code == 422
        assert refused.json()["detail"].startswith("cameras: expected some of ")
        assert "east, west, got moon; correct it" in refused.json()["detail"]
        assert client.put("/api/users/kim", json={**new, "cameras": ["gone"]}).status_code == 200, "was there before"
        (fresh.settings.output_dir / "config.yaml").write_text("site: {cameras: {east: /a.mp4}, later: [moon]}")
        assert client.put("/api/users/paul", json={**new, "cameras": ["moon"]}).status_code == 200, "may be added"


@pytest.mark.parametrize(("first", "second"), [("admin", "Admin"), ("ann", "ａｎｎ"), ("strauß", "STRAUSS")])
def test_a_name_that_looks_like_another_is_refused(fresh: RunningPage, first: str, second: str) -> None:
    new = {"password": PASSWORD, "role": "viewer"}
    with fresh.client("olga", Role.ADMINISTRATOR) as client:
        assert client.put(f"/api/users/{first}", json=new).status_code == 200
        refused = client.put(f"/api/users/{second}", json=new)
        assert refused.status_code == 409
        assert f"there is the user {first}, whose name looks the same" in refused.json()["detail"]
        assert client.put(f"/api/users/{first}", json=new).status_code == 200, "the user themselves may be changed"
    with pytest.raises(ConfigError, match="looks the same"):
        fresh.accounts.put_external(second, "provider 7", Role.VIEWER, None)


def test_two_names_that_look_alike_and_are_there_keep_working(fresh: RunningPage) -> None:
    fresh.accounts.put("admin", PASSWORD, Role.ADMINISTRATOR, None)
    before = "INSERT INTO users (name, hash, role) SELECT 'Admin', hash, 'viewer' FROM users WHERE name = 'admin'"
    with closing(sqlite3.connect(fresh.settings.folder / "accounts.sqlite")) as file, file:
        file.execute(before)
    assert fresh.accounts.log_in("Admin", PASSWORD) is not None
    fresh.accounts.put("Admin", "another password", Role.OPERATOR, None)
    fresh.accounts.put("admin", "a third password", Role.ADMINISTRATOR, None)
    found = fresh.accounts.log_in("Admin", "another password")
    assert found is not None
    assert found.role is Role.OPERATOR


def test_of_two_administrators_who_remove_each_other_at_once_one_stays(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path / "accounts.sqlite", QUICK)
    for _ in range(20):
        for name in ("ada", "bea"):
            accounts.put(name, PASSWORD, Role.ADMINISTRATOR, None)
        assert sorted(at_once([lambda: accounts.drop("ada"), lambda: accounts.drop("bea")])) == [False, True]


def test_of_names_that_look_the_same_one_is_taken_however_many_come_at_once(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path / "accounts.sqlite", QUICK)
    names = ["".join(letters) for letters in product(*((each, each.upper()) for each in "ann"))]
    taken = at_once([partial(accounts.put, name, PASSWORD, Role.VIEWER, None) for name in names])
    assert taken.count(True) == 1
    assert len(accounts.users()) == 1


def at_once(changes: list[Callable[[], object]]) -> list[bool]:
    """Begin all of them together, and return which of them are not refused."""
    ready = threading.Barrier(len(changes))

    def done(change: Callable[[], object]) -> bool:
        ready.wait()
        try:
            change()
        except ConfigError:
            return False
        return True

    with ThreadPoolExecutor(len(changes)) as pool:
        return list(pool.map(done, changes))
