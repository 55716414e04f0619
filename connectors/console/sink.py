"""The page beside a run: starts its server with the run and stops it with the run.

Needs: fastapi, uvicorn, websockets, argon2-cffi, itsdangerous, pyotp (extra ``console``).
Guarantee: the page reads all records from the ledger; this sink passes it none.
When slow: the pipeline is not affected, because the server is a separate process.
Secrets: see ``connectors.console``.
"""

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from connectors.console.camera_address import LIVE_VIDEO, RECORDER, CameraAddress
from connectors.console.settings import URL_FILE, Settings
from connectors.console.sign_in.ways import Ways, arguments_of
from pipeline.core import Record
from pipeline.core.errors import ConfigError

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 30.0
"""Seconds that the server may take to start: it imports fastapi and hashes a password."""

STOP_TIMEOUT_S = 10.0
"""Seconds that the server may take to stop; it is killed then."""

RESTART_EVERY_S = 5.0
"""Seconds between two starts of a server that dies; a smaller value keeps a core busy with starts."""

POLL_S = 0.05
"""Seconds between two looks at whether it has started."""


class ConsoleSink:
    """Serves the page of this run while the run goes on.

    Args:
        output_dir: Output folder of the run.
        host: Address to listen on.
        port: First port to try; the next free one is taken, and printed.
        names: Host names that browsers may use, besides loopback and ``host``.
        open: No login, for a demonstration; allowed on loopback only.
        accounts: File of users; None: in the output folder.
        certificate: PEM file of the certificate; None: no TLS.
        certificate_key: PEM file of its key.
        session_hours: Hours after which a session ends.
        keep_pictures_hours: Hours after which pictures of sightings are deleted.
        max_pictures_gb: Size of all pictures together, GB; the oldest are deleted above it.
        local_accounts: Whether users may log in with a password.
        oidc: See ``OidcSettings``; None: no provider.
        proxy: See ``ProxySettings``; None: no proxy.
        recorder: Another recorder, see ``RECORDER``; None: none.
        live_video: A server of live video, see ``LIVE_VIDEO``; None: none.

    Raises:
        ConfigError: If an argument is not valid, or the server does not start.
    """

    def __init__(
        self,
        *,
        output_dir: str,
        host: str,
        port: int,
        names: Sequence[str],
        open: bool,  # noqa: A002 - as the configuration says it
        accounts: str | None,
        certificate: str | None,
        certificate_key: str | None,
        session_hours: float,
        keep_pictures_hours: float,
        max_pictures_gb: float,
        local_accounts: bool,
        oidc: Mapping[str, Any] | None,
        proxy: Mapping[str, Any] | None,
        recorder: Mapping[str, Any] | None,
        live_video: Mapping[str, Any] | None,
    ) -> None:
        settings = Settings(
            output_dir=Path(output_dir).absolute(),
            host=host,
            port=port,
            names=tuple(names),
            is_open=open,
            certificate=Path(certificate) if certificate else None,
            certificate_key=Path(certificate_key) if certificate_key else None,
            ways=Ways.of(local_accounts=local_accounts, oidc=oidc, proxy=proxy),
            recorder=CameraAddress.of(RECORDER, recorder),
            live_video=CameraAddress.of(LIVE_VIDEO, live_video),
        )
        self._url_file = settings.folder / URL_FILE
        options = {
            "--output": settings.output_dir,
            "--host": host,
            "--port": port,
            "--session-hours": session_hours,
            "--keep-pictures-hours": keep_pictures_hours,
            "--max-pictures-gb": max_pictures_gb,
            "--accounts": accounts,
            "--certificate": certificate,
            "--certificate-key": certificate_key,
            "--recorder": json.dumps(dict(recorder)) if recorder else None,
            "--live-video": json.dumps(dict(live_video)) if live_video else None,
        }
        self._command = [sys.executable, "-m", "connectors.console", "--with-parent"]
        self._command += [f"{name}={value}" for name, value in options.items() if value is not None]
        self._command += [f"--name={name}" for name in names] + ([] if open else ["--login"])
        ways, self._variables = arguments_of(local_accounts=local_accounts, oidc=oidc, proxy=proxy)
        self._command += ways
        self._server: subprocess.Popen[bytes] | None = None
        self._start()

    def write(self, records: Sequence[Record]) -> None:
        """Do nothing: the page reads the records from the ledger."""

    def flush(self) -> None:
        """Start the server again if it has died; nothing is held."""
        server, now = self._server, time.monotonic()
        if server is None or server.poll() is None or now - self._started_at < RESTART_EVERY_S:
            return
        logger.warning("the page's server ended with code %s and is started again", server.returncode)
        self._launch()

    def close(self) -> None:
        """Stop the server; idempotent."""
        server, self._server = self._server, None
        if server is None:
            return
        assert server.stdin is not None
        server.stdin.close()
        try:
            server.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        self._url_file.unlink(missing_ok=True)

    def _launch(self) -> None:
        self._started_at = time.monotonic()
        self._server = subprocess.Popen(
            self._command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, **self._variables},
        )

    def _start(self) -> None:
        self._url_file.unlink(missing_ok=True)
        self._launch()
        assert self._server is not None
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while not self._url_file.exists():
            if self._server.poll() is not None or time.monotonic() > give_up_at:
                self.close()
                raise ConfigError("sink.console: expected its server to start, got no address; see its error above")
            time.sleep(POLL_S)
