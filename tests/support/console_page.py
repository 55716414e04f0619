"""The real server of the operator's page over a small ledger, on loopback."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import httpx
import numpy as np
import uvicorn
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from factories import make_path, make_sighting

from connectors.console.app_state import AppState, AtRest
from connectors.console.server import make_server
from connectors.console.settings import Settings
from connectors.console.store.accounts import Accounts, Role
from connectors.console.store.pictures import Picture
from connectors.console.store.recent_events import Span
from pipeline.core import Alert, Match, Outcome, Severity, TrackId, TrackPart
from pipeline.ledger import Ledger

HOSTILE = "<script>alert(1)<script>"
"""Name of a camera that attempts to inject a script."""
PASSWORD = "correct horse"
FEED_KEY = "key of the feed"
ADDRESS = "127.0.0.1"

CONFIG = """\
site:
  cameras: {east: /a.mp4, west: /b.mp4, "<script>alert(1)<script>": /c.mp4}
  transit_times: []
  ground: {}
"""


def make_jpeg(seed: int = 0, hw: tuple[int, int] = (96, 40)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (hw[0] // 8, hw[1] // 8, 3), np.uint8)
    return bytes(cv2.imencode(".jpg", cv2.resize(pixels, hw[::-1]))[1])


def write_ledger(folder: Path) -> None:
    """Person 1 is in east and then in west, 2 may be the same, 3 is another person, 4 is in the hostile camera."""
    east, west, other, hostile = (
        TrackId("east", 0, 1),
        TrackId("west", 0, 1),
        TrackId("west", 0, 2),
        TrackId(HOSTILE, 0, 1),
    )
    uncertain = make_sighting(2, other, path=make_path(200, 20), outcome=Outcome.TENTATIVE)
    ledger = Ledger(folder / "ledger.sqlite")
    ledger.append(
        [
            make_sighting(1, east, 0, make_path(0, 10)),
            make_sighting(1, east, 1, make_path(10, 10), Outcome.MATCHED, is_last=True),
            make_sighting(1, west, 0, make_path(100, 10), Outcome.MATCHED),
            replace(uncertain, runner_up=Match(1, 0.3), probability=0.6, gates=("looks like person 1",)),
            make_sighting(3, TrackId("east", 0, 2), path=make_path(300, 10)),
            make_sighting(4, hostile, path=make_path(400, 10)),
            Alert("dwell/1/0.5", "dwell", Severity.WARNING, 1, "east", 0.5, 1.0, "Stays <b>long</b>.", (east,)),
            Alert("line/2/20.0", "line", Severity.INFO, 2, "west", 20.0, 21.0, "Crosses.", (other,)),
        ]
    )
    ledger.close()
    (folder / "config.yaml").write_text(CONFIG)


class RunningPage:
    """Context manager that serves a page.

    Args:
        folder: Output folder of the run; gets a ledger if it has none.
        at_rest: See ``AppState``.
        settings: See ``Settings``.
    """

    def __init__(self, folder: Path, at_rest: AtRest | None = None, **settings: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "ledger.sqlite").exists():
            write_ledger(folder)
        self.settings = Settings(output_dir=folder, **settings)
        self.accounts = Accounts(
            self.settings.accounts or self.settings.folder / "accounts.sqlite", PasswordHasher.from_parameters(CHEAPEST)
        )
        self.state = AppState(self.settings, self.accounts, at_rest)
        self._listener = socket.create_server((ADDRESS, 0))
        self.port = self._listener.getsockname()[1]
        self.url = self.settings.url(self.port)
        self._server: uvicorn.Server = make_server(self.state, FEED_KEY)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.01)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()
        self.state.close()

    def spans(self) -> list[tuple[Span, int]]:
        """Return the parts of all tracks, the oldest track first, and whom each shows."""
        return [each for track in reversed(self.state.ledger_view.newest_tracks(1000)) for each in track]

    def add_pictures(self) -> None:
        """Give every sighting a picture."""
        for seed, (span, _) in enumerate(self.spans()):
            heads = ((0.0, 0.0, 1.0, 0.5),)
            self.state.pictures.put(Picture(span.part, span.first_at, 10.0 + seed, make_jpeg(seed), heads))

    @contextmanager
    def client(
        self, name: str | None = None, role: Role = Role.OPERATOR, cameras: tuple[str, ...] | None = None
    ) -> Iterator[httpx.Client]:
        """Give a client that is logged in as a new user; without a name, not logged in."""
        with httpx.Client(base_url=self.url, timeout=30) as client:
            if name is not None:
                self.accounts.put(name, PASSWORD, role, cameras)
                assert client.post("/api/login", json={"name": name, "password": PASSWORD}).status_code == 200
                client.headers["x-csrf-token"] = client.get("/api/me").json()["csrf"]
            yield client


PART = {"track": "east/0/1", "part": 0}
EAST_PART = TrackPart(TrackId("east", 0, 1), 0)
