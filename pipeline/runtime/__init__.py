"""Processes: thin, life cycle only. Importing this package settles what Ray reads from the environment on import."""

import os
import secrets

if not os.environ.get("RAY_ADDRESS"):
    # A cluster of our own: every listener on loopback, and nobody comes in without the token of this run.
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if os.environ.setdefault("RAY_AUTH_MODE", "token") == "token":
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
