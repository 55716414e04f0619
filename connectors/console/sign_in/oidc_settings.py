"""Settings of signing in at an OpenID Connect provider, checked."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from connectors.console.sign_in.rights import GroupRights
from pipeline.core.errors import ConfigError

KEY = "console.oidc"
KNOWN = (
    *("issuer", "client_id", "client_secret", "page_url", "label", "scopes"),
    *("name_claim", "groups_claim", "roles", "cameras", "recheck_s"),
)
SCOPES = "openid profile"
RECHECK_S = 15.0
"""Seconds; larger: rights that the provider took last longer. Smaller: more questions, one for each user."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")


class RefusedError(Exception):
    """The provider or its claims do not let somebody in; the message is for the user and holds no secret."""


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """How users sign in at a provider.

    Attributes:
        issuer: Address of the provider, as its tokens name it.
        client_id: Name of the page at the provider.
        client_secret: Its secret; None for a public client. Never shown.
        rights: Role and cameras by group.
        page_url: Address of the page as browsers know it; None: from the request.
        label: What the button on the login form names.
        scopes: What the page asks for, separated by spaces.
        name_claim: Claim of userinfo that holds the user's name.
        groups_claim: Claim of userinfo that holds the groups; points lead into objects.
        recheck_s: Seconds between two questions whether a user still has their rights, 1 to 300.
    """

    issuer: str
    client_id: str
    rights: GroupRights
    client_secret: str | None = field(default=None, repr=False)
    page_url: str | None = None
    label: str = ""
    scopes: str = SCOPES
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    recheck_s: float = RECHECK_S

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "OidcSettings":
        """Read and check a configuration.

        Raises:
            ConfigError: If a key is missing, unknown or wrong, or the extra ``oidc`` is not installed.
        """
        for key in values:
            if key not in KNOWN:
                raise ConfigError(f"{KEY}.{key}: there is no such key; expected one of {', '.join(KNOWN)}")
        for key in ("issuer", "client_id"):
            if not isinstance(values.get(key), str) or not values[key]:
                raise ConfigError(f"{KEY}.{key}: expected a text, got {values.get(key)!r}; give it")
        for key in ("issuer", "page_url"):
            url = urlsplit(values.get(key) or "https://none")
            if url.scheme != "https" and not (url.scheme == "http" and url.hostname in LOOPBACK):
                raise ConfigError(f"{KEY}.{key}: expected an address https://…, got {values[key]!r}; correct it")
        recheck_s = values.get("recheck_s", RECHECK_S)
        if isinstance(recheck_s, bool) or not isinstance(recheck_s, int | float) or not 1 <= recheck_s <= 300:
            raise ConfigError(f"{KEY}.recheck_s: expected 1 to 300 seconds, got {recheck_s!r}; correct it")
        texts = {key: values[key] for key in KNOWN if key not in ("roles", "cameras", "recheck_s") and values.get(key)}
        for key, text in texts.items():
            if not isinstance(text, str):
                raise ConfigError(f"{KEY}.{key}: expected a text, got another value; correct it")
        if "openid" not in texts.get("scopes", SCOPES).split():
            raise ConfigError(f"{KEY}.scopes: expected openid among them, got {values['scopes']!r}; add it")
        if importlib.util.find_spec("authlib") is None or importlib.util.find_spec("httpx2") is None:
            raise ConfigError(f"{KEY}: expected the packages authlib and httpx2; pip install 'passerby[oidc]'")
        texts.setdefault("label", urlsplit(texts["issuer"]).hostname or "")
        return cls(rights=GroupRights.of(KEY, values), recheck_s=float(recheck_s), **texts)
