"""Routes of accounts: login, users and tokens."""

import re
import time
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Request, Response
from pydantic import Field

from connectors.console.api.permissions import Administrator, Anyone, Person, visitor_of
from connectors.console.api.sessions import Sessions, cookie_name
from connectors.console.api.throttle import FREE_TRIES_OF_ADDRESS, MAX_REMEMBERED, Throttle
from connectors.console.store.accounts import MIN_PASSWORD, NAME, Accounts, Role, User
from connectors.console.store.notes import NotesStore
from connectors.console.store.site import SiteReader
from pipeline.core.errors import ConfigError

Name = Annotated[str, Field(min_length=1, max_length=64, pattern=f"^{NAME}$")]
Password = Annotated[str, Field(min_length=1, max_length=200)]
NewSecret = Annotated[str, Field(min_length=MIN_PASSWORD, max_length=200)]
Cameras = Annotated[tuple[Annotated[str, Field(max_length=200)], ...], Field(max_length=1000)] | None
NEEDS = "x-needs"
"""Header of a refused login: what it lacks."""
Number = Annotated[int, Path(ge=0, le=2**62)]


@dataclass(frozen=True, slots=True)
class Credentials:
    """Name and password of a login, and the code of a user who has a second factor."""

    name: Name
    password: Password
    code: Annotated[str, Field(max_length=64)] = ""


@dataclass(frozen=True, slots=True)
class NewPassword:
    """The old password and the new one."""

    old: Password
    new: NewSecret


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to add or change; ``cameras``: null for all; ``password``: null to keep that of a user."""

    password: NewSecret | None
    role: Role
    cameras: Cameras = None


@dataclass(frozen=True, slots=True)
class NamedUser:
    """A user to add; ``cameras``: null for all."""

    name: Annotated[str, Field(max_length=200)]
    password: NewSecret
    role: Role
    cameras: Cameras = None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to make: the user that it acts for, its purpose, what it may do at most, and for how many days."""

    name: Name
    label: Annotated[str, Field(min_length=1, max_length=100)]
    role: Role = Role.VIEWER
    days: Annotated[float, Field(gt=0, le=366)] = 90.0


