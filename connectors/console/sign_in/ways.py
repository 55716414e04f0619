"""The ways to sign in: accounts with a password, an OpenID Connect provider, a proxy."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from connectors.console.sign_in.oidc_settings import OidcSettings
from connectors.console.sign_in.proxy import ProxySettings
from pipeline.core.errors import ConfigError

SECRET = "PASSERBY_OIDC_CLIENT_SECRET"
"""Variable of the environment in which the page's process is given the client secret: others can read its arguments."""


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways to sign in.

    Attributes:
        local_accounts: Whether users may log in with a password.
        oidc: The provider at which users sign in; None: none.
        proxy: The proxy that signs users in; None: none.

    Raises:
        ConfigError: If nobody could sign in.
    """

    local_accounts: bool = True
    oidc: OidcSettings | None = None
    proxy: ProxySettings | None = None

    def __post_init__(self) -> None:
        if not (self.local_accounts or self.oidc or self.proxy):
            raise ConfigError("console.local_accounts: expected true without oidc and proxy, got false; correct it")

    @classmethod
    def of(cls, *, local_accounts: bool, oidc: Mapping[str, Any] | None, proxy: Mapping[str, Any] | None) -> "Ways":
        """Read the keys ``local_accounts``, ``oidc`` and ``proxy`` of ``sink.console``; raises ``ConfigError``."""
        return cls(local_accounts, OidcSettings.of(oidc) if oidc else None, ProxySettings.of(proxy) if proxy else None)

    @classmethod
    def of_arguments(cls, *, local_accounts: bool, oidc: str | None, proxy: str | None) -> "Ways":
        """Read the arguments of a command line, YAML, and the client secret in the variable ``SECRET``.

        Raises:
            ConfigError: If they are not right, or a secret stands among them.
        """
        given = {"oidc": oidc, "proxy": proxy}
        read: dict[str, Mapping[str, Any] | None] = {}
        for name, text in given.items():
            try:
                read[name] = None if text is None else yaml.safe_load(text)
            except yaml.YAMLError as error:
                raise ConfigError(f"console.{name}: expected YAML, got text that is none; correct it") from error
            if read[name] is not None and not isinstance(read[name], Mapping):
                raise ConfigError(f"console.{name}: expected {{key: value}}, got something else; correct it")
        found = read["oidc"]
        if found is not None:
            if "client_secret" in found:
                raise ConfigError(f"console.oidc.client_secret: others can read it here; give it in {SECRET}")
            read["oidc"] = {**found, "client_secret": os.environ.get(SECRET)}
        return cls.of(local_accounts=local_accounts, oidc=read["oidc"], proxy=read["proxy"])


def arguments_of(
    *, local_accounts: bool, oidc: Mapping[str, Any] | None, proxy: Mapping[str, Any] | None
) -> tuple[list[str], dict[str, str]]:
    """Return the arguments and the variables of a process that serves the page with these ways to sign in."""
    arguments, variables = [] if local_accounts else ["--no-local-accounts"], {}
    if oidc:
        public = {key: value for key, value in oidc.items() if key != "client_secret"}
        arguments.append(f"--oidc={json.dumps(public)}")
        variables = {SECRET: str(oidc["client_secret"])} if oidc.get("client_secret") else {}
    if proxy:
        arguments.append(f"--proxy={json.dumps(dict(proxy))}")
    return arguments, variables
