"""User and password of a camera or a server, from the environment or a file, put into its address."""

import os
from pathlib import Path
from urllib.parse import quote

from pipeline.core.errors import ConfigError


def address_with_credentials(
    uri: str, *, username: str | None, password_env: str | None, password_file: str | None
) -> str:
    """Return an address with user and password in it, as FFmpeg takes them.

    Args:
        uri: The address; one that holds a user already is returned as it is if nothing is given.
        username: The user.
        password_env: Environment variable that holds the password.
        password_file: File that holds the password, for instance a secret of Docker or Kubernetes.

    Raises:
        ConfigError: If the password is not there, or the address has one already.
    """
    if username is None and password_env is None and password_file is None:
        return uri
    scheme, rest = uri.split("://", 1)
    if "@" in rest.split("/", 1)[0]:
        raise ConfigError("expected user and password in the address or in username and password_…, got both")
    password = password_of(password_env, password_file)
    if username is None or password is None:
        raise ConfigError("expected username, and password_env or password_file, got one of them; state both")
    return f"{scheme}://{quote(username, safe='')}:{quote(password, safe='')}@{rest}"


def password_of(env: str | None, file: str | None) -> str | None:
    """Return the password in an environment variable or a file; None if neither is named.

    Raises:
        ConfigError: If it is not there.
    """
    if env is not None:
        if env not in os.environ:
            raise ConfigError(f"password_env: expected an environment variable, got {env}, which is not set; export it")
        return os.environ[env]
    if file is None:
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip("\r\n")
    except OSError as error:
        raise ConfigError(f"password_file: expected a file, got {error.strerror} for {file}; correct it") from error