class AccountRoutes:
    """Routes of accounts.

    Args:
        accounts: Users and tokens.
        sessions: Cookies.
        notes: Writes the audit.
        site: Knows the cameras.
    """

    def __init__(self, accounts: Accounts, sessions: Sessions, notes: NotesStore, site: SiteReader) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._notes = notes
        self._site = site
        self._throttle = Throttle()
        self._address_throttle = Throttle(free_tries=FREE_TRIES_OF_ADDRESS)
        # Addresses from which a user has logged in: others who guess the name's password do not lock these out.
        self._known: dict[str, None] = {}

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api", tags=["accounts"])
        add = router.add_api_route
        add("/login", self.log_in, methods=["POST"], summary="Log in; sets the session cookie")
        add("/sign-in", self.ways, methods=["GET"], summary="Get the ways to sign in; needs no login")
        add("/logout", self.log_out, methods=["POST"], summary="End all of your sessions")
        add("/me", self.me, methods=["GET"], summary="Get your user and the CSRF token of your session")
        add("/me/password", self.change_password, methods=["POST"], summary="Change your password")
        add("/users", self.users, methods=["GET"], summary="List users")
        add("/users", self.add_user, methods=["POST"], summary="Add a user; 409 if the name is taken")
        add("/users/{name}", self.put_user, methods=["PUT"], summary="Add or change a user")
        add("/users/{name}", self.drop_user, methods=["DELETE"], summary="Remove a user")
        add("/tokens", self.tokens, methods=["GET"], summary="List API tokens")
        add("/tokens", self.make_token, methods=["POST"], summary="Make an API token; it is shown once")
        add("/tokens/{number}", self.drop_token, methods=["DELETE"], summary="Revoke an API token")
        return router

    def log_in(self, request: Request, response: Response, credentials: Credentials) -> dict[str, Any]:
        """Log in; after a few failures each further attempt must wait."""
        if not self._sessions.ways.local_accounts:
            raise HTTPException(403, "accounts with a password are switched off here; sign in at the provider")
        address = request.client.host if request.client else ""
        throttled = self._throttled(credentials.name, address)
        wait_s = max(throttle.wait_s(key) for throttle, key in throttled)
        if wait_s > 0:
            raise HTTPException(429, f"too many attempts; wait {wait_s:.0f} s", {"retry-after": str(int(wait_s) + 1)})
        user = self._accounts.log_in(credentials.name, credentials.password)
        used: str | None = "password"
        if user is not None and user.has_second_factor:
            if not credentials.code:  # neither a failure nor a success: the throttle stays as it is
                raise HTTPException(401, "expected a code too", {NEEDS: "code"})
            used = self._accounts.second_factors.accept(user.name, credentials.code)
        if user is None or used is None:
            for throttle, key in throttled:
                throttle.failed(key)
            self._notes.audit(credentials.name, "login refused", address if user is None else f"{address}, wrong code")
            raise HTTPException(401, "wrong name or password" if user is None else "wrong code, or used before")
        for throttle, key in throttled:
            throttle.succeeded(key)
        self._known[f"{user.name} {address}"] = None
        while len(self._known) > MAX_REMEMBERED:
            del self._known[next(iter(self._known))]
        self._notes.audit(user.name, "login", f"{address}, recovery code" if used == "recovery code" else address)
        self._sessions.set_cookie(request, response, user)
        return {"name": user.name, "role": user.role}

    def _throttled(self, name: str, address: str) -> list[tuple[Throttle, str]]:
        """Return what a failure counts for: this name from this address, the address, and the name from elsewhere."""
        pair = f"{name} {address}"
        found = [(self._throttle, pair), (self._address_throttle, address)]
        return found if pair in self._known else [*found, (self._throttle, f"name {name}")]

    def ways(self) -> dict[str, Any]:
        """The ways to sign in: whether by name and password, and what the button to the provider names."""
        ways = self._sessions.ways
        return {"password": ways.local_accounts, "provider": ways.oidc.label if ways.oidc else None}

    def log_out(self, request: Request, response: Response, visitor: Anyone) -> dict[str, Any]:
        """End all sessions of the user who asks."""
        name = visitor.user.name
        self._accounts.log_out(name)
        self._notes.audit(name, "logout", "")
        response.delete_cookie(cookie_name(request.headers), path="/")
        provider = self._sessions.provider
        return {"name": name, "go_to": provider.release(name) if provider and visitor.user.is_external else None}

    def me(self, request: Request) -> dict[str, Any]:
        """The user who asks, and the CSRF token of the session."""
        visitor = visitor_of(request)
        user = visitor.user
        return {
            **_shown(user),
            "csrf": visitor.csrf,
            "is_open": self._sessions.is_open and user.name == "demonstration",
            "must_set_up": visitor.must_set_up,
            "is_by_proxy": visitor.is_by_proxy,
            "recovery_codes": self._accounts.second_factors.num_recovery_codes(user.name),
        }

    def change_password(
        self, request: Request, response: Response, user: Person, change: NewPassword
    ) -> dict[str, Any]:
        """Change the password of the user who asks; their other sessions and their tokens end."""
        keys = (f"name {user.name}",)
        if self._throttle.wait_s(*keys) > 0:
            raise HTTPException(429, "too many attempts; wait a minute", {"retry-after": "60"})
        if self._accounts.log_in(user.name, change.old) is None:
            self._throttle.failed(*keys)
            raise HTTPException(403, "the old password is wrong")
        self._accounts.put(user.name, change.new, user.role, user.cameras)
        self._notes.audit(user.name, "password changed", "")
        self._sessions.go_on(request, response, user)
        return _shown(user)

    def users(self, user: Administrator) -> list[dict[str, Any]]:
        """All users who may see no other cameras than the user who asks, sorted by name."""
        return [_shown(each) for each in self._accounts.users() if is_within(user, each.cameras)]

    def add_user(self, request: Request, response: Response, user: Administrator, new: NamedUser) -> dict[str, Any]:
        """Add a user; 409 if there is a user of this name, who stays as they are."""
        self._refuse_if_open(user)
        if not re.fullmatch(NAME, new.name):
            raise HTTPException(422, "name: expected at most 64 letters, digits and _ . @ -; correct it")
        if self._accounts.user(new.name) is not None:
            raise HTTPException(409, f"{new.name}: this name is taken; choose another, or change that user")
        return self.put_user(request, response, user, new.name, NewUser(new.password, new.role, new.cameras))

    def put_user(
        self, request: Request, response: Response, user: Administrator, name: Annotated[Name, Path()], new: NewUser
    ) -> dict[str, Any]:
        """Add a user, or change one and end their sessions and tokens; who changes themselves stays logged in."""
        self._refuse_if_open(user)
        if new.cameras == ():
            raise HTTPException(422, "cameras: expected at least one, got none; choose one, or all")
        self._check_within(user, new.cameras)
        self._check_may_change(user, name)
        self._check_known(user, name, new.cameras or ())
        try:
            self._accounts.put(name, new.password, new.role, new.cameras)
        except ConfigError as error:
            raise HTTPException(409, str(error)) from error
        self._notes.audit(user.name, "user put", f"{name} as {new.role}")
        if name == user.name and "authorization" not in request.headers:
            self._sessions.go_on(request, response, user)
        return _shown(User(name, new.role, new.cameras))

    def drop_user(self, user: Administrator, name: Annotated[Name, Path()]) -> dict[str, Any]:
        """Remove a user and their tokens."""
        self._refuse_if_open(user)
        self._check_may_change(user, name)
        try:
            was_there = self._accounts.drop(name)
        except ConfigError as error:
            raise HTTPException(409, str(error)) from error
        if not was_there:
            raise HTTPException(404, "there is no such user")
        self._notes.audit(user.name, "user dropped", name)
        return {"name": name}

    def tokens(self, user: Administrator) -> list[dict[str, Any]]:
        """All API tokens of these users, without their secrets."""
        names = {each["name"] for each in self.users(user)}
        return [
            {
                "number": token.number,
                "name": token.name,
                "label": token.label,
                "role": token.role,
                "made_at": token.made_at,
                "expires_at": token.expires_at,
            }
            for token in self._accounts.tokens()
            if token.name in names
        ]

    def make_token(self, user: Administrator, new: NewToken) -> dict[str, Any]:
        """Make an API token that acts for a user; it is shown only in this answer."""
        self._refuse_if_open(user)
        owner = self._accounts.user(new.name)
        if owner is None:
            raise HTTPException(404, "there is no such user")
        if owner.is_external:  # their rights can end while no page asks the provider
            raise HTTPException(403, "expected a user with a password, got one whom another system signs in")
        self._check_may_change(user, new.name)
        self._notes.audit(user.name, "token made", f"{new.label} for {new.name} as {new.role}, {new.days:g} days")
        now = time.time()
        token = self._accounts.make_token(new.name, new.label, new.role, now, expires_at=now + new.days * 86400)
        return {"token": token}

    def drop_token(self, user: Administrator, number: Number) -> dict[str, Any]:
        """Revoke an API token."""
        self._refuse_if_open(user)
        if number not in {each["number"] for each in self.tokens(user)} or not self._accounts.drop_token(number):
            raise HTTPException(404, "there is no such token")
        self._notes.audit(user.name, "token dropped", str(number))
        return {"number": number}

    def _check_may_change(self, user: User, name: str) -> None:
        """Raise 403 if another user may see cameras that the user who asks may not."""
        other = self._accounts.user(name)
        if other is not None:
            self._check_within(user, other.cameras)

    def _check_known(self, user: User, name: str, cameras: tuple[str, ...]) -> None:
        """Raise 422 for a camera that the site does not have, unless the user who is changed has it already."""
        site, before = self._site.site(), self._accounts.user(name)
        known = {*site.cameras, *site.later}
        unknown = set(cameras) - known - set((before and before.cameras) or ())
        if known and unknown:
            expected = ", ".join(sorted(filter(user.sees, known)))
            raise HTTPException(422, f"cameras: expected some of {expected}, got {min(unknown)}; correct it")

    def _check_within(self, user: User, cameras: tuple[str, ...] | None) -> None:
        if not is_within(user, cameras):
            raise HTTPException(403, "expected cameras that you may see, got others")

    def _refuse_if_open(self, user: User) -> None:
        if self._sessions.is_open and user.name == "demonstration":
            raise HTTPException(403, "a page without a login cannot manage accounts; start it with one")


def is_within(user: User, cameras: tuple[str, ...] | None) -> bool:
    """Return whether a user sees all of these cameras; None: all of the site."""
    return user.cameras is None or (cameras is not None and set(cameras) <= set(user.cameras))


def _shown(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "role": user.role,
        "cameras": user.cameras,
        "second_factor": user.has_second_factor,
        "is_external": user.is_external,
    }
