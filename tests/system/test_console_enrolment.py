"""An operator enrols people by pictures in a browser while the demo runs, and the alert follows without a restart."""

import re
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from console_browser import chromium, go, opened
from numpy.typing import NDArray
from playwright.sync_api import Browser, FilePayload, Page, expect
from running import start

from connectors.console.search.networks import RunNetworks

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

DEMO = Path("connectors/synthetic/demo")
SHOWN_FROM_S = 8
"""Second of the demo from which on pictures of a person are taken who is in the picture for a while."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


def person_of_the_demo(networks: RunNetworks) -> list[NDArray[np.uint8]]:
    """Return cut-outs of the person who is largest in two pictures of the camera north."""
    video = cv2.VideoCapture(str(DEMO / "north.mp4"))
    rate = video.get(cv2.CAP_PROP_FPS)
    found = []
    for second in (SHOWN_FROM_S, SHOWN_FROM_S + 0.5):
        video.set(cv2.CAP_PROP_POS_FRAMES, int(second * rate))
        picture = np.asarray(cv2.cvtColor(video.read()[1], cv2.COLOR_BGR2RGB), np.uint8)
        left, top, right, bottom = max(networks.people_in(picture), key=lambda box: box[3] - box[1])
        margin = (bottom - top) // 8
        found.append(picture[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin])
    video.release()
    return found


def as_file(name: str, picture: NDArray[np.uint8]) -> FilePayload:
    bgr = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGR)
    return {"name": name, "mimeType": "image/png", "buffer": bytes(cv2.imencode(".png", bgr)[1])}


def enrol(page: Page, files: list[FilePayload], name: str) -> None:
    page.locator('[data-key="enrol"]').click()
    page.locator('[data-key="pictures"]').set_input_files(files)
    expect(page.locator("figure[data-judged] .tag.good, figure[data-judged] .tag.warn")).to_have_count(len(files))
    expect(page.locator("figure >> text=is being judged")).to_have_count(0)
    page.locator('[data-key="name"]').fill(name)


def test_who_is_enrolled_in_the_page_while_the_demo_runs_raises_an_alert(browser: Browser, tmp_path: Path) -> None:
    words = ["site=demo", "runtime=inline", "replay.speed=0.5", "sink=[jsonl,console]", f"output_dir={tmp_path}"]
    more = ["sink.console.port=0", "alerts=[watchlist]", "matcher.leave_after_s=inf"]
    process = start([*words, *more])
    assert process.stdout is not None
    url = next(found[1] for line in process.stdout if (found := re.match(r"console: (\S+) ", line)))
    try:
        networks = RunNetworks(tmp_path)
        with opened(browser, f"{url}/#/watchlist") as page:
            page.wait_for_selector("text=Nobody is on the watch-list.")
            good = person_of_the_demo(networks)
            blurred = np.asarray(cv2.GaussianBlur(good[0], (0, 0), good[0].shape[0] / 30), np.uint8)
            nobody = np.full((200, 90, 3), 120, np.uint8)
            files = [as_file("front.png", good[0]), as_file("blurred.png", blurred), as_file("wall.png", nobody)]
            enrol(page, files, "Anna")
            assert page.locator("figure", has_text="front.png").get_attribute("data-judged") == "good"
            assert page.locator("figure", has_text="blurred.png").get_attribute("data-judged") == "poor"
            page.wait_for_selector(
                "figure:has-text('wall.png') >> text=no person is found in it; show one whole person"
            )
            page.locator('[data-key="reason"]').fill("missing since noon")
            page.locator('[data-key="until"]').fill("2035-12-31T12:00")
            page.locator('[data-key="severity"]').select_option("warning")
            page.locator('[data-key="submit"]').click()
            page.wait_for_selector(".toast >> text=Anna is on the watch-list.")
            card = page.locator("[data-listed]")
            expect(card).to_contain_text("missing since noon")
            expect(card).to_contain_text("until 12/31/2035")
            expect(card.locator("img")).to_have_count(1)
            page.wait_for_function("() => document.querySelector('[data-listed] img').naturalWidth > 20")
            go(page, "alerts")
            page.wait_for_selector("article.alert >> text='Anna' of the watch list is here.")
            assert process.poll() is None, "the run goes on"
            go(page, "watchlist")
            page.get_by_role("button", name="Take off…").click()
            page.get_by_role("button", name="Take off", exact=True).click()
            page.wait_for_selector("text=Nobody is on the watch-list.")
            database = sqlite3.connect(tmp_path / "console" / "enrolled.sqlite")
            assert database.execute("SELECT count(*) FROM enrolled").fetchone() == (0,)
            database.close()
    finally:
        process.send_signal(signal.SIGTERM)
        _, output = process.communicate(timeout=200)
    assert process.returncode == 0, output
