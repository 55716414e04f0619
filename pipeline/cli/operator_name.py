"""Who gives a command, unless ``--by`` says it."""

import getpass
import os


def operator_name() -> str:
    """Return the name of the user; the number where there is none, as of ``docker run --user 1234``."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return f"user {os.getuid()}"
