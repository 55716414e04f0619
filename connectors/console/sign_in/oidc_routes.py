"""Routes of signing in at a provider: the way there and the way back, and the task that asks it again."""

import asyncio
import html
import logging
import secrets
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from itsdangerous import BadData, URLSafeTimedSerializer

from connectors.console.api.sessions import Sessions, cookie_name
from connectors.console.api.throttle import FREE_TRIES_OF_ADDRESS, Throttle
from connectors.console.sign_in.oidc_settings import RefusedError
from connectors.console.store.accounts import Accounts, User
from connectors.console.store.notes import NotesStore
from pipeline.core.errors import ConfigError, ConnectorError

if TYPE_CHECKING:
    from connectors.console.sign_in.oidc import OidcProvider

logger = logging.getLogger(__name__)

MAX_LOGIN_S = 600
"""Seconds between the way there and the way back; more help an attacker who finds an old address."""

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Passerby</title>
<link rel="stylesheet" href="/page/style.css"><main class="card login"><h1>Not signed in</h1><p role="alert">{}</p>
<p><a href="/">Back to the login</a></p></main></html>"""


class OidcRoutes:
    """Routes of signing in at a provider.

    Args:
        provider: The provider.
        accounts: Users.
        sessions: Cookies.
        notes: Writes the audit.
    """

    def __init__(self, provider: "OidcProvider", accounts: Accounts, sessions: Sessions, notes: NotesStore) -> None:
        self._provider = provider
        self._accounts = accounts
        self._sessions = sessions
        self._notes = notes
        self._throttle = Throttle(free_tries=FREE_TRIES_OF_ADDRESS)
        self._serializer = URLSafeTimedSerializer(accounts.secret, salt="passerby oidc")

    def router(self) -> APIRouter:
        """Return the routes; they are outside of ``/api``, because browsers come to them from another site."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/oidc/start", self.start, methods=["GET"], response_model=None)
        router.add_api_route("/oidc/callback", self.come_back, methods=["GET"], response_model=None)
        return router

    def start(self, request: Request) -> Response:
        """Send a browser to the provider; a cookie binds the way back to this browser."""
        state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
        try:
            address = self._provider.address(self._redirect_uri(request), state, nonce, verifier)
        except RefusedError as refused:
            return _said(str(refused), 502)
        answer = RedirectResponse(address, 303)
        answer.set_cookie(
            _cookie(request),
            str(self._serializer.dumps([state, nonce, verifier])),
            max_age=MAX_LOGIN_S,
            httponly=True,
            samesite="lax",  # the way back is a link from another site
            secure=self._sessions.is_tls,
            path="/oidc",
        )
        return answer

    def come_back(self, request: Request) -> Response:
        """Sign in with the code that the provider gave; each of these addresses works once, and in one browser."""
        address = request.client.host if request.client else ""
        if self._throttle.wait_s(address) > 0:
            return _said("Too many attempts. Wait a minute.", 429)
        try:
            user = self._signed_in(request)
        except RefusedError as refused:
            self._throttle.failed(address)
            self._notes.audit("provider", "login refused", f"{address}, {refused}")
            answer = _said(str(refused), 403)
        else:
            self._throttle.succeeded(address)
            self._notes.audit(user.name, "login", f"{address}, at the provider")
            answer = RedirectResponse("/", 303)
            self._sessions.set_cookie(request, answer, user)
        answer.delete_cookie(_cookie(request), path="/oidc")
        return answer

    async def follow(self) -> None:
        """Ask the provider again and again about who is signed in, until cancelled."""
        while True:
            await asyncio.sleep(self._provider.settings.recheck_s)
            try:
                await asyncio.to_thread(self.check)
            except (ConnectorError, RefusedError) as error:
                logger.warning("the sessions of the provider cannot be checked now: %s", error)

    def check(self) -> None:
        """End the sessions of users whose rights at the provider ended or changed."""
        for before, now in self._provider.changed():
            self._accounts.log_out(before.name)
            self._notes.audit(before.name, "logout", "ended at the provider" if now is None else "rights changed")

    def _signed_in(self, request: Request) -> User:
        given = request.query_params
        try:
            state, nonce, verifier = self._serializer.loads(
                request.cookies.get(_cookie(request), ""), max_age=MAX_LOGIN_S
            )
        except (BadData, TypeError, ValueError) as error:
            raise RefusedError("the login took too long, or began in another browser; try again") from error
        if not secrets.compare_digest(given.get("state", "").encode(), str(state).encode()):
            raise RefusedError("the login began elsewhere; try again")
        if given.get("iss", self._provider.settings.issuer) != self._provider.settings.issuer:  # RFC 9207
            raise RefusedError("the answer is of another provider")
        if "code" not in given:
            raise RefusedError(f"the provider refused: {given.get('error', 'no reason'):.60}")
        signed_in = self._provider.finish(self._redirect_uri(request), given["code"], str(nonce), str(verifier))
        identity = signed_in.identity
        try:
            user = self._accounts.put_external(
                identity.name, identity.subject, identity.rights.role, identity.rights.cameras
            )
        except ConfigError as error:
            signed_in.client.close()
            raise RefusedError(str(error)) from error
        self._provider.hold(signed_in)
        return user

    def _redirect_uri(self, request: Request) -> str:
        page_url = self._provider.settings.page_url or f"{request.url.scheme}://{request.headers['host']}"
        return f"{page_url.rstrip('/')}/oidc/callback"


def _cookie(request: Request) -> str:
    return f"{cookie_name(request.headers)}_oidc"


def _said(reason: str, code: int) -> Response:
    return HTMLResponse(PAGE.format(html.escape(reason)), code)
