"""The page over a run's output: ``passerby console --output DIR``."""

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

from connectors.console.app_state import AppState
from connectors.console.camera.monitor import FEED
from connectors.console.server import make_server
from connectors.console.settings import NOTE, Settings, is_loopback
from connectors.console.store.accounts import Accounts
from pipeline.core.errors import ConfigError, ConnectorError, ReidError

DONE = 0
NUM_PORTS = 20
PORT = "port"
"""In the folder of the page: where it listened last."""

AGAIN_S = 5.0
LEDGER_S = 120.0
POLL_S = 0.1

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until it is stopped; return the exit code, errors in one line."""
    parsed = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        settings = _settings(parsed)
        listener = _listener(settings)
        accounts = Accounts(settings.accounts or settings.folder / "accounts.sqlite")
        port = listener.getsockname()[1]
        _write_private(settings.folder / PORT, str(port))
        _greet(settings, accounts, port)
        state = _state(settings, accounts)
    except ReidError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    feed_key = secrets.token_hex(32)
    server = make_server(state, feed_key)
    if parsed.with_parent:
        threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
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
        asyncio.run(server.serve([listener]))
    except KeyboardInterrupt:
        return DONE
    finally:
        (settings.folder / FEED).unlink(missing_ok=True)
        state.close()
    return DONE


def _greet(settings: Settings, accounts: Accounts, port: int) -> None:
    """Say where the page is and how one gets in; the first administrator's password is said here and never again."""
    url = settings.url(port)
    if settings.is_open:
        text = f"console: {url} (open without a login, for a demonstration, on this machine alone)\n"
    else:
        password = accounts.make_first()
        text = f"console: {url}\n"
        if password is not None:
            text += f"console: first login: admin / {password} (this is shown once; change it)\n"
    if settings.is_live:
        _write_private(settings.folder / NOTE, text)  # the run shows it where people look, and takes it away
    else:
        print(text, end="", flush=True)


def _state(settings: Settings, accounts: Accounts) -> AppState:
    """Return the desk; beside a run that is starting, the ledger is waited for.

    Raises:
        ConnectorError: If a file cannot be opened.
    """
    give_up_at = time.monotonic() + (LEDGER_S if settings.is_live else 0.0)
    while True:
        try:
            return AppState(settings, accounts)
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
    )


def _listener(settings: Settings) -> socket.socket:
    """Return a socket on the first free port from the configured one on.

    Raises:
        ConfigError: If none is free, or the address is not of this machine.
    """
    num_ports = NUM_PORTS if settings.port else 1
    ports = range(settings.port, min(settings.port + num_ports, 65536))
    before = settings.folder / PORT
    text = before.read_text() if settings.is_live and before.exists() else ""
    if text.isdigit() and (settings.port == 0 or int(text) in ports):
        # This run's page was there; whoever looks at it finds it again, as soon as the old one is gone.
        give_up_at = time.monotonic() + AGAIN_S
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
        f"console.port: expected a free one of {settings.host}:{settings.port} and the next {num_ports - 1}, "
        f"got {reason}; choose another"
    )


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raises ``OSError`` where the port is taken."""
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def _end_with_parent(server: uvicorn.Server) -> None:
    """Stop when standard input ends, as it does when the process that started this one is gone, however it went."""
    sys.stdin.buffer.read()
    server.should_exit = True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="passerby console", description=__doc__)
    add = parser.add_argument
    add("--output", required=True, metavar="DIR", help="what a run left, or leaves just now")
    add("--host", default="127.0.0.1", help="address to listen on; default %(default)s")
    add("--port", type=int, default=8400, help="the first to try; default %(default)s")
    add("--name", action="append", default=[], help="a name under which browsers may ask for it; may be repeated")
    add("--login", action="store_true", help="ask for a login on loopback as well; elsewhere it always does")
    add("--accounts", metavar="FILE", help="users, kept over runs; default: in the output folder")
    add("--certificate", metavar="PEM", help="serve over TLS, with")
    add("--certificate-key", metavar="PEM", help="the key of it")
    add("--session-hours", type=float, default=12.0, help="then one logs in anew; default %(default)s")
    add("--keep-pictures-hours", type=float, default=168.0, help="pictures of sightings; default %(default)s")
    add("--max-pictures-gb", type=float, default=2.0, help="all of them together; default %(default)s")
    add("--with-parent", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
