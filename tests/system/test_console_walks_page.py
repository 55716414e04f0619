"""The floor plan in a browser: people move on the ground, live as cameras see them, and replayed at any moment."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from console_browser import chromium, opened
from console_page import ADDRESS, FEED_KEY, RunningPage, make_jpeg
from factories import make_path, make_sighting
from playwright.sync_api import Browser, Page, expect
from websockets.sync.client import ClientConnection, connect

from connectors.console.camera.message import pack
from pipeline.core import Correction, CorrectionKind, TrackId
from pipeline.ledger import Ledger

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

EAST, WEST = TrackId("east", 0, 1), TrackId("west", 0, 1)
GROUND = "{east: [[0.1, 0, 0], [0, 0.1, 0], [0, 0, 1]], west: [[0.1, 0, 20], [0, 0.1, 0], [0, 0, 1]]}"
CONFIG = f"site:\n  cameras: {{east: /a.mp4, west: /b.mp4, yard: /c.mp4}}\n  ground: {GROUND}\n"
ANNA = 'g[data-person="1"]'


def write_run(folder: Path, config: str = CONFIG) -> None:
    ledger = Ledger(folder / "ledger.sqlite")
    ledger.append(
        [
            make_sighting(1, EAST, 0, make_path(0, 30, box=(0, 20, 20, 100))),
            make_sighting(1, EAST, 1, make_path(30, 30, box=(30, 20, 50, 100))),
            make_sighting(2, TrackId("east", 0, 2), 0, make_path(0, 60, box=(90, 0, 110, 40))),
            make_sighting(1, WEST, 0, make_path(100, 30, box=(40, 20, 60, 100)), is_last=True),
            Correction(CorrectionKind.NAMED, (1,), "ann", 1.0, name="Anna"),
        ]
    )
    ledger.close()
    (folder / "config.yaml").write_text(config)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


def place(page: Page, who: str = ANNA) -> list[float]:
    text = page.locator(who).get_attribute("data-place")
    assert text is not None
    return [float(side) for side in text.split(",")]


def test_people_are_replayed_on_the_ground_with_names_and_trails(browser: Browser, tmp_path: Path) -> None:
    write_run(tmp_path)
    with (
        RunningPage(tmp_path, is_open=True) as running,
        opened(browser, f"{running.url}/#/floor?at=4.4") as page,
    ):
        page.wait_for_selector(ANNA)
        assert place(page) == [2.5, 10.0]  # half way between the ends of two parts
        expect(page.locator(ANNA)).to_have_text("1 Anna")
        assert page.locator(".floor polyline").count() == 1
        expect(page.locator("g[data-person='2']")).to_have_count(1)
        page.wait_for_selector("text=Not shown, because their ground is not known: yard.")
        page.locator('[data-key="speed"]').select_option("0.5")
        page.locator('[data-key="play"]').click()
        page.wait_for_function(
            "() => Number(document.querySelector('g[data-person=\"1\"]').dataset.place.split(',')[0]) > 3"
        )
        page.locator('[data-key="play"]').click()
        page.get_by_label("Time", exact=True).last.fill("12.9")
        page.wait_for_function(
            "() => document.querySelector('g[data-person=\"1\"]')?.dataset.place.startsWith('25.00')"
        )
        expect(page.locator("g[data-person='2']")).to_have_count(0)
        page.reload()
        page.wait_for_selector(ANNA)
        assert place(page)[0] == 25.0, "the address keeps the moment"
        page.locator(ANNA).click()
        page.wait_for_selector(".page-person[data-ready]")


@contextmanager
def feed(running: RunningPage, camera: str) -> Iterator[ClientConnection]:
    """A camera that sends pictures, as the pipeline's does."""
    headers = {"authorization": f"Bearer {FEED_KEY}", "x-camera": json.dumps(camera)}
    with connect(f"ws://{ADDRESS}:{running.port}/feed", additional_headers=headers) as socket:

        def listen() -> None:
            with suppress(Exception):
                for _ in socket:
                    pass

        threading.Thread(target=listen, daemon=True).start()
        yield socket


def test_people_move_live_as_cameras_see_them(browser: Browser, tmp_path: Path) -> None:
    write_run(tmp_path)
    is_over = threading.Event()

    def send(socket: ClientConnection) -> None:
        for index in range(10_000):
            if is_over.wait(0.2):
                return
            left = 0.1 + 0.4 * (index % 50) / 50
            people = [[str(EAST), left, 0.2, left + 0.1, 0.5], ["east/0/9", 0.8, 0.2, 0.9, 0.5]]
            times = {"captured_at": index / 5, "shown_at": time.time()}
            header = {"index": index, **times, "people": people, "frame_hw": [200, 400]}
            socket.send(pack(header, make_jpeg()))

    with RunningPage(tmp_path, is_open=True, is_live=True) as running, feed(running, "east") as socket:
        sender = threading.Thread(target=send, args=(socket,))
        sender.start()
        try:
            with opened(browser, f"{running.url}/#/floor") as page:
                page.wait_for_selector(ANNA)
                before = place(page)
                assert before[1] == 10.0
                page.wait_for_function(
                    "before => document.querySelector('g[data-person=\"1\"]')?.dataset.place !== before",
                    arg=f"{before[0]:.2f},{before[1]:.2f}",
                )
                expect(page.locator("g[data-key='east/0/9']")).to_have_text("?")
                page.wait_for_selector(".floor polyline", state="attached")
                page.locator('[data-key="replay"]').click()
                page.wait_for_selector('[data-key="play"]')
                page.locator('[data-key="live"]').click()
                page.wait_for_selector("g[data-key='east/0/9']")
        finally:
            is_over.set()
            sender.join()


def test_without_a_known_ground_the_page_says_what_to_do(browser: Browser, tmp_path: Path) -> None:
    write_run(tmp_path, "site:\n  cameras: {east: /a.mp4}\n  ground: {}\n")
    with RunningPage(tmp_path, is_open=True) as running, opened(browser, f"{running.url}/#/floor") as page:
        page.wait_for_selector("text=The ground is not known in any camera.")
