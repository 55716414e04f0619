"""Which role and cameras somebody has whom another system has signed in: decided by their groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.console.store.accounts import Role
from pipeline.core.errors import ConfigError

ALL = "all"
"""Stands for all cameras in ``cameras``."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What somebody may do and see.

    Attributes:
        role: The highest role of their groups.
        cameras: Cameras that they may see; None: all.
    """

    role: Role
    cameras: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class GroupRights:
    """Gives rights to groups.

    Attributes:
        roles: A role by group. Who is in none of these groups may not sign in.
        cameras: Cameras by group, or ``all``. Empty: everybody sees all cameras. Otherwise a user sees the cameras of
            all of their groups together, and whose groups have none may not sign in.
    """

    roles: Mapping[str, Role]
    cameras: Mapping[str, tuple[str, ...] | None]

    @classmethod
    def of(cls, key: str, values: Mapping[str, Any]) -> "GroupRights":
        """Read ``roles`` and ``cameras`` of a configuration.

        Args:
            key: Where they stand, for messages.
            values: ``{"roles": {group: role}, "cameras": {group: [camera, …] or "all"}}``.

        Raises:
            ConfigError: If they are not of this form, or no group has a role.
        """
        roles, cameras = values.get("roles") or {}, values.get("cameras") or {}
        if not isinstance(roles, Mapping) or not roles:
            raise ConfigError(f"{key}.roles: expected a role for one group at least, got {roles!r}; give it")
        for group, role in roles.items():
            if role not in list(Role):
                raise ConfigError(f"{key}.roles.{group}: expected one of {', '.join(Role)}, got {role!r}; correct it")
        if not isinstance(cameras, Mapping):
            raise ConfigError(f"{key}.cameras: expected {{group: [camera]}}, got {cameras!r}; correct it")
        for group, names in cameras.items():
            if names != ALL and (isinstance(names, str) or not isinstance(names, Sequence) or not names):
                raise ConfigError(f"{key}.cameras.{group}: expected names or {ALL}, got {names!r}; correct it")
        return cls(
            {str(group): Role(role) for group, role in roles.items()},
            {str(group): None if names == ALL else tuple(map(str, names)) for group, names in cameras.items()},
        )

    def of_groups(self, groups: Sequence[str]) -> Rights | None:
        """Return the rights of somebody in these groups; None: they have none.

        Example:
            >>> given = GroupRights({"desk": Role.OPERATOR, "guards": Role.VIEWER}, {"guards": ("gate",)})
            >>> given.of_groups(["guards", "cooks"])
            Rights(role=<Role.VIEWER: 'viewer'>, cameras=('gate',))
            >>> given.of_groups(["desk"]), given.of_groups(["cooks"])
            (None, None)
        """
        order = list(Role)
        roles = [self.roles[group] for group in groups if group in self.roles]
        if not roles:
            return None
        role = max(roles, key=order.index)
        if not self.cameras:
            return Rights(role, None)
        seen = [self.cameras[group] for group in groups if group in self.cameras]
        if not seen:
            return None
        if None in seen:
            return Rights(role, None)
        return Rights(role, tuple(sorted({camera for names in seen if names is not None for camera in names})))
