"""Users of the page, their roles and their tokens."""

import hashlib
import json
import re
import secrets
import threading
import time
import unicodedata
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from connectors.console.sign_in.second_factors import TABLES as SECOND_FACTORS
from connectors.console.sign_in.second_factors import SecondFactors
from connectors.private_database import Database
from pipeline.core.errors import ConfigError

MIN_PASSWORD = 10
"""Characters that a password must have at least."""

NAME = r"[\w.@-]{1,64}"
"""Names that users may have."""

TOKEN_PREFIX = "passerby_"
"""Start of every token, which tells what it is for."""

TABLES = """
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS users (
    name TEXT PRIMARY KEY, hash TEXT NOT NULL, role TEXT NOT NULL, cameras TEXT, epoch INTEGER NOT NULL DEFAULT 0,
    subject TEXT UNIQUE
);
CREATE TABLE IF NOT EXISTS tokens (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, label TEXT NOT NULL, sha256 TEXT NOT NULL UNIQUE,
    made_at REAL NOT NULL, role TEXT NOT NULL DEFAULT 'viewer', expires_at REAL NOT NULL DEFAULT 0
);
"""


class Role(StrEnum):
    """What a user may do; each role includes the ones before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"

    def may(self, role: "Role") -> bool:
        """Return whether this role includes another."""
        order = list(Role)
        return order.index(self) >= order.index(role)


@dataclass(frozen=True, slots=True)
class User:
    """A user of the page.

    Attributes:
        name: Unique.
        role: What the user may do.
        cameras: Cameras whose pictures and sightings the user may see; None: all.
        epoch: Counter of the user's logouts and changes; a session of an earlier epoch is over.
        has_second_factor: Whether a login needs a code too.
        is_external: Whether another system signs the user in, so there is no password.
    """

    name: str
    role: Role
    cameras: tuple[str, ...] | None = None
    epoch: int = 0
    has_second_factor: bool = False
    is_external: bool = False

    def sees(self, camera_id: str) -> bool:
        """Return whether the user may see a camera."""
        return self.cameras is None or camera_id in self.cameras


@dataclass(frozen=True, slots=True)
class Token:
    """An API token, without its secret.

    Attributes:
        number: 1, 2, 3 …
        name: The user that it acts for.
        label: Its purpose.
        role: What it may do at most.
        made_at: Unix seconds.
        expires_at: Unix seconds.
    """

    number: int
    name: str
    label: str
    role: Role
    made_at: float
    expires_at: float


USERS = """
SELECT name, role, cameras, epoch,
    EXISTS (SELECT 1 FROM second_factors WHERE is_on AND second_factors.name = users.name),
    subject IS NOT NULL FROM users
