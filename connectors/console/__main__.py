"""Serve the page over the output of a run: ``passerby console --output DIR``."""

import argparse
import asyncio
import json
import logging
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import uvicorn

from connectors.console.app_state import AppState, AtRest
from connectors.console.camera.monitor import FEED
from connectors.console.camera_address import LIVE_VIDEO, RECORDER, CameraAddress
from connectors.console.server import make_server
from connectors.console.settings import URL_FILE, Settings, is_loopback
from connectors.console.sign_in.ways import SECRET, Ways
from connectors.console.store.accounts import Accounts
from pipeline.core.errors import ConfigError, ConnectorError, ReidError

DONE = 0
PASSWORD_FILE = "PASSERBY_ADMIN_PASSWORD_FILE"
"""Variable of the environment: a file with the first administrator's password; empty: one is made and printed."""
NUM_PORTS = 20
"""Ports to try, from the configured one on; a larger number helps only where this many pages share a machine."""

PORT_FILE = "port"
"""File in the page's folder: the port that it listened on last."""

SAME_PORT_TIMEOUT_S = 5.0
"""Seconds to wait for the port of the previous page of this run; longer delays a restart on a port that stays taken."""

LEDGER_TIMEOUT_S = 120.0
"""Seconds to wait for the ledger of a run that is starting: the run creates it after its sinks."""

POLL_S = 0.1
"""Seconds between two tries."""

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None, at_rest: AtRest | None = None) -> int:
    """Serve the page until it is stopped; return the exit code, errors in one line.

    Args:
        arguments: Of the command line.
        at_rest: See ``AppState``.
    """
    parsed = make_parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        settings = _settings(parsed)
        listener = _listener(settings)
        accounts = Accounts(settings.accounts or settings.folder / "accounts.sqlite")
        port = listener.getsockname()[1]
        _write_private(settings.folder / PORT_FILE, str(port))
        # Without a ledger the page ends here, before it makes a first password that nobody would see.
        state = None if settings.is_live else _open_state(settings, accounts, at_rest)
        text = _announcement(settings, accounts, port)
        if state is None:
            _write_private(settings.folder / URL_FILE, text)  # the run prints it and deletes the file
            state = _open_state(settings, accounts, at_rest)
    except ReidError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    feed_key = secrets.token_hex(32)
    server = make_server(state, feed_key)
    if parsed.with_parent:
        threading.Thread(target=_stop_with_parent, args=(server,), daemon=True).start()
    _write_private(
        settings.folder / FEED,
        json.dumps(
            {
                "url": settings.url(port).replace("http", "ws", 1) + "/feed",
                "key": feed_key,
                "certificate": str(settings.certificate) if settings.certificate else None,
            }
        ),
    )
    try:
        asyncio.run(_serve(server, listener, "" if settings.is_live else text))
    except KeyboardInterrupt:
        return DONE
    finally:
        (settings.folder / FEED).unlink(missing_ok=True)
        state.close()
    return DONE


async def _serve(server: uvicorn.Server, listener: socket.socket, text: str) -> None:
    """Serve the page, and print its address once it is served."""
    serving = asyncio.create_task(server.serve([listener]))
    while not (server.started or serving.done()):
        await asyncio.sleep(POLL_S)
    if server.started:
        print(text, end="", flush=True)
    await serving


def _announcement(settings: Settings, accounts: Accounts, port: int) -> str:
    """Return the page's address; the first administrator's password is shown here and never again."""
    url = settings.url(port)
    if settings.is_open:
        text = f"console: {url} (open without a login, reachable from this machine only)\n"
    else:
        if not settings.ways.local_accounts:
            return f"console: {url}\n"
        given = _given_password()
        password = accounts.make_first(given)
        text = f"console: {url}\n"
        if password is not None and given is None:
            text += f"console: first login: admin / {password} (shown once; change it)\n"
    return text


