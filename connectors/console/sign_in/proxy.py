"""Believes a proxy that signs users in and names them in headers; nobody but the stated addresses is believed."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection

from connectors.console.sign_in.rights import GroupRights
from connectors.console.store.accounts import NAME, User
from pipeline.core.errors import ConfigError

KEY = "console.proxy"
NEEDED = ("addresses", "name_header", "groups_header", "roles")
KNOWN = (*NEEDED, "cameras")
HEADER = re.compile(r"[a-z0-9-]+")

CONNECTION_S = 30.0
"""Seconds after which an open connection of such a user ends, so that the proxy is asked again; the page connects anew.

Longer: whose rights ended at the proxy sees live pictures for longer. Shorter: more connections.
"""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ProxyRefusedError(Exception):
    """The headers of a request are not believed; the message says why and is for the one who asks."""


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """Which proxy is believed, and what its headers mean; nothing has a default.

    Attributes:
        networks: Addresses from which the headers are believed.
        name_header: Header with the user's name, UTF-8; the header's own name in lower case.
        groups_header: Header with the groups, separated by commas, in lower case.
        rights: Role and cameras by group.
    """

    networks: tuple[Network, ...]
    name_header: str
    groups_header: str
    rights: GroupRights

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "ProxySettings":
        """Read and check a configuration.

        Raises:
            ConfigError: If a key is missing, unknown or wrong, or every address would be believed.
        """
        for key in values:
            if key not in KNOWN:
                raise ConfigError(f"{KEY}.{key}: there is no such key; expected one of {', '.join(KNOWN)}")
        for key in NEEDED:
            if not values.get(key):
                raise ConfigError(f"{KEY}.{key}: expected a value, got none; give it, it has no default")
        for key in ("name_header", "groups_header"):
            if not isinstance(values[key], str) or not HEADER.fullmatch(values[key].lower()):
                raise ConfigError(f"{KEY}.{key}: expected the name of a header, got {values[key]!r}; correct it")
        if values["name_header"].lower() == values["groups_header"].lower():
            raise ConfigError(
                f"{KEY}.groups_header: expected another header than name_header, got the same; correct it"
            )
        addresses = values["addresses"]
        if not isinstance(addresses, list | tuple):
            raise ConfigError(f"{KEY}.addresses: expected a list, got {addresses!r}; write [{addresses}]")
        networks = []
        for address in addresses:
            try:
                networks.append(ipaddress.ip_network(str(address)))
            except ValueError as error:
                raise ConfigError(f"{KEY}.addresses: expected addresses, got {address!r}: {error}") from error
            if networks[-1].prefixlen == 0:
                raise ConfigError(f"{KEY}.addresses: expected those of the proxy, got {address}, which is everybody")
        return cls(
            tuple(networks), values["name_header"].lower(), values["groups_header"].lower(), GroupRights.of(KEY, values)
        )

    def user_of(self, connection: HTTPConnection) -> User | None:
        """Return the user whom the proxy names; None if the request names nobody.

        Raises:
            ProxyRefusedError: If the request is not from the proxy, or its headers are not one name with rights here.
        """
        names = _texts(connection, self.name_header)
        groups = _texts(connection, self.groups_header)
        if not names and not groups:
            return None
        if not self._is_proxy(connection):
            raise ProxyRefusedError(f"expected {self.name_header} from the proxy only; see {KEY}.addresses")
        if len(names) != 1 or len(groups) > 1:
            raise ProxyRefusedError(f"expected {self.name_header} and {self.groups_header} once; see the proxy")
        if not re.fullmatch(NAME, names[0]):
            raise ProxyRefusedError(f"expected a name of at most 64 letters, digits and _ . @ - in {self.name_header}")
        rights = self.rights.of_groups([each.strip() for each in ",".join(groups).split(",")])
        if rights is None:
            raise ProxyRefusedError(f"no group of {names[0]} has a role or a camera here; see sink.console.proxy.roles")
        return User(names[0], rights.role, rights.cameras, is_external=True)

    def _is_proxy(self, connection: HTTPConnection) -> bool:
        if connection.client is None:
            return False
        try:
            address = ipaddress.ip_address(connection.client.host)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any(each in network for network in self.networks for each in (address, mapped) if each is not None)


def _texts(connection: HTTPConnection, header: str) -> list[str]:
    """Return the values of a header: UTF-8, as proxies send them, or else Latin-1."""
    return [_utf8(value) for value in connection.headers.getlist(header)]


def _utf8(value: str) -> str:
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
