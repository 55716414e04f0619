"""Logging in, users and tokens."""

import time
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Request, Response
from pydantic import Field

from connectors.console.api.permissions import Administrator, Viewer, visitor_of
from connectors.console.api.sessions import COOKIE, Sessions
from connectors.console.api.throttle import Throttle
from connectors.console.store.accounts import MIN_PASSWORD, Accounts, Role, User
from connectors.console.store.notes import NotesStore
from pipeline.core.errors import ConfigError

Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.@-]+$")]
Password = Annotated[str, Field(min_length=1, max_length=200)]
Number = Annotated[int, Path(ge=0, le=2**62)]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one logs in with."""

    name: Name
    password: Password


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A password in place of another."""

    old: Password
    new: Annotated[str, Field(min_length=MIN_PASSWORD, max_length=200)]


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to be; ``cameras`` null for all of them."""

    password: Annotated[str, Field(min_length=MIN_PASSWORD, max_length=200)]
    role: Role
    cameras: Annotated[tuple[Annotated[str, Field(max_length=200)], ...], Field(max_length=1000)] | None = None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to be: for whom, and what for."""

    name: Name
    label: Annotated[str, Field(min_length=1, max_length=100)]


class AccountRoutes:
    """Routes of accounts.

    Args:
        accounts: Users and tokens.
        sessions: Cookies.
        notes: What is written down about who did what.
        cookie_is_secure: The page is served over TLS.
    """

    def __init__(self, accounts: Accounts, sessions: Sessions, notes: NotesStore, *, cookie_is_secure: bool) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._notes = notes
        self._cookie_is_secure = cookie_is_secure
        self._throttle = Throttle()

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api", tags=["accounts"])
        add = router.add_api_route
        add("/login", self.log_in, methods=["POST"], summary="Log in; sets the session's cookie")
        add("/logout", self.log_out, methods=["POST"], summary="End every session of mine")
        add("/me", self.me, methods=["GET"], summary="Who I am, and the CSRF token of my session")
        add("/me/password", self.change_password, methods=["POST"], summary="Change my password")
        add("/users", self.users, methods=["GET"], summary="Everybody who may use the page")
        add("/users/{name}", self.put_user, methods=["PUT"], summary="Add a user, or change one")
        add("/users/{name}", self.drop_user, methods=["DELETE"], summary="Remove a user")
        add("/tokens", self.tokens, methods=["GET"], summary="Tokens for machines")
        add("/tokens", self.make_token, methods=["POST"], summary="Make a token; it is shown once")
        add("/tokens/{number}", self.drop_token, methods=["DELETE"], summary="Make a token worthless")
        return router

    def log_in(self, request: Request, response: Response, credentials: Credentials) -> dict[str, Any]:
        """Log in; after a few failures each further try must wait."""
        address = request.client.host if request.client else ""
        keys = (f"name {credentials.name}", f"address {address}")
        wait_s = self._throttle.wait_s(*keys)
        if wait_s > 0:
            raise HTTPException(429, f"too many tries; wait {wait_s:.0f} s", {"retry-after": str(int(wait_s) + 1)})
        user = self._accounts.log_in(credentials.name, credentials.password)
        if user is None:
            self._throttle.failed(*keys)
            self._notes.note(credentials.name, "login refused", address)
            raise HTTPException(401, "this name and password do not fit")
        self._throttle.succeeded(*keys)
        self._notes.note(user.name, "login", address)
        response.set_cookie(
            COOKIE,
            self._sessions.cookie(user),
            httponly=True,
            samesite="strict",
            secure=self._cookie_is_secure,
            path="/",
        )
        return {"name": user.name, "role": user.role}

    def log_out(self, response: Response, user: Viewer) -> dict[str, Any]:
        """End every session of whoever asks."""
        self._accounts.log_out(user.name)
        self._notes.note(user.name, "logout", "")
        response.delete_cookie(COOKIE, path="/")
        return {"name": user.name}

    def me(self, request: Request) -> dict[str, Any]:
        """Who asks."""
        visitor = visitor_of(request)
        user = visitor.user
        return {
            **_shown(user),
            "csrf": visitor.csrf,
            "is_open": self._sessions.is_open and user.name == "demonstration",
        }

    def change_password(self, user: Viewer, change: NewPassword) -> dict[str, Any]:
        """Change one's own password; every session ends."""
        keys = (f"name {user.name}",)
        if self._throttle.wait_s(*keys) > 0:
            raise HTTPException(429, "too many tries; wait", {"retry-after": "60"})
        if self._accounts.log_in(user.name, change.old) is None:
            self._throttle.failed(*keys)
            raise HTTPException(403, "the old password is another")
        self._accounts.put(user.name, change.new, user.role, user.cameras)
        self._notes.note(user.name, "password changed", "")
        return _shown(user)

    def users(self, user: Administrator) -> list[dict[str, Any]]:
        """Everybody who may use the page."""
        return [_shown(each) for each in self._accounts.users()]

    def put_user(self, user: Administrator, name: Annotated[Name, Path()], new: NewUser) -> dict[str, Any]:
        """Add a user, or change one."""
        self._refuse_if_open(user)
        self._accounts.put(name, new.password, new.role, new.cameras)
        self._notes.note(user.name, "user put", f"{name} as {new.role}")
        return _shown(User(name, new.role, new.cameras))

    def drop_user(self, user: Administrator, name: Annotated[Name, Path()]) -> dict[str, Any]:
        """Remove a user and their tokens."""
        self._refuse_if_open(user)
        try:
            was_there = self._accounts.drop(name)
        except ConfigError as error:
            raise HTTPException(409, str(error)) from error
        if not was_there:
            raise HTTPException(404, "there is no such user")
        self._notes.note(user.name, "user dropped", name)
        return {"name": name}

    def tokens(self, user: Administrator) -> list[dict[str, Any]]:
        """Tokens for machines, without what they are."""
        return [
            {"number": number, "name": name, "label": label, "made_at": made_at}
            for number, name, label, made_at in self._accounts.tokens()
        ]

    def make_token(self, user: Administrator, new: NewToken) -> dict[str, Any]:
        """Make a token that speaks for a user; it is shown this once."""
        self._refuse_if_open(user)
        if self._accounts.user(new.name) is None:
            raise HTTPException(404, "there is no such user")
        self._notes.note(user.name, "token made", f"{new.label} for {new.name}")
        return {"token": self._accounts.make_token(new.name, new.label, time.time())}

    def drop_token(self, user: Administrator, number: Number) -> dict[str, Any]:
        """Make a token worthless."""
        self._refuse_if_open(user)
        if not self._accounts.drop_token(number):
            raise HTTPException(404, "there is no such token")
        self._notes.note(user.name, "token dropped", str(number))
        return {"number": number}

    def _refuse_if_open(self, user: User) -> None:
        if self._sessions.is_open and user.name == "demonstration":
            raise HTTPException(403, "accounts are managed by somebody who has logged in")


def _shown(user: User) -> dict[str, Any]:
    return {"name": user.name, "role": user.role, "cameras": user.cameras}