"""

DEMONSTRATION = User("demonstration", Role.ADMINISTRATOR)
"""The user of a page without a login."""


class Accounts:
    """Users and tokens in one private file; passwords as argon2id, tokens as sha256.

    Args:
        path: The file.
        hasher: Hashes passwords; its parameters set the cost of a guess. None: the defaults of argon2-cffi.
    """

    def __init__(self, path: Path, hasher: PasswordHasher | None = None) -> None:
        self._database = Database(path, TABLES + SECOND_FACTORS)
        self._changing = threading.RLock()  # of users: what is checked holds until it is written
        self.second_factors = SecondFactors(self._database)
        columns = {row[1] for row in self._database.rows("PRAGMA table_info(tokens)")}
        for column, kind in (("role", "TEXT NOT NULL DEFAULT 'viewer'"), ("expires_at", "REAL NOT NULL DEFAULT 0")):
            if column not in columns:  # a file of an earlier version; its tokens have expired
                self._database.change(f"ALTER TABLE tokens ADD COLUMN {column} {kind}")
        if "subject" not in {row[1] for row in self._database.rows("PRAGMA table_info(users)")}:
            self._database.change("ALTER TABLE users ADD COLUMN subject TEXT")
        self._hasher = hasher or PasswordHasher()
        self._hash_of_no_user = self._hasher.hash(secrets.token_hex(16))
        self._database.change("INSERT OR IGNORE INTO about VALUES ('secret', ?)", secrets.token_hex(32))

    @property
    def secret(self) -> str:
        """The key that signs cookies."""
        return str(self._database.rows("SELECT value FROM about WHERE key = 'secret'")[0][0])

    def make_first(self, password: str | None = None) -> str | None:
        """Add an administrator if there is no user yet, and return the password; it cannot be read again.

        Args:
            password: Of the administrator; None for a random one.

        Raises:
            ConfigError: If the password is too short.
        """
        if self._database.rows("SELECT 1 FROM users LIMIT 1"):
            return None
        password = password or secrets.token_urlsafe(12)
        self.put("admin", password, Role.ADMINISTRATOR, None)
        return password

    def put(self, name: str, password: str | None, role: Role, cameras: tuple[str, ...] | None) -> None:
        """Add a user, or change one and end their sessions and tokens.

        Args:
            name: Unique.
            password: None to keep the password of a user.
            role: What the user may do.
            cameras: Cameras that the user may see; None: all.

        Raises:
            ConfigError: If the password is too short or missing, the user has none, no administrator would remain, or
                the name of a new user looks like another's.
        """
        with self._changing:
            user = self.user(name)
            if user is None:
                self._check_new(name)
            if user is not None and user.is_external:
                raise ConfigError(f"{name}: expected a user with a password, got one whom another system signs in")
            if password is None and user is None:
                raise ConfigError(f"password: expected one for the new user {name}, got none; choose one")
            if password is not None and len(password) < MIN_PASSWORD:
                raise ConfigError(
                    f"password: expected at least {MIN_PASSWORD} characters, got {len(password)}; choose a longer one"
                )
            if role is not Role.ADMINISTRATOR or cameras is not None:
                self._check_not_last(name)
            self._database.change("DELETE FROM tokens WHERE name = ?", name)
            self._database.change(
                "INSERT INTO users (name, hash, role, cameras) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
                "hash = coalesce(nullif(excluded.hash, ''), hash), role = excluded.role, cameras = excluded.cameras, "
                "epoch = epoch + 1",
                *(name, "" if password is None else self._hasher.hash(password)),
                *(role.value, None if cameras is None else json.dumps(cameras)),
            )

    def put_external(self, name: str, subject: str, role: Role, cameras: tuple[str, ...] | None) -> User:
        """Add or change a user whom another system signs in, and return it; other rights end their sessions.

        Args:
            name: Shown, and written into the audit.
            subject: Who it is for that system; never given to another.
            role: What the user may do.
            cameras: Cameras that the user may see; None: all.

        Raises:
            ConfigError: If the name cannot be one, is another user's, or looks like it.
        """
        if not re.fullmatch(NAME, name):
            raise ConfigError(f"{name:.80}: expected a name of at most 64 letters, digits and _ . @ -")
        with self._changing:
            if self.user(name) is None:
                self._check_new(name, subject)
            values = (role.value, None if cameras is None else json.dumps(cameras))
            self._database.change("DELETE FROM users WHERE subject = ? AND name != ?", subject, name)  # a new name
            self._database.change(
                "INSERT INTO users (name, hash, role, cameras, subject) VALUES (?, '', ?, ?, ?) ON CONFLICT (name) DO "
                "UPDATE SET role = excluded.role, cameras = excluded.cameras, "
                "epoch = epoch + (role != excluded.role OR cameras IS NOT excluded.cameras) "
                "WHERE subject = excluded.subject",
                *(name, *values, subject),
            )
            rows = self._database.rows("SELECT subject FROM users WHERE name = ?", name)
            user = self.user(name)
            if user is None or rows[0][0] != subject:
                raise ConfigError(f"{name}: there is another user of this name here; an administrator may remove them")
            return user

    def drop(self, name: str) -> bool:
        """Remove a user and their tokens; return whether there was such a user.

        Raises:
            ConfigError: If the user is the last administrator of all cameras.
        """
        with self._changing:
            self._check_not_last(name)
            self._database.change("DELETE FROM tokens WHERE name = ?", name)
            self.second_factors.drop(name)
            return self._database.change("DELETE FROM users WHERE name = ?", name) > 0

    def _check_new(self, name: str, subject: str | None = None) -> None:
        """Raise ``ConfigError`` if a new name differs from another user's in nothing but capital letters and the like.

        Args:
            name: The new name.
            subject: Of a user whom another system signs in: they may have had such a name before.
        """
        for other, whose in self._database.rows("SELECT name, subject FROM users"):
            if _folded(other) == _folded(name) and (subject is None or whose != subject):
                raise ConfigError(f"{name}: there is the user {other}, whose name looks the same; choose another name")

    def _check_not_last(self, name: str) -> None:
        """Raise ``ConfigError`` if a user is the only administrator of all cameras: nobody could name another."""
        local = [user for user in self.users() if not user.is_external and user.cameras is None]
        if [user.name for user in local if user.role is Role.ADMINISTRATOR] == [name]:
            raise ConfigError(
                f"{name}: expected another administrator of all cameras to remain, got none; add one first"
            )

    def users(self) -> list[User]:
        """Return all users, sorted by name."""
        return [_user(row) for row in self._database.rows(f"{USERS} ORDER BY name")]

    def user(self, name: str) -> User | None:
        """Return a user; None if there is no such user."""
        rows = self._database.rows(f"{USERS} WHERE name = ?", name)
        return _user(rows[0]) if rows else None

    def log_in(self, name: str, password: str) -> User | None:
        """Return the user if the password is right, else None; an unknown name takes as long as a known one."""
        rows = self._database.rows("SELECT hash FROM users WHERE name = ?", name)
        try:
            self._hasher.verify(rows[0][0] if rows and rows[0][0] else self._hash_of_no_user, password)
        except (VerificationError, InvalidHashError):
            return None
        return self.user(name)

    def log_out(self, name: str) -> None:
        """End every session of a user."""
        self._database.change("UPDATE users SET epoch = epoch + 1 WHERE name = ?", name)

    @property
    def second_factor_from(self) -> Role | None:
        """The lowest role that needs a second factor; None: nobody needs one."""
        rows = self._database.rows("SELECT value FROM about WHERE key = 'second factor from'")
        return Role(rows[0][0]) if rows else None

    def require_second_factor(self, role: Role | None) -> None:
        """Require a second factor of this role and of those above it; None: of nobody."""
        self._database.change("DELETE FROM about WHERE key = 'second factor from'")
        if role is not None:
            self._database.change("INSERT INTO about VALUES ('second factor from', ?)", role.value)

    def must_set_up(self, user: User) -> bool:
        """Return whether a user needs a second factor and has none: then setting it up is all that they may do."""
        required = self.second_factor_from
        is_enough = user.has_second_factor or user.is_external  # the other system asks for what it wants
        return required is not None and user.role.may(required) and not is_enough

    def drop_second_factor(self, name: str) -> bool:
        """Remove the second factor of a user and end their sessions; return whether there was one."""
        self.log_out(name)
        return self.second_factors.drop(name)

    def make_token(self, name: str, label: str, role: Role, now: float, *, expires_at: float) -> str:
        """Return a new token that acts for a user; it cannot be read again.

        Args:
            name: The user. A change of the user, the password's too, ends the token.
            label: Its purpose.
            role: What it may do at most.
            now: Unix seconds.
            expires_at: Unix seconds.
        """
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        self._database.change(
            "INSERT INTO tokens (name, label, sha256, made_at, role, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
            *(name, label, _sha256(token), now, role.value, expires_at),
        )
        return token

    def tokens(self) -> list[Token]:
        """Return every token, without its secret."""
        rows = self._database.rows("SELECT number, name, label, role, made_at, expires_at FROM tokens ORDER BY number")
        return [
            Token(number, name, label, Role(role), made_at, end) for number, name, label, role, made_at, end in rows
        ]

    def drop_token(self, number: int) -> bool:
        """Revoke a token; return whether there was one."""
        return self._database.change("DELETE FROM tokens WHERE number = ?", number) > 0

    def user_of_token(self, token: str) -> User | None:
        """Return the user that a token acts for, with the role of the token; None if the token is not valid."""
        rows = self._database.rows(
            "SELECT name, role FROM tokens WHERE sha256 = ? AND expires_at > ?", _sha256(token), time.time()
        )
        user = self.user(rows[0][0]) if rows else None
        if user is None:
            return None
        role = Role(rows[0][1])
        return user if role.may(user.role) else replace(user, role=role)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _user(row: tuple[str, str, str | None, int, int, int]) -> User:
    name, role, cameras, epoch, has_second_factor, is_external = row
    seen = None if cameras is None else tuple(json.loads(cameras))
    return User(name, Role(role), seen, epoch, bool(has_second_factor), bool(is_external))


def _folded(name: str) -> str:
    """Return a name as eyes compare it: without capital letters, and each sign in one form."""
    return unicodedata.normalize("NFKC", name).casefold()


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
