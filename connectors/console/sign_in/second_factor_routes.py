"""Routes of second factors: a user sets theirs up or turns it off, an administrator requires or resets them."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Request, Response
from pydantic import Field

from connectors.console.api.accounts import Name, Password, is_within
from connectors.console.api.permissions import Administrator, Person
from connectors.console.api.sessions import Sessions
from connectors.console.api.throttle import Throttle
from connectors.console.sign_in.second_factors import qr_code
from connectors.console.store.accounts import Accounts, Role, User
from connectors.console.store.notes import NotesStore

Code = Annotated[str, Field(min_length=1, max_length=64)]


@dataclass(frozen=True, slots=True)
class Proof:
    """The password of the user who asks."""

    password: Password


@dataclass(frozen=True, slots=True)
class FullProof:
    """Password and code of the user who asks."""

    password: Password
    code: Code


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A code of the app."""

    code: Code


@dataclass(frozen=True, slots=True)
class Requirement:
    """The lowest role that needs a second factor; null: nobody needs one."""

    required_from: Role | None


class SecondFactorRoutes:
    """Routes of second factors; see ``AccountRoutes`` for the arguments."""

    def __init__(self, accounts: Accounts, sessions: Sessions, notes: NotesStore) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._notes = notes
        self._throttle = Throttle()

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/api", tags=["second_factor"])
        add = router.add_api_route
        mine = "/me/second-factor"
        add(
            mine, self.prepare, methods=["POST"], summary="Get the QR code of a second factor, which does not count yet"
        )
        add(f"{mine}/on", self.turn_on, methods=["POST"], summary="Let it count; the recovery codes are shown once")
        add(f"{mine}/off", self.turn_off, methods=["POST"], summary="Turn your second factor off")
        add("/users/{name}/second-factor", self.reset, methods=["DELETE"], summary="Reset the second factor of a user")
        add("/second-factor", self.requirement, methods=["GET"], summary="Get who needs a second factor")
        add("/second-factor", self.require, methods=["PUT"], summary="Require a second factor, at once")
        return router

    def prepare(self, user: Person, proof: Proof) -> dict[str, Any]:
        """Make a secret and return it as an address and as a QR code, rows of ``1`` (black) and ``0``."""
        if user.has_second_factor:
            raise HTTPException(409, "there is a second factor; turn it off first")
        self._check(user, proof.password)
        address = self._accounts.second_factors.prepare(user.name)
        return {"address": address, "qr": qr_code(address)}

    def turn_on(self, request: Request, response: Response, user: Person, given: Confirmation) -> dict[str, Any]:
        """Let the secret count, if the app shows its codes; ends the other sessions of the user."""
        codes = self._accounts.second_factors.turn_on(user.name, given.code)
        if codes is None:
            raise HTTPException(403, "wrong code; compare the clocks of this machine and of the phone")
        self._accounts.log_out(user.name)
        self._notes.audit(user.name, "second factor on", "")
        self._sessions.go_on(request, response, user)
        return {"recovery_codes": codes}

    def turn_off(self, request: Request, response: Response, user: Person, proof: FullProof) -> dict[str, Any]:
        """Turn the second factor off; takes password and code, and ends the other sessions of the user."""
        self._check(user, proof.password, proof.code)
        self._accounts.drop_second_factor(user.name)
        self._notes.audit(user.name, "second factor off", "")
        self._sessions.go_on(request, response, user)
        return {"name": user.name}

    def reset(self, user: Administrator, name: Annotated[Name, Path()]) -> dict[str, Any]:
        """Remove the second factor of a user who has lost it; ends their sessions."""
        if name == user.name:
            raise HTTPException(403, "turn your own second factor off with its code")
        other = self._accounts.user(name)
        if other is None:
            raise HTTPException(404, "there is no such user")
        if not is_within(user, other.cameras):
            raise HTTPException(403, "expected a user of cameras that you may see")
        if not self._accounts.drop_second_factor(name):
            raise HTTPException(404, "this user has no second factor")
        self._notes.audit(user.name, "second factor reset", name)
        return {"name": name}

    def requirement(self, _: Administrator) -> dict[str, Any]:
        """The lowest role that needs a second factor."""
        return {"required_from": self._accounts.second_factor_from}

    def require(self, user: Administrator, new: Requirement) -> dict[str, Any]:
        """Require a second factor from a role on; users who lack it may only set it up, open sessions too."""
        if self._sessions.is_open or user.cameras is not None:
            raise HTTPException(403, "expected an administrator of all cameras, who has logged in")
        self._accounts.require_second_factor(new.required_from)
        self._notes.audit(
            user.name, "second factor required", f"from role {new.required_from}" if new.required_from else "of nobody"
        )
        return {"required_from": new.required_from}

    def _check(self, user: User, password: str, code: str | None = None) -> None:
        """Raise 403 if the password is wrong, or the code where one is given, and 429 after too many failures."""
        if self._throttle.wait_s(user.name) > 0:
            raise HTTPException(429, "too many attempts; wait a minute", {"retry-after": "60"})
        is_right = self._accounts.log_in(user.name, password) is not None
        if not is_right or (code is not None and self._accounts.second_factors.accept(user.name, code) is None):
            self._throttle.failed(user.name)
            raise HTTPException(403, "the password or the code is wrong, or the code was used before")
        self._throttle.succeeded(user.name)
