"""Sessions: signed cookies, CSRF tokens and API tokens tell who asks."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from fastapi import Request, Response
from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import HTTPConnection

from connectors.console.sign_in.proxy import ProxyRefusedError
from connectors.console.sign_in.ways import Ways
from connectors.console.store.accounts import DEMONSTRATION, Accounts, User

COOKIE = "passerby_session"
"""Start of the cookie's name. The port follows: browsers send a cookie to every port of a host."""
CSRF_HEADER = "x-csrf-token"


def cookie_name(headers: Mapping[str, str]) -> str:
    """Return the name of the session cookie of the page that a request is for.

    Example:
        >>> cookie_name({"host": "127.0.0.1:8400"}), cookie_name({"host": "cameras.example"})
        ('passerby_session_8400', 'passerby_session')
    """
    port = headers.get("host", "").rpartition(":")[2]
    return f"{COOKIE}_{port}" if port.isdigit() else COOKIE


@dataclass(frozen=True, slots=True)
class Visitor:
    """The sender of a request.

    Attributes:
        user: The user.
        csrf: Token that a request must carry to change something. None with an API token, which no browser sends by
            itself.
        must_set_up: Whether the user may only set up a second factor, because one is required.
        is_by_proxy: Whether a proxy names the user, in each request anew.
    """

    user: User
    csrf: str | None
    must_set_up: bool = False
    is_by_proxy: bool = False


class Provider(Protocol):
    """A provider at which users sign in."""

    def holds(self, name: str) -> bool:
        """Return whether a user is signed in there, as far as this page knows."""

    def release(self, name: str) -> str | None:
        """Forget a user's session; return where a browser ends it at the provider, if it offers that."""


class Sessions:
    """Makes session cookies and verifies them.

    Args:
        accounts: Users and tokens.
        max_age_s: Seconds after which a session ends.
        is_open: Whether a request without a cookie is of the user ``demonstration``; for loopback only.
        is_tls: Whether browsers reach the page over TLS, and send the cookie over nothing else.
        ways: The ways to sign in.
        provider: Says which users of a provider are signed in; None: there is no provider.
    """

    def __init__(
        self,
        accounts: Accounts,
        *,
        max_age_s: float,
        is_open: bool,
        is_tls: bool,
        ways: Ways,
        provider: Provider | None,
    ) -> None:
        self._accounts = accounts
        self._max_age_s = max_age_s
        self._secret = accounts.secret.encode()
        self._serializer = URLSafeTimedSerializer(self._secret, salt="passerby session")
        self.is_open = is_open
        self.is_tls = is_tls
        self.ways = ways
        self.provider = provider

    def cookie(self, user: User) -> str:
        """Return the signed cookie of a new session."""
        return str(self._serializer.dumps([user.name, user.epoch, secrets.token_hex(8)]))

    def set_cookie(self, request: Request, response: Response, user: User) -> None:
        """Start a new session with this answer."""
        response.set_cookie(
            cookie_name(request.headers),
            self.cookie(user),
            httponly=True,
            samesite="strict",
            secure=self.is_tls,
            path="/",
        )

    def go_on(self, request: Request, response: Response, user: User) -> None:
        """Start a new session for a user whose own change has just ended all of their sessions."""
        now = self._accounts.user(user.name)
        if now is not None:
            self.set_cookie(request, response, now)

    def visitor(self, connection: HTTPConnection) -> Visitor | None:
        """Return who asks; None without a valid login.

        Raises:
            ProxyRefusedError: If the headers of a proxy are not believed.
        """
        headers = connection.headers
        by_proxy = None if self.ways.proxy is None else self.ways.proxy.user_of(connection)
        if by_proxy is not None:
            if self._accounts.user(by_proxy.name) is not None:
                raise ProxyRefusedError(f"{by_proxy.name} is an account of this page too; remove one of the two")
            return Visitor(by_proxy, self._csrf(f"proxy {by_proxy.name}"), is_by_proxy=True)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            user = self._accounts.user_of_token(token.strip())
            return None if user is None else Visitor(user, None)
        known = self._of_cookie(connection.cookies.get(cookie_name(headers), ""))
        if known is None and self.is_open:
            return Visitor(DEMONSTRATION, self._csrf("open"))
        return known

    def _of_cookie(self, cookie: str) -> Visitor | None:
        try:
            name, epoch, nonce = self._serializer.loads(cookie, max_age=round(self._max_age_s))
        except (BadData, TypeError, ValueError):
            return None
        user = self._accounts.user(str(name))
        if user is None or user.epoch != epoch:
            return None
        if not (self.provider and self.provider.holds(user.name) if user.is_external else self.ways.local_accounts):
            return None
        return Visitor(user, self._csrf(str(nonce)), self._accounts.must_set_up(user))

    def _csrf(self, nonce: str) -> str:
        return hmac.new(self._secret, f"csrf {nonce}".encode(), hashlib.sha256).hexdigest()
