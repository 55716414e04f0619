"""User and password of a camera or a server, from the environment or a file, put into its address."""

import os
from pathlib import Path
from urllib.parse import quote

from pipeline.core.errors import ConfigError


def address_with_credentials(
    uri: str, *, block: str, username: str | None, password_env: str | None, password_file: str | None
) -> str:
    """Return an address with user and password in it, as FFmpeg takes them.

    Args:
        uri: The address; one that holds a user already is returned as it is if nothing is given.
        block: Where the options stand in a camera's block, for messages.
        username: The user.
        password_env: Environment variable that holds the password.
        password_file: File that holds the password, for instance a secret of Docker or Kubernetes.

    Raises:
        ConfigError: If the password is not there, or the address has one already.
    """
    given = {"username": username, "password_env": password_env, "password_file": password_file}
    names = [name for name, value in given.items() if value is not None]
    if not names:
        return uri
    scheme, rest = uri.split("://", 1)
    if "@" in rest.split("/", 1)[0]:
        raise ConfigError(
            f"{block}.{names[0]}: expected user and password in the address or here, got both; leave one out"
        )
    if username is None:
        raise ConfigError(f"{block}.username: expected the user of the password, got none; name one")
    try:
        password = password_of(password_env, password_file)
    except ConfigError as error:
        raise ConfigError(f"{block}.{error}") from error
    if password is None:
        raise ConfigError(
            f"{block}.username: expected password_env or password_file with it, got neither; name one, or leave it out"
        )
    return f"{scheme}://{quote(username, safe='')}:{quote(password, safe='')}@{rest}"


def password_of(env: str | None, file: str | None) -> str | None:
    """Return the password in an environment variable or a file; None if neither is named.

    Raises:
        ConfigError: If it is not there, or both are named.
    """
    if env is not None and file is not None:
        raise ConfigError("password_file: expected no password_env beside it, got both; leave one out")
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
    except UnicodeDecodeError:
        raise ConfigError(
            f"password_file: expected text in UTF-8, got other bytes in {file}; save it as UTF-8"
        ) from None