def _given_password() -> str | None:
    """Return the first administrator's password, if a secret gives one.

    Raises:
        ConfigError: If the file cannot be read.
    """
    path = os.environ.get(PASSWORD_FILE)
    if path is None:
        return None
    try:
        return Path(path).read_text().strip() or None
    except PermissionError as error:
        raise ConfigError(
            f"{PASSWORD_FILE}: expected a file that user {os.getuid()} may read, got {path}; allow it (chmod, chown)"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{PASSWORD_FILE}: expected a text file with a password, got {path}: {error}") from error


def _open_state(settings: Settings, accounts: Accounts, at_rest: AtRest | None) -> AppState:
    """Open the files of the run; beside a run that is starting, wait for its ledger.

    Raises:
        ConnectorError: If a file cannot be opened.
    """
    give_up_at = time.monotonic() + (LEDGER_TIMEOUT_S if settings.is_live else 0.0)
    while True:
        try:
            return AppState(settings, accounts, at_rest)
        except ConnectorError:
            if time.monotonic() >= give_up_at:
                raise
            time.sleep(POLL_S)


def _settings(parsed: argparse.Namespace) -> Settings:
    host = parsed.host
    return Settings(
        output_dir=Path(parsed.output).absolute(),
        host=host,
        port=parsed.port,
        names=tuple(parsed.name),
        is_open=is_loopback(host) and not parsed.login,
        accounts=Path(parsed.accounts).absolute() if parsed.accounts else None,
        certificate=Path(parsed.certificate) if parsed.certificate else None,
        certificate_key=Path(parsed.certificate_key) if parsed.certificate_key else None,
        session_s=parsed.session_hours * 3600,
        keep_pictures_s=parsed.keep_pictures_hours * 3600,
        max_picture_bytes=round(parsed.max_pictures_gb * 1e9),
        is_live=parsed.with_parent,
        ways=Ways.of_arguments(local_accounts=parsed.local_accounts, oidc=parsed.oidc, proxy=parsed.proxy),
        recorder=CameraAddress.of_argument(RECORDER, parsed.recorder),
        live_video=CameraAddress.of_argument(LIVE_VIDEO, parsed.live_video),
    )


def _listener(settings: Settings) -> socket.socket:
    """Return a socket on the first free port, starting at the configured one.

    A page that comes back after a restart takes its previous port, so that open browser tabs reconnect.

    Raises:
        ConfigError: If no port is free, or this machine does not have the address.
    """
    num_ports = NUM_PORTS if settings.port else 1
    ports = range(settings.port, min(settings.port + num_ports, 65536))
    previous = settings.folder / PORT_FILE
    text = previous.read_text() if settings.is_live and previous.exists() else ""
    if text.isdigit() and (settings.port == 0 or int(text) in ports):
        give_up_at = time.monotonic() + SAME_PORT_TIMEOUT_S
        while time.monotonic() < give_up_at:
            with suppress(OSError):
                return _bound(settings.host, int(text))
            time.sleep(POLL_S)
    for port in ports:
        try:
            return _bound(settings.host, port)
        except OSError as error:
            reason = error.strerror
    raise ConfigError(
        f"console.port: expected {settings.host}:{settings.port} or one of the next {num_ports - 1} ports to be free, "
        f"got {reason}; choose another port"
    )


def _bound(host: str, port: int) -> socket.socket:
    """Return a listening socket; raise ``OSError`` if the port is taken."""
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read; it appears whole, because others wait for it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = path.with_name(f".{path.name}")
    descriptor = os.open(unfinished, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    unfinished.replace(path)


def _stop_with_parent(server: uvicorn.Server) -> None:
    """Stop when standard input ends: it does so when the parent process exits, even if it was killed."""
    sys.stdin.buffer.read()
    server.should_exit = True


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = argparse.ArgumentParser(prog="passerby console", description=__doc__)
    add = parser.add_argument
    add("--output", required=True, metavar="DIR", help="output folder of a run, finished or still going on")
    add("--host", default="127.0.0.1", help="address to listen on; default %(default)s")
    add("--port", type=int, default=8400, help="first port to try; default %(default)s")
    add("--name", action="append", default=[], help="a host name that browsers may use for the page; may be repeated")
    add("--login", action="store_true", help="require a login on loopback too; other addresses always require one")
    add("--accounts", metavar="FILE", help="file of users, to share between runs; default: in the output folder")
    add("--certificate", metavar="PEM", help="serve over TLS with this certificate")
    add("--certificate-key", metavar="PEM", help="key of the certificate")
    add("--no-local-accounts", dest="local_accounts", action="store_false", help="nobody logs in with a password")
    add("--oidc", metavar="YAML", help=f"sign in at a provider, as sink.console.oidc; its secret in {SECRET}")
    add("--proxy", metavar="YAML", help="believe the headers of a proxy, as sink.console.proxy")
    add("--recorder", metavar="YAML", help="link to another recorder, such as an NVR, as sink.console.recorder")
    add("--live-video", metavar="YAML", help="a server of live video, such as go2rtc, as sink.console.live_video")
    add("--session-hours", type=float, default=12.0, help="a session ends after this; default %(default)s")
    add("--keep-pictures-hours", type=float, default=168.0, help="delete pictures after this; default %(default)s")
    add("--max-pictures-gb", type=float, default=2.0, help="size of all pictures together; default %(default)s")
    add("--with-parent", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
