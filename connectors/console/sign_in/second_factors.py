"""Second factors of local accounts: codes of an app that change every 30 seconds (RFC 6238), and recovery codes."""

import base64
import hashlib
import hmac
import secrets
import time

import cv2
import numpy as np
import pyotp

from connectors.private_database import Database

ISSUER = "Passerby"
"""Name that the app shows beside the codes."""

STEP_S = 30
"""Seconds for which a code is the current one: the default of RFC 6238, and the only one that all apps know."""

DRIFT_STEPS = 1
"""Steps before and after the current one whose codes are accepted, for clocks that differ; each helps a guesser too."""

NUM_RECOVERY_CODES = 10
"""Recovery codes made at a time."""

RECOVERY_BYTES = 10
"""Random bytes of a recovery code, 16 letters; so many that a plain hash of it cannot be reversed."""

QUIET_MODULES = 4
"""White modules around a QR code, as ISO 18004 asks; fewer are harder to read."""

TABLES = """
CREATE TABLE IF NOT EXISTS second_factors (
    name TEXT PRIMARY KEY, secret TEXT NOT NULL, is_on INTEGER NOT NULL DEFAULT 0, last_step INTEGER NOT NULL DEFAULT -1
);
CREATE TABLE IF NOT EXISTS recovery_codes (name TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (name, sha256));
"""


class SecondFactors:
    """Keeps and checks the second factors of users.

    A code is accepted once: neither it nor an earlier one is accepted again. So is each recovery code.

    Args:
        database: The private file of accounts, with ``TABLES``; it holds the secrets as they are, because codes
            are computed from them.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_on(self, name: str) -> bool:
        """Return whether a login of this user needs a code."""
        return bool(self._database.rows("SELECT 1 FROM second_factors WHERE name = ? AND is_on", name))

    def prepare(self, name: str) -> str:
        """Return the address ``otpauth://…`` of a new secret, for an app; it counts from ``turn_on`` on."""
        secret = pyotp.random_base32()
        self._database.change(
            "INSERT INTO second_factors (name, secret) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET "
            "secret = excluded.secret, last_step = -1 WHERE NOT is_on",
            *(name, secret),
        )
        return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)

    def turn_on(self, name: str, code: str) -> list[str] | None:
        """Let the prepared secret count and return the recovery codes, which cannot be read again; None: wrong code."""
        if self.is_on(name) or not self._accept_step(name, code):
            return None
        codes = [base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode() for _ in range(NUM_RECOVERY_CODES)]
        self._database.change("DELETE FROM recovery_codes WHERE name = ?", name)
        self._database.change_many(
            "INSERT INTO recovery_codes VALUES (?, ?)", [(name, _sha256(each)) for each in codes]
        )
        self._database.change("UPDATE second_factors SET is_on = 1 WHERE name = ?", name)
        return ["-".join(each[start : start + 4] for start in range(0, len(each), 4)) for each in codes]

    def accept(self, name: str, code: str) -> str | None:
        """Accept a code or a recovery code of a user, once.

        Returns:
            What was used, for the audit: ``code`` or ``recovery code``; None if it is wrong or was used before.
        """
        if not self.is_on(name):
            return None
        if self._accept_step(name, code):
            return "code"
        given = _sha256(code.replace("-", "").replace(" ", "").upper())
        if self._database.change("DELETE FROM recovery_codes WHERE name = ? AND sha256 = ?", name, given):
            return "recovery code"
        return None

    def num_recovery_codes(self, name: str) -> int:
        """Return how many recovery codes are left."""
        return int(self._database.rows("SELECT COUNT(*) FROM recovery_codes WHERE name = ?", name)[0][0])

    def drop(self, name: str) -> bool:
        """Remove the second factor of a user; return whether there was one that counted."""
        was_on = self.is_on(name)
        self._database.change("DELETE FROM second_factors WHERE name = ?", name)
        self._database.change("DELETE FROM recovery_codes WHERE name = ?", name)
        return was_on

    def _accept_step(self, name: str, code: str) -> bool:
        """Return whether a code is of a step near now that is later than the last accepted one; remember that step."""
        rows = self._database.rows("SELECT secret FROM second_factors WHERE name = ?", name)
        if not rows:
            return False
        given, totp, now = code.replace(" ", ""), pyotp.TOTP(rows[0][0], interval=STEP_S), int(time.time()) // STEP_S
        for step in range(now - DRIFT_STEPS, now + DRIFT_STEPS + 1):
            if hmac.compare_digest(totp.at(step * STEP_S).encode(), given.encode()):
                # One statement, so two requests with one code cannot both be accepted.
                changed = self._database.change(
                    "UPDATE second_factors SET last_step = ? WHERE name = ? AND last_step < ?", step, name, step
                )
                return changed > 0
        return False


def qr_code(text: str) -> list[str]:
    """Return a QR code as rows of ``1`` for black and ``0`` for white modules, with its white frame.

    Example:
        >>> rows = qr_code("otpauth://totp/a?secret=ABC")
        >>> len(rows) == len(rows[0]), set(rows[0])
        (True, {'0'})
    """
    black = cv2.QRCodeEncoder.create().encode(text) == 0
    rows, columns = black.any(axis=1).nonzero()[0], black.any(axis=0).nonzero()[0]
    cut = black[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return ["".join("01"[int(module)] for module in row) for row in np.pad(cut, QUIET_MODULES)]


def _sha256(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
