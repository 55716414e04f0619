"""Signs users in at an OpenID Connect provider, and asks it again and again whether they still have their rights.

Needs: authlib, httpx2 (extra ``oidc``).
Guarantee: a session ends within ``recheck_s`` after the provider ended it or took the rights away, and within
``MAX_SILENT_S`` if the provider does not answer. Tokens are in memory only: a restart ends the sessions.
When slow: a login waits for at most ``TIMEOUT_S`` for each answer of the provider.
Secrets: client secret and tokens are neither written nor shown.
"""

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any, TypeGuard
from urllib.parse import urlencode, urlsplit

import httpx2
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from connectors.console.sign_in.oidc_settings import OidcSettings, RefusedError
from connectors.console.sign_in.rights import Rights

logger = logging.getLogger(__name__)

TIMEOUT_S = 10.0
"""Seconds to wait for an answer of the provider; a larger value keeps a login and the check of others waiting."""

MAX_SILENT_S = 300.0
"""Seconds that sessions go on while the provider does not answer; larger: rights that it took meanwhile last longer."""

ASK_AGAIN_S = 5.0
"""Seconds after which a provider that did not answer is asked again for its description. Less: who signs in waits as
long as the one before, and holds a thread meanwhile; more: the page needs longer to see that it is back."""

TOGETHER_S = 2.0
"""Seconds to wait while somebody else asks for the description; more holds more threads."""

BUSY = (408, 425, 429)
"""Codes that refuse nobody: the provider is to be asked again later."""

SILENT = "the provider does not answer; try again later"

LEEWAY_S = 60
"""Seconds that the clocks of provider and page may differ."""

SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures of ID tokens that are accepted: with a key pair. ``none`` and shared secrets are not."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody whom the provider has signed in.

    Attributes:
        subject: Issuer and subject, unique and never given to another.
        name: Shown, and written into the audit.
        rights: Role and cameras.
    """

    subject: str
    name: str
    rights: Rights


@dataclass(slots=True)
class SignedIn:
    """A user who is signed in, with the tokens; the newest login of a user replaces the one before.

    Attributes:
        identity: Who it is.
        client: Asks the provider with the user's tokens.
        id_token: Names the session when it ends.
        heard_at: Monotonic seconds of the provider's last answer.
    """

    identity: Identity
    client: OAuth2Client
    id_token: str
    heard_at: float


class OidcProvider:
    """The provider, as the page uses it: authorisation code with PKCE, state and nonce.

    Args:
        settings: Where it is and what its claims mean.
    """

    def __init__(self, settings: OidcSettings) -> None:
        self.settings = settings
        self._metadata: dict[str, Any] | None = None
        self._keys: KeySet | None = None
        self._describing = threading.Lock()
        self._silent_until = 0.0
        self._held: dict[str, SignedIn] = {}
        self._lock = threading.Lock()

    def address(self, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Return the address to which a browser goes to sign in.

        Raises:
            RefusedError: If the provider does not answer.
        """
        client, metadata = self._client(redirect_uri), self._described()
        url, _ = client.create_authorization_url(
            metadata["authorization_endpoint"], state=state, code_verifier=verifier, nonce=nonce
        )
        client.close()
        return str(url)

    def finish(self, redirect_uri: str, code: str, nonce: str, verifier: str) -> "SignedIn":
        """Return whom the provider has signed in, for ``hold``.

        Raises:
            RefusedError: If the provider refuses the code, its token is not right, or the groups give no rights.
        """
        client, metadata = self._client(redirect_uri), self._described()
        try:
            token = client.fetch_token(metadata["token_endpoint"], code=code, code_verifier=verifier)
            claims = self._verified(token, nonce)
            identity = self._identity(client, str(claims["sub"]))
        except RefusedError:
            client.close()
            raise
        except Exception as error:  # whatever the provider answers, who signs in is told so
            client.close()
            reason = getattr(error, "error", None) or type(error).__name__  # such as invalid_client
            logger.warning("a login at %s failed: %s", self.settings.issuer, reason)
            raise RefusedError(f"the provider's answer is not accepted ({reason!s:.60}); try again") from error
        return SignedIn(identity, client, token["id_token"], time.monotonic())

    def hold(self, signed_in: "SignedIn") -> None:
        """Begin a session of a user; from now on the provider is asked about them."""
        with self._lock:
            before = self._held.get(signed_in.identity.name)
            self._held[signed_in.identity.name] = signed_in
        if before is not None:
            before.client.close()

    def holds(self, name: str) -> bool:
        """Return whether this page signed a user in and the provider has not taken that back."""
        with self._lock:
            return name in self._held

    def release(self, name: str) -> str | None:
        """Forget a user's tokens; return where a browser ends the session at the provider, if it offers that."""
        with self._lock:
            held = self._held.pop(name, None)
        if held is None:
            return None
        held.client.close()
        end = self._described().get("end_session_endpoint")
        if not _is_address(end):
            return None
        back = {"post_logout_redirect_uri": self.settings.page_url} if self.settings.page_url else {}
        given = {"id_token_hint": held.id_token, "client_id": self.settings.client_id, **back}
        return f"{end}{'&' if '?' in end else '?'}{urlencode(given)}"

    def changed(self) -> list[tuple[Identity, Identity | None]]:
        """Ask the provider about each user; return those whose rights changed, with what they are now, None: ended."""
        with self._lock:
            asked = list(self._held.items())
        found: list[tuple[Identity, Identity | None]] = []
        is_silent = False  # then the others are not asked too: each would wait as long
        for name, held in asked:
            now, is_silent = self._again(held, is_silent=is_silent)
            with self._lock:
                if now == held.identity or self._held.get(name) is not held:  # logged out or in again meanwhile
                    continue
                del self._held[name]
            held.client.close()
            found.append((held.identity, now))
        return found

    def _again(self, held: SignedIn, *, is_silent: bool) -> tuple[Identity | None, bool]:
        """Return who somebody is now, by the provider, and whether it is silent; None: no longer signed in."""
        now = time.monotonic()
        try:
            if is_silent:
                raise httpx2.ConnectError("not asked")
            identity = self._identity(held.client, held.identity.subject.removeprefix(f"{self.settings.issuer} "))
        except httpx2.HTTPError as error:
            code = error.response.status_code if isinstance(error, httpx2.HTTPStatusError) else 500
            if 400 <= code < 500 and code not in BUSY:
                return None, False
            if now - held.heard_at > MAX_SILENT_S:
                logger.warning("the provider has not answered for %.0f s: a session ends", now - held.heard_at)
                return None, True
            return held.identity, True
        except Exception as error:  # whatever the provider answers, a user of whom it does not say yes is out
            logger.info("a session ends: %s", type(error).__name__)
            return None, False
        held.heard_at = now
        return identity, False

    def _identity(self, client: OAuth2Client, subject: str) -> Identity:
        """Return who a token is of, by userinfo; raise ``RefusedError`` if the claims give no name or no rights."""
        settings = self.settings
        answer = client.get(self._described()["userinfo_endpoint"])
        answer.raise_for_status()
        claims = answer.json()
        if not isinstance(claims, dict) or claims.get("sub") != subject:  # OpenID Connect Core, 5.3.2
            raise RefusedError("the provider's userinfo is about another subject")
        name = claims.get(settings.name_claim)
        if not isinstance(name, str) or not name or not name.isprintable():
            raise RefusedError(f"userinfo has no name in {settings.name_claim}; see sink.console.oidc.name_claim")
        rights = settings.rights.of_groups(_groups(claims, settings.groups_claim))
        if rights is None:
            raise RefusedError(f"no group of {name} has a role or a camera here; see sink.console.oidc.roles")
        return Identity(f"{settings.issuer} {subject}", name, rights)

    def _verified(self, token: dict[str, Any], nonce: str) -> CodeIDToken:
        """Return the claims of the ID token; raises ``JoseError`` if its signature or a claim is wrong."""
        algorithms = _texts(self._described(), "id_token_signing_alg_values_supported") or ["RS256"]
        accepted = [each for each in algorithms if each in SIGNATURES]
        if not accepted:
            raise RefusedError("the provider signs with no accepted algorithm")
        registry = JWSRegistry(algorithms=accepted, strict_check_header=False)
        try:
            read = jwt.decode(token["id_token"], self._key_set(), registry=registry)
        except InvalidKeyIdError:  # the provider has a new key
            self._keys = None
            read = jwt.decode(token["id_token"], self._key_set(), registry=registry)
        client_id = self.settings.client_id
        claims = CodeIDToken(
            read.claims,
            read.header,
            {"iss": {"essential": True, "value": self.settings.issuer}, "aud": {"essential": True, "value": client_id}},
            {"nonce": nonce, "client_id": client_id, "access_token": token.get("access_token")},
        )
        claims.validate(leeway=LEEWAY_S)
        return claims

    def _client(self, redirect_uri: str) -> OAuth2Client:
        settings, metadata = self.settings, self._described()
        methods = _texts(metadata, "token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        basic = "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
        return OAuth2Client(
            settings.client_id,
            settings.client_secret,
            token_endpoint_auth_method=basic if settings.client_secret else "none",
            scope=settings.scopes,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            token_endpoint=metadata["token_endpoint"],
            timeout=TIMEOUT_S,
        )

    def _described(self) -> dict[str, Any]:
        """Return the provider's description of itself; read once, by one thread at a time."""
        if self._metadata is None:
            if not self._describing.acquire(timeout=TOGETHER_S):
                raise RefusedError(SILENT)
            try:
                if self._metadata is None:
                    self._metadata = self._read_description()
            finally:
                self._describing.release()
        return self._metadata

    def _read_description(self) -> dict[str, Any]:
        if time.monotonic() < self._silent_until:
            raise RefusedError(SILENT)
        try:
            found = self._fetched(f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration")
        except RefusedError:
            self._silent_until = time.monotonic() + ASK_AGAIN_S
            raise
        needed = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
        is_whole = isinstance(found, dict) and all(_is_address(found.get(key)) for key in needed)
        if is_whole and found.get("issuer") == self.settings.issuer:
            return dict(found)
        logger.error(
            "%s describes itself as another issuer, or lacks one of %s", self.settings.issuer, ", ".join(needed)
        )
        raise RefusedError("the provider's description is wrong; see the log")

    def _key_set(self) -> KeySet:
        if self._keys is None:
            self._keys = KeySet.import_key_set(self._fetched(self._described()["jwks_uri"]))
        return self._keys

    def _fetched(self, url: str) -> Any:
        try:
            answer = httpx2.get(url, timeout=TIMEOUT_S)
            answer.raise_for_status()
            return answer.json()
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, RecursionError) as error:
            logger.warning("the provider does not answer at %s: %s", url, error)
            raise RefusedError(SILENT) from error


def _is_address(found: object) -> TypeGuard[str]:
    """Return whether a value of the provider's description is an address on the web."""
    try:
        parts = urlsplit(found if isinstance(found, str) else "")
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _texts(metadata: dict[str, Any], key: str) -> list[str]:
    """Return a list of texts of the provider's description; none if it has no such list."""
    found = metadata.get(key)
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _groups(claims: dict[str, Any], claim: str) -> list[str]:
    """Return the groups in a claim, whose name may lead into objects; none if it has no text or list of texts.

    Example:
        >>> _groups({"realm_access": {"roles": ["desk"]}}, "realm_access.roles"), _groups({"a.b": "desk"}, "a.b")
        (['desk'], ['desk'])
    """
    value: Any = claims.get(claim)
    if value is None:
        value = claims
        for part in claim.split("."):
            value = value.get(part) if isinstance(value, dict) else None
    found = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return [each for each in found if isinstance(each, str)]
